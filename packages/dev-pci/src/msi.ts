import { overlaps, readConfig, writeConfig } from './config-space.js';
import type { PciFunction } from './function.js';
import { ADDRESS_LIMIT, MSI } from './msi.spec.js';

export interface MsiOptions {
  /** A power of two, 1 to 32. */
  readonly vectors: number;
  /** Addresses of 64 bits. */
  readonly wide: boolean;
  /** A mask and a pending bit for each vector. */
  readonly maskable: boolean;
  /** Offset in configuration space; default: behind the last capability. */
  readonly at?: number;
}

/**
 * Message signalled interrupts of a function. All state lies in configuration space: a message is a write of four bytes by the bus
 * master; one that is masked, or whose page is missing, stays pending where there are pending bits. [PCI] 6.8.1
 */
export class Msi {
  private readonly at: number;
  private readonly data: number;

  /** @throws {RangeError} for a number of vectors that cannot be. */
  constructor(
    private readonly pci: PciFunction,
    private readonly options: MsiOptions,
  ) {
    const { vectors, wide, maskable, at } = options;
    const shift = Math.log2(vectors);
    if (!Number.isInteger(shift) || vectors < 1 || vectors > MSI.MOST_VECTORS)
      throw new RangeError(`MSI with ${vectors} vectors: expected 1, 2, 4, 8, 16 or 32`);
    const size = (wide ? MSI.DATA_64 : MSI.DATA_32) + (maskable ? 12 : 2);
    this.at = pci.addCapability(MSI.ID, size, at);
    this.data = this.at + (wide ? MSI.DATA_64 : MSI.DATA_32);
    const control = (shift << MSI.CAPABLE_SHIFT) | (wide ? MSI.WIDE : 0) | (maskable ? MSI.MASKABLE : 0);
    writeConfig(pci.config, this.at + MSI.CONTROL, control, 2);
    const { wmask } = pci;
    writeConfig(wmask, this.at + MSI.CONTROL, MSI.ENABLE | (MSI.GRANTED_MASK << MSI.GRANTED_SHIFT), 2);
    writeConfig(wmask, this.at + MSI.ADDRESS, 0xffff_fffc, 4);
    if (wide) writeConfig(wmask, this.at + MSI.ADDRESS_HIGH, 0xffff_ffff, 4);
    writeConfig(wmask, this.data, 0xffff, 2);
    if (maskable) {
      writeConfig(wmask, this.data + 4, 2 ** vectors - 1, 4);
      // The function's own to change, so a stream may have any.
      writeConfig(pci.cmask, this.data + 8, 0, 4);
    }
    pci.onConfigWrite((offset, length) => {
      if (overlaps(offset, length, this.at, size)) this.written();
    });
  }

  get enabled(): boolean {
    return (this.control & MSI.ENABLE) !== 0;
  }

  /** Vectors that the guest granted; the device folds its own onto them. */
  get granted(): number {
    return 1 << Math.min((this.control >> MSI.GRANTED_SHIFT) & MSI.GRANTED_MASK, Math.log2(this.options.vectors));
  }

  notify(vector: number): void {
    if (!this.enabled || vector >= this.granted) return;
    this.setPending(vector, this.masked(vector) || !this.send(vector));
  }

  /** Sends what waits and is not masked. */
  deliverPending(): void {
    if (!this.enabled || !this.options.maskable) return;
    for (let vector = 0; vector < this.granted; vector++)
      if (this.pending(vector) && !this.masked(vector) && this.send(vector)) this.setPending(vector, false);
  }

  /** Off, nothing granted, no address, nothing masked or pending. */
  reset(): void {
    const { config } = this.pci;
    writeConfig(config, this.at + MSI.CONTROL, this.control & ~(MSI.ENABLE | (MSI.GRANTED_MASK << MSI.GRANTED_SHIFT)), 2);
    config.fill(0, this.at + MSI.ADDRESS, this.data + 2);
    if (this.options.maskable) config.fill(0, this.data + 4, this.data + 12);
  }

  private get control(): number {
    return readConfig(this.pci.config, this.at + MSI.CONTROL, 2);
  }

  private written(): void {
    if (!this.enabled) return;
    // With messages on, the pin is not driven.
    this.pci.setInterrupt(false);
    this.deliverPending();
  }

  private masked(vector: number): boolean {
    return this.options.maskable && (readConfig(this.pci.config, this.data + 4, 4) & (1 << vector)) !== 0;
  }

  private pending(vector: number): boolean {
    return (readConfig(this.pci.config, this.data + 8, 4) & (1 << vector)) !== 0;
  }

  private setPending(vector: number, pending: boolean): void {
    if (!this.options.maskable) return;
    const bit = 1 << vector;
    const old = readConfig(this.pci.config, this.data + 8, 4);
    writeConfig(this.pci.config, this.data + 8, (pending ? old | bit : old & ~bit) >>> 0, 4);
  }

  /** False while the page is missing. An address that no PC has takes the message and loses it. */
  private send(vector: number): boolean {
    const { config } = this.pci;
    const high = this.options.wide ? readConfig(config, this.at + MSI.ADDRESS_HIGH, 4) : 0;
    const address = high * 2 ** 32 + readConfig(config, this.at + MSI.ADDRESS, 4);
    if (address >= ADDRESS_LIMIT) return true;
    const message = new Uint8Array(4);
    // The low bits of the data are the vector's.
    writeConfig(message, 0, (readConfig(config, this.data, 2) & ~(this.granted - 1)) | vector, 4);
    return this.pci.dma.write(address, message).done;
  }
}
