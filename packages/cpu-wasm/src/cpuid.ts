/** The CPUID leaves of a configuration, as QEMU 7.2 answers them for one processor. [SDM] volume 2A, CPUID. */
import { AMD_SHARED, type CpuConfiguration } from './models.js';

/** `subleaf` undefined: ECX does not matter. */
export interface CpuidEntry {
  readonly leaf: number;
  readonly subleaf: number | undefined;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/**
 * EAX of leaf 1, and EDX after RESET:
 *
 *     31..28  27..20           19..16          15..14  13..12  11..8   7..4   3..0
 *     0       extended family  extended model  0       type    family  model  stepping
 */
export function signature({ family, model, stepping }: Pick<CpuConfiguration, 'family' | 'model' | 'stepping'>): number {
  const base = family > 0xf ? 0xf00 | ((family - 0xf) << 20) : family << 8;
  return (base | ((model & 0xf) << 4) | ((model >> 4) << 16) | stepping) >>> 0;
}

const text = (value: string, at: number): number => {
  let word = 0;
  for (let i = 3; i >= 0; i--) word = word * 256 + (at + i < value.length ? value.charCodeAt(at + i) & 0xff : 0);
  return word;
};

/** Intel's deterministic cache parameters: L1 data, L1 code, L2, L3. */
const CACHES = [
  [0x121, 0x01c0003f, 0x3f, 1],
  [0x122, 0x01c0003f, 0x3f, 1],
  [0x143, 0x03c0003f, 0xfff, 1],
  [0x163, 0x03c0003f, 0x3fff, 6],
] as const;

/** Bits of linear and physical addresses: bits 15…8 and 7…0 of 80000008.eax. */
export function addressBits({ features }: CpuConfiguration): { readonly physical: number; readonly linear: number } {
  if (features.has('lm')) return { physical: 40, linear: features.has('la57') ? 57 : 48 };
  return { physical: features.has('pse36') ? 36 : 32, linear: 0 };
}

/** State components of XSAVE: number, size, offset. */
const XSAVE_AVX = { component: 2, size: 0x100, offset: 0x240 } as const;

/**
 * All leaves that are not zero, up to `level` and `xlevel`. A leaf above both answers like `level` does ({@link overflowLeaf}).
 * Bits that follow control registers (OSXSAVE) are left 0.
 */
export function cpuidTable(configuration: CpuConfiguration): CpuidEntry[] {
  const { features, vendor, level, xlevel, modelId } = configuration;
  const entries: CpuidEntry[] = [];
  const add = (leaf: number, subleaf: number | undefined, eax: number, ebx: number, ecx: number, edx: number) =>
    void entries.push({ leaf, subleaf, eax: eax >>> 0, ebx: ebx >>> 0, ecx: ecx >>> 0, edx: edx >>> 0 });
  const intelLeaves = vendor === 'GenuineIntel' || !configuration.vendorCpuidOnly;
  const name = [text(vendor, 0), text(vendor, 8), text(vendor, 4)] as const;

  add(0, undefined, level, ...name);
  // CLFLUSH works on 8 quads.
  add(1, undefined, signature(configuration), 8 << 8, features.get('1.ecx'), features.get('1.edx'));
  if (level >= 2 && intelLeaves) add(2, undefined, 1, 0, 0x4d, 0x2c307d);
  if (level >= 4 && intelLeaves)
    for (const [subleaf, [eax, ebx, sets, edx]] of CACHES.entries()) add(4, subleaf, eax, ebx, sets, edx);
  // MONITOR/MWAIT: interrupts break MWAIT even if masked.
  if (level >= 5) add(5, undefined, 0, 0, 3, 0);
  if (level >= 6 && features.get('6.eax')) add(6, undefined, features.get('6.eax'), 0, 0, 0);
  if (level >= 7) add(7, 0, 0, features.get('7.ebx'), features.get('7.ecx'), features.get('7.edx'));
  if (level >= 0xb && configuration.topologyLeaf) {
    add(0xb, 0, 0, 1, 0x100, 0);
    add(0xb, 1, 0, 1, 0x201, 0);
    // Levels that do not exist repeat their number.
    for (let number = 2; number < 32; number++) add(0xb, number, 0, 0, number, 0);
  }
  if (level >= 0xd && features.has('xsave')) {
    const size = features.has('avx') ? XSAVE_AVX.offset + XSAVE_AVX.size : XSAVE_AVX.offset;
    // EBX of subleaf 0, the size for what XCR0 enables, is that of x87 and SSE.
    add(0xd, 0, features.has('avx') ? 7 : 3, XSAVE_AVX.offset, size, 0);
    add(0xd, 1, features.get('d.1.eax'), 0, 0, 0);
    if (features.has('avx')) add(0xd, XSAVE_AVX.component, XSAVE_AVX.size, XSAVE_AVX.offset, 0, 0);
  }
  if (configuration.hypervisorLeaf && features.has('hypervisor')) {
    const hypervisor = 'TCGTCGTCGTCG';
    add(0x40000000, undefined, 0x40000001, text(hypervisor, 0), text(hypervisor, 4), text(hypervisor, 8));
    add(0x40000001, undefined, 0, 0, 0, 0);
  }
  if (xlevel >= 0x80000000) addExtended(configuration, name, add);
  return entries;

  function addExtended(
    c: CpuConfiguration,
    [ebx, ecx, edx]: readonly [number, number, number],
    put: (leaf: number, subleaf: number | undefined, eax: number, ebx: number, ecx: number, edx: number) => void,
  ): void {
    const upTo = (leaf: number) => xlevel >= leaf;
    put(0x80000000, undefined, xlevel, ebx, ecx, edx);
    const shared = c.vendor === 'AuthenticAMD' ? features.get('1.edx') & AMD_SHARED : 0;
    if (upTo(0x80000001))
      put(0x80000001, undefined, signature(c), 0, features.get('80000001.ecx'), features.get('80000001.edx') | shared);
    for (let part = 0; part < 3; part++) {
      const at = part * 16;
      if (upTo(0x80000002 + part))
        put(
          0x80000002 + part,
          undefined,
          text(modelId, at),
          text(modelId, at + 4),
          text(modelId, at + 8),
          text(modelId, at + 12),
        );
    }
    if (upTo(0x80000005)) put(0x80000005, undefined, 0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140);
    if (upTo(0x80000006)) put(0x80000006, undefined, 0, 0x42004200, 0x02008140, 0x00808140);
    if (upTo(0x80000007) && features.get('80000007.edx')) put(0x80000007, undefined, 0, 0, 0, features.get('80000007.edx'));
    if (upTo(0x80000008)) {
      const { physical, linear } = addressBits(c);
      put(0x80000008, undefined, (linear << 8) | physical, features.get('80000008.ebx'), 0, 0);
    }
    // SVM revision 1, 16 address space identifiers.
    if (upTo(0x8000000a) && features.has('svm')) put(0x8000000a, undefined, 1, 0x10, 0, features.get('8000000a.edx'));
  }
}

/** The answer of CPUID for any leaf and subleaf, from a table. */
export function cpuidLookup(
  table: readonly CpuidEntry[],
  leaf: number,
  subleaf: number,
): readonly [number, number, number, number] {
  const level = table.find((entry) => entry.leaf === 0)!.eax;
  const xlevel = table.find((entry) => entry.leaf === 0x80000000)?.eax ?? 0;
  const hypervisor = table.find((entry) => entry.leaf === 0x40000000)?.eax ?? 0;
  const limit = leaf >= 0xc0000000 ? 0 : leaf >= 0x80000000 ? xlevel : leaf >= 0x40000000 ? hypervisor : level;
  const asked = leaf > limit ? level : leaf;
  const entry = table.find(
    (candidate) => candidate.leaf === asked && (candidate.subleaf === undefined || candidate.subleaf === subleaf),
  );
  return entry ? [entry.eax, entry.ebx, entry.ecx, entry.edx] : [0, 0, 0, 0];
}
