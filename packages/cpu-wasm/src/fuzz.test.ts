import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { cpuidTable } from './cpuid.js';
import {
  CODE,
  fill,
  GDT,
  generator,
  IDT,
  LDT,
  MEMORY,
  type PagingForm,
  pageTables,
  type Random,
  ROOTS,
  SELECTORS,
  TABLES,
  TSS,
} from './fuzz-memory.js';
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

const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));
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
    this.ram.write(0, fill(this.random, (way.efer & 0x100) !== 0));
    if (way.tables) pageTables(this.random, way.tables, this.ram);
  }
}

interface Way {
  readonly name: string;
  readonly cr0: number;
  readonly cr4: number;
  readonly efer: number;
  readonly code: number;
  readonly selectors?: readonly [code: number, data: number];
  readonly limit: number;
  readonly tables?: PagingForm;
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
