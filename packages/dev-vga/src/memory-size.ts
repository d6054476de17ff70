import { PropertyError } from '@pagurus/device-model';

const MIB = 1 << 20;

/**
 * Bytes of video memory for property `vgamem_mb`: the next power of two, as QEMU rounds.
 * @throws {PropertyError} outside 1 to 256.
 */
export function memorySize(driver: string, mib: number): number {
  if (mib < 1 || mib > 256) throw new PropertyError(driver, 'vgamem_mb', `${mib} is not between 1 and 256`);
  let size = 1;
  while (size < mib) size *= 2;
  return size * MIB;
}
