import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { cpuidTable } from './cpuid.js';
import { parseCpu } from './models.js';
import { CpuCommonState, CpuState } from './state.js';
import { syncFromCpu, syncToCpu } from './state-sync.js';
import { cpuWasmUrl } from './wasm-url.js';

/* Process-context identifiers. [SDM] volume 3, 4.10; volume 2, INVPCID and MOV to control registers. QEMU 7.2's TCG has none to compare with. */

const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));
const [RAX, RCX, RDX, RBX, RSI] = [0, 1, 2, 3, 6];
const [PAE, PGE, PCIDE] = [0x20, 0x80, 0x20000];
const [PML4, PDPT, PD, PT, CODE, DESCRIPTOR] = [0x1000, 0x2000, 0x3000, 0x4000, 0x6000, 0x7000];
/** Mapped by the last entry of the page table, to either of two pages with different contents. */
const WINDOW = 0x1ff000n;
const [ONE, OTHER] = [0x8000, 0x9000];
const INVPCID = [0x66, 0x0f, 0x38, 0x82, 0x06]; // invpcid rax, [rsi]
const TO_CR3 = [0x0f, 0x22, 0xd8];
const FROM_CR3 = [0x0f, 0x20, 0xd8];
const TO_CR4 = [0x0f, 0x22, 0xe0];
const TO_CR0 = [0x0f, 0x22, 0xc0];
const [LOAD_CL, LOAD_DL] = [
  [0x8a, 0x0b], // mov cl, [rbx]
  [0x8a, 0x13], // mov dl, [rbx]
] as const;

interface Setting {
  readonly model?: string;
  readonly cr4?: number;
  readonly cr3?: bigint;
  readonly cpl?: number;
  /** 32-bit code without paging. */
  readonly legacy?: boolean;
}

function board({ model = 'max', cr4 = PAE | PGE | PCIDE, cr3 = BigInt(PML4), cpl = 0, legacy = false }: Setting = {}) {
  const cpu = Cpu.create({
    module,
    ramBytes: 4 << 20,
    cpuid: cpuidTable(parseCpu(model, 'x86_64')),
    bus: {
      portRead: () => 0xff,
      portWrite: () => {},
      mmioRead: () => 0xffffffff,
      mmioWrite: () => {},
      acknowledgeInterrupt: () => 0x20,
      timestamp: () => 0n,
    },
  });
  const ram = cpu.allocate('ram', 2 << 20);
  cpu.setMemoryMap([{ base: 0, length: 2 << 20, kind: 'ram', block: ram, offset: 0 }]);
  const quad = (at: number, value: bigint) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    ram.write(at, bytes);
  };
  quad(PML4, BigInt(PDPT | 7));
  quad(PDPT, BigInt(PD | 7));
  quad(PD, BigInt(PT | 7));
  for (let page = 0; page < 511; page++) quad(PT + page * 8, BigInt((page << 12) | 7));
  const point = (frame: number, global = false) => quad(PT + 511 * 8, BigInt(frame | 7 | (global ? 0x100 : 0)));
  point(ONE);
  quad(ONE, 1n);
  quad(OTHER, 2n);
  const state = new CpuState('x86_64');
  const common = new CpuCommonState();
  state.cr0 = legacy ? 0x11n : 0x8001_0011n;
  state.cr3 = cr3;
  state.cr4 = BigInt(cr4);
  state.efer = legacy ? 0n : 0x500n;
  state.segments.forEach((segment, n) => {
    const code = n === 1 ? (legacy ? 0xc09b00 : 0xa09b00) : 0xc09300;
    Object.assign(segment, { selector: 8 | cpl, base: 0n, limit: 0xffffffff, flags: code | (cpl << 13) });
  });
  let vector: number | undefined;
  cpu.observe({
    delivering: (delivery) => {
      vector ??= delivery.vector;
    },
  });
  return {
    point,
    describe: (context: bigint, linear = 0n) => {
      quad(DESCRIPTOR, context);
      quad(DESCRIPTOR + 8, linear);
    },
    /** Sets out with `code`; `step` runs some of its instructions and answers the vector of an exception. */
    start(code: readonly number[], rax = 0n): void {
      ram.write(CODE, Uint8Array.from(code));
      state.eip = BigInt(CODE);
      state.regs[RAX] = rax;
      state.regs[RBX] = WINDOW;
      state.regs[RSI] = BigInt(DESCRIPTOR);
      syncToCpu(cpu, state, common);
    },
    step(count = 1): number | undefined {
      cpu.run(cpu.instructions + count);
      return vector;
    },
    state(): CpuState {
      syncFromCpu(cpu, state, common);
      return state;
    },
  };
}

/** The vector that one instruction ends with, undefined for none. */
function ends(code: readonly number[], rax: bigint, setting: Setting = {}, context = 0n, linear = 0n): number | undefined {
  const b = board(setting);
  b.describe(context, linear);
  b.start(code, rax);
  return b.step();
}
const [UD, GP] = [6, 13];
const WITHOUT = { cr4: PAE | PGE };

