import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { cpuidTable } from './cpuid.js';
import * as layout from './layout.js';
import { parseCpu } from './models.js';
import type { CpuBus, CpuExit } from './port.js';
import { CpuCommonState, CpuState } from './state.js';
import { syncFromCpu, syncToCpu } from './state-sync.js';
import { cpuWasmUrl } from './wasm-url.js';

/**
 * Random code in random machines: nothing may throw, and no run may go beyond its limit. A hang shows as the test's time-out. PAGURUS_FUZZ_SEED and
 * PAGURUS_FUZZ_PROGRAMS (for each way to be) ask for other programs and more of them.
 */
const SEED = Number(process.env.PAGURUS_FUZZ_SEED ?? 1);
const PROGRAMS = Number(process.env.PAGURUS_FUZZ_PROGRAMS ?? 100);
/** Instructions of a program, and registers that it is started with when it has come to an end. */
const LIMIT = 40_000;
const LIVES = 20;
const MEMORY = 0x100000;

const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));

/** Where things lie. Code and data are all below TABLES. */
const CODE = 0x1000;
const TABLES = 0x80000;
const GDT = 0x90000;
const IDT = 0x91000;
const LDT = 0x92000;
const TSS = 0x93000;
/** Handlers that return behind what faulted: for real mode, 32 and 64 bits, each without and with an error code. */
const HANDLERS = 0x98000;
const HANDLER_CODE: Readonly<Record<number, readonly number[]>> = {
  // push bp; mov bp,sp; inc word [bp+2]; pop bp; iret
  0: [0x55, 0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf],
  // add esp,4; inc dword [esp]; iret
  32: [0xff, 0x04, 0x24, 0xcf],
  48: [0x83, 0xc4, 0x04, 0xff, 0x04, 0x24, 0xcf],
  // add rsp,8; inc qword [rsp]; iretq
  64: [0x48, 0xff, 0x04, 0x24, 0x48, 0xcf],
  80: [0x48, 0x83, 0xc4, 0x08, 0x48, 0xff, 0x04, 0x24, 0x48, 0xcf],
};
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Descriptors that are always there. */
const SELECTORS = {
  code32: 0x08,
  data: 0x10,
  userCode32: 0x18,
  userData: 0x20,
  code64: 0x28,
  code16: 0x30,
  data16: 0x38,
  tss: 0x48,
  userCode64: 0x50,
};

/** Prefixes and escapes, so that the rarer maps are met often. */
const COMMON = [0x0f, 0x0f, 0x66, 0xf2, 0xf3, 0xc4, 0xc5, 0xd8, 0xd9, 0xdb, 0xdd, 0xdf, 0x48, 0x67, 0xf0, 0x64, 0x2e];
/** What changes the ways to be: far transfers, control registers, MSRs, descriptor tables, tasks, interrupts, strings. */
const SYSTEM = [
  [0xea], [0x9a], [0xcb], [0xcf], [0xcd], [0xcc], [0xf1], [0x0f, 0x20], [0x0f, 0x22], [0x0f, 0x23], [0x0f, 0x30], [0x0f, 0x32], [0x0f, 0x01], [0x0f, 0x00],
  [0x0f, 0x05], [0x0f, 0x07], [0x0f, 0x34], [0x0f, 0x35], [0x0f, 0xaa], [0x0f, 0xae], [0x0f, 0xc7], [0x8e], [0x9d], [0xf3, 0xa4], [0xf3, 0x6d], [0xf2, 0xae],
  [0xfb], [0x17], [0xc8], [0x0f, 0xb4], [0xff], [0xf4],
]; // biome-ignore format: a table

