/** Access width in bytes. Wider guest accesses are split before they reach a device (low address first). */
export type AccessSize = 1 | 2 | 4;

/**
 * What a device does when the guest touches one of its port or memory ranges.
 * `offset` is relative to the range's start. Values are unsigned; `read` may return more bits than
 * asked for, the bus masks them.
 */
export interface IoHandler {
  read(offset: number, size: AccessSize): number;
  write(offset: number, value: number, size: AccessSize): void;
  /**
   * The widths the device takes. A guest access outside them is split (or, if narrower than the least,
   * widened and cut) by the bus. Default: `[1]`, as most ISA devices decode bytes only.
   */
  sizes?: readonly AccessSize[];
}

/** A range on a port or memory space. Ranges that overlap are resolved by priority, then the later one wins. */
export interface IoRegion {
  readonly base: number;
  readonly length: number;
  /** Move and/or switch on or off; the machine re-derives its flat map. */
  update(change: { base?: number; enabled?: boolean }): void;
  remove(): void;
}

export interface RegionOptions {
  /** For diagnostics (`info mtree`). QEMU's region name where there is one. */
  name: string;
  /** Higher wins where ranges overlap. Default 0. */
  priority?: number;
  /** Default true. */
  enabled?: boolean;
}

/** The 64 KiB port space. Reads nobody answers give all ones. */
export interface PortSpace {
  add(base: number, length: number, handler: IoHandler, options: RegionOptions): IoRegion;
}

/**
 * A block of guest RAM or ROM: the unit that the `ram` section names on the wire.
 * Its bytes live in the CPU's WebAssembly memory; a device reads and writes them through this interface so that
 * dirty logging and code invalidation always happen.
 */
export interface RamBlock {
  /** Wire name, e.g. `pc.ram`, `0000:00:02.0/vga.vram`. */
  readonly name: string;
  /** Bytes, a multiple of 4096. */
  readonly length: number;
  /** Copies out. */
  read(offset: number, target: Uint8Array): void;
  /** Copies in; marks dirty. */
  write(offset: number, source: Uint8Array): void;
  /**
   * Which of the block's 4 KiB pages were written since the last call with this client; clears as it reports.
   * Used by a display to redraw only what changed. Bit i of word w = page 32 w + i.
   */
  takeDirty(client: 'display'): Uint32Array;
}

/** How a RAM block appears at an address: `rom` takes no writes (they are dropped), `ram` both, `romd` reads RAM and hands writes to the handler. */
export type RamAccess = 'ram' | 'rom';

/** The system memory space: MMIO ranges and windows onto RAM blocks. */
export interface MemorySpace {
  add(base: number, length: number, handler: IoHandler, options: RegionOptions): IoRegion;
  /** Makes `length` bytes of `block` from `offset` visible at `base`. */
  addRam(base: number, length: number, block: RamBlock, offset: number, access: RamAccess, options: RegionOptions): IoRegion;
  /** Allocates a migratable block. Throws if the name is taken or there is no room. */
  allocate(name: string, length: number): RamBlock;
}

/** The answer of the guest-memory port: done, or the physical page that has not arrived yet (postcopy). */
export type MemoryAccess = { readonly done: true } | { readonly done: false; readonly missing: number };

/**
 * DMA: how devices see guest physical memory. An access that covers a missing page transfers nothing at all and answers with
 * the page's address; the device records its request and tries again from {@link DeviceContext.onMemoryArrived}.
 * Addresses nobody answers read as all ones and swallow writes, as on a PC bus.
 */
export interface GuestMemory {
  read(address: number, target: Uint8Array): MemoryAccess;
  write(address: number, source: Uint8Array): MemoryAccess;
}