describe('CR4.PCIDE', () => {
  it('is a bit of models with PCID only', () => {
    const value = BigInt(PAE | PCIDE);
    expect(ends(TO_CR4, value, WITHOUT)).toBe(undefined);
    expect(ends(TO_CR4, value, { ...WITHOUT, model: 'max,-pcid' })).toBe(GP);
    expect(ends(TO_CR4, value, { ...WITHOUT, model: 'qemu64' })).toBe(GP);
  });

  it('is set in long mode only, and while CR3 names context 0', () => {
    expect(ends(TO_CR4, BigInt(PAE | PCIDE), { legacy: true, cr4: PAE })).toBe(GP);
    // Bits 3 and 4 are PWT and PCD without PCIDE, and part of the number all the same.
    for (const low of [1, 8, 16, 0xfff])
      expect(ends(TO_CR4, BigInt(PAE | PCIDE), { ...WITHOUT, cr3: BigInt(PML4 | low) })).toBe(GP);
    // Once it is set, CR4 can be written whatever the context.
    expect(ends(TO_CR4, BigInt(PAE | PCIDE), { cr3: BigInt(PML4 | 5) })).toBe(undefined);
    expect(ends(TO_CR4, BigInt(PAE), { cr3: BigInt(PML4 | 5) })).toBe(undefined);
  });

  it('keeps paging on', () => {
    expect(ends(TO_CR0, 0x11n)).toBe(GP);
    expect(ends(TO_CR0, 0x8001_0011n)).toBe(undefined);
  });
});

describe('CR3', () => {
  const NO_FLUSH = 1n << 63n;

  it('takes a context of 12 bits, and bit 63 that is not kept', () => {
    const b = board();
    b.start([...TO_CR3, ...FROM_CR3], NO_FLUSH | BigInt(PML4 | 0xabc));
    expect(b.step(2)).toBe(undefined);
    const { cr3, regs } = b.state();
    expect([cr3, regs[RAX]]).toEqual([BigInt(PML4 | 0xabc), BigInt(PML4 | 0xabc)]);
  });

  it('faults by bit 63 without PCIDE, and by reserved bits either way', () => {
    expect(ends(TO_CR3, NO_FLUSH | BigInt(PML4), WITHOUT)).toBe(GP);
    for (const bit of [52n, 62n]) {
      expect(ends(TO_CR3, (1n << bit) | BigInt(PML4))).toBe(GP);
      expect(ends(TO_CR3, NO_FLUSH | (1n << bit) | BigInt(PML4))).toBe(GP);
      expect(ends(TO_CR3, (1n << bit) | BigInt(PML4), WITHOUT)).toBe(GP);
    }
  });

  it('forgets the pages of the context that it names, unless bit 63 is set', () => {
    const b = board();
    b.start([...LOAD_CL, ...TO_CR3, ...LOAD_DL], BigInt(PML4));
    expect(b.step()).toBe(undefined);
    b.point(OTHER);
    expect(b.step(2)).toBe(undefined);
    const { regs } = b.state();
    expect([regs[RCX], regs[RDX]]).toEqual([1n, 2n]);
  });
});

describe('INVPCID', () => {
  it('is there with its bit of CPUID, for ring 0', () => {
    expect(ends(INVPCID, 2n)).toBe(undefined);
    expect(ends(INVPCID, 2n, { model: 'max,-invpcid' })).toBe(UD);
    expect(ends(INVPCID, 2n, { cpl: 3 })).toBe(GP);
  });

  it('has four types', () => {
    for (const type of [0n, 1n, 2n, 3n]) expect(ends(INVPCID, type)).toBe(undefined);
    for (const type of [4n, 1n << 32n, 1n << 63n]) expect(ends(INVPCID, type)).toBe(GP);
  });

  it('checks the descriptor: 52 reserved bits, a canonical address for type 0', () => {
    for (const type of [0n, 1n, 2n, 3n]) {
      expect(ends(INVPCID, type, {}, 0xfffn)).toBe(undefined);
      expect(ends(INVPCID, type, {}, 1n << 12n)).toBe(GP);
      expect(ends(INVPCID, type, {}, 1n << 63n)).toBe(GP);
    }
    expect(ends(INVPCID, 0n, {}, 0n, 1n << 47n)).toBe(GP);
    for (const type of [1n, 2n, 3n]) expect(ends(INVPCID, type, {}, 0n, 1n << 47n)).toBe(undefined);
  });

  it('knows context 0 only while PCIDE is clear, where a type names one', () => {
    for (const type of [0n, 1n]) {
      expect(ends(INVPCID, type, WITHOUT, 1n)).toBe(GP);
      expect(ends(INVPCID, type, WITHOUT, 0n)).toBe(undefined);
    }
    for (const type of [2n, 3n]) expect(ends(INVPCID, type, WITHOUT, 1n)).toBe(undefined);
  });

  const reread = (type: bigint | undefined, global: boolean, linear = WINDOW) => {
    const b = board();
    b.describe(0n, linear);
    b.point(ONE, global);
    b.start([...LOAD_CL, ...(type === undefined ? [0x90] : INVPCID), ...LOAD_DL], type ?? 0n);
    expect(b.step()).toBe(undefined);
    b.point(OTHER, global);
    expect(b.step(2)).toBe(undefined);
    const { regs } = b.state();
    expect(regs[RCX]).toBe(1n);
    return regs[RDX];
  };

  it('makes the processor read the tables again: one page, a context, all but global pages, all', () => {
    // So the others can fail: nothing else does.
    expect(reread(undefined, false)).toBe(1n);
    expect(reread(0n, false, WINDOW - 0x1000n)).toBe(1n);
    for (const type of [0n, 1n, 2n, 3n]) expect(reread(type, false)).toBe(2n);
    expect(reread(2n, true)).toBe(2n);
    for (const type of [1n, 3n]) expect(reread(type, true)).toBe(1n);
  });
});
