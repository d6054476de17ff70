/**
 * The machine that an instruction vector assumes, set up around a CPU: user mode with paging, an arena, a page of code, and above them a
 * supervisor that does nothing but halt in its exception handlers. The CPU state and the tables are written directly; the instruction,
 * the exception it raises and its delivery through the IDT are the CPU's own.
 */
import { CR0, CR4, EFER, SEGMENT } from './flags.js';
import * as layout from './layout.js';
import type { CpuPort, CpuRamBlock } from './port.js';
import { ARENA, CODE, NO_TRAP, type Vector, type VectorFile, type VectorMode, type VectorRegisters } from './vectors.js';

/** What is needed of the CPU beyond its port: the exports that translate lazy and derived state. */
export interface VectorCpu extends Pick<CpuPort, 'memory' | 'allocate' | 'setMemoryMap' | 'run' | 'instructions'> {
  getFlags(): number;
  setFlags(value: number): void;
  /** Recomputes everything derived from architectural state. */
  refresh(): void;
}

/** What the instruction did, in the terms of {@link import('./vectors.js').VectorOutcome}. */
export interface VectorResult {
  readonly trap: number;
  readonly errorCode: number;
  readonly address: bigint;
  /** Instruction pointer minus the instruction's own. */
  readonly advance: bigint;
  readonly registers: VectorRegisters;
  /** The 64 KiB arena; valid until the next run. */
  readonly arena: Uint8Array;
}

/** How 16- and 32-bit code is run: two-level tables (no execute protection), PAE with NX, or in compatibility mode. 64-bit code always in long mode. */
export type VectorHost = 'legacy' | 'pae' | 'long';

const HALT = 0xf4;
const XCR0_X87_SSE = 3n;
const HALTS = 0xf4f4f4f4 | 0;
/** A LOOP onto itself takes 65536. */
const INSTRUCTION_LIMIT = 100_000;
/** Physical and linear addresses of the supervisor's tables; linear = {@link SYSTEM} + offset, sign-extended in long mode. */
const SYSTEM = 0xffe00000;
const PHYSICAL = 0x100000;
const AT = {
  idt: 0x0000,
  gdt: 0x1000,
  ldt: 0x1100,
  tss: 0x1200,
  handlers: 0x2000,
  stackTop: 0x5000,
  legacyDirectory: 0x6000,
  legacyTable: 0x7000,
  legacyHighTable: 0x8000,
  paePointers: 0x9000,
  paeDirectory: 0xa000,
  paeHighDirectory: 0xb000,
  paeTable: 0xc000,
  paeHighTable: 0xd000,
  longTop: 0xe000,
  longPointers: 0xf000,
  longHighPointers: 0x10000,
  end: 0x11000,
} as const;
const SYSTEM_LENGTH = AT.end;
const RAM = PHYSICAL + 0x100000;

const SELECTOR = {
  kernelCode: 0x10,
  kernelData: 0x18,
  code32: 0x23,
  data: 0x2b,
  code64: 0x33,
  kernelCode64: 0x38,
  tss: 0x40,
  ldt: 0x50,
  code16: 0x07,
  data16: 0x0f,
} as const;

const PAGE = { PRESENT: 1, WRITE: 2, USER: 4, ACCESSED: 0x20, DIRTY: 0x40 } as const;
const USER = PAGE.PRESENT | PAGE.WRITE | PAGE.USER | PAGE.ACCESSED | PAGE.DIRTY;
const KERNEL = PAGE.PRESENT | PAGE.WRITE | PAGE.ACCESSED | PAGE.DIRTY;
const NO_EXECUTE = 1n << 63n;

const CODE_FLAGS = SEGMENT.PRESENT | SEGMENT.S | SEGMENT.CODE | SEGMENT.WRITABLE | SEGMENT.ACCESSED;
const DATA_FLAGS = SEGMENT.PRESENT | SEGMENT.S | SEGMENT.WRITABLE | SEGMENT.ACCESSED;
const RING3 = SEGMENT.DPL;
/** The bit for the operating system's use, which Linux sets in descriptors of modify_ldt. */
const AVAILABLE = 1 << 20;
const FLAT = SEGMENT.G | SEGMENT.B | 0xf0000;

/** Exceptions that push an error code. */
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);

interface SegmentValue {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  readonly flags: number;
}

