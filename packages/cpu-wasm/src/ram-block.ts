/** Guest RAM and ROM in the CPU's WebAssembly memory. */
import * as layout from './layout.js';
import type { CpuRamBlock } from './port.js';

export const PAGE_SIZE = 4096;

/** The module's exports that deal with RAM from outside. Addresses and lengths are bytes in the WebAssembly memory, u32. */
export interface RamExports {
  /** Marks pages dirty for all clients and drops decoded code. */
  hostWrote(address: number, length: number): void;
  /** Moves `words` words of a bitmap (client 0 migration, 1 display), beginning at page `first`, to {@link layout.DIRTY_TAKEN}; how many bits were set. */
  takeDirty(client: number, first: number, words: number, target: number): number;
  setDirty(client: number, first: number, pages: number): void;
  pageIs(address: number, byte: number): number;
  fillPage(address: number, byte: number): void;
  /** Pages of the WebAssembly memory: the CPU leaves `run` instead of touching them, or touches them again. */
  withhold(first: number, count: number, on: number): void;
}

const MIGRATION = 0;
const DISPLAY = 1;

export class WasmRamBlock implements CpuRamBlock {
  private used: number;

  /** `length` and `maxLength`: bytes, multiples of the page size; `maxLength` are reserved at `address`. */
  constructor(
    readonly name: string,
    readonly address: number,
    length: number,
    readonly maxLength: number,
    private readonly memory: WebAssembly.Memory,
    private readonly exports: RamExports,
  ) {
    this.used = length;
  }

  get length(): number {
    return this.used;
  }

  get usedLength(): number {
    return this.used;
  }

  /** @throws {RangeError} beyond `maxLength` or not whole pages. */
  resize(usedLength: number): void {
    if (usedLength < 0 || usedLength > this.maxLength || usedLength % PAGE_SIZE !== 0) {
      throw new RangeError(`${this.name}: ${usedLength} bytes: expected whole pages, at most ${this.maxLength}`);
    }
    this.used = usedLength;
  }

  read(offset: number, target: Uint8Array): void {
    this.check(offset, target.length);
    target.set(new Uint8Array(this.memory.buffer, this.address + offset, target.length));
  }

  write(offset: number, source: Uint8Array): void {
    this.check(offset, source.length);
    if (source.length === 0) return;
    this.exports.hostWrote(this.address + offset, source.length);
    new Uint8Array(this.memory.buffer, this.address + offset, source.length).set(source);
  }

  page(offset: number): Uint8Array {
    this.checkPage(offset);
    return new Uint8Array(this.memory.buffer, this.address + offset, PAGE_SIZE);
  }

  writePage(offset: number, bytes: Uint8Array): void {
    this.checkPage(offset);
    if (bytes.length !== PAGE_SIZE) throw new RangeError(`${this.name}: a page of ${bytes.length} bytes`);
    this.write(offset, bytes);
  }

  /** Whole pages that have not arrived yet: an instruction that needs one makes {@link CpuPort.run} come back with `missing`. */
  withhold(offset: number, length: number): void {
    this.checkPage(offset);
    this.check(offset, length);
    this.exports.withhold((this.address + offset) / PAGE_SIZE, length / PAGE_SIZE, 1);
  }

  /** A withheld page has arrived. */
  supply(offset: number, bytes: Uint8Array): void {
    this.writePage(offset, bytes);
    this.exports.withhold((this.address + offset) / PAGE_SIZE, 1, 0);
  }

  fillPage(offset: number, byte: number): void {
    this.checkPage(offset);
    this.exports.fillPage(this.address + offset, byte & 0xff);
  }

  pageIs(offset: number, byte: number): boolean {
    this.checkPage(offset);
    return this.exports.pageIs(this.address + offset, byte & 0xff) !== 0;
  }

  takeDirty(_client: 'display'): Uint32Array {
    return this.take(DISPLAY);
  }

  takeMigrationDirty(): Uint32Array {
    return this.take(MIGRATION);
  }

  /** Every page counts as written, for migration. */
  markAllDirty(): void {
    this.exports.setDirty(MIGRATION, this.address / PAGE_SIZE, this.used / PAGE_SIZE);
  }

  private take(client: number): Uint32Array {
    const pages = this.used / PAGE_SIZE;
    const words = Math.ceil(pages / 32);
    const count = this.exports.takeDirty(client, this.address / PAGE_SIZE, words, layout.DIRTY_TAKEN);
    const taken = new Uint32Array(words);
    if (count === 0) return taken;
    taken.set(new Uint32Array(this.memory.buffer, layout.DIRTY_TAKEN, words));
    if (pages % 32 !== 0) taken[words - 1]! &= 2 ** (pages % 32) - 1;
    return taken;
  }

  private check(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.used) {
      throw new RangeError(`${this.name}: ${length} bytes at ${offset} lie outside of its ${this.used} bytes`);
    }
  }

  private checkPage(offset: number): void {
    if (offset % PAGE_SIZE !== 0) throw new RangeError(`${this.name}: offset ${offset} is not that of a page`);
    this.check(offset, PAGE_SIZE);
  }
}
