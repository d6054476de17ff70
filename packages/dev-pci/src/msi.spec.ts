/** Message signalled interrupts. [PCI] PCI Local Bus Specification 3.0, 6.8 */

/** 6.8.1. Offsets for a 64-bit address; a 32-bit one has the data four bytes earlier. */
export const MSI = {
  ID: 0x05,
  CONTROL: 2,
  ADDRESS: 4,
  ADDRESS_HIGH: 8,
  DATA_32: 8,
  DATA_64: 12,
  ENABLE: 0x0001,
  /** Number of vectors wanted and granted, as powers of two. */
  CAPABLE_SHIFT: 1,
  GRANTED_SHIFT: 4,
  GRANTED_MASK: 7,
  WIDE: 0x0080,
  MASKABLE: 0x0100,
  MOST_VECTORS: 32,
} as const;

/** 6.8.2 */
export const MSIX = {
  ID: 0x11,
  LENGTH: 12,
  /** Bytes of a table entry: address, data, control. */
  ENTRY: 16,
  CONTROL: 2,
  TABLE: 4,
  PENDING: 8,
  ENABLE: 0x8000,
  FUNCTION_MASK: 0x4000,
  /** In an entry's control word. */
  ENTRY_MASK: 1,
  MOST_VECTORS: 2048,
} as const;

/** Physical addresses have at most 52 bits. */
export const ADDRESS_LIMIT = 2 ** 52;
