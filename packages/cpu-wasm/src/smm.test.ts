import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { load } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { cpuidTable } from './cpuid.js';
import { HFLAGS, HFLAGS2 } from './flags.js';
import { parseCpu } from './models.js';
import { CpuCommonState, CpuState, cpuDescription, type Target } from './state.js';
import { syncFromCpu, syncToCpu } from './state-sync.js';

/* System management mode: what the processor saves, what it runs in, and that RSM brings everything back. */

const wasm = new URL('../wasm/cpu.wasm', import.meta.url);
if (!existsSync(wasm)) throw new Error('wasm/cpu.wasm is missing: run "npm run build:wasm"');
const module = new WebAssembly.Module(readFileSync(wasm));

interface Recorded {
  name: string;
  target: Target;
  model: string | null;
  cpu: { version: number; bytes: string };
}
const recorded = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/cpu-sections.json.gz', import.meta.url))).toString(),
) as Recorded[];

const SMM = 5;
/** inc byte [0x9000]; rsm: in SMM's 16-bit code with DS at 0. */
const HANDLER = [0xfe, 0x06, 0x00, 0x90, 0x0f, 0xaa];
const COUNTER = 0x9000;

function board(model: string, target: Target) {
  const events: boolean[] = [];
  const cpu: Cpu = Cpu.create({
    module,
    ramBytes: 8 << 20,
    cpuid: cpuidTable(parseCpu(model, target)),
    notify: (what) => {
      if (what === SMM) events.push(cpu.systemManagement);
    },
    bus: {
      portRead: () => 0xff,
      portWrite: () => {},
      mmioRead: () => 0xffffffff,
      mmioWrite: () => {},
      acknowledgeInterrupt: () => 0x20,
      timestamp: () => 0n,
    },
  });
  const ram = cpu.allocate('ram', 4 << 20);
  cpu.setMemoryMap([{ base: 0, length: 4 << 20, kind: 'ram', block: ram, offset: 0 }]);
  const state = new CpuState(target);
  const common = new CpuCommonState();
  const bytes = (at: number, data: number[]) => ram.write(at, Uint8Array.from(data));
  const byte = (at: number) => {
    const one = new Uint8Array(1);
    ram.read(at, one);
    return one[0]!;
  };
  const long = (at: number) => {
    const four = new Uint8Array(4);
    ram.read(at, four);
    return new DataView(four.buffer).getUint32(0, true);
  };
  bytes(0x38000, HANDLER);
  return { cpu, ram, state, common, events, bytes, byte, long };
}
type Board = ReturnType<typeof board>;

/** Real mode at 0:0x7c00, an endless loop there. */
function realMode({ state, common, cpu, bytes }: Board, code = [0xeb, 0xfe]): void {
  Object.assign(state.segments[1]!, { selector: 0, base: typeof state.eip === 'number' ? 0 : 0n });
  state.eip = typeof state.eip === 'number' ? 0x7c00 : 0x7c00n;
  bytes(0x7c00, code);
  syncToCpu(cpu, state, common);
}
const snapshot = ({ cpu, state, common }: Board) => {
  const copy = Object.assign(new CpuState(state.target), state);
  syncFromCpu(cpu, copy, common);
  return { ...copy, smiCount: 0n };
};