export class VectorMachine {
  readonly ram: CpuRamBlock;
  private mode: VectorMode | undefined;
  private longMode = false;

  constructor(
    readonly cpu: VectorCpu,
    readonly file: VectorFile,
    readonly host: VectorHost = 'legacy',
    /** Bits of CR4 besides those of paging and SSE. */
    readonly control4: number = CR4.OSXSAVE,
  ) {
    new DataView(cpu.memory.buffer).setBigUint64(layout.XCR0, XCR0_X87_SSE, true);
    this.ram = cpu.allocate('vectors.ram', RAM);
    cpu.setMemoryMap([{ base: 0, length: RAM, kind: 'ram', block: this.ram, offset: 0 }]);
    this.ram.write(CODE.base, new Uint8Array(CODE.length).fill(HALT));
    this.ram.write(PHYSICAL + AT.handlers, new Uint8Array(0x1000).fill(HALT));
  }

  /** Sets everything up, runs the one instruction and whatever catches it, and reports. */
  run(vector: Vector): VectorResult {
    const { cpu, ram } = this;
    ram.write(ARENA.base, this.file.arena);
    for (const patch of vector.patches) ram.write(ARENA.base + patch.offset, patch.bytes);
    const room = Math.min(vector.code.length, CODE.length - vector.codeOffset);
    ram.write(CODE.base + vector.codeOffset, vector.code.subarray(0, room));
    if (this.mode !== vector.mode) this.prepare(vector.mode);
    this.enter(vector);
    try {
      const exit = cpu.run(cpu.instructions + INSTRUCTION_LIMIT);
      if (exit !== 'halted')
        throw new Error(`vector ${vector.index}: the CPU came back with "${exit}" instead of halting in a handler`);
      return this.collect(vector);
    } finally {
      this.restoreCode(vector.codeOffset, room);
    }
  }

  /** HLT everywhere again: the instruction itself, and what it may have written over the code. */
  private restoreCode(offset: number, length: number): void {
    this.ram.write(CODE.base + offset, new Uint8Array(length).fill(HALT));
    const words = new Int32Array(this.cpu.memory.buffer, this.ram.address + CODE.base, CODE.length / 4);
    if (words.some((word) => word !== HALTS)) this.ram.write(CODE.base, new Uint8Array(CODE.length).fill(HALT));
  }

  // ------------------------------------------------------------------------------------------------ tables

  private prepare(mode: VectorMode): void {
    this.mode = mode;
    this.longMode = mode === 64 || this.host === 'long';
    const { ram, longMode } = this;
    const system = new Uint8Array(SYSTEM_LENGTH);
    const view = new DataView(system.buffer);
    system.fill(HALT, AT.handlers, AT.handlers + 0x1000);
    const linear = (offset: number) => (longMode ? 0xffffffff00000000n : 0n) | BigInt(SYSTEM + offset);
    for (let vector = 0; vector < 256; vector++) {
      const handler = linear(AT.handlers + vector * 16);
      const at = AT.idt + vector * (longMode ? 16 : 8);
      const dpl = vector === 3 || vector === 4 ? 3 : 0;
      view.setUint16(at, Number(handler & 0xffffn), true);
      view.setUint16(at + 2, longMode ? SELECTOR.kernelCode64 : SELECTOR.kernelCode, true);
      view.setUint16(at + 4, 0x8e00 | (dpl << 13), true);
      view.setUint16(at + 6, Number((handler >> 16n) & 0xffffn), true);
      if (longMode) view.setUint32(at + 8, Number(handler >> 32n), true);
    }
    const descriptor = (at: number, base: bigint, limit: number, flags: number) => {
      view.setUint32(at, Number(base & 0xffffn) * 0x10000 + (limit & 0xffff), true);
      view.setUint32(
        at + 4,
        Number(((base >> 24n) << 24n) & 0xff000000n) + ((flags & 0xf0ff00) | (limit & 0xf0000) | Number((base >> 16n) & 0xffn)),
        true,
      );
    };
    const gdt = (selector: number) => AT.gdt + (selector & ~7);
    const flat = SEGMENT.G | SEGMENT.B;
    descriptor(gdt(SELECTOR.kernelCode), 0n, 0xfffff, CODE_FLAGS | flat);
    descriptor(gdt(SELECTOR.kernelData), 0n, 0xfffff, DATA_FLAGS | flat);
    descriptor(gdt(SELECTOR.code32), 0n, 0xfffff, CODE_FLAGS | RING3 | flat);
    descriptor(gdt(SELECTOR.data), 0n, 0xfffff, DATA_FLAGS | RING3 | flat);
    descriptor(gdt(SELECTOR.code64), 0n, 0xfffff, CODE_FLAGS | RING3 | SEGMENT.G | SEGMENT.L);
    descriptor(gdt(SELECTOR.kernelCode64), 0n, 0xfffff, CODE_FLAGS | SEGMENT.G | SEGMENT.L);
    descriptor(gdt(SELECTOR.tss), linear(AT.tss), 0x67, SEGMENT.PRESENT | 0xb00);
    descriptor(gdt(SELECTOR.ldt), linear(AT.ldt), 0x0f, SEGMENT.PRESENT | 0x200);
    if (longMode) for (const selector of [SELECTOR.tss, SELECTOR.ldt]) view.setUint32(gdt(selector) + 8, 0xffffffff, true);
    descriptor(AT.ldt, BigInt(CODE.base), 0xffff, CODE_FLAGS | RING3 | AVAILABLE);
    descriptor(AT.ldt + 8, BigInt(ARENA.base), 0xffff, DATA_FLAGS | RING3 | AVAILABLE);
    if (longMode) view.setBigUint64(AT.tss + 4, linear(AT.stackTop), true);
    else {
      view.setUint32(AT.tss + 4, SYSTEM + AT.stackTop, true);
      view.setUint32(AT.tss + 8, SELECTOR.kernelData, true);
    }
    view.setUint16(AT.tss + 0x66, 0x68, true);
    this.pageTables(view);
    ram.write(PHYSICAL, system);
  }

