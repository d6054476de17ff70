import type { AccessSize } from '@pagurus/device-model';

/** Little-endian words of a configuration space. Offsets beyond the end read as zero and swallow writes. */
export function readConfig(bytes: Uint8Array, offset: number, size: AccessSize): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0);
  return value;
}

export function writeConfig(bytes: Uint8Array, offset: number, value: number, size: AccessSize): void {
  for (let i = 0; i < size; i++) bytes[offset + i] = value >>> (8 * i);
}

/** True if [offset, offset + length) and [start, start + size) share a byte. */
export function overlaps(offset: number, length: number, start: number, size: number): boolean {
  return offset < start + size && start < offset + length;
}
