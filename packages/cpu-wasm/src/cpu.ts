/** The CPU: instance and memory of the WebAssembly module behind {@link CpuPort}. */
import type { CpuidEntry } from './cpuid.js';
import * as layout from './layout.js';
import { ParkedState } from './parked.js';
import type { CpuBus, CpuExit, CpuPort, CpuRamBlock, FlatRange } from './port.js';
import { PAGE_SIZE, type RamExports, WasmRamBlock } from './ram-block.js';
import { InitState, writeResetState } from './reset.js';
import type { CpuObserver, Delivery } from './trace/observer.js';

export interface CpuOptions {
  /** The compiled `cpu.wasm`. */
  readonly module: WebAssembly.Module;
  readonly bus: CpuBus;
  /** RAM to make room for at once; more is added as blocks are allocated. Default 0. */
  readonly ramBytes?: number;
  /** What CPUID answers, and with it which instructions there are. Without it the CPU has none of the optional features. */
  readonly cpuid?: readonly CpuidEntry[];
  /** EDX after RESET: family, model, stepping. */
  readonly resetEdx?: number;
  /** 32 random bits for RDRAND; default: the host's generator. Deterministic machines pass their own. */
  readonly random?: () => number;
  /** Something the machine follows changed: 8 = CR8, 0x1b = the local APIC's base, 5 = system management mode, 0xd = FERR# (x87 error with CR0.NE 0: IRQ 13). */
  readonly notify?: (what: number) => void;
}

/** Bits of 80000001. */
const LONG_MODE = 1 << 29;
const THREE_D_NOW = 1 << 31;
const PREFETCHW = 1 << 8;

interface CpuExports extends RamExports {
  initialize(): void;
  run(limit: number): number;
  resume(): number;
  abandon(): void;
  setLimit(limit: number): void;
  requestExit(): void;
  retired(): number;
  setRetired(count: number): void;
  ripLow(): number;
  ripHigh(): number;
  setInterrupt(level: number): void;
  raiseNmi(): void;
  raiseSmi(): void;
  setA20(on: number): void;
  mapChanged(): void;
  refresh(): void;
  switched(): void;
  getFlags(): number;
  setFlags(value: number): void;
  dropCode(): void;
  translate(low: number, high: number): number;
  blockLength(): number;
}

const WASM_PAGE = 65536;
/** Blocks begin on a boundary of 32 pages, so that their dirty bits fill whole words. */
const BLOCK_ALIGNMENT = 32 * PAGE_SIZE;
const EXITS: readonly CpuExit[] = ['limit', 'halted', 'requested', 'shutdown', 'missing'];
const RANGE_KINDS = { ram: layout.MAP_RAM, rom: layout.MAP_ROM, io: layout.MAP_IO } as const;

/** What a helper throws through the host to abandon its instruction. Never seen outside. */
const UNWIND = { name: 'unwinding of a helper' };

const randomWord = (): number => globalThis.crypto.getRandomValues(new Uint32Array(1))[0]!;

export class Cpu implements CpuPort {
  readonly memory: WebAssembly.Memory;
  private readonly exports: CpuExports;
  private readonly ramBlocks: WasmRamBlock[] = [];
  /** Released and not yet used again. */
  private readonly free: { readonly address: number; readonly end: number }[] = [];
  private nextAddress = layout.RAM_BASE;
  /** States of all processors; that of the selected one is stale. */
  private readonly parked: ParkedState[] = [];
  private current = 0;
  private running = false;
  private observer: CpuObserver | undefined;
  /** While an observer takes the run in steps: the end of all, and of the step. */
  private limit = 0;
  private stretchEnd = 0;
  private cachedView: DataView;

  /** @throws {RangeError} if the memory cannot be had. */
  static create(options: CpuOptions): Cpu {
    return new Cpu(options);
  }