  private pageTables(view: DataView): void {
    const user = [
      ...Array.from({ length: ARENA.length >> 12 }, (_, i) => ({ page: (ARENA.base >> 12) + i, executable: false })),
      ...Array.from({ length: CODE.length >> 12 }, (_, i) => ({ page: (CODE.base >> 12) + i, executable: true })),
    ];
    const systemPages = Array.from({ length: SYSTEM_LENGTH >> 12 }, (_, i) => i);
    const table = (offset: number) => PHYSICAL + offset;
    // Two levels, 4-byte entries. 0xffe00000 is entry 0x3ff of the directory, page 0x200 of its table.
    view.setUint32(AT.legacyDirectory, table(AT.legacyTable) | USER, true);
    view.setUint32(AT.legacyDirectory + 0x3ff * 4, table(AT.legacyHighTable) | KERNEL, true);
    for (const { page } of user) view.setUint32(AT.legacyTable + page * 4, (page << 12) | USER, true);
    for (const page of systemPages)
      view.setUint32(AT.legacyHighTable + (0x200 + page) * 4, (PHYSICAL + (page << 12)) | KERNEL, true);
    // 8-byte entries. 0xffe00000 is entry 3 of the pointers, 0x1ff of the directory, page 0 of its table.
    const set = (at: number, value: bigint) => view.setBigUint64(at, value, true);
    set(AT.paePointers, BigInt(table(AT.paeDirectory) | PAGE.PRESENT));
    set(AT.paePointers + 24, BigInt(table(AT.paeHighDirectory) | PAGE.PRESENT));
    set(AT.paeDirectory, BigInt(table(AT.paeTable) | USER));
    set(AT.paeHighDirectory + 0x1ff * 8, BigInt(table(AT.paeHighTable) | KERNEL));
    for (const { page, executable } of user)
      set(AT.paeTable + page * 8, BigInt((page << 12) | USER) | (executable ? 0n : NO_EXECUTE));
    for (const page of systemPages) set(AT.paeHighTable + page * 8, BigInt((PHYSICAL + (page << 12)) | KERNEL));
    set(AT.longTop, BigInt(table(AT.longPointers) | USER));
    set(AT.longTop + 0x1ff * 8, BigInt(table(AT.longHighPointers) | KERNEL));
    set(AT.longPointers, BigInt(table(AT.paeDirectory) | USER));
    set(AT.longHighPointers + 0x1ff * 8, BigInt(table(AT.paeHighDirectory) | KERNEL));
  }

  // ------------------------------------------------------------------------------------------------ state in

