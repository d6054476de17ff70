import type {
  AccessSize,
  GuestMemory,
  IoHandler,
  IoRegion,
  MemoryAccess,
  MemorySpace,
  RamAccess,
  RamBlock,
  RegionOptions,
} from '@pagurus/device-model';
import { type FlatPiece, RangeList, readThrough, writeThrough } from './ranges.js';

/** Physical addresses are 52 bits wide; a double holds them exactly. */
const ADDRESS_SPACE = 2 ** 52;
const DONE: MemoryAccess = { done: true };

export interface SystemMemoryHost {
  allocate(name: string, length: number): RamBlock;
  /** The flat map changed; called at most once per batch of changes, before the next guest access. */
  mapChanged(): void;
}

/**
 * The system memory space: regions in, flat map out (pushed to the CPU), MMIO dispatch for the CPU, DMA for devices.
 */
export class SystemMemory implements MemorySpace, GuestMemory {
  private readonly ranges = new RangeList(ADDRESS_SPACE, () => {
    this.flat = undefined;
    this.host.mapChanged();
  });
  private flat: FlatPiece[] | undefined;

  constructor(private readonly host: SystemMemoryHost) {}

  add(base: number, length: number, handler: IoHandler, options: RegionOptions): IoRegion {
    return this.ranges.add(base, length, { handler }, options);
  }

  addRam(base: number, length: number, block: RamBlock, offset: number, access: RamAccess, options: RegionOptions): IoRegion {
    if (offset < 0 || offset + length > block.length)
      throw new RangeError(`${options.name}: 0x${offset.toString(16)}+0x${length.toString(16)} lies outside block ${block.name}`);
    return this.ranges.add(base, length, { ram: { block, offset: offset - 0, writable: access === 'ram' } }, options);
  }

  allocate(name: string, length: number): RamBlock {
    return this.host.allocate(name, length);
  }

  /** Sorted, not overlapping. */
  pieces(): readonly FlatPiece[] {
    this.flat ??= this.ranges.flatten();
    return this.flat;
  }

  /** MMIO read by the CPU. */
  mmioRead(address: number, size: AccessSize): number {
    const piece = this.find(address);
    if (piece && address - piece.base + size <= piece.length) {
      const offset = address - piece.entry.base;
      if (piece.entry.target.handler) {
        const value = readThrough(piece.entry.target.handler, offset, size);
        if (value !== undefined) return value;
      } else {
        const bytes = new Uint8Array(4);
        piece.entry.target.ram!.block.read(piece.entry.target.ram!.offset + offset, bytes.subarray(0, size));
        return new DataView(bytes.buffer).getUint32(0, true);
      }
    }
    if (size === 1) return 0xff;
    const half = (size >> 1) as AccessSize;
    return (this.mmioRead(address, half) | (this.mmioRead(address + half, half) << (8 * half))) >>> 0;
  }

  /** MMIO write by the CPU. */
  mmioWrite(address: number, value: number, size: AccessSize): void {
    const piece = this.find(address);
    if (piece && address - piece.base + size <= piece.length) {
      const offset = address - piece.entry.base;
      if (piece.entry.target.handler) {
        if (writeThrough(piece.entry.target.handler, offset, value, size)) return;
      } else {
        if (!piece.entry.target.ram!.writable) return;
        const bytes = new Uint8Array(4);
        new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
        piece.entry.target.ram!.block.write(piece.entry.target.ram!.offset + offset, bytes.subarray(0, size));
        return;
      }
    }
    if (size === 1) return;
    const half = (size >> 1) as AccessSize;
    const low = half === 1 ? value & 0xff : value & 0xffff;
    this.mmioWrite(address, low, half);
    this.mmioWrite(address + half, (value >>> (8 * half)) & (half === 1 ? 0xff : 0xffff), half);
  }

  read(address: number, target: Uint8Array): MemoryAccess {
    this.walk(address, target.length, (piece, from, length, at) => {
      const part = target.subarray(at, at + length);
      if (piece?.entry.target.ram)
        piece.entry.target.ram.block.read(piece.entry.target.ram.offset + from - piece.entry.base, part);
      else for (let i = 0; i < length; i++) part[i] = this.mmioRead(from + i, 1);
    });
    return DONE;
  }

  write(address: number, source: Uint8Array): MemoryAccess {
    this.walk(address, source.length, (piece, from, length, at) => {
      const part = source.subarray(at, at + length);
      if (piece?.entry.target.ram) {
        const { block, offset, writable } = piece.entry.target.ram;
        if (writable) block.write(offset + from - piece.entry.base, part);
      } else this.writeRegisters(from, part);
    });
    return DONE;
  }

  /** In aligned double words where it can be: an interrupt message is one, and byte by byte would be four. */
  private writeRegisters(address: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; ) {
      const whole = (address + at) % 4 === 0 && bytes.length - at >= 4;
      this.mmioWrite(address + at, whole ? view.getUint32(at, true) : bytes[at]!, whole ? 4 : 1);
      at += whole ? 4 : 1;
    }
  }

  private walk(
    address: number,
    length: number,
    visit: (piece: FlatPiece | undefined, from: number, length: number, at: number) => void,
  ): void {
    let at = 0;
    while (at < length) {
      const from = address + at;
      const piece = this.find(from);
      const end = piece ? piece.base + piece.length : (this.nextAfter(from) ?? Number.MAX_SAFE_INTEGER);
      const part = Math.min(length - at, end - from);
      visit(piece, from, part, at);
      at += part;
    }
  }

  private find(address: number): FlatPiece | undefined {
    const pieces = this.pieces();
    let low = 0;
    let high = pieces.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const piece = pieces[middle]!;
      if (address < piece.base) high = middle - 1;
      else if (address >= piece.base + piece.length) low = middle + 1;
      else return piece;
    }
    return undefined;
  }

  private nextAfter(address: number): number | undefined {
    return this.pieces().find((piece) => piece.base > address)?.base;
  }
}
