import type { IoRegion } from '@pagurus/device-model';
import type { PciBus } from './bus.js';
import { readConfig, writeConfig } from './config-space.js';
import { BAR, COMMAND, PCI, ROM_ENABLE } from './spec.js';

/** A range that moves with a base address register: created disabled, at `offset` within the register's space. */
export interface BarWindow {
  readonly region: IoRegion;
  readonly offset: number;
}

export interface BarOptions {
  readonly space: 'io' | 'memory';
  /** Bytes; a power of two, at least 4 (I/O) or 16 (memory). */
  readonly size: number;
  readonly prefetchable?: boolean;
  /** 64 bits wide: takes the next register, too. */
  readonly wide?: boolean;
}

/** Number of the expansion ROM among the base address registers. */
export const ROM_BAR = 6;

const FOUR_GIGABYTES = 2 ** 32;

/** One base address register: sizing by the write masks, decoding by the command register, moving its windows. */
export class BaseAddress {
  /** Offset in configuration space. */
  readonly register: number;
  private mapped: number | undefined;

  constructor(
    readonly index: number,
    readonly options: BarOptions,
    private readonly windows: readonly BarWindow[],
  ) {
    const { space, size } = options;
    if (!Number.isSafeInteger(Math.log2(size)) || size < (space === 'io' ? 4 : 16))
      throw new RangeError(`BAR${index}: ${size} bytes are no power of two of at least ${space === 'io' ? 4 : 16}`);
    this.register = index === ROM_BAR ? PCI.ROM_ADDRESS : PCI.BAR0 + 4 * index;
  }

  /** Present address, or undefined while the function does not decode it. */
  get address(): number | undefined {
    return this.mapped;
  }

  /** The read-only low bits that tell the register's kind. */
  get kind(): number {
    const { space, wide, prefetchable } = this.options;
    if (this.index === ROM_BAR) return 0;
    if (space === 'io') return BAR.IO;
    return (wide ? BAR.WIDE : 0) | (prefetchable ? BAR.PREFETCHABLE : 0);
  }

  /** Puts kind and masks into configuration space. */
  install(config: Uint8Array, wmask: Uint8Array, cmask: Uint8Array): void {
    this.clear(config);
    const low = Math.max(FOUR_GIGABYTES - this.options.size, 0);
    writeConfig(wmask, this.register, this.index === ROM_BAR ? low + ROM_ENABLE : low, 4);
    writeConfig(cmask, this.register, 0xffff_ffff, 4);
    if (!this.options.wide) return;
    writeConfig(wmask, this.register + 4, 0xffff_ffff - (Math.ceil(this.options.size / FOUR_GIGABYTES) - 1), 4);
    writeConfig(cmask, this.register + 4, 0xffff_ffff, 4);
  }

  /** As after reset: no address. */
  clear(config: Uint8Array): void {
    writeConfig(config, this.register, this.kind, 4);
    if (this.options.wide) writeConfig(config, this.register + 4, 0, 4);
  }

  /** Follows configuration space: moves, shows or hides the windows. */
  update(config: Uint8Array, bus: Pick<PciBus, 'reaches'>): void {
    const { space, size } = this.options;
    const decoded = this.decode(config);
    const address = decoded !== undefined && bus.reaches(space, decoded, size) ? decoded : undefined;
    if (address === this.mapped) return;
    this.mapped = address;
    for (const { region, offset } of this.windows)
      region.update(address === undefined ? { enabled: false } : { base: address + offset, enabled: true });
  }

  remove(): void {
    for (const { region } of this.windows) region.remove();
  }

  /** Address 0, and ranges that reach the end of their space, are not decoded, as on QEMU's PCs. */
  private decode(config: Uint8Array): number | undefined {
    const { space, size, wide } = this.options;
    const command = readConfig(config, PCI.COMMAND, 2);
    if ((command & (space === 'io' ? COMMAND.IO : COMMAND.MEMORY)) === 0) return undefined;
    const low = readConfig(config, this.register, 4);
    if (this.index === ROM_BAR && (low & ROM_ENABLE) === 0) return undefined;
    const high = wide ? readConfig(config, this.register + 4, 4) : 0;
    const address = high * FOUR_GIGABYTES + low - (low % Math.min(size, FOUR_GIGABYTES));
    const end = address + size;
    if (address === 0) return undefined;
    if (space === 'io') return end > 0x1_0000 ? undefined : address;
    if (!wide) return end >= FOUR_GIGABYTES ? undefined : address;
    return end >= 2 ** 52 ? undefined : address;
  }
}
