import type { AccessSize, IoHandler, IoRegion, RamBlock, RegionOptions } from '@pagurus/device-model';

/** What answers a range: a handler, or a window onto a RAM block. */
export interface RangeTarget {
  readonly handler?: IoHandler;
  readonly ram?: { readonly block: RamBlock; readonly offset: number; readonly writable: boolean };
}

export interface RangeEntry {
  readonly name: string;
  readonly priority: number;
  readonly order: number;
  readonly target: RangeTarget;
  base: number;
  length: number;
  enabled: boolean;
}

/** A piece of the flat map: `entry` answers [base, base + length). */
export interface FlatPiece {
  readonly base: number;
  readonly length: number;
  readonly entry: RangeEntry;
}

/** Overlapping, prioritised ranges on a space of `size` addresses, and the flat map that follows from them. */
export class RangeList {
  private readonly entries: RangeEntry[] = [];
  private created = 0;

  constructor(
    private readonly size: number,
    private readonly changed: () => void,
  ) {}

  /** @throws RangeError if the range does not lie on the space. */
  add(base: number, length: number, target: RangeTarget, options: RegionOptions): IoRegion {
    this.check(options.name, base, length);
    const entry: RangeEntry = {
      name: options.name,
      priority: options.priority ?? 0,
      order: this.created++,
      target,
      base,
      length,
      enabled: options.enabled ?? true,
    };
    this.entries.push(entry);
    if (entry.enabled) this.changed();
    return {
      get base() {
        return entry.base;
      },
      length,
      update: (change) => {
        const moved = change.base !== undefined && change.base !== entry.base;
        const switched = change.enabled !== undefined && change.enabled !== entry.enabled;
        if (!moved && !switched) return;
        if (moved) {
          this.check(entry.name, change.base!, entry.length);
          entry.base = change.base!;
        }
        if (switched) entry.enabled = change.enabled!;
        if (entry.enabled || switched) this.changed();
      },
      remove: () => {
        const index = this.entries.indexOf(entry);
        if (index < 0) return;
        this.entries.splice(index, 1);
        if (entry.enabled) this.changed();
      },
    };
  }

  /** Sorted, not overlapping, neighbours of one entry merged; gaps are left out. */
  flatten(): FlatPiece[] {
    const active = this.entries.filter((entry) => entry.enabled && entry.length > 0);
    const edges = [...new Set(active.flatMap((entry) => [entry.base, entry.base + entry.length]))].sort((a, b) => a - b);
    const pieces: FlatPiece[] = [];
    for (let i = 0; i + 1 < edges.length; i++) {
      const base = edges[i]!;
      const end = edges[i + 1]!;
      let winner: RangeEntry | undefined;
      for (const entry of active) {
        if (entry.base > base || entry.base + entry.length < end) continue;
        if (!winner || entry.priority > winner.priority || (entry.priority === winner.priority && entry.order > winner.order))
          winner = entry;
      }
      if (!winner) continue;
      const last = pieces.at(-1);
      if (last && last.entry === winner && last.base + last.length === base)
        pieces[pieces.length - 1] = { base: last.base, length: end - last.base, entry: winner };
      else pieces.push({ base, length: end - base, entry: winner });
    }
    return pieces;
  }

  private check(name: string, base: number, length: number): void {
    if (!Number.isSafeInteger(base) || base < 0 || length < 0 || base + length > this.size)
      throw new RangeError(`${name}: range 0x${base.toString(16)}+0x${length.toString(16)} does not fit its space`);
  }
}

const BYTES_ONLY: readonly AccessSize[] = [1];

function mask(value: number, size: AccessSize): number {
  return size === 4 ? value >>> 0 : size === 2 ? value & 0xffff : value & 0xff;
}

/** Reads with the widths the handler takes, or undefined where the bus has to split the access. */
export function readThrough(handler: IoHandler, offset: number, size: AccessSize): number | undefined {
  const sizes = handler.sizes ?? BYTES_ONLY;
  if (sizes.includes(size)) return mask(handler.read(offset, size), size);
  const wider = sizes.find((width) => width > size);
  if (wider === undefined || sizes.some((width) => width < size)) return undefined;
  const aligned = offset & ~(wider - 1);
  return mask(handler.read(aligned, wider) >>> (8 * (offset - aligned)), size);
}

/** Writes likewise; false where the bus has to split. A narrower write reaches a wide-only handler shifted into its lane. */
export function writeThrough(handler: IoHandler, offset: number, value: number, size: AccessSize): boolean {
  const sizes = handler.sizes ?? BYTES_ONLY;
  if (sizes.includes(size)) {
    handler.write(offset, mask(value, size), size);
    return true;
  }
  const wider = sizes.find((width) => width > size);
  if (wider === undefined || sizes.some((width) => width < size)) return false;
  const aligned = offset & ~(wider - 1);
  handler.write(aligned, (mask(value, size) << (8 * (offset - aligned))) >>> 0, wider);
  return true;
}
