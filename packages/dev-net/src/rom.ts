import { type PciFunction, ROM_BAR } from '@pagurus/dev-pci';
import type { DeviceContext } from '@pagurus/device-model';

/** Smallest expansion ROM register. */
const LEAST = 2048;

/**
 * Gives the function its expansion ROM: backend `romfile` has the image's bytes. It lies in a RAM block of its own, a power of two
 * long, because streams carry it. Without an image there is no register.
 */
export function addRom(context: DeviceContext, pci: PciFunction, blockName: string, enabled: boolean): void {
  const image = context.backend<Uint8Array>('romfile');
  if (!image || image.length === 0 || !enabled) return;
  let size = LEAST;
  while (size < image.length) size *= 2;
  const block = context.mmio.allocate(blockName, Math.max(size, 4096));
  block.write(0, image);
  pci.ramBar(ROM_BAR, block, 'rom');
}
