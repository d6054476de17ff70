import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { cpuidLookup, cpuidTable, signature } from './cpuid.js';
import { FEATURE_BITS, FeatureWords, findFeature, isImplemented, LONG_MODE_ONLY } from './features.js';
import { CPU_MODELS, CpuModelError, cpus, defaultCpuModel, parseCpu } from './models.js';
import type { Target } from './state.js';

/** `target model` -> rows of leaf, subleaf, eax, ebx, ecx, edx as a guest read them under QEMU 7.2. */
const recorded = JSON.parse(gunzipSync(readFileSync(new URL('../fixtures/cpuid.json.gz', import.meta.url))).toString()) as Record<
  string,
  number[][]
>;
const hex = (values: readonly number[]) => values.map((value) => value.toString(16).padStart(8, '0')).join(' ');
const everything = (name: string, target: Target) => !(target === 'i386' && LONG_MODE_ONLY.has(name));

describe('CPUID', () => {
  it.each(Object.entries(recorded))('of %s is what QEMU answers, leaf by leaf', (key, rows) => {
    const [target, model] = key.split(' ') as [Target, string];
    const table = cpuidTable(parseCpu(model, target, {}, everything));
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.map(([leaf, subleaf]) => hex([leaf!, subleaf!, ...cpuidLookup(table, leaf!, subleaf!)]))).toEqual(rows.map(hex));
  });

  it('covers every model', () => {
    expect(CPU_MODELS.map(({ name }) => name).filter((name) => !recorded[`x86_64 ${name}`])).toEqual([]);
  });

  it('packs family, model and stepping', () => {
    expect(signature({ family: 6, model: 6, stepping: 3 })).toBe(0x663);
    expect(signature({ family: 16, model: 2, stepping: 3 })).toBe(0x100f23);
    expect(signature({ family: 15, model: 107, stepping: 1 })).toBe(0x60fb1);
    expect(signature({ family: 0x10e, model: 0xff, stepping: 0xf })).toBe(0x0fff0fff);
  });

  it('tells the truth: shows nothing that is not implemented', () => {
    for (const target of ['i386', 'x86_64'] as const) {
      for (const { name } of cpus(target)) {
        const configuration = parseCpu(name, target);
        for (const feature of configuration.features.names())
          expect([feature, isImplemented(feature, target)]).toEqual([feature, true]);
      }
    }
  });

  it('leaves out 40000000 and 0b on request, and shows leaf 2 to AMD on old machines', () => {
    const leaf = (text: string, number: number) => hex(cpuidLookup(cpuidTable(parseCpu(text, 'x86_64')), number, 0));
    expect(leaf('qemu64,cpuid-0xb=off', 0xb)).toBe(hex([0, 0, 0, 0]));
    expect(leaf('qemu64', 0xb)).toBe(hex([0, 1, 0x100, 0]));
    expect(leaf('kvm32,tcg-cpuid=off', 0x40000000)).toBe(leaf('kvm32', 5));
    expect(leaf('qemu64', 2)).toBe(hex([0, 0, 0, 0]));
    expect(leaf('qemu64,x-vendor-cpuid-only=off', 2)).toBe(hex([1, 0, 0x4d, 0x2c307d]));
  });
});

