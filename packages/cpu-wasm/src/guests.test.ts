import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { load, save } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { cpuidTable, signature } from './cpuid.js';
import { CR4, HFLAGS, SEGMENT } from './flags.js';
import { parseCpu } from './models.js';
import { registerLines } from './registers.js';
import { CpuCommonState, CpuState, cpuDescription, type Target } from './state.js';
import { syncFromCpu, syncToCpu } from './state-sync.js';

const wasm = new URL('../wasm/cpu.wasm', import.meta.url);
if (!existsSync(wasm)) throw new Error('wasm/cpu.wasm is missing: run "npm run build:wasm"');
const module = new WebAssembly.Module(readFileSync(wasm));

interface Recorded {
  name: string;
  qemu: string;
  target: Target;
  model: string | null;
  cpu: { version: number; bytes: string };
  registers: string[] | null;
}
const recorded = (
  JSON.parse(gunzipSync(readFileSync(new URL('../fixtures/cpu-sections.json.gz', import.meta.url))).toString()) as Recorded[]
).filter(({ name, qemu }) => name.startsWith('cpustate-') && qemu === '7.2');
const firmware = (name: string) =>
  new Uint8Array(gunzipSync(readFileSync(new URL(`../fixtures/guests/${name}.bin.gz`, import.meta.url))));

/** A board with 4 MiB of RAM, the firmware below 1 MiB and below 4 GiB, and a debug console at port 0x402. */
function board(model: string, target: Target, rom: Uint8Array): { cpu: Cpu; console: () => string } {
  let text = '';
  const configuration = parseCpu(model, target);
  const cpu = Cpu.create({
    module,
    ramBytes: 8 << 20,
    cpuid: cpuidTable(configuration),
    resetEdx: signature(configuration),
    bus: {
      portRead: () => 0xffffffff,
      portWrite: (port, value) => {
        if (port === 0x402) text += String.fromCharCode(value & 0xff);
      },
      mmioRead: () => 0xffffffff,
      mmioWrite: () => {},
      acknowledgeInterrupt: () => 0xff,
      timestamp: () => 0n,
    },
  });
  const ram = cpu.allocate('pc.ram', 4 << 20);
  const bios = cpu.allocate('pc.bios', 0x10000);
  bios.write(0, rom);
  cpu.setMemoryMap([
    { base: 0, length: 0xf0000, kind: 'ram', block: ram, offset: 0 },
    { base: 0xf0000, length: 0x10000, kind: 'rom', block: bios, offset: 0 },
    { base: 0x100000, length: 0x300000, kind: 'ram', block: ram, offset: 0x100000 },
    { base: 0xffff0000, length: 0x10000, kind: 'rom', block: bios, offset: 0 },
  ]);
  return { cpu, console: () => text };
}

/**
 * Where hardware and QEMU 7.2 part, we go with hardware: loading CS marks its descriptor accessed, FSQRT of a negative number leaves
 * C2 alone, a Pentium II has CR4.OSFXSR. For the comparison all three get QEMU's values.
 */
function asQemu(state: CpuState, model: string | null = null): CpuState {
  const result = Object.assign(new CpuState(state.target), state);
  result.segments[1]!.flags &= ~SEGMENT.ACCESSED;
  result.fpuStatus |= 0x400;
  if (model === 'pentium2') {
    result.cr4 = Number(result.cr4) & ~CR4.OSFXSR;
    result.hflags &= ~HFLAGS.OSFXSR;
  }
  return result;
}

describe('the guests that filled QEMU’s CPU state', () => {
  const cases = recorded.filter(({ name, model }) => !/icount/.test(name) && !(model === 'max' && /x86_64/.test(name)));
  it.each(cases.map((entry) => [entry.name, entry] as const))('%s: the same state, to the byte', (_name, entry) => {
    const halting = entry.name.includes('halted');
    const rom = firmware(`cpu${entry.target === 'i386' ? 32 : 64}${halting ? 'h' : ''}`);
    const { cpu, console } = board(entry.model!, entry.target, rom);
    const exit = cpu.run(2_000_000);
    expect(console()).toBe('OK');
    expect(exit).toBe(halting ? 'halted' : 'limit');
    const state = new CpuState(entry.target);
    const common = new CpuCommonState();
    syncFromCpu(cpu, state, common);
    const expected = new CpuState(entry.target);
    load(cpuDescription(entry.target), expected, Buffer.from(entry.cpu.bytes, 'base64'), entry.cpu.version);
    expect(registerLines(asQemu(state, entry.model), common)).toEqual(entry.registers);
    expect(asQemu(state, entry.model)).toEqual(expected);
    expect(Buffer.from(save(cpuDescription(entry.target), asQemu(state, entry.model))).toString('base64')).toBe(entry.cpu.bytes);
  });

  it.each(cases.map((entry) => [entry.name, entry] as const))('%s: loaded and continued, nothing changes', (_name, entry) => {
    const halting = entry.name.includes('halted');
    const { cpu } = board(entry.model!, entry.target, firmware(`cpu${entry.target === 'i386' ? 32 : 64}${halting ? 'h' : ''}`));
    // RAM as the guest left it
    const first = board(entry.model!, entry.target, firmware(`cpu${entry.target === 'i386' ? 32 : 64}${halting ? 'h' : ''}`));
    first.cpu.run(2_000_000);
    const copy = new Uint8Array(4 << 20);
    first.cpu.blocks[0]!.read(0, copy);
    cpu.blocks[0]!.write(0, copy);
    const state = new CpuState(entry.target);
    const common = new CpuCommonState();
    load(cpuDescription(entry.target), state, Buffer.from(entry.cpu.bytes, 'base64'), entry.cpu.version);
    common.halted = halting ? 1 : 0;
    syncToCpu(cpu, state, common);
    expect(cpu.run(cpu.instructions + 10_000)).toBe(halting ? 'halted' : 'limit');
    syncFromCpu(cpu, state, common);
    expect(registerLines(state, common)).toEqual(entry.registers);
  });
});
