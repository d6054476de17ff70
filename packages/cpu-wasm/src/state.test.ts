import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { load, type StateError, save, describe as vmdesc } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { HFLAGS, HFLAGS2 } from './flags.js';
import { CpuCommonState, CpuState, cpuCommonDescription, cpuDescription, type Target } from './state.js';

interface RecordedSection {
  version: number;
  bytes: string;
  values: Record<string, unknown> | null;
}
interface Recorded {
  name: string;
  qemu: string;
  target: Target;
  model: string | null;
  cpu: RecordedSection;
  common: RecordedSection;
  registers: string[] | null;
}

const recorded = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/cpu-sections.json.gz', import.meta.url))).toString(),
) as Recorded[];
const cases = recorded.map((entry) => [`${entry.name} (QEMU ${entry.qemu})`, entry] as const);
const bytesOf = (section: RecordedSection) => new Uint8Array(Buffer.from(section.bytes, 'base64'));
const find = (name: string) => recorded.find((entry) => entry.name === name)!;

function loaded(entry: Recorded): CpuState {
  const state = new CpuState(entry.target);
  const bytes = bytesOf(entry.cpu);
  expect(load(cpuDescription(entry.target), state, bytes, entry.cpu.version)).toBe(bytes.length);
  return state;
}

describe('section cpu', () => {
  it.each(cases)('re-encodes %s byte for byte', (_name, entry) => {
    const state = loaded(entry);
    expect(Buffer.from(save(cpuDescription(entry.target), state)).toString('hex')).toBe(
      Buffer.from(bytesOf(entry.cpu)).toString('hex'),
    );
    const common = new CpuCommonState();
    load(cpuCommonDescription, common, bytesOf(entry.common), entry.common.version);
    expect(Buffer.from(save(cpuCommonDescription, common)).equals(Buffer.from(entry.common.bytes, 'base64'))).toBe(true);
  });

  it.each(cases.filter(([, entry]) => entry.cpu.values))('finds in %s what the stream says of itself', (_name, entry) => {
    const state = loaded(entry);
    const values = entry.cpu.values!;
    const text = (value: unknown) => String(value);
    expect(state.regs.map(text)).toEqual((values['env.regs'] as unknown[]).map(text));
    for (const [key, wire] of [
      ['eip', 'env.eip'],
      ['eflags', 'env.eflags'],
      ['hflags', 'env.hflags'],
      ['fpuControl', 'env.fpuc'],
      ['fpuStatus', 'env.fpus_vmstate'],
      ['fpuTag', 'env.fptag_vmstate'],
      ['cr0', 'env.cr[0]'],
      ['cr4', 'env.cr[4]'],
      ['pat', 'env.pat'],
      ['virtualTpr', 'env.v_tpr'],
      ['interruptInjected', 'env.interrupt_injected'],
      ['mcgCap', 'env.mcg_cap'],
      ['tscAux', 'env.tsc_aux'],
      ['xcr0', 'env.xcr0'],
    ] as const)
      expect([wire, text(state[key])]).toEqual([wire, text(values[wire])]);
    expect(state.segments.map(({ selector, base, limit, flags }) => [selector, text(base), limit, flags])).toEqual(
      (values['env.segs'] as { selector: number; base: unknown; limit: number; flags: number }[]).map((s) => [
        s.selector,
        text(s.base),
        s.limit,
        s.flags,
      ]),
    );
    expect(state.fpu.map((r) => r.mantissa.toString(16).padStart(16, '0') + r.exponent.toString(16).padStart(4, '0'))).toEqual(
      (values['env.fpregs'] as { tmp: string }[]).map((r) => r.tmp),
    );
    const subsections = Object.keys(values).filter((key) => key.startsWith('SUB '));
    expect(subsections).toContain('SUB cpu/poll_control_msr v1');
  });

  it('is 1313 bytes on i386 at reset, poll_control_msr comes on top', () => {
    const state = new CpuState('i386');
    const size = save(cpuDescription('i386'), state).length;
    expect(size).toBe(1185 + 128 + 2 + 'cpu/poll_control_msr'.length + 4 + 8);
    state.pollControlMsr = 1n;
    expect(save(cpuDescription('i386'), state)).toHaveLength(1313);
  });

  it('has the values of a real reset', () => {
    const state = new CpuState('i386');
    state.regs[2] = 0x663;
    const real = loaded(find('reset-nodefaults-pc-i440fx-7.2-i386'));
    // The machine check banks and the capabilities that the model reports are the model's.
    for (const key of ['mcgCap', 'mcgControl', 'mceBanks', 'tsc'] as const) Object.assign(state, { [key]: real[key] });
    expect(state).toEqual(real);
  });

  it('accepts version 11, which ends before XCR0', () => {
    const entry = find('cpustate-max-pc-i440fx-7.2-i386');
    const state = loaded(entry);
    const old = new CpuState('i386');
    old.xcr0 = 7n;
    load(cpuDescription('i386'), old, bytesOf(entry.cpu).subarray(0, 1185 + 128 - 8 * 16 - 16), 11);
    expect(old.xcr0).toBe(1n);
    expect(old.regs).toEqual(state.regs);
  });

  it('refuses versions 10 and 13, and registers of the time before softfloat', () => {
    const bytes = bytesOf(find('cpustate-max-pc-i440fx-7.2-i386').cpu);
    const attempt = (version: number, data = bytes) => {
      try {
        load(cpuDescription('i386'), new CpuState('i386'), data, version);
      } catch (error) {
        return (error as StateError).code;
      }
      return 'loaded';
    };
    expect([attempt(10), attempt(13)]).toEqual(['version-too-old', 'version-too-new']);
    const old = bytes.slice();
    old[4 * 10 + 4 + 6 + 1] = 1;
    expect(attempt(12, old)).toBe('invalid');
    expect(attempt(12, bytes.subarray(0, 700))).toBe('truncated');
  });

  it('takes absence of poll_control_msr for 1 and sends it again only if different', () => {
    const state = new CpuState('x86_64');
    state.pollControlMsr = 1n;
    const bytes = save(cpuDescription('x86_64'), state);
    const target = new CpuState('x86_64');
    expect(target.pollControlMsr).toBe(0n);
    load(cpuDescription('x86_64'), target, bytes);
    expect(target.pollControlMsr).toBe(1n);
  });
});

