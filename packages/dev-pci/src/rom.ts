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
  block.write(0, options.file === options.optional[0] ? withIdentity(image, pci.config) : image);
  pci.ramBar(ROM_BAR, block, 'rom');
}

/** Where an image names its function. [PCI] 6.3.1.2, "PCI Data Structure Format"; iPXE keeps its check sum in byte 6. */
const IMAGE = { SIGNATURE: 0xaa55, DATA_POINTER: 0x18, CHECKSUM: 6 } as const;
const DATA = { SIGNATURE: 0x52494350, VENDOR: 4, LENGTH: 24 } as const;

/** The usual image of a card may be one for several cards: it gets the card's own vendor and device, and the same sum as before, as on QEMU. */
function withIdentity(image: Uint8Array, config: Uint8Array): Uint8Array {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (image.length < IMAGE.DATA_POINTER + 2 || view.getUint16(0, true) !== IMAGE.SIGNATURE) return image;
  const at = view.getUint16(IMAGE.DATA_POINTER, true);
  if (at + DATA.LENGTH > image.length || view.getUint32(at, true) !== DATA.SIGNATURE) return image;
  const own = image.slice();
  let sum = 0;
  for (let i = 0; i < 4; i++) {
    sum += image[at + DATA.VENDOR + i]! - config[i]!;
    own[at + DATA.VENDOR + i] = config[i]!;
  }
  own[IMAGE.CHECKSUM] = (own[IMAGE.CHECKSUM]! + sum) & 0xff;
  return own;
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