type Random = (below: number) => number;
function generator(seed: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Devices that answer anything, ask for interrupts, and interfere. */
class Machine {
  readonly cpu: Cpu;
  readonly ram: ReturnType<Cpu['allocate']>;
  random: Random = generator(1);
  limit = 0;

  constructor(model: string) {
    const bus: CpuBus = {
      portRead: () => this.event(),
      portWrite: () => void this.event(),
      mmioRead: () => this.event(),
      mmioWrite: () => void this.event(),
      acknowledgeInterrupt: () => {
        this.cpu.setInterrupt(false);
        return this.random(256);
      },
      timestamp: () => BigInt(this.cpu.instructions) * 3n,
    };
    const cpuid = cpuidTable(parseCpu(model, 'x86_64', {}, () => true));
    this.cpu = Cpu.create({ module, bus, ramBytes: MEMORY, cpuid, random: () => this.random(2 ** 32) });
    this.ram = this.cpu.allocate('ram', MEMORY);
    this.cpu.setMemoryMap([
      { base: 0, length: 0xa0000, kind: 'ram', block: this.ram, offset: 0 },
      { base: 0xa0000, length: 0x10000, kind: 'io' },
      { base: 0xc0000, length: 0x10000, kind: 'rom', block: this.ram, offset: 0xc0000 },
    ]);
  }

  private event(): number {
    const { cpu, random } = this;
    switch (random(40)) {
      case 0:
        cpu.setInterrupt(true);
        break;
      case 1:
        cpu.nmi();
        break;
      case 2:
        cpu.smi();
        break;
      case 3:
        cpu.requestExit();
        break;
      case 4:
        cpu.setA20(random(2) === 1);
        break;
      case 5:
        cpu.setLimit(this.limit);
    }
    return random(2 ** 32);
  }

  /** Other code and tables. */
  begin(way: Way): void {
    this.limit = this.cpu.instructions + LIMIT;
    this.fill((way.efer & 0x100) !== 0);
    if (way.tables) this.tables(way.tables);
  }

  /** Code that begins anywhere, data, and tables that are sometimes right. */
  fill(long: boolean): void {
    const { random } = this;
    const bytes = new Uint8Array(MEMORY);
    for (let i = 0; i < TABLES; i++) bytes[i] = random(256);
    for (let i = 0; i < TABLES / 24; i++) bytes[random(TABLES)] = COMMON[random(COMMON.length)]!;
    for (let i = 0; i < TABLES / 60; i++) bytes.set(SYSTEM[random(SYSTEM.length)]!, random(TABLES - 2));
    const view = new DataView(bytes.buffer);
    // real mode's vectors
    const kind = random(10);
    for (let i = 0; i < 256; i++)
      view.setUint32(4 * i, kind < 7 ? (HANDLERS >> 4) << 16 : ((random(0x700) + 0x100) << 16) | random(0x1000), true);
    this.descriptors(view);
    if (kind < 7) this.handlers(view, long);
    this.ram.write(0, bytes);
  }

  private descriptors(view: DataView): void {
    const { random } = this;
    const descriptor = (at: number, base: number, limit: number, access: number, flags: number): void => {
      view.setUint32(at, ((base & 0xffff) << 16) | (limit & 0xffff), true);
      view.setUint32(
        at + 4,
        (base & 0xff000000) | (flags << 20) | (limit & 0xf0000) | (access << 8) | ((base >>> 16) & 0xff),
        true,
      );
    };
    for (const table of [GDT, LDT]) {
      for (let i = 0; i < 32; i++) {
        const at = table + 8 * i;
        const user = random(2) ? 0x60 : 0;
        const kind = random(8);
        if (kind < 3) descriptor(at, 0, 0xfffff, 0x9a | user | random(6), [0xc, 0xa, 0x8, 0x0][random(4)]!);
        else if (kind < 5) descriptor(at, 0, 0xfffff, 0x92 | user | random(6), [0xc, 0x8, 0x0][random(3)]!);
        else if (kind === 5)
          descriptor(at, TSS + 0x100 * random(8), 0x67 + random(3) * 0x40, [0x89, 0x81, 0x82, 0xe9][random(4)]!, 0);
        else if (kind === 6) {
          view.setUint32(at, ((8 * random(32)) << 16) | random(0x8000), true);
          view.setUint32(at + 4, (random(8) << 16) | ([0x84, 0x8c, 0xec, 0x85][random(4)]! << 8) | random(32), true);
        } else for (let k = 0; k < 8; k++) view.setUint8(at + k, random(256));
      }
    }
    const always: readonly (readonly [number, number, number])[] = [
      [SELECTORS.code32, 0x9b, 0xc],
      [SELECTORS.data, 0x93, 0xc],
      [SELECTORS.userCode32, 0xfb, 0xc],
      [SELECTORS.userData, 0xf3, 0xc],
      [SELECTORS.code64, 0x9b, 0xa],
      [SELECTORS.code16, 0x9b, 0x0],
      [SELECTORS.data16, 0x93, 0x0],
      [SELECTORS.userCode64, 0xfb, 0xa],
    ];
    for (const [selector, access, flags] of always) descriptor(GDT + selector, 0, 0xfffff, access, flags);
    for (let i = 0; i < 256; i++) {
      const at = IDT + 8 * i;
      view.setUint32(at, ((8 * random(32)) << 16) | random(0x10000), true);
      view.setUint32(
        at + 4,
        (random(8) << 16) | ([0x8e, 0xee, 0x8f, 0xef, 0x86, 0x85, 0xe5, random(256)][random(8)]! << 8),
        true,
      );
    }
    for (let at = TSS; at < TSS + 0x1000; at += 4)
      view.setUint32(at, [random(TABLES), 8 * random(64), TABLES, 0][random(4)]!, true);
  }

  /** Gates to handlers that return. */
  private handlers(view: DataView, long: boolean): void {
    const stack = 0x9f000;
    for (const [offset, code] of Object.entries(HANDLER_CODE))
      code.forEach((byte, i) => {
        view.setUint8(HANDLERS + Number(offset) + i, byte);
      });
    for (let i = 0; i < (long ? 128 : 256); i++) {
      const to = HANDLERS + (long ? 64 : 32) + (WITH_CODE.has(i) ? 16 : 0);
      const at = IDT + i * (long ? 16 : 8);
      view.setUint32(at, ((long ? SELECTORS.code64 : SELECTORS.code32) << 16) | (to & 0xffff), true);
      view.setUint32(at + 4, (to & 0xffff0000) | 0xee00, true);
      if (long) view.setUint32(at + 8, 0, true);
    }
    view.setUint32(TSS + 4, stack, true);
    view.setUint32(TSS + 8, long ? 0 : SELECTORS.data, true);
  }

  /** Page tables of a form that lead mostly to the same address; some entries lead elsewhere, or are wrong. */
  tables(form: 'legacy' | 'pae' | 'long'): void {
    const { random, ram } = this;
    const flags = (): number => [0x07, 0x07, 0x07, 0x67, 0x03, 0x05, 0x01, 0x00, 0x1e7][random(9)]!;
    const page = (wide: boolean, entry: (i: number) => [number, number]): Uint8Array => {
      const bytes = new Uint8Array(4096);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < (wide ? 512 : 1024); i++) {
        const [low, high] = entry(i);
        view.setUint32(i * (wide ? 8 : 4), low, true);
        if (wide) view.setUint32(i * 8 + 4, high, true);
      }
      return bytes;
    };
    const high = (): number => (random(30) === 0 ? random(2 ** 32) : random(20) === 0 ? 0x80000000 : 0);
    const leaf = (i: number): [number, number] => [((random(20) ? i : random(512)) << 12) | flags(), high()];
    const node =
      (next: number) =>
      (i: number): [number, number] =>
        random(12) === 0 ? [(random(4) << 21) | 0x80 | flags(), high()] : [next | (i === 0 ? 0x07 : flags()), high()];
    ram.write(TABLES + 0x3000, page(form !== 'legacy', leaf));
    ram.write(TABLES + 0x2000, page(form !== 'legacy', node(TABLES + 0x3000)));
    ram.write(
      TABLES + 0x1000,
      page(true, (i) => (i < 4 ? [(TABLES + 0x2000) | (form === 'pae' ? 1 : 7), 0] : node(TABLES + 0x2000)(i))),
    );
    ram.write(
      TABLES,
      page(true, (i) => (i === 0 ? [(TABLES + 0x1000) | 7, 0] : node(TABLES + 0x1000)(i))),
    );
  }
}

