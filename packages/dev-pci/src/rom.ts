import { type DeviceContext, PropertyError } from '@pagurus/device-model';
import { ROM_BAR } from './base-address.js';
import type { PciFunction } from './function.js';

/** Smallest RAM block. */
const LEAST = 4096;

export interface RomOptions {
  /** Property `romfile`; empty: no ROM. */
  readonly file: string;
  /** Property `rombar` is not 0. */
  readonly enabled: boolean;
  /** Images that a card has by default. A host that lacks one of these gives a card without ROM; an image that the user named must exist. */
  readonly optional: readonly string[];
  /** Name of the RAM block, because streams carry the ROM. */
  readonly block: string;
}

/** Gives the function its expansion ROM: backend `romfile` has the image's bytes. Its size is the next power of two. */
export function addRom(context: DeviceContext, pci: PciFunction, options: RomOptions): void {
  const image = options.enabled ? readImage(context, options) : undefined;
  if (!image || image.length === 0) return;
  let size = LEAST;
  while (size < image.length) size *= 2;
  const block = context.mmio.allocate(options.block, size);
  block.write(0, image);
  pci.ramBar(ROM_BAR, block, 'rom');
}

function readImage(context: DeviceContext, { file, optional }: RomOptions): Uint8Array | undefined {
  if (file === '') return undefined;
  try {
    return context.backend<Uint8Array>('romfile');
  } catch (error) {
    if (error instanceof PropertyError && optional.includes(file)) return undefined;
    throw error;
  }
}