describe('subsections of cpu', () => {
  const names = (state: CpuState) => {
    const text = JSON.stringify(vmdesc(cpuDescription(state.target), state));
    return [...text.matchAll(/"vmsd_name":"cpu\/([^"]+)"/g)].map((match) => match[1]!);
  };
  const survivors = (state: CpuState) => {
    const copy = new CpuState(state.target);
    load(cpuDescription(state.target), copy, save(cpuDescription(state.target), state));
    return copy;
  };

  it('appear in wire order when their values leave the default', () => {
    const state = new CpuState<bigint>('x86_64');
    expect(names(state)).toEqual(['poll_control_msr']);
    const fill: [string, (s: CpuState) => void][] = [
      ['exception_info', (s) => Object.assign(s, { exceptionPending: 1, hflags: s.hflags | HFLAGS.GUEST, exceptionPayload: 9n })],
      ['async_pf_msr', (s) => Object.assign(s, { asyncPageFaultMsr: 1n })],
      ['async_pf_int_msr', (s) => Object.assign(s, { asyncPageFaultInterruptMsr: 1n })],
      ['async_pv_eoi_msr', (s) => Object.assign(s, { pvEoiMsr: 1n })],
      ['steal_time_msr', (s) => Object.assign(s, { stealTimeMsr: 1n })],
      ['poll_control_msr', (s) => Object.assign(s, { pollControlMsr: 2n })],
      ['fpop_ip_dp', (s) => Object.assign(s, { fpuOpcode: 0x123, fpuDataPointer: 5n })],
      ['msr_tsc_adjust', (s) => Object.assign(s, { tscAdjust: 1n })],
      ['msr_tscdeadline', (s) => Object.assign(s, { tscDeadline: 1n })],
      ['msr_ia32_misc_enable', (s) => Object.assign(s, { miscEnable: 0n })],
      ['msr_ia32_feature_control', (s) => Object.assign(s, { featureControl: 1n })],
      [
        'msr_architectural_pmu',
        (s) => {
          s.pmuEventSelect[17] = 5n;
        },
      ],
      [
        'mpx',
        (s) => {
          s.bounds[3]!.upper = 7n;
        },
      ],
      ['msr_hyperv_hypercall', (s) => Object.assign(s, { hvHypercall: 1n })],
      ['msr_hyperv_vapic', (s) => Object.assign(s, { hvVapic: 1n })],
      ['msr_hyperv_time', (s) => Object.assign(s, { hvTsc: 1n })],
      [
        'msr_hyperv_crash',
        (s) => {
          s.hvCrash[4] = 5n;
        },
      ],
      ['msr_hyperv_runtime', (s) => Object.assign(s, { hvRuntime: 1n })],
      [
        'msr_hyperv_synic',
        (s) => {
          s.hvSynicSint[15] = 5n;
        },
      ],
      [
        'msr_hyperv_stimer',
        (s) => {
          s.hvStimerCount[3] = 5n;
        },
      ],
      ['msr_hyperv_reenlightenment', (s) => Object.assign(s, { hvTscEmulationStatus: 1n })],
      [
        'avx512',
        (s) => {
          s.highVector[15]!.q7 = 5n;
        },
      ],
      ['xss', (s) => Object.assign(s, { xss: 1n })],
      ['umwait', (s) => Object.assign(s, { umwait: 1 })],
      ['tsc_khz', (s) => Object.assign(s, { tscKhz: 1000000n })],
      ['msr_smi_count', (s) => Object.assign(s, { smiCount: 1n })],
      ['pkru', (s) => Object.assign(s, { pkru: 1 })],
      ['pkrs', (s) => Object.assign(s, { pkrs: 1 })],
      ['spec_ctrl', (s) => Object.assign(s, { specCtrl: 1n })],
      ['amd_tsc_scale_msr', (s) => void s.featureSections.add('amd_tsc_scale_msr')],
      ['mcg_ext_ctl', (s) => Object.assign(s, { mcgExtControl: 1n })],
      [
        'intel_pt',
        (s) => {
          s.ptAddresses[7] = 5n;
        },
      ],
      ['virt_ssbd', (s) => Object.assign(s, { virtSsbd: 1n })],
      ['svn_npt', (s) => Object.assign(s, { hflags2: s.hflags2 | HFLAGS2.NPT, nestedCr3: 0x1000n })],
      ['svm_guest', (s) => Object.assign(s, { svmInterruptControl: 1 })],
      ['nested_state', (s) => void s.featureSections.add('nested_state')],
      ['msr_tsx_ctrl', (s) => void s.featureSections.add('msr_tsx_ctrl')],
      ['intel_sgx', (s) => void s.featureSections.add('intel_sgx')],
      ['pdptrs', (s) => void s.featureSections.add('pdptrs')],
      ['msr_xfd', (s) => void s.featureSections.add('msr_xfd')],
      ['intel_amx_xtile', (s) => void s.featureSections.add('intel_amx_xtile')],
      ['arch_lbr', (s) => void s.featureSections.add('arch_lbr')],
      ['triple_fault', (s) => void s.featureSections.add('triple_fault')],
    ];
    for (const [name, change] of fill) {
      const one = new CpuState('x86_64');
      one.pollControlMsr = 1n;
      change(one);
      expect(names(one)[0]).toBe(name);
      expect(survivors(one)).toEqual(one);
      change(state);
    }
    expect(names(state)).toEqual(fill.flatMap(([name]) => (name === 'nested_state' ? [name, 'kvm_nested_state'] : name)));
    expect(survivors(state)).toEqual(state);
  });

  it('sends efer32 on i386 only, and no 64-bit ones there', () => {
    const state = new CpuState('i386');
    state.efer = 0x800n;
    state.highVector[0]!.q0 = 1n;
    expect(names(state)).toEqual(['poll_control_msr', 'efer32']);
    const wide = new CpuState('x86_64');
    wide.efer = 0x800n;
    expect(names(wide)).toEqual(['poll_control_msr']);
    expect(survivors(wide).efer).toBe(0x800n);
  });

  it('keeps the parts of a nested state', () => {
    const state = new CpuState('x86_64');
    state.featureSections.add('nested_state');
    state.nested.parts.add('vmx').add('vmx/vmcs12');
    state.nested.vmcs12[4095] = 9;
    expect(names(state)).toEqual([
      'poll_control_msr',
      'nested_state',
      'kvm_nested_state',
      'kvm_nested_state/vmx',
      'kvm_nested_state/vmx/vmcs12',
    ]);
    expect(survivors(state)).toEqual(state);
  });

  it('cpu_common sends a pending exception', () => {
    const state = Object.assign(new CpuCommonState(), { halted: 1, exceptionIndex: 0x10001 });
    const bytes = save(cpuCommonDescription, state);
    expect(bytes).toHaveLength(8 + 2 + 'cpu_common/exception_index'.length + 4 + 4);
    const copy = new CpuCommonState();
    load(cpuCommonDescription, copy, bytes);
    expect(copy).toEqual(state);
  });
});
