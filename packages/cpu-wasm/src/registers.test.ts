import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { load } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { HFLAGS } from './flags.js';
import { registerLines } from './registers.js';
import { CpuCommonState, CpuState, cpuCommonDescription, cpuDescription, type Target } from './state.js';

interface Recorded {
  name: string;
  qemu: string;
  target: Target;
  cpu: { version: number; bytes: string };
  common: { version: number; bytes: string };
  registers: string[] | null;
}
const recorded = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/cpu-sections.json.gz', import.meta.url))).toString(),
) as Recorded[];

describe('info registers', () => {
  it.each(recorded.map((entry) => [`${entry.name} (QEMU ${entry.qemu})`, entry] as const))(
    'after loading %s is what its source said',
    (_name, entry) => {
      const state = new CpuState(entry.target);
      const common = new CpuCommonState();
      load(cpuDescription(entry.target), state, Buffer.from(entry.cpu.bytes, 'base64'), entry.cpu.version);
      load(cpuCommonDescription, common, Buffer.from(entry.common.bytes, 'base64'), entry.common.version);
      expect(entry.registers).not.toBeNull();
      expect(registerLines(state, common)).toEqual(entry.registers);
    },
  );

  it('names every system descriptor and both halves of a descriptor pair', () => {
    const state = new CpuState<number>('i386');
    state.cr0 |= 1;
    const type = (flags: number, hflags = 0) => {
      state.hflags = hflags;
      state.tr.flags = flags;
      return registerLines(state, new CpuCommonState())
        .find((line) => line.startsWith('TR'))!
        .slice('TR =0000 00000000 0000ffff 00000000 '.length);
    };
    expect(type(0x8100)).toBe('DPL=0 TSS16-avl');
    expect(type(0xe500)).toBe('DPL=3 TaskGate');
    expect(type(0x8b00, HFLAGS.LMA)).toBe('DPL=0 TSS64-busy');
    expect(type(0x0b00)).toBe('');
    expect(type(0x9e00)).toBe('DPL=0 CS16 [CR-]');
  });

  it('shows flags, interrupt shadow, A20, SMM and halt', () => {
    const state = new CpuState<bigint>('x86_64');
    state.eflags = 0x246n;
    state.hflags = HFLAGS.INHIBIT_IRQ | HFLAGS.SMM | 3;
    state.a20Mask = -0x100001;
    const common = Object.assign(new CpuCommonState(), { halted: 1 });
    expect(registerLines(state, common)[3]).toBe('EIP=0000fff0 EFL=00000246 [---Z-P-] CPL=3 II=1 A20=0 SMM=1 HLT=1');
  });
});
