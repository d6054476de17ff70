import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { load, save } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { HFLAGS, HFLAGS2, INTERRUPT_REQUEST } from './flags.js';
import * as layout from './layout.js';
import { CpuCommonState, CpuState, cpuDescription, type Target } from './state.js';
import { type CpuAccess, computeHflags, syncFromCpu, syncToCpu } from './state-sync.js';

interface Recorded {
  name: string;
  qemu: string;
  target: Target;
  cpu: { version: number; bytes: string };
}
const recorded = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/cpu-sections.json.gz', import.meta.url))).toString(),
) as Recorded[];
const cases = recorded.map((entry) => [`${entry.name} (QEMU ${entry.qemu})`, entry] as const);

/** The state block without a CPU. */
function bareCpu(): CpuAccess & { refreshed: number } {
  let flags = 2;
  return {
    memory: new WebAssembly.Memory({ initial: 1 }),
    refreshed: 0,
    getFlags: () => flags,
    setFlags: (value) => {
      flags = value;
    },
    refresh() {
      this.refreshed++;
    },
  };
}

function loaded(entry: Recorded): CpuState {
  const state = new CpuState(entry.target);
  load(cpuDescription(entry.target), state, Buffer.from(entry.cpu.bytes, 'base64'), entry.cpu.version);
  return state;
}

describe('state block', () => {
  it.each(cases)('mode bits of %s follow from its registers', (_name, entry) => {
    const state = loaded(entry);
    expect((computeHflags(state) >>> 0).toString(16)).toBe(state.hflags.toString(16));
  });

  it.each(cases)('takes %s and gives it back byte for byte', (_name, entry) => {
    const cpu = bareCpu();
    const common = new CpuCommonState();
    const state = loaded(entry);
    syncToCpu(cpu, state, common);
    expect(cpu.refreshed).toBe(1);
    // Spoil what the CPU owns; only what it does not know may come from the state.
    state.regs.fill(entry.target === 'i386' ? 1 : 1n);
    Object.assign(state, { hflags: 0, fpuStatus: 0xffff, virtualTpr: 1, a20Mask: 0, pat: 0n, mxcsr: 0 });
    for (const segment of [...state.segments, state.tr]) Object.assign(segment, { selector: 7, flags: 0 });
    for (const register of state.vector) register.q1 = 5n;
    syncFromCpu(cpu, state, common);
    const bytes = Buffer.from(save(cpuDescription(entry.target), state));
    expect(bytes.toString('hex')).toBe(Buffer.from(entry.cpu.bytes, 'base64').toString('hex'));
  });

  it('carries halt, shadow, NMI and SMM state', () => {
    const cpu = bareCpu();
    const state = new CpuState('i386');
    const common = new CpuCommonState();
    state.hflags |= HFLAGS.INHIBIT_IRQ | HFLAGS.SMM;
    state.hflags2 |= HFLAGS2.NMI;
    Object.assign(common, {
      halted: 1,
      interruptRequest: INTERRUPT_REQUEST.HARD | INTERRUPT_REQUEST.NMI | INTERRUPT_REQUEST.SMI,
    });
    syncToCpu(cpu, state, common);
    const view = new DataView(cpu.memory.buffer);
    for (const at of [
      layout.INTERRUPT_SHADOW,
      layout.SMM,
      layout.NMI_BLOCKED,
      layout.NMI_PENDING,
      layout.SMI_PENDING,
      layout.HALTED,
    ])
      expect(view.getUint32(at, true)).toBe(1);
    const [state2, common2] = [new CpuState('i386'), new CpuCommonState()];
    syncFromCpu(cpu, state2, common2);
    expect(state2).toEqual(state);
    expect(common2).toEqual(common);
  });

  it('keeps what the CPU does not know', () => {
    const cpu = bareCpu();
    const state = new CpuState('x86_64');
    Object.assign(state, { stealTimeMsr: 5n, hvVapic: 6n, pollControlMsr: 3n, systemTimeMsr: 7n });
    syncToCpu(cpu, state, new CpuCommonState());
    syncFromCpu(cpu, state, new CpuCommonState());
    expect(state).toMatchObject({ stealTimeMsr: 5n, hvVapic: 6n, pollControlMsr: 3n, systemTimeMsr: 7n });
  });

  it('delivers an interrupt that KVM had accepted', () => {
    const cpu = bareCpu();
    const state = new CpuState('i386');
    state.interruptInjected = 0x30;
    syncToCpu(cpu, state, new CpuCommonState());
    const view = new DataView(cpu.memory.buffer);
    expect([view.getInt32(layout.EXCEPTION_VECTOR, true), view.getUint32(layout.EXCEPTION_KIND, true)]).toEqual([0x30, 4]);
    state.softInterrupt = 1;
    syncToCpu(cpu, state, new CpuCommonState());
    expect(view.getInt32(layout.EXCEPTION_VECTOR, true)).toBe(-1);
  });

  it('clears privilege levels that KVM left in real mode', () => {
    const cpu = bareCpu();
    const state = new CpuState('i386');
    state.segments[2]!.flags |= 0x6000;
    syncToCpu(cpu, state, new CpuCommonState());
    syncFromCpu(cpu, state, new CpuCommonState());
    expect(state.segments[2]!.flags).toBe(0x9300);
    expect(state.hflags & 3).toBe(0);
  });

  it('refuses a CPU inside a nested guest', () => {
    const state = new CpuState('x86_64');
    state.hflags |= HFLAGS.GUEST;
    expect(() => syncToCpu(bareCpu(), state, new CpuCommonState())).toThrow(/nested SVM guest/);
    const other = new CpuState('x86_64');
    other.featureSections.add('nested_state');
    other.nested.parts.add('vmx');
    expect(() => syncToCpu(bareCpu(), other, new CpuCommonState())).toThrow(/nested guest/);
  });
});
