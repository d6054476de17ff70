import { BootError, hex } from './boot-image.js';

/** A range of the e820 map. */
export interface MapRange {
  readonly base: number;
  readonly length: number;
  /** 1 = RAM, 2 = reserved. */
  readonly type: 1 | 2;
}

/** Where the extended BIOS data area of a PC begins; nothing is put at or above it below 1 MiB. */
export const LOW_MEMORY_END = 0x9fc00;
const VIDEO = 0xa0000;
const FIRMWARE = 0xf0000;
export const HIGH_MEMORY = 0x100000;
const FOUR_GIB = 0x1_0000_0000;
const FLASH = 0x40000;

/** The map that a PC's firmware reports for these sizes, in bytes; `reserved` at the end of RAM below 4 GiB. */
export function memoryMap(below4g: number, above4g = 0, reserved = 0): MapRange[] {
  const map: MapRange[] = [{ base: 0, length: Math.min(below4g, LOW_MEMORY_END), type: 1 }];
  if (below4g > LOW_MEMORY_END) map.push({ base: LOW_MEMORY_END, length: VIDEO - LOW_MEMORY_END, type: 2 });
  map.push({ base: FIRMWARE, length: HIGH_MEMORY - FIRMWARE, type: 2 });
  const end = below4g - reserved;
  if (end > HIGH_MEMORY) map.push({ base: HIGH_MEMORY, length: end - HIGH_MEMORY, type: 1 });
  if (reserved > 0) map.push({ base: end, length: reserved, type: 2 });
  map.push({ base: FOUR_GIB - FLASH, length: FLASH, type: 2 });
  if (above4g > 0) map.push({ base: FOUR_GIB, length: above4g, type: 1 });
  return map;
}

/**
 * Says whether something can lie there: inside one range of RAM below 4 GiB.
 * @throws {BootError} `no-room` naming it, where it would lie and what RAM there is.
 */
export function requireRam(what: string, address: number, length: number, below4g: number): void {
  const end = address + length;
  const low = address >= 0 && end <= Math.min(LOW_MEMORY_END, below4g);
  const high = address >= HIGH_MEMORY && end <= below4g;
  if (low || high) return;
  throw new BootError(
    'no-room',
    `${what} would lie at ${hex(address)} to ${hex(end)}; RAM is 0x0 to ${hex(Math.min(LOW_MEMORY_END, below4g))}` +
      (below4g > HIGH_MEMORY ? ` and ${hex(HIGH_MEMORY)} to ${hex(below4g)}` : ''),
  );
}
