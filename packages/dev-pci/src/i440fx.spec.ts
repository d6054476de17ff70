/**
 * Names and numbers of the host bridge and the ISA bridge.
 * [82441FX] Intel 440FX PCIset, 82441FX PCI and memory controller (290549), chapter 3 (registers), 4.1 (memory map).
 * [82371SB] Intel 82371SB PCI ISA IDE Xcelerator PIIX3 (290550), chapter 2 (registers).
 * [QEMU]    behaviour observed on QEMU 7.2 where it differs from the datasheets.
 */

export const I440FX = {
  VENDOR_ID: 0x8086,
  DEVICE_ID: 0x1237,
  REVISION: 0x02,
  /** Host bridge. */
  CLASS: 0x0600,
} as const;

/** Registers of the host bridge beyond the header. [82441FX] 3.2 */
export const I440FX_REGISTER = {
  /** RAM size in units of 8 MiB, at most 0xff; for coreboot. [QEMU] */
  RAM_SIZE: 0x57,
  /** PAM0 to PAM6: attributes of 0xc0000 to 0xfffff. */
  PAM: 0x59,
  SMRAM: 0x72,
} as const;

/**
 * Attributes of one segment, two bits of a PAM nibble. [82441FX] 3.2.18
 *
 *     bit 1: writes go to DRAM     bit 0: reads come from DRAM
 *
 * Writes to DRAM with reads from PCI is treated as both, as [QEMU] does: the datasheet's mode can't be shown as one page.
 */
export const PAM = { READ: 1, WRITE: 2 } as const;

/** A segment of shadow RAM: where, and in which nibble of which PAM register. */
export interface PamSegment {
  readonly base: number;
  readonly length: number;
  readonly register: number;
  readonly shift: number;
}

/** The thirteen segments: 64 KiB at 0xf0000 in the high nibble of PAM0, then twelve of 16 KiB. [82441FX] table 3-3 */
export const PAM_SEGMENTS: readonly PamSegment[] = [
  { base: 0xf_0000, length: 0x1_0000, register: I440FX_REGISTER.PAM, shift: 4 },
  ...Array.from({ length: 12 }, (_, i) => ({
    base: 0xc_0000 + i * 0x4000,
    length: 0x4000,
    register: I440FX_REGISTER.PAM + 1 + (i >> 1),
    shift: (i & 1) * 4,
  })),
];

/** System management RAM control. [82441FX] 3.2.21 */
export const SMRAM = {
  /** SMM sees RAM at 0xa0000. */
  ENABLE: 0x08,
  /** Everybody does. */
  OPEN: 0x40,
  BASE: 0xa_0000,
  LENGTH: 0x2_0000,
  /** After power-on. */
  DEFAULT: 0x02,
} as const;

export const PIIX3 = {
  VENDOR_ID: 0x8086,
  DEVICE_ID: 0x7000,
  /** ISA bridge. */
  CLASS: 0x0601,
} as const;

/** Routing of PIRQA# to PIRQD#. [82371SB] 2.2.9 */
export const PIRQ = { ROUTE: 0x60, COUNT: 4, DISABLED: 0x80 } as const;

/** Interrupt requests of the two 8259s. */
export const ISA_IRQ_COUNT = 16;

/** Reset control register. [82371SB] 2.5.4.3 */
export const RESET_CONTROL = { PORT: 0xcf9, HARD: 0x02, RESET_CPU: 0x04 } as const;

/** Contents of the PIIX3's own registers after reset; all others keep what the guest wrote. [QEMU] */
export const PIIX3_RESET: readonly (readonly [offset: number, value: number])[] = [
  [0x4c, 0x4d],
  [0x4e, 0x03],
  [0x4f, 0x00],
  [0x60, 0x80],
  [0x61, 0x80],
  [0x62, 0x80],
  [0x63, 0x80],
  [0x69, 0x02],
  [0x70, 0x80],
  [0x76, 0x0c],
  [0x77, 0x0c],
  [0x78, 0x02],
  [0x79, 0x00],
  [0x80, 0x00],
  [0x82, 0x00],
  [0xa0, 0x08],
  [0xa2, 0x00],
  [0xa3, 0x00],
  [0xa4, 0x00],
  [0xa5, 0x00],
  [0xa6, 0x00],
  [0xa7, 0x00],
  [0xa8, 0x0f],
  [0xaa, 0x00],
  [0xab, 0x00],
  [0xac, 0x00],
  [0xae, 0x00],
];
