/**
 * What PC firmware is told: fw_cfg items and CMOS bytes. Numbers: QEMU's fw_cfg specification (docs/specs/fw_cfg) and the CMOS map of
 * the IBM AT as QEMU's `pc` machines fill it.
 */

/** fw_cfg selector keys. */
export const FW_CFG = {
  UUID: 0x02,
  RAM_SIZE: 0x03,
  NOGRAPHIC: 0x04,
  NB_CPUS: 0x05,
  MACHINE_ID: 0x06,
  BOOT_DEVICE: 0x0c,
  NUMA: 0x0d,
  BOOT_MENU: 0x0e,
  MAX_CPUS: 0x0f,
  /** x86 only. */
  ACPI_TABLES: 0x8000,
  IRQ0_OVERRIDE: 0x8002,
  HPET: 0x8004,
} as const;

/** CMOS indices. */
export const CMOS = {
  FLOPPY_TYPES: 0x10,
  /** Types of disks 0 and 1 in a nibble each; 15 = the type is in the next two. */
  DISK_TYPES: 0x12,
  DISK_TYPE_0: 0x19,
  /** Nine bytes per disk. */
  DISK_0: 0x1b,
  /** Two bits per disk. */
  DISK_TRANSLATION: 0x39,
  EQUIPMENT: 0x14,
  BASE_MEMORY: 0x15,
  EXTENDED_MEMORY: 0x17,
  EXTENDED_MEMORY_COPY: 0x30,
  MEMORY_ABOVE_16M: 0x34,
  BOOT_ORDER_3_AND_CHECK: 0x38,
  BOOT_ORDER_1_AND_2: 0x3d,
  MEMORY_ABOVE_4G: 0x5b,
  CPUS_MINUS_1: 0x5f,
} as const;

export const EQUIPMENT = { FLOPPY: 0x01, FPU: 0x02, PS2_MOUSE: 0x04, FLOPPY_COUNT_SHIFT: 6 } as const;

const KIB = 1024;
const MIB = 1024 * KIB;

/** The memory bytes of the CMOS. `below4g` and `above4g` in bytes. */
export function cmosMemory(below4g: number, above4g: number): readonly [index: number, value: number][] {
  const base = Math.min(Math.floor(below4g / KIB), 640);
  const extended = below4g > MIB ? Math.min(Math.floor((below4g - MIB) / KIB), 0xffff) : 0;
  const above16m = below4g > 16 * MIB ? Math.min(Math.floor((below4g - 16 * MIB) / (64 * KIB)), 0xffff) : 0;
  const high = Math.floor(above4g / (64 * KIB));
  return [
    ...word(CMOS.BASE_MEMORY, base),
    ...word(CMOS.EXTENDED_MEMORY, extended),
    ...word(CMOS.EXTENDED_MEMORY_COPY, extended),
    ...word(CMOS.MEMORY_ABOVE_16M, above16m),
    [CMOS.MEMORY_ABOVE_4G, high & 0xff],
    [CMOS.MEMORY_ABOVE_4G + 1, (high >> 8) & 0xff],
    [CMOS.MEMORY_ABOVE_4G + 2, (high >> 16) & 0xff],
  ];
}

/** What the firmware is told of a hard disk. */
export interface FirmwareDisk {
  readonly channel: number;
  readonly unit: number;
  readonly geometry: { readonly cylinders: number; readonly heads: number; readonly sectors: number };
  readonly translation: number;
}

/** The disk bytes of the CMOS: type 47 with its geometry for the first channel's, the translation of all four. [QEMU 7.2] */
export function cmosDisks(disks: readonly FirmwareDisk[]): readonly [index: number, value: number][] {
  const bytes: [number, number][] = [];
  let types = 0;
  let translations = 0;
  for (const { channel, unit, geometry, translation } of disks) {
    translations |= translation << (2 * (2 * channel + unit));
    if (channel !== 0) continue;
    types |= unit === 0 ? 0xf0 : 0x0f;
    bytes.push([CMOS.DISK_TYPE_0 + unit, 47]);
    const { cylinders, heads, sectors } = geometry;
    const control = 0xc0 | (heads > 8 ? 0x08 : 0);
    const fields = [cylinders & 0xff, cylinders >> 8, heads, 0xff, 0xff, control, cylinders & 0xff, cylinders >> 8, sectors];
    fields.forEach((value, i) => {
      bytes.push([CMOS.DISK_0 + 9 * unit + i, value & 0xff]);
    });
  }
  return [[CMOS.DISK_TYPES, types], ...bytes, [CMOS.DISK_TRANSLATION, translations]];
}

function word(index: number, value: number): [number, number][] {
  return [
    [index, value & 0xff],
    [index + 1, value >> 8],
  ];
}

/** Firmware's code of a `-boot order=` letter: a, b floppy; c disk; d CD; n network. Undefined for any other letter. */
export function bootDevice(letter: string): number | undefined {
  return { a: 1, b: 1, c: 2, d: 3, n: 4, o: 4, p: 4 }[letter];
}

/** Little-endian bytes of an integer item. */
export function littleEndian(value: number, bytes: 2 | 4 | 8): Uint8Array {
  const result = new Uint8Array(bytes);
  let rest = value;
  for (let i = 0; i < bytes; i++) {
    result[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return result;
}

/** `etc/e820`: per range u64 address, u64 length, u32 type (1 = RAM, 2 = reserved), little-endian. */
export function e820(ranges: readonly { base: number; length: number; type: 1 | 2 }[]): Uint8Array {
  const result = new Uint8Array(20 * ranges.length);
  ranges.forEach(({ base, length, type }, i) => {
    result.set(littleEndian(base, 8), 20 * i);
    result.set(littleEndian(length, 8), 20 * i + 8);
    result.set(littleEndian(type, 4), 20 * i + 16);
  });
  return result;
}
