/**
 * Names and numbers of PCI configuration space and of configuration mechanism #1.
 * [PCI] PCI Local Bus Specification 3.0, chapter 6 (configuration space), 3.2.2.3 (mechanism #1), 2.2.6 (INTx).
 */

/** Registers of a type 0 header, byte offsets. [PCI] 6.1 */
export const PCI = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  CLASS_PROG: 0x09,
  CLASS_DEVICE: 0x0a,
  CACHE_LINE_SIZE: 0x0c,
  LATENCY_TIMER: 0x0d,
  HEADER_TYPE: 0x0e,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  ROM_ADDRESS: 0x30,
  CAPABILITY_LIST: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
  /** First byte behind the standard header. */
  HEADER_SIZE: 0x40,
} as const;

/** Command register, 16 bits. [PCI] 6.2.2 */
export const COMMAND = { IO: 0x0001, MEMORY: 0x0002, MASTER: 0x0004, SERR: 0x0100, INTX_DISABLE: 0x0400 } as const;

/** Status register, 16 bits. [PCI] 6.2.3 */
export const STATUS = {
  INTERRUPT: 0x0008,
  CAPABILITY_LIST: 0x0010,
  FAST_BACK_TO_BACK: 0x0080,
  DEVSEL_MEDIUM: 0x0200,
  /** Parity, target abort (signalled, received), master abort, SERR and detected parity: write one to clear. */
  ERRORS: 0xf900,
} as const;

/** Header type bit 7: the device has more than function 0. [PCI] 6.2.1 */
export const MULTI_FUNCTION = 0x80;

/** Low bits of a base address register. [PCI] 6.2.5.1 */
export const BAR = { IO: 0x1, WIDE: 0x4, PREFETCHABLE: 0x8 } as const;

/** Expansion ROM enable. [PCI] 6.2.5.2 */
export const ROM_ENABLE = 0x1;

export const CONFIG_SIZE = 256;
export const EXPRESS_CONFIG_SIZE = 4096;

/** Configuration mechanism #1. [PCI] 3.2.2.3.2 */
export const CONFIG_PORT = { ADDRESS: 0xcf8, DATA: 0xcfc } as const;

/**
 *     31      30..24   23..16   15..11   10..8      7..2       1..0
 *    +------+--------+--------+--------+----------+----------+-----+
 *    |enable|   0    |  bus   | device | function | register |  0  |
 *    +------+--------+--------+--------+----------+----------+-----+
 */
export const CONFIG_ENABLE = 0x8000_0000;

/** What QEMU puts in the subsystem registers of its own devices. */
export const QEMU_SUBSYSTEM = { VENDOR_ID: 0x1af4, ID: 0x1100 } as const;

/** Interrupt pins of a slot, and lines of the router. */
export const PIN_COUNT = 4;

/**
 * Priorities of ranges on the system memory space, so that a PC's layers hide each other as on QEMU: a base address register
 * never hides RAM or an interrupt controller; shadow RAM hides option ROMs; an open SMRAM hides the VGA window.
 */
export const MEMORY_PRIORITY = {
  /** Windows of base address registers. */
  BAR: -10,
  /** Shadow RAM (PAM) and open SMRAM of the host bridge. */
  SHADOW: 10,
} as const;

/** Windows of I/O base address registers hide ISA devices that decode the same ports, as on QEMU. */
export const PORT_PRIORITY = { BAR: 1 } as const;