describe('SMI and RSM', () => {
  it.each(['cpustate-max-pc-i440fx-7.2-i386', 'cpustate-qemu64-pc-i440fx-7.2-x86_64', 'cpustate-486-pc-i440fx-7.2-i386'])(
    'come back to every register of %s',
    (name) => {
      const entry = recorded.find((candidate) => candidate.name === name)!;
      const b = board(entry.target === 'i386' ? 'pentium3' : 'qemu64', entry.target);
      load(cpuDescription(entry.target), b.state, Buffer.from(entry.cpu.bytes, 'base64'), entry.cpu.version);
      // The recorded guest spins in firmware; here its code lies in RAM, mapped by tables of the same shape.
      b.bytes(0xf0000, new Array<number>(0x10000).fill(0x90));
      const rip = Number(BigInt(b.state.eip) & 0xfffffn);
      b.bytes(rip, [0xeb, 0xfe]);
      pageTables(b);
      syncToCpu(b.cpu, b.state, b.common);
      b.cpu.run(b.cpu.instructions + 10);
      const before = snapshot(b);
      b.cpu.smi();
      b.cpu.run(b.cpu.instructions + 10);
      expect(b.byte(COUNTER)).toBe(1);
      expect(b.events).toEqual([true, false]);
      expect(snapshot(b)).toEqual(before);
    },
  );

  it('runs the handler in a 16-bit mode that reaches 4 GiB, interrupts and paging off', () => {
    const b = board('pentium3', 'i386');
    realMode(b);
    b.bytes(0x38000, [0xf4]); // hlt
    b.cpu.smi();
    expect(b.cpu.run(100)).toBe('halted');
    syncFromCpu(b.cpu, b.state, b.common);
    expect(b.state).toMatchObject({ eip: 0x8001, eflags: 2, cr4: 0 });
    expect(Number(b.state.cr0) & 0x8000_0000).toBe(0);
    expect(b.state.segments.map(({ base, limit }) => [base, limit])).toEqual([
      [0, 0xffffffff],
      [0x30000, 0xffffffff],
      ...new Array(4).fill([0, 0xffffffff]),
    ]);
    expect(b.state.segments[1]!.selector).toBe(0x3000);
    expect(b.state.hflags & HFLAGS.SMM).toBe(HFLAGS.SMM);
    expect(b.state.hflags2 & HFLAGS2.NMI).toBe(HFLAGS2.NMI);
    expect(b.state.smiCount).toBe(1n);
  });

  it('writes the P6’s save area without long mode and AMD64’s with it', () => {
    const small = board('pentium3', 'i386');
    small.state.regs[3] = 0x1234;
    realMode(small);
    small.cpu.smi();
    small.cpu.run(20);
    expect([small.long(0x3fefc), small.long(0x3fef8), small.long(0x3fff0), small.long(0x3ffdc)]).toEqual([
      0x20000, 0x30000, 0x7c00, 0x1234,
    ]);
    const large = board('qemu64', 'x86_64');
    large.state.regs[15] = 0x99n;
    realMode(large);
    large.cpu.smi();
    large.cpu.run(20);
    expect([large.long(0x3fefc), large.long(0x3ff00), large.long(0x3ff78), large.long(0x3ff80)]).toEqual([
      0x20064, 0x30000, 0x7c00, 0x99,
    ]);
  });

  it('moves SMBASE through the save area', () => {
    const b = board('pentium3', 'i386');
    realMode(b);
    // mov dword [0x3fef8], 0x20000; rsm
    b.bytes(0x38000, [0x67, 0x66, 0xc7, 0x05, 0xf8, 0xfe, 0x03, 0x00, 0x00, 0x00, 0x02, 0x00, 0x0f, 0xaa]);
    b.bytes(0x28000, HANDLER);
    b.cpu.smi();
    b.cpu.run(20);
    expect(b.byte(COUNTER)).toBe(0);
    b.cpu.smi();
    b.cpu.run(40);
    expect(b.byte(COUNTER)).toBe(1);
    syncFromCpu(b.cpu, b.state, b.common);
    expect(b.state.smbase).toBe(0x20000);
  });

  it('wakes a halted processor, which halts again behind RSM', () => {
    const b = board('pentium3', 'i386');
    realMode(b, [0xf4, 0xeb, 0xfe]);
    expect(b.cpu.run(10)).toBe('halted');
    b.cpu.smi();
    expect(b.cpu.run(50)).toBe('halted');
    expect(b.byte(COUNTER)).toBe(1);
    // The handler clears the flag: execution goes on behind HLT.
    // mov byte [0x3ff02], 0; rsm
    b.bytes(0x38000, [0x67, 0xc6, 0x05, 0x02, 0xff, 0x03, 0x00, 0x00, 0x0f, 0xaa]);
    b.cpu.smi();
    expect(b.cpu.run(100)).toBe('limit');
  });

  it('keeps one SMI and NMIs for after RSM', () => {
    const b = board('pentium3', 'i386');
    // NMI vector at 0:8 -> 0:0x6000: inc byte [0x9001]; iret
    b.bytes(8, [0x00, 0x60, 0x00, 0x00]);
    b.bytes(0x6000, [0xfe, 0x06, 0x01, 0x90, 0xcf]);
    b.state.regs[4] = 0x7000;
    realMode(b);
    // inc byte [0x9000]; cmp byte [0x9000], 1; je $; rsm: waits in the first pass
    b.bytes(0x38000, [0xfe, 0x06, 0x00, 0x90, 0x80, 0x3e, 0x00, 0x90, 0x01, 0x74, 0xfe, 0x0f, 0xaa]);
    b.cpu.smi();
    b.cpu.run(20);
    b.cpu.smi();
    b.cpu.nmi();
    b.cpu.run(40);
    expect([b.byte(COUNTER), b.byte(COUNTER + 1)]).toEqual([1, 0]);
    b.bytes(0x38009, [0x90, 0x90]);
    b.cpu.run(80);
    expect([b.byte(COUNTER), b.byte(COUNTER + 1)]).toEqual([2, 1]);
  });

  it('is saved and loaded in the middle', () => {
    const b = board('pentium3', 'i386');
    realMode(b);
    b.bytes(0x38000, [0xeb, 0xfe]);
    b.cpu.smi();
    b.cpu.run(20);
    const wire = new CpuState('i386');
    const common = new CpuCommonState();
    syncFromCpu(b.cpu, wire, common);
    const other = board('pentium3', 'i386');
    const copy = new Uint8Array(4 << 20);
    b.ram.read(0, copy);
    other.ram.write(0, copy);
    other.bytes(0x38000, HANDLER);
    syncToCpu(other.cpu, wire, common);
    expect(other.cpu.systemManagement).toBe(true);
    other.cpu.run(other.cpu.instructions + 20);
    expect(other.byte(COUNTER)).toBe(1);
    expect(other.cpu.systemManagement).toBe(false);
    expect(other.cpu.rip).toBe(0x7c00n);
  });

  it('RSM outside is an invalid opcode', () => {
    const b = board('pentium3', 'i386');
    b.bytes(6 * 4, [0x00, 0x60, 0x00, 0x00]);
    b.bytes(0x6000, [0xf4]);
    b.state.regs[4] = 0x7000;
    realMode(b, [0x0f, 0xaa]);
    expect(b.cpu.run(20)).toBe('halted');
    expect(b.cpu.rip).toBe(0x6001n);
  });
});

/** Identity tables for the state's paging mode (two-level, PAE or four-level with its upper half), so that the recorded CR3 works in bare RAM. */
function pageTables({ ram, state }: Board): void {
  const tables = new Uint8Array(0x10000);
  const view = new DataView(tables.buffer);
  const cr3 = 0x10000;
  if (BigInt(state.efer) & 0x400n) {
    for (const entry of [0, 256]) view.setBigUint64(entry * 8, 0x11027n, true);
    view.setBigUint64(0x1000, 0x12027n, true);
    for (let i = 0; i < 2; i++) view.setBigUint64(0x2000 + i * 8, BigInt(i * 0x200000 + 0xe7), true);
  } else if (Number(state.cr4) & 0x20) {
    view.setBigUint64(0, 0x11001n, true);
    for (let i = 0; i < 2; i++) view.setBigUint64(0x1000 + i * 8, BigInt(i * 0x200000 + 0xe7), true);
  } else if (Number(state.cr4) & 0x10) {
    view.setUint32(0, 0xe7, true);
  } else {
    view.setUint32(0, 0x11027, true);
    for (let i = 0; i < 1024; i++) view.setUint32(0x1000 + i * 4, i * 4096 + 0x67, true);
  }
  ram.write(cr3, tables);
}