const ROOTS = { legacy: TABLES + 0x2000, pae: TABLES + 0x1000, long: TABLES } as const;

interface Way {
  readonly name: string;
  readonly cr0: number;
  readonly cr4: number;
  readonly efer: number;
  readonly code: number;
  readonly selectors?: readonly [code: number, data: number];
  readonly limit: number;
  readonly tables?: 'legacy' | 'pae' | 'long';
  readonly user?: boolean;
  readonly flags?: number;
}

const [PE, PG] = [1, 0x80000000];
const WAYS: readonly Way[] = [
  { name: 'real mode', cr0: 0x10, cr4: 0x600, efer: 0, code: 0x9b00, limit: 0xffff },
  { name: 'protected, 16 bit', selectors: [SELECTORS.code16, SELECTORS.data16], cr0: 0x10 | PE, cr4: 0x600, efer: 0, code: 0x9b00, limit: 0xffff },
  { name: 'protected, 32 bit', selectors: [SELECTORS.code32, SELECTORS.data], cr0: 0x10 | PE, cr4: 0x40600, efer: 0, code: 0xcf9b00, limit: 0xffffffff },
  { name: 'protected, 32 bit, paging', selectors: [SELECTORS.code32, SELECTORS.data], cr0: 0x50010 | PE | PG, cr4: 0x690, efer: 0, code: 0xcf9b00, limit: 0xffffffff, tables: 'legacy' },
  { name: 'CPL 3, PAE', selectors: [SELECTORS.userCode32 | 3, SELECTORS.userData | 3], cr0: 0x50030 | PE | PG, cr4: 0x6b0, efer: 0x800, code: 0xcffb00, limit: 0xffffffff, tables: 'pae', user: true },
  { name: 'virtual-8086', cr0: 0x10 | PE | PG, cr4: 0x601, efer: 0, code: 0xf300, limit: 0xffff, tables: 'legacy', user: true, flags: 0x20000 },
  { name: '64 bit', selectors: [SELECTORS.code64, SELECTORS.data], cr0: 0x10 | PE | PG, cr4: 0x40620, efer: 0xd01, code: 0xaf9b00, limit: 0xffffffff, tables: 'long' },
  { name: '64 bit, CPL 3', selectors: [SELECTORS.userCode64 | 3, SELECTORS.userData | 3], cr0: 0x50030 | PE | PG, cr4: 0x3106a0, efer: 0xd01, code: 0xaffb00, limit: 0xffffffff, tables: 'long', user: true },
  { name: 'compatibility, 32 bit', selectors: [SELECTORS.code32, SELECTORS.data], cr0: 0x10 | PE | PG, cr4: 0x40620, efer: 0xd01, code: 0xcf9b00, limit: 0xffffffff, tables: 'long' },
  { name: 'compatibility, 16 bit', selectors: [SELECTORS.code16, SELECTORS.data16], cr0: 0x10 | PE | PG, cr4: 0x620, efer: 0x501, code: 0x9b00, limit: 0xffff, tables: 'long' },
]; // biome-ignore format: a table

