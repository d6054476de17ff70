import type { AccessSize, IoHandler, IoRegion, PortSpace, RegionOptions } from '@pagurus/device-model';
import { type RangeEntry, RangeList, readThrough, writeThrough } from './ranges.js';

/**
 * The 64 KiB port space. Later and higher-priority ranges hide earlier ones; reads nobody answers give all ones.
 */
export class PortBus implements PortSpace {
  private readonly ranges = new RangeList(0x1_0000, () => {
    this.stale = true;
  });
  /** Port -> index into `entries` + 1; 0 = nobody. */
  private readonly table = new Uint16Array(0x1_0000);
  private entries: RangeEntry[] = [];
  private stale = false;

  add(base: number, length: number, handler: IoHandler, options: RegionOptions): IoRegion {
    return this.ranges.add(base, length, { handler }, options);
  }

  read(port: number, size: AccessSize): number {
    const entry = this.lookup(port);
    if (entry?.target.handler && port - entry.base + size <= entry.length) {
      const value = readThrough(entry.target.handler, port - entry.base, size);
      if (value !== undefined) return value;
    }
    if (size === 1) return 0xff;
    const half = (size >> 1) as AccessSize;
    return (this.read(port, half) | (this.read((port + half) & 0xffff, half) << (8 * half))) >>> 0;
  }

  write(port: number, value: number, size: AccessSize): void {
    const entry = this.lookup(port);
    if (entry?.target.handler && port - entry.base + size <= entry.length) {
      if (writeThrough(entry.target.handler, port - entry.base, value, size)) return;
    }
    if (size === 1) return;
    const half = (size >> 1) as AccessSize;
    const mask = half === 1 ? 0xff : 0xffff;
    this.write(port, value & mask, half);
    this.write((port + half) & 0xffff, (value >>> (8 * half)) & mask, half);
  }

  /** Whether a device answers at a port. */
  claimed(port: number): boolean {
    return this.lookup(port) !== undefined;
  }

  /** What answers where, for `info mtree`. */
  flat(): readonly { base: number; length: number; name: string }[] {
    return this.ranges.flatten().map(({ base, length, entry }) => ({ base, length, name: entry.name }));
  }

  private lookup(port: number): RangeEntry | undefined {
    if (this.stale) this.rebuild();
    const index = this.table[port]!;
    return index === 0 ? undefined : this.entries[index - 1];
  }

  private rebuild(): void {
    this.stale = false;
    this.table.fill(0);
    this.entries = [];
    for (const { base, length, entry } of this.ranges.flatten()) {
      let index = this.entries.indexOf(entry);
      if (index < 0) index = this.entries.push(entry) - 1;
      this.table.fill(index + 1, base, base + length);
    }
  }
}