describe('-cpu', () => {
  it('has a default for both programs', () => {
    expect(defaultCpuModel('i386')).toBe('qemu32');
    expect(defaultCpuModel('x86_64')).toBe('qemu64');
  });

  it('switches features and takes identification', () => {
    const cpu = parseCpu(
      'pentium3,-cmov,pse=off,family=5,model=0x2,stepping=7,vendor=NotIntelAtAl,model-id=My CPU,level=2',
      'i386',
    );
    expect(cpu).toMatchObject({ family: 5, model: 2, stepping: 7, vendor: 'NotIntelAtAl', modelId: 'My CPU', level: 2 });
    expect(cpu.features.has('cmov')).toBe(false);
    expect(cpu.features.has('pse')).toBe(false);
    expect(cpu.features.has('tsc')).toBe(true);
    expect(parseCpu('486,+cmov,tsc', 'i386').features.names()).toEqual(expect.arrayContaining(['cmov', 'tsc']));
  });

  it('lets the machine version set properties first', () => {
    expect(parseCpu('qemu64', 'x86_64', { 'x-vendor-cpuid-only': 'off' }).vendorCpuidOnly).toBe(false);
    expect(parseCpu('qemu64,x-vendor-cpuid-only=on', 'x86_64', { 'x-vendor-cpuid-only': 'off' }).vendorCpuidOnly).toBe(true);
  });

  it('refuses by name what it does not have', () => {
    const message = (text: string, target: Target = 'x86_64') => {
      try {
        parseCpu(text, target);
      } catch (error) {
        expect(error).toBeInstanceOf(CpuModelError);
        return (error as Error).message;
      }
      return 'accepted';
    };
    expect(message('z80')).toMatch(/unknown model; known: 486, .* max$/);
    expect(message('qemu64,+avx512f')).toBe('-cpu qemu64: feature "avx512f" is not implemented by this CPU');
    expect(message('qemu64,svm=on')).toBe('-cpu qemu64: feature "svm" is not implemented by this CPU');
    expect(message('qemu64,-avx512f')).toBe('accepted');
    expect(message('qemu64,+warp')).toBe('-cpu qemu64: unknown feature "warp"');
    expect(message('qemu64,warp=9')).toBe('-cpu qemu64: unknown feature or property "warp"');
    expect(message('qemu64,family=many')).toBe('-cpu qemu64: family=many: expected a number from 0 to 270');
    expect(message('qemu64,pse=perhaps')).toBe('-cpu qemu64: pse=perhaps: expected on or off');
    expect(message('qemu64,vendor=Intel')).toBe('-cpu qemu64: vendor="Intel": expected 12 characters');
    expect(message('qemu32,+lm', 'i386')).toBe('-cpu qemu32: feature "lm" is not implemented by this CPU');
    expect(message('qemu64,enforce')).toMatch(/^-cpu qemu64,enforce: not implemented: .*svm/);
  });

  it('reports what it filtered, and hides that from CPUID', () => {
    const cpu = parseCpu('qemu64', 'x86_64');
    expect(cpu.filtered).toContain('svm');
    expect(cpuidLookup(cpuidTable(cpu), 0x80000001, 0)[2] & 4).toBe(0);
  });

  it('max has everything that is implemented', () => {
    const names = parseCpu('max', 'x86_64').features.names();
    expect(names).toEqual(FEATURE_BITS.map(({ name }) => name).filter((name) => isImplemented(name, 'x86_64')));
    expect(parseCpu('max', 'x86_64').filtered).toEqual([]);
  });
});

describe('feature names', () => {
  it('are unique and found by QEMU’s aliases', () => {
    expect(new Set(FEATURE_BITS.map(({ name }) => name)).size).toBe(FEATURE_BITS.length);
    expect(findFeature('sse3')).toEqual({ name: 'pni', word: '1.ecx', bit: 0 });
    expect(findFeature('lahf_lm')).toEqual({ name: 'lahf-lm', word: '80000001.ecx', bit: 0 });
    expect(findFeature('sse4_2')?.bit).toBe(20);
    expect(findFeature('hypervisor')).toEqual({ name: 'hypervisor', word: '1.ecx', bit: 31 });
    expect(findFeature('ssbd')).toEqual({ name: 'ssbd', word: '7.edx', bit: 31 });
  });

  it('set and clear bits without sign trouble', () => {
    const words = new FeatureWords({ '1.ecx': 0 });
    words.set(findFeature('hypervisor')!, true);
    expect(words.get('1.ecx')).toBe(0x80000000);
    words.set(findFeature('hypervisor')!, false);
    expect(words.get('1.ecx')).toBe(0);
  });
});