  private enter(vector: Vector): void {
    const { longMode, host } = this;
    const view = new DataView(this.cpu.memory.buffer);
    const { mode, before } = vector;
    for (let i = 0; i < 16; i++) view.setBigUint64(layout.GPR + i * layout.GPR_STRIDE, before.general[i]!, true);
    view.setBigUint64(layout.RIP, BigInt(mode === 16 ? vector.codeOffset : CODE.base + vector.codeOffset), true);
    this.setSegments(view, mode);
    const pae = longMode || host === 'pae';
    view.setBigUint64(layout.CR0, BigInt(CR0.PG + CR0.WP + CR0.NE + CR0.ET + CR0.MP + CR0.PE), true);
    view.setBigUint64(layout.CR2, 0n, true);
    view.setBigUint64(layout.CR3, BigInt(PHYSICAL + (longMode ? AT.longTop : pae ? AT.paePointers : AT.legacyDirectory)), true);
    view.setBigUint64(layout.CR4, BigInt(this.control4 | CR4.OSFXSR | CR4.OSXMMEXCPT | (pae ? CR4.PAE : 0)), true);
    view.setBigUint64(layout.EFER, BigInt((longMode ? EFER.LME | EFER.LMA : 0) | (pae ? EFER.NXE : 0)), true);
    for (let i = 0; i < 4; i++)
      view.setBigUint64(
        layout.PDPTE + i * 8,
        i === 0 ? BigInt(PHYSICAL + AT.paeDirectory + 1) : i === 3 ? BigInt(PHYSICAL + AT.paeHighDirectory + 1) : 0n,
        true,
      );
    view.setUint16(layout.FPU_CONTROL, before.fpuControl, true);
    view.setUint16(layout.FPU_STATUS, before.fpuStatus & ~0x3800, true);
    view.setUint32(layout.FPU_TOP, (before.fpuStatus >> 11) & 7, true);
    view.setUint8(layout.FPU_TAG, before.fpuTag);
    const bytes = new Uint8Array(this.cpu.memory.buffer);
    for (let i = 0; i < 8; i++) bytes.set(before.fpu.subarray(i * 10, i * 10 + 10), layout.FPU_REGISTERS + i * 16);
    view.setUint32(layout.MXCSR, before.mxcsr, true);
    bytes.set(before.xmm, layout.XMM);
    view.setUint32(layout.HALTED, 0, true);
    view.setUint32(layout.INTERRUPT_SHADOW, 0, true);
    view.setInt32(layout.EXCEPTION_VECTOR, -1, true);
    view.setInt32(layout.DELIVERING, -1, true);
    this.cpu.setFlags(before.flags | 2);
    this.cpu.refresh();
  }

  private setSegments(view: DataView, mode: VectorMode): void {
    const { longMode } = this;
    const put = (index: number, { selector, base, limit, flags }: SegmentValue) => {
      const at = layout.SEGMENTS + index * layout.SEGMENT_STRIDE;
      view.setUint32(at + layout.SEG_SELECTOR, selector, true);
      view.setUint32(at + layout.SEG_LIMIT, limit, true);
      view.setBigUint64(at + layout.SEG_BASE, base, true);
      view.setUint32(at + layout.SEG_FLAGS, flags, true);
    };
    const system = (offset: number) => (longMode ? 0xffffffff00000000n : 0n) | BigInt(SYSTEM + offset);
    const limit = 0xffffffff;
    const data: SegmentValue =
      mode === 16
        ? { selector: SELECTOR.data16, base: BigInt(ARENA.base), limit: 0xffff, flags: DATA_FLAGS | RING3 }
        : { selector: SELECTOR.data, base: 0n, limit, flags: DATA_FLAGS | RING3 | FLAT };
    put(layout.ES, data);
    put(layout.SS, data);
    put(layout.DS, data);
    for (const empty of [layout.FS, layout.GS]) put(empty, { selector: 0, base: 0n, limit: 0, flags: 0 });
    const code: SegmentValue =
      mode === 16
        ? { selector: SELECTOR.code16, base: BigInt(CODE.base), limit: 0xffff, flags: CODE_FLAGS | RING3 }
        : mode === 32
          ? { selector: SELECTOR.code32, base: 0n, limit, flags: CODE_FLAGS | RING3 | FLAT }
          : { selector: SELECTOR.code64, base: 0n, limit, flags: CODE_FLAGS | RING3 | SEGMENT.G | SEGMENT.L | 0xf0000 };
    put(layout.CS, code);
    put(layout.LDTR, { selector: SELECTOR.ldt, base: system(AT.ldt), limit: 0x0f, flags: SEGMENT.PRESENT | 0x200 });
    put(layout.TR, { selector: SELECTOR.tss, base: system(AT.tss), limit: 0x67, flags: SEGMENT.PRESENT | 0xb00 });
    put(layout.GDTR, { selector: 0, base: system(AT.gdt), limit: 0x5f, flags: 0 });
    put(layout.IDTR, { selector: 0, base: system(AT.idt), limit: longMode ? 0xfff : 0x7ff, flags: 0 });
  }

