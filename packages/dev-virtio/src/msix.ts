import { type PciFunction, readConfig } from '@pagurus/dev-pci';
import type { AccessSize, IoHandler } from '@pagurus/device-model';
import { MSIX, VIRTIO_PCI } from './spec.js';
import type { MsixState } from './virtio.state.js';

/**
 * MSI-X of a function whose table and pending bits have a base address register of their own. A message is a write of four bytes by the
 * bus master; one that is masked, or whose page is missing, stays pending.
 */
export class Msix {
  private readonly capability: number;

  constructor(
    private readonly pci: PciFunction,
    private readonly state: MsixState,
  ) {
    const at = pci.addCapability(MSIX.ID, MSIX.LENGTH);
    const head = new DataView(pci.config.buffer, pci.config.byteOffset + at, MSIX.LENGTH);
    head.setUint16(MSIX.CONTROL, this.entries - 1, true);
    head.setUint32(4, VIRTIO_PCI.MSIX_BAR, true);
    head.setUint32(8, VIRTIO_PCI.MSIX_BAR | MSIX.PENDING, true);
    pci.wmask[at + MSIX.CONTROL + 1] = (MSIX.ENABLE | MSIX.FUNCTION_MASK) >> 8;
    this.capability = at;
    pci.memoryBar(VIRTIO_PCI.MSIX_BAR, VIRTIO_PCI.MSIX_BAR_SIZE, this.handler(), 'virtio-pci-msix');
    pci.onConfigWrite((offset, size) => {
      if (offset >= at + MSIX.LENGTH || offset + size <= at) return;
      // With messages on, the pin is not driven.
      if (this.enabled) this.pci.setInterrupt(false);
      this.deliverPending();
    });
  }

  get entries(): number {
    return this.state.table.length / MSIX.ENTRY;
  }

  get enabled(): boolean {
    return (this.control & MSIX.ENABLE) !== 0;
  }

  notify(vector: number): void {
    if (!this.enabled || vector >= this.entries) return;
    if (this.masked(vector) || !this.send(vector)) this.setPending(vector, true);
    else this.setPending(vector, false);
  }

  /** Sends what waits and is not masked. */
  deliverPending(): void {
    if (!this.enabled) return;
    for (let vector = 0; vector < this.entries; vector++) {
      if (this.isPending(vector) && !this.masked(vector) && this.send(vector)) this.setPending(vector, false);
    }
  }

  /** All masked, nothing pending, messages off. */
  reset(): void {
    const { table, pending } = this.state;
    table.fill(0);
    for (let vector = 0; vector < this.entries; vector++) table[vector * MSIX.ENTRY + 12] = MSIX.ENTRY_MASK;
    pending.fill(0);
    this.pci.config[this.capability + MSIX.CONTROL + 1] = 0;
  }

  private get control(): number {
    return readConfig(this.pci.config, this.capability + MSIX.CONTROL, 2);
  }

  private masked(vector: number): boolean {
    return (this.control & MSIX.FUNCTION_MASK) !== 0 || (this.word(vector, 12) & MSIX.ENTRY_MASK) !== 0;
  }

  private isPending(vector: number): boolean {
    return (this.state.pending[vector >> 3]! & (1 << (vector & 7))) !== 0;
  }

  private setPending(vector: number, pending: boolean): void {
    const bit = 1 << (vector & 7);
    const old = this.state.pending[vector >> 3]!;
    this.state.pending[vector >> 3] = pending ? old | bit : old & ~bit;
  }

  private word(vector: number, offset: number): number {
    return readConfig(this.state.table, vector * MSIX.ENTRY + offset, 4);
  }

  /** False while the page is missing. An address that no PC has takes the message and loses it. */
  private send(vector: number): boolean {
    const address = this.word(vector, 4) * 2 ** 32 + this.word(vector, 0);
    if (address >= 2 ** 52) return true;
    const offset = vector * MSIX.ENTRY + 8;
    return this.pci.dma.write(address, this.state.table.slice(offset, offset + 4)).done;
  }

  private handler(): IoHandler {
    const { table, pending } = this.state;
    return {
      sizes: [1, 2, 4],
      read(offset, size) {
        if (offset >= MSIX.PENDING) return readConfig(pending, offset - MSIX.PENDING, size);
        return readConfig(table, offset, size);
      },
      write: (offset: number, value: number, size: AccessSize) => {
        for (let i = 0; i < size; i++) if (offset + i < table.length) table[offset + i] = (value >>> (8 * i)) & 0xff;
        this.deliverPending();
      },
    };
  }
}
