import type { GuestMemory, MemoryAccess, RamBlock } from '@pagurus/device-model';
import type { Budget } from './budget.js';

const PAGE = 4096;
const DONE: MemoryAccess = { done: true };

/** Guest RAM from physical address 0, as devices see it. It can withhold each page once, as postcopy does. */
export class FakeGuestMemory implements GuestMemory {
  readonly bytes: Uint8Array;
  /** Pages that have not arrived; undefined when nothing is withheld. */
  private withheld: Set<number> | undefined;
  private readonly asked = new Set<number>();
  private readonly retries: (() => void)[] = [];

  constructor(
    size: number,
    private readonly budget: Budget,
  ) {
    this.bytes = new Uint8Array(size);
  }

  /** From now on every page is missing until it has been asked for and {@link arrive} was called. */
  withhold(): void {
    this.withheld = new Set(Array.from({ length: Math.ceil(this.bytes.length / PAGE) }, (_, page) => page));
  }

  /** Addresses of the pages that were asked for and have not arrived. */
  get missing(): readonly number[] {
    return [...this.asked].map((page) => page * PAGE);
  }

  /**
   * Delivers what was asked for and lets devices retry, until nobody asks any more.
   * @returns the number of pages delivered.
   */
  arrive(): number {
    let delivered = 0;
    while (this.asked.size > 0) {
      for (const page of this.asked) this.withheld?.delete(page);
      delivered += this.asked.size;
      this.asked.clear();
      for (const retry of this.retries) retry();
    }
    return delivered;
  }

  /** @internal Wired to `DeviceContext.onMemoryArrived`. */
  onArrived(retry: () => void): void {
    this.retries.push(retry);
  }

  read(address: number, target: Uint8Array): MemoryAccess {
    const missing = this.check(address, target.length);
    if (missing) return missing;
    for (let i = 0; i < target.length; i++) target[i] = this.bytes[address + i] ?? 0xff;
    return DONE;
  }

  write(address: number, source: Uint8Array): MemoryAccess {
    const missing = this.check(address, source.length);
    if (missing) return missing;
    if (address < this.bytes.length) this.bytes.set(source.subarray(0, this.bytes.length - address), address);
    return DONE;
  }

  private check(address: number, length: number): MemoryAccess | undefined {
    if (!Number.isSafeInteger(address) || address < 0) throw new RangeError(`guest memory accessed at ${address}`);
    this.budget.spend(`guest memory at 0x${address.toString(16)}`);
    if (!this.withheld || length === 0) return undefined;
    for (let page = Math.floor(address / PAGE); page <= Math.floor((address + length - 1) / PAGE); page++) {
      if (!this.withheld.has(page)) continue;
      this.asked.add(page);
      return { done: false, missing: page * PAGE };
    }
    return undefined;
  }
}

/** A migratable block of RAM or ROM that a device allocated. */
export class FakeRamBlock implements RamBlock {
  readonly bytes: Uint8Array;
  private dirty: Uint32Array;

  constructor(
    readonly name: string,
    readonly length: number,
  ) {
    if (!(length > 0 && length % PAGE === 0)) throw new RangeError(`${name}: ${length} bytes are not whole pages`);
    this.bytes = new Uint8Array(length);
    this.dirty = new Uint32Array(Math.ceil(length / PAGE / 32));
  }

  read(offset: number, target: Uint8Array): void {
    this.check(offset, target.length);
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  write(offset: number, source: Uint8Array): void {
    this.check(offset, source.length);
    this.bytes.set(source, offset);
    if (source.length === 0) return;
    const last = Math.floor((offset + source.length - 1) / PAGE);
    for (let page = Math.floor(offset / PAGE); page <= last; page++) this.dirty[page >> 5]! |= 1 << (page & 31);
  }

  takeDirty(): Uint32Array {
    const taken = this.dirty;
    this.dirty = new Uint32Array(taken.length);
    return taken;
  }

  private check(offset: number, length: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > this.length) {
      throw new RangeError(`${this.name}: access of ${length} bytes at ${offset}, block has ${this.length}`);
    }
  }
}