function prepare(machine: Machine, way: Way): void {
  const { cpu, random } = machine;
  const { view } = cpu;
  const quad = (at: number, value: number | bigint): void => view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  cpu.reset();
  cpu.setInterrupt(false);
  quad(layout.CR0, way.cr0);
  quad(layout.CR4, way.cr4);
  quad(layout.EFER, way.efer);
  if (way.tables) quad(layout.CR3, ROOTS[way.tables]);
  const level = way.user ? 3 : 0;
  for (let i = 0; i < 6; i++) {
    const at = layout.SEGMENTS + i * layout.SEGMENT_STRIDE;
    const segmented = way.limit === 0xffff;
    const paragraph = segmented ? random(0x600) + 0x100 : 0;
    view.setUint32(at + layout.SEG_SELECTOR, way.selectors ? way.selectors[i === layout.CS ? 0 : 1] : paragraph, true);
    quad(at + layout.SEG_BASE, way.flags || !(way.cr0 & PE) || random(8) === 0 ? paragraph * 16 : 0);
    view.setUint32(at + layout.SEG_LIMIT, random(10) === 0 && i !== layout.CS ? random(way.limit) : way.limit, true);
    const data = way.flags ? 0xf300 : segmented ? 0x9300 | (level << 13) : 0xcf9300 | (level << 13);
    view.setUint32(at + layout.SEG_FLAGS, i === layout.CS ? way.code : random(12) === 0 ? random(2 ** 24) & ~0xff : data, true);
  }
  const table = (index: number, base: number, limit: number, flags = 0, selector = 0): void => {
    const at = layout.SEGMENTS + index * layout.SEGMENT_STRIDE;
    quad(at + layout.SEG_BASE, base);
    view.setUint32(at + layout.SEG_LIMIT, limit, true);
    view.setUint32(at + layout.SEG_FLAGS, flags, true);
    view.setUint32(at + layout.SEG_SELECTOR, selector, true);
  };
  table(layout.GDTR, GDT, 0xff);
  table(layout.IDTR, way.cr0 & PE ? IDT : 0, way.cr0 & PE ? 0x7ff : 0x3ff);
  table(layout.LDTR, LDT, 0xff, 0x8200, 0x40);
  table(layout.TR, TSS, 0xfff, way.efer || random(2) ? 0x8b00 : 0x8300, 0x48);
  for (let i = 0; i < 16; i++) {
    const wild = random(6) === 0;
    quad(layout.GPR + i * layout.GPR_STRIDE, wild ? (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32)) : random(TABLES));
  }
  quad(layout.GPR + 4 * layout.GPR_STRIDE, 0x4000 + random(0x4000));
  quad(layout.RIP, way.limit === 0xffff ? random(0x10000) : CODE + random(TABLES - CODE));
  cpu.setFlags(0x202 | (way.flags ?? 0) | [0, 0, 0, 0x3000, 0x100, 0x40000, 0x4000][random(7)]!);
  cpu.refresh();
}