  // ------------------------------------------------------------------------------------------------ state out

  private collect(vector: Vector): VectorResult {
    const { longMode } = this;
    const view = new DataView(this.cpu.memory.buffer);
    const handler = Number(view.getBigUint64(layout.RIP, true) & 0xffffffffn) - (SYSTEM + AT.handlers) - 1;
    let trap = handler >> 4;
    if (trap < 0 || trap > 255 || (handler & 15) !== 0) throw new Error(`vector ${vector.index}: halted outside of a handler`);
    const slot = longMode ? 8 : 4;
    const stack = Number(view.getBigUint64(layout.GPR + 4 * layout.GPR_STRIDE, true) & 0xffffffffn) - SYSTEM;
    const pop = (index: number): bigint => {
      const at = this.ram.address + PHYSICAL + stack + index * slot;
      return longMode ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
    };
    let frame = 0;
    let errorCode = WITH_CODE.has(trap) ? Number(pop(frame++) & 0xffffn) : 0;
    const ip = pop(frame++);
    frame++;
    const flags = Number(pop(frame++) & 0xffffffffn);
    const sp = pop(frame++);
    if (stack + (frame + 1) * slot !== AT.stackTop)
      throw new Error(`vector ${vector.index}: trap ${trap} left a frame of ${AT.stackTop - stack} bytes`);
    const start = BigInt(vector.mode === 16 ? vector.codeOffset : CODE.base + vector.codeOffset);
    const linear = (vector.mode === 16 ? BigInt(CODE.base) : 0n) + ip;
    const inCode = linear >= BigInt(CODE.base) && linear < BigInt(CODE.base + CODE.length);
    // The HLT behind the instruction is not allowed at CPL 3: that is how an instruction ends normally.
    if (trap === 13 && ip !== start && inCode && view.getUint8(this.ram.address + Number(linear)) === HALT) {
      trap = NO_TRAP;
      errorCode = 0;
    }
    const general = new BigUint64Array(16);
    for (let i = 0; i < 16; i++) general[i] = view.getBigUint64(layout.GPR + i * layout.GPR_STRIDE, true);
    general[4] = sp;
    if (vector.mode !== 64) for (let i = 0; i < 16; i++) general[i] = i < 8 ? general[i]! & 0xffffffffn : 0n;
    const bytes = new Uint8Array(this.cpu.memory.buffer);
    const fpu = new Uint8Array(80);
    for (let i = 0; i < 8; i++)
      fpu.set(bytes.subarray(layout.FPU_REGISTERS + i * 16, layout.FPU_REGISTERS + i * 16 + 10), i * 10);
    return {
      trap,
      errorCode,
      address: trap === 14 ? BigInt.asUintN(vector.mode === 64 ? 64 : 32, view.getBigUint64(layout.CR2, true)) : 0n,
      advance: BigInt.asIntN(vector.mode === 64 ? 64 : 32, ip - start),
      registers: {
        general,
        flags,
        fpuControl: view.getUint16(layout.FPU_CONTROL, true),
        fpuStatus: (view.getUint16(layout.FPU_STATUS, true) & ~0x3800) | ((view.getUint32(layout.FPU_TOP, true) & 7) << 11),
        fpuTag: view.getUint8(layout.FPU_TAG),
        fpu,
        mxcsr: view.getUint32(layout.MXCSR, true),
        xmm: bytes.slice(layout.XMM, layout.XMM + 256),
      },
      arena: bytes.subarray(this.ram.address + ARENA.base, this.ram.address + ARENA.base + ARENA.length),
    };
  }
}