  private constructor(private readonly options: CpuOptions) {
    const { bus } = options;
    const bytes = layout.RAM_BASE + (options.ramBytes ?? 0);
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE), maximum: 65536 });
    const instance = new WebAssembly.Instance(options.module, {
      env: {
        memory: this.memory,
        abort: () => {
          throw new Error('the CPU module aborted');
        },
      },
      bus: {
        portRead: (port: number, size: 1 | 2 | 4) => bus.portRead(port, size),
        portWrite: (port: number, value: number, size: 1 | 2 | 4) => bus.portWrite(port, value >>> 0, size),
        mmioRead: (address: number, size: 1 | 2 | 4) => bus.mmioRead(address, size),
        mmioWrite: (address: number, value: number, size: 1 | 2 | 4) => bus.mmioWrite(address, value >>> 0, size),
        acknowledge: () => bus.acknowledgeInterrupt(),
        timestamp: () => this.view.setBigUint64(layout.HOST_SLOT, BigInt.asUintN(64, bus.timestamp()), true),
        random32: options.random ?? randomWord,
        notify: options.notify ?? (() => {}),
        decoded: (host: number, length: number, alone: number) => {
          this.observer?.decoded?.(new Uint8Array(this.memory.buffer, host, length).slice(), alone !== 0);
        },
        delivering: (vector: number, kind: number, hasCode: number, code: number, low: number, high: number) => {
          const back = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
          this.delivering({ vector, kind, code: hasCode ? code >>> 0 : undefined, back });
        },
        unwind: () => {
          throw UNWIND;
        },
      },
    });
    this.exports = instance.exports as unknown as CpuExports;
    this.cachedView = new DataView(this.memory.buffer);
    this.exports.initialize();
    this.writeCpuid(this.options.cpuid ?? []);
    this.reset();
    this.parked.push(new ParkedState(this.memory));
  }

  /** The state block and all else, by the addresses of layout.ts. Not to be kept: growing memory replaces it. */
  get view(): DataView {
    if (this.cachedView.buffer !== this.memory.buffer) this.cachedView = new DataView(this.memory.buffer);
    return this.cachedView;
  }

  // ------------------------------------------------------------------------------------------------ memory

  get blocks(): readonly WasmRamBlock[] {
    return this.ramBlocks;
  }

  /** @throws {RangeError} if the name is taken, the length is not whole pages, or there is no room in 4 GiB. */
  allocate(name: string, length: number, maxLength = length): WasmRamBlock {
    if (this.ramBlocks.some((block) => block.name === name)) throw new RangeError(`RAM block '${name}' exists already`);
    if (length < 0 || maxLength < length || length % PAGE_SIZE !== 0 || maxLength % PAGE_SIZE !== 0) {
      throw new RangeError(`RAM block '${name}': ${length} of ${maxLength} bytes: expected whole pages`);
    }
    const size = Math.ceil(maxLength / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT;
    const again = this.free.findIndex((place) => place.end - place.address === size);
    if (again >= 0) {
      const [place] = this.free.splice(again, 1);
      const block = new WasmRamBlock(name, place!.address, length, maxLength, this.memory, this.exports);
      for (let offset = 0; offset < length; offset += PAGE_SIZE) block.fillPage(offset, 0);
      this.ramBlocks.push(block);
      return block;
    }
    const address = this.nextAddress;
    const end = address + size;
    // the last page of the 4 GiB stays free: addresses one behind the end must not wrap
    if (end > 65535 * WASM_PAGE) throw new RangeError(`RAM block '${name}': no room for ${maxLength} bytes`);
    const missing = Math.ceil(end / WASM_PAGE) - this.memory.buffer.byteLength / WASM_PAGE;
    if (missing > 0) this.memory.grow(missing);
    this.nextAddress = end;
    const block = new WasmRamBlock(name, address, length, maxLength, this.memory, this.exports);
    this.ramBlocks.push(block);
    return block;
  }

  /** The next block of the same size takes its place. @throws {RangeError} for a block of another CPU, or released before. */
  release(block: CpuRamBlock): void {
    const index = this.ramBlocks.indexOf(block as WasmRamBlock);
    if (index < 0) throw new RangeError(`RAM block '${block.name}' is not there`);
    const { address, maxLength } = this.ramBlocks[index]!;
    this.ramBlocks.splice(index, 1);
    this.free.push({ address, end: address + Math.ceil(maxLength / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT });
  }

  /** @throws {RangeError} for ranges that are not page-granular, not sorted, overlap, or are too many. */
  setMemoryMap(ranges: readonly FlatRange[]): void {
    const { view } = this;
    let at = layout.MAP;
    let end = 0;
    let count = 0;
    for (const range of ranges) {
      if (range.kind === 'io') continue;
      if (range.base % PAGE_SIZE !== 0 || range.length % PAGE_SIZE !== 0 || range.length <= 0 || range.base < end) {
        throw new RangeError(
          `memory map: range of ${range.length} bytes at ${range.base.toString(16)} does not fit behind ${end.toString(16)}`,
        );
      }
      if (range.offset < 0 || range.offset % PAGE_SIZE !== 0 || range.offset + range.length > range.block.maxLength) {
        throw new RangeError(`memory map: ${range.block.name} has no ${range.length} bytes at ${range.offset}`);
      }
      if (++count > layout.MAP_CAPACITY) throw new RangeError(`memory map: more than ${layout.MAP_CAPACITY} ranges`);
      end = range.base + range.length;
      view.setBigUint64(at, BigInt(range.base), true);
      view.setBigUint64(at + 8, BigInt(end), true);
      view.setUint32(at + 16, range.block.address + range.offset, true);
      view.setUint32(at + 20, RANGE_KINDS[range.kind], true);
      at += layout.MAP_STRIDE;
    }
    if (count === 0) view.setBigUint64(layout.MAP + 8, 0n, true);
    view.setUint32(layout.MAP_COUNT, count, true);
    this.exports.mapChanged();
  }

  setDirtyLogging(on: boolean): void {
    this.view.setUint32(layout.DIRTY_LOGGING, on ? 1 : 0, true);
    if (on) for (const block of this.ramBlocks) block.markAllDirty();
  }

  // ------------------------------------------------------------------------------------------------ pins

  setA20(on: boolean, processor = this.current): void {
    if (processor === this.current) this.exports.setA20(on ? 1 : 0);
    else this.aside(processor).setUint32(layout.A20_MASK, on ? 0xffff_ffff : 0xffef_ffff);
  }

  setInterrupt(level: boolean, processor = this.current): void {
    if (processor === this.current) this.exports.setInterrupt(level ? 1 : 0);
    else this.aside(processor).setUint32(layout.INTR_LINE, level ? 1 : 0);
  }

  nmi(processor = this.current): void {
    if (processor === this.current) this.exports.raiseNmi();
    else this.aside(processor).setUint32(layout.NMI_PENDING, 1);
  }

  smi(processor = this.current): void {
    if (processor === this.current) this.exports.raiseSmi();
    else this.aside(processor).setUint32(layout.SMI_PENDING, 1);
  }

  setIgnoreNumericError(level: boolean, processor = this.current): void {
    if (processor === this.current) this.view.setUint32(layout.IGNNE, level ? 1 : 0, true);
    else this.aside(processor).setUint32(layout.IGNNE, level ? 1 : 0);
  }

  private aside(processor: number): ParkedState {
    const state = this.parked[processor];
    if (!state) throw new RangeError(`no processor ${processor}; there are ${this.parked.length}`);
    return state;
  }

  // ------------------------------------------------------------------------------------------------ processors

  get processors(): number {
    return this.parked.length;
  }

  get selected(): number {
    return this.current;
  }

  select(processor: number): void {
    if (processor === this.current) return;
    if (this.running) throw new Error('a running CPU is switched to another processor: ask it to exit first');
    const next = this.aside(processor);
    this.aside(this.current).park(this.memory);
    next.unpark(this.memory);
    this.current = processor;
    this.exports.switched();
  }

  setPauseExits(on: boolean): void {
    this.view.setUint32(layout.PAUSE_EXITS, on ? 1 : 0, true);
  }

  addProcessor(cpuid: readonly CpuidEntry[]): number {
    if (this.running) throw new Error('a processor is added to a running CPU: ask it to exit first');
    const before = this.current;
    const number = this.parked.push(new ParkedState(this.memory)) - 1;
    this.select(number);
    this.view.setUint32(layout.INTR_LINE, 0, true);
    this.view.setUint32(layout.A20_MASK, 0xffffffff, true);
    this.writeCpuid(cpuid);
    this.reset(true);
    this.select(before);
    return number;
  }

  /** In system management mode: the machine shows SMRAM. Changes are told by `notify(5)`. */
  get systemManagement(): boolean {
    return this.view.getUint32(layout.SMM, true) !== 0;
  }

  reset(waiting = false): void {
    if (this.running) throw new Error('reset of a running CPU: ask it to exit first');
    const features = this.view.getUint32(layout.FEATURE_1_EDX, true);
    const machineCheck = 1 << 14;
    writeResetState(this.view, this.options.resetEdx ?? 0, (features & machineCheck) !== 0);
    // MONITOR exists: enabled, as firmware would leave it
    const monitor = this.view.getUint32(layout.FEATURE_1_ECX, true) & (1 << 3);
    if (monitor) this.view.setBigUint64(layout.MISC_ENABLE, 0x40001n, true);
    this.view.setUint32(layout.HALTED, waiting ? 1 : 0, true);
    this.exports.setFlags(2);
    this.exports.refresh();
  }

  init(waiting = false): void {
    const kept = new InitState(this.view);
    this.reset(waiting);
    kept.restore(this.view);
    this.exports.refresh();
  }

  startup(vector: number): void {
    const { view } = this;
    const cs = layout.SEGMENTS + layout.CS * layout.SEGMENT_STRIDE;
    view.setUint32(cs + layout.SEG_SELECTOR, vector << 8, true);
    view.setBigUint64(cs + layout.SEG_BASE, BigInt(vector << 12), true);
    view.setBigUint64(layout.RIP, 0n, true);
    view.setUint32(layout.HALTED, 0, true);
    this.exports.refresh();
  }

  // ------------------------------------------------------------------------------------------------ running

  get instructions(): number {
    return this.exports.retired();
  }

  set instructions(count: number) {
    this.exports.setRetired(count);
  }

  get missing(): { readonly block: WasmRamBlock; readonly offset: number } | undefined {
    const address = (this.view.getUint32(layout.MISSING_PAGE, true) - 1) * PAGE_SIZE;
    const block = this.ramBlocks.find((one) => address >= one.address && address < one.address + one.maxLength);
    return block && { block, offset: address - block.address };
  }

  get halted(): boolean {
    return this.view.getUint32(layout.HALTED, true) !== 0;
  }

  /**
   * Lets `observer` see what runs, or with undefined nobody. One that wants to be asked before each block or instruction makes the CPU slow; the others
   * cost nothing but their own work. Code that is decoded already is decoded anew.
   */
  observe(observer: CpuObserver | undefined): void {
    this.observer = observer;
    const wanted =
      (observer?.decoded ? layout.OBSERVE_DECODING : 0) |
      (observer?.delivering || observer?.before ? layout.OBSERVE_DELIVERY : 0);
    this.view.setUint32(layout.OBSERVED, wanted, true);
    this.exports.dropCode();
  }

  private delivering(delivery: Delivery): void {
    this.observer?.delivering?.(delivery);
    // the handler's instructions are no part of the block that was interrupted
    if (this.observer?.before && this.view.getUint32(layout.CURRENT_BLOCK, true) === 0) this.exports.setLimit(this.instructions);
  }

  run(limit: number): CpuExit {
    const { observer } = this;
    if (!observer?.before) return this.runFreely(limit);
    this.limit = limit;
    for (;;) {
      // what is pending is delivered first
      if (this.view.getUint32(layout.EVENTS, true) !== 0) {
        const exit = this.runFreely(this.instructions);
        if (exit !== 'limit') return exit;
      }
      const { instructions } = this;
      if (instructions >= this.limit) return this.runFreely(this.limit);
      this.stretchEnd = instructions + (observer.step === 'block' ? this.exports.blockLength() : 1);
      observer.before();
      const exit = this.runFreely(Math.min(this.limit, this.stretchEnd));
      if (exit !== 'limit') return exit;
    }
  }

  private runFreely(limit: number): CpuExit {
    if (this.running) throw new Error('the CPU runs already');
    this.running = true;
    try {
      let fresh = true;
      for (;;) {
        try {
          return EXITS[fresh ? this.exports.run(limit) : this.exports.resume()]!;
        } catch (error) {
          if (error !== UNWIND) {
            this.exports.abandon();
            throw error;
          }
          fresh = false;
        }
      }
    } finally {
      this.running = false;
    }
  }

  setLimit(limit: number): void {
    this.limit = limit;
    this.exports.setLimit(this.observer?.before ? Math.min(limit, this.stretchEnd) : limit);
  }

  requestExit(): void {
    this.exports.requestExit();
  }

  // ------------------------------------------------------------------------------------------------ state from outside

  /** EFLAGS; its arithmetic bits are kept in another form while the CPU runs. */
  getFlags(): number {
    return this.exports.getFlags() >>> 0;
  }

  setFlags(value: number): void {
    this.exports.setFlags(value);
  }

  /** After writing architectural state through {@link view}: derives the rest, forgets translations. */
  refresh(): void {
    this.exports.refresh();
  }

  /** Instruction pointer, of the current instruction inside a bus callback. */
  get rip(): bigint {
    return (BigInt(this.exports.ripHigh() >>> 0) << 32n) | BigInt(this.exports.ripLow() >>> 0);
  }

  /** Instructions decoded so far, and bytes that the pool of decoded blocks holds; both grow together until the pool is full or dropped. */
  get decoded(): { readonly instructions: number; readonly bytes: number } {
    return {
      instructions: Number(this.view.getBigUint64(layout.STAT_DECODED, true)),
      bytes: this.view.getUint32(layout.POOL_NEXT, true) - layout.POOL,
    };
  }

  /** Forgets all decoded code. */
  dropCode(): void {
    this.exports.dropCode();
  }

  /** Address in {@link memory} behind a linear address, whoever may read it, or undefined where there is no RAM. */
  translate(linear: bigint): number | undefined {
    const address = this.exports.translate(Number(linear & 0xffffffffn), Number((linear >> 32n) & 0xffffffffn)) >>> 0;
    return address === 0 ? undefined : address;
  }

  /** Bytes at a linear address, up to the first page that is not RAM. */
  readLinear(linear: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const at = linear + BigInt(done);
      const count = Math.min(length - done, PAGE_SIZE - Number(at & 0xfffn));
      const address = this.translate(at);
      if (address === undefined) break;
      bytes.set(new Uint8Array(this.memory.buffer, address, count), done);
      done += count;
    }
    return bytes.subarray(0, done);
  }

  private writeCpuid(entries: readonly CpuidEntry[]): void {
    const { view } = this;
    if (entries.length > layout.CPUID_CAPACITY)
      throw new RangeError(`${entries.length} CPUID leaves: at most ${layout.CPUID_CAPACITY}`);
    entries.forEach(({ leaf, subleaf, eax, ebx, ecx, edx }, i) => {
      const words = [leaf, subleaf ?? 0xffffffff, eax, ebx, ecx, edx];
      words.forEach((word, k) => void view.setUint32(layout.CPUID_TABLE + i * layout.CPUID_STRIDE + k * 4, word, true));
    });
    view.setUint32(layout.CPUID_COUNT, entries.length, true);
    const find = (leaf: number, subleaf: number) =>
      entries.find((entry) => entry.leaf === leaf && (entry.subleaf === undefined || entry.subleaf === subleaf));
    const [one, seven, extended, state, sizes] = [find(1, 0), find(7, 0), find(0x80000001, 0), find(0xd, 1), find(0x80000008, 0)];
    const word = (at: number, value: number | undefined) => void view.setUint32(at, value ?? 0, true);
    word(layout.FEATURE_1_EDX, one?.edx);
    word(layout.FEATURE_1_ECX, one?.ecx);
    word(layout.FEATURE_7_EBX, seven?.ebx);
    word(layout.FEATURE_7_ECX, seven?.ecx);
    word(layout.FEATURE_7_EDX, seven?.edx);
    word(layout.FEATURE_80000001_EDX, extended?.edx);
    // PREFETCH and PREFETCHW also come with long mode and with 3DNow!, whatever mode runs. [AMD] volume 3, "PREFETCHlevel"
    const prefetch = (extended?.edx ?? 0) & (LONG_MODE | THREE_D_NOW) ? PREFETCHW : 0;
    word(layout.FEATURE_80000001_ECX, (extended?.ecx ?? 0) | prefetch);
    word(layout.FEATURE_D_1_EAX, state?.eax);
    const physicalBits = sizes ? sizes.eax & 0xff : 36;
    const reserved = ((1n << 52n) - 1n) & ~((1n << BigInt(physicalBits)) - 1n);
    view.setBigUint64(layout.PHYSICAL_RESERVED, reserved, true);
  }
}