const exits: Partial<Record<CpuExit, number>> = {};
let instructions = 0;
/** Runs up to the limit; whoever asked for an exit is ignored, whoever halts is woken. */
function run(machine: Machine): void {
  const { cpu } = machine;
  const start = cpu.instructions;
  for (let tries = 0; tries < 50; tries++) {
    const exit = cpu.run(machine.limit);
    exits[exit] = (exits[exit] ?? 0) + 1;
    expect(['limit', 'halted', 'requested', 'shutdown']).toContain(exit);
    // a fault right behind another one costs an instruction, wherever the limit is
    expect([machine.limit, machine.limit + 1, Math.min(cpu.instructions, machine.limit)]).toContain(cpu.instructions);
    if (exit === 'limit') expect(cpu.instructions).toBeGreaterThanOrEqual(machine.limit);
    if (exit === 'halted') machine.cpu.nmi();
    else if (exit !== 'requested') break;
  }
  instructions += cpu.instructions - start;
}

describe('random programs neither throw nor hang, and keep their limit', () => {
  const machines = [new Machine('max'), new Machine('qemu64')];
  afterAll(() => console.log(`${instructions} instructions, seed ${SEED}, ${JSON.stringify(exits)}`));

  it.each(WAYS)('$name', { timeout: 600_000 }, (way) => {
    for (let program = 0; program < PROGRAMS; program++) {
      const machine = machines[program % machines.length]!;
      machine.random = generator(SEED * 1_000_003 + program * 101 + WAYS.indexOf(way));
      machine.begin(way);
      for (let life = 0; life < LIVES && machine.cpu.instructions < machine.limit; life++) {
        prepare(machine, way);
        run(machine);
      }
    }
  });

  it('any state at all', { timeout: 600_000 }, () => {
    const state = new CpuState('x86_64');
    const common = new CpuCommonState();
    for (let program = 0; program < 2 * PROGRAMS; program++) {
      const machine = machines[program % machines.length]!;
      const { cpu } = machine;
      machine.random = generator(SEED * 7_000_003 + program);
      const way = WAYS[machine.random(WAYS.length)]!;
      machine.begin(way);
      prepare(machine, way);
      const { view } = cpu;
      // a tenth of all architectural words is anything
      for (let at = layout.GPR; at < layout.MCE_BANKS; at += 4) {
        const pseudo = at >= layout.GPR + layout.PSEUDO_ZERO && at < layout.RIP;
        if (!pseudo && machine.random(10) === 0) view.setUint32(at, machine.random(2 ** 32), true);
      }
      for (let at = layout.FPU_REGISTERS; at < layout.CPL; at++)
        if (machine.random(10) === 0) view.setUint8(at, machine.random(256));
      cpu.refresh();
      // and through the wire's form
      syncFromCpu(cpu, state, common);
      syncToCpu(cpu, state, common);
      run(machine);
    }
  });
});
