import type {
  AccessSize,
  IoHandler,
  IoRegion,
  MemorySpace,
  PortSpace,
  RamAccess,
  RamBlock,
  RegionOptions,
} from '@pagurus/device-model';
import type { Budget } from './budget.js';
import { FakeRamBlock } from './memory.js';

interface RamWindow {
  readonly block: RamBlock;
  readonly offset: number;
  readonly access: RamAccess;
}

/** A range on a fake space, as a test sees it. */
export interface FakeRegion extends IoRegion {
  readonly name: string;
  readonly priority: number;
  readonly enabled: boolean;
  /** Undefined for windows onto RAM. */
  readonly handler: IoHandler | undefined;
}

class Region implements FakeRegion {
  readonly name: string;
  readonly priority: number;
  enabled: boolean;

  constructor(
    private readonly space: FakeSpace,
    public base: number,
    readonly length: number,
    readonly handler: IoHandler | undefined,
    readonly ram: RamWindow | undefined,
    options: RegionOptions,
  ) {
    this.name = options.name;
    this.priority = options.priority ?? 0;
    this.enabled = options.enabled ?? true;
  }

  update(change: { base?: number; enabled?: boolean }): void {
    this.base = change.base ?? this.base;
    this.enabled = change.enabled ?? this.enabled;
    this.space.checkRange(this.name, this.base, this.length);
  }

  remove(): void {
    this.space.forget(this);
  }
}

/** The port space or the memory space of a fake machine: one byte-addressed map, resolved and split as a PC bus does. */
export class FakeSpace implements PortSpace, MemorySpace {
  private readonly all: Region[] = [];
  readonly blocks = new Map<string, FakeRamBlock>();

  constructor(
    readonly name: 'ports' | 'memory',
    /** First address beyond the space. */
    readonly limit: number,
    private readonly budget: Budget,
  ) {}

  get regions(): readonly FakeRegion[] {
    return this.all;
  }

  add(base: number, length: number, handler: IoHandler, options: RegionOptions): IoRegion {
    this.checkRange(options.name, base, length);
    return this.insert(new Region(this, base, length, handler, undefined, options));
  }

  addRam(base: number, length: number, block: RamBlock, offset: number, access: RamAccess, options: RegionOptions): IoRegion {
    this.checkRange(options.name, base, length);
    if (offset < 0 || offset + length > block.length) throw new RangeError(`${options.name}: window leaves ${block.name}`);
    return this.insert(new Region(this, base, length, undefined, { block, offset, access }, options));
  }

  allocate(name: string, length: number): RamBlock {
    if (this.blocks.has(name)) throw new Error(`RAM block '${name}' exists`);
    const block = new FakeRamBlock(name, length);
    this.blocks.set(name, block);
    return block;
  }

  /** What the guest reads: little-endian, all ones where nobody answers. */
  read(address: number, size: AccessSize): number {
    let value = 0;
    for (let done = 0; done < size; ) {
      const { region, length } = this.resolve(address + done, size - done);
      const part = region ? this.readRegion(region, address + done - region.base, length) : 2 ** (8 * length) - 1;
      value += part * 2 ** (8 * done);
      done += length;
    }
    return value;
  }

  write(address: number, value: number, size: AccessSize): void {
    for (let done = 0; done < size; ) {
      const { region, length } = this.resolve(address + done, size - done);
      const part = Math.floor(value / 2 ** (8 * done)) % 2 ** (8 * length);
      if (region) this.writeRegion(region, address + done - region.base, part, length);
      done += length;
    }
  }

  /** @internal */
  checkRange(name: string, base: number, length: number): void {
    const whole = Number.isSafeInteger(base) && Number.isSafeInteger(length);
    if (!whole || base < 0 || length <= 0 || base + length > this.limit) {
      throw new RangeError(`${name}: ${length} bytes at ${base} leave the ${this.name} space`);
    }
  }

  /** @internal */
  forget(region: Region): void {
    const at = this.all.indexOf(region);
    if (at >= 0) this.all.splice(at, 1);
  }

  private insert(region: Region): Region {
    this.all.push(region);
    return region;
  }

  /** Higher priority wins, then the later one. */
  private find(address: number): Region | undefined {
    let best: Region | undefined;
    for (const region of this.all) {
      if (!region.enabled || address < region.base || address >= region.base + region.length) continue;
      if (!best || region.priority >= best.priority) best = region;
    }
    return best;
  }

  /** Longest power of two at `address` that lies in one region. Odd addresses are the device's own business, as on the real bus. */
  private resolve(address: number, most: number): { region: Region | undefined; length: AccessSize } {
    const region = this.find(address);
    let length: AccessSize = most >= 4 ? 4 : most >= 2 ? 2 : 1;
    const fits = (): boolean => {
      for (let i = 1; i < length; i++) if (this.find(address + i) !== region) return false;
      return true;
    };
    while (length > 1 && !fits()) length = (length / 2) as AccessSize;
    return { region, length };
  }

  private readRegion(region: Region, offset: number, length: AccessSize): number {
    if (region.ram) {
      const bytes = new Uint8Array(length);
      region.ram.block.read(region.ram.offset + offset, bytes);
      return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
    }
    const width = widthFor(region.handler!, length);
    if (width >= length) return this.call(region, offset, width) % 2 ** (8 * length);
    let value = 0;
    for (let i = 0; i < length; i += width) value += this.call(region, offset + i, width) * 2 ** (8 * i);
    return value;
  }

  private call(region: Region, offset: number, width: AccessSize): number {
    this.budget.spend(`read of ${region.name}`);
    const value = region.handler!.read(offset, width);
    if (!Number.isInteger(value)) throw new TypeError(`${region.name}: read(${offset}, ${width}) gave ${String(value)}`);
    if (value < 0) throw new RangeError(`${region.name}: read(${offset}, ${width}) gave ${value}; values are unsigned`);
    return value % 2 ** (8 * width);
  }

  private writeRegion(region: Region, offset: number, value: number, length: AccessSize): void {
    if (region.ram) {
      if (region.ram.access === 'rom') return;
      const bytes = Uint8Array.from({ length }, (_, i) => Math.floor(value / 2 ** (8 * i)));
      region.ram.block.write(region.ram.offset + offset, bytes);
      return;
    }
    const handler = region.handler!;
    const width = widthFor(handler, length);
    for (let i = 0; i < length; i += width) {
      this.budget.spend(`write of ${region.name}`);
      handler.write(offset + i, Math.floor(value / 2 ** (8 * i)) % 2 ** (8 * Math.min(width, length)), width);
    }
  }
}

/** The access itself if the device takes that width, else the widest smaller one, else the narrowest. */
function widthFor(handler: IoHandler, length: AccessSize): AccessSize {
  const sizes = [...(handler.sizes ?? [1 as const])].sort((a, b) => a - b);
  return sizes.findLast((size) => size <= length) ?? sizes[0]!;
}
