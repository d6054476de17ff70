import type { AccessSize, IoHandler } from '@pagurus/device-model';
import { overlaps, readConfig, writeConfig } from './config-space.js';
import type { PciFunction } from './function.js';
import { ADDRESS_LIMIT, MSIX } from './msi.spec.js';
import type { MsixState } from './msix.state.js';

export interface MsixOptions {
  /** Base address register of the table and the pending bits. */
  readonly bar: number;
  /** Of that register. */
  readonly size: number;
  /** Where the pending bits lie in it, a multiple of eight behind the table, which begins at 0. */
  readonly pendingAt: number;
  /** Of the range, for diagnostics. */
  readonly name: string;
}

/**
 * MSI-X of a function whose table and pending bits have a base address register of their own. A message is a write of four bytes by the
 * bus master; one that is masked, or whose page is missing, stays pending. [PCI] 6.8.2
 */
export class Msix {
  private readonly capability: number;

  constructor(
    private readonly pci: PciFunction,
    private readonly state: MsixState,
    private readonly options: MsixOptions,
  ) {
    const { bar, size, pendingAt, name } = options;
    if (
      this.entries < 1 ||
      this.entries > MSIX.MOST_VECTORS ||
      state.table.length > pendingAt ||
      pendingAt + state.pending.length > size
    )
      throw new RangeError(`MSI-X with ${this.entries} vectors does not fit a register of ${size} bytes`);
    const at = pci.addCapability(MSIX.ID, MSIX.LENGTH);
    writeConfig(pci.config, at + MSIX.CONTROL, this.entries - 1, 2);
    writeConfig(pci.config, at + MSIX.TABLE, bar, 4);
    writeConfig(pci.config, at + MSIX.PENDING, bar | pendingAt, 4);
    pci.wmask[at + MSIX.CONTROL + 1] = (MSIX.ENABLE | MSIX.FUNCTION_MASK) >> 8;
    this.capability = at;
    pci.memoryBar(bar, size, this.handler(), name);
    pci.onConfigWrite((offset, length) => {
      if (!overlaps(offset, length, at, MSIX.LENGTH)) return;
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
    if (address >= ADDRESS_LIMIT) return true;
    const offset = vector * MSIX.ENTRY + 8;
    return this.pci.dma.write(address, this.state.table.slice(offset, offset + 4)).done;
  }

  private handler(): IoHandler {
    const { table, pending } = this.state;
    const { pendingAt } = this.options;
    return {
      sizes: [1, 2, 4],
      read(offset, size) {
        if (offset >= pendingAt) return readConfig(pending, offset - pendingAt, size);
        return readConfig(table, offset, size);
      },
      write: (offset: number, value: number, size: AccessSize) => {
        for (let i = 0; i < size; i++) if (offset + i < table.length) table[offset + i] = (value >>> (8 * i)) & 0xff;
        this.deliverPending();
      },
    };
  }
}
