/**
 * CPUID feature bits by QEMU's names, and which of them this CPU has. Bits: [SDM] volume 2A, CPUID; [APM] AMD64 Architecture
 * Programmer's Manual, volume 3, appendix E.
 */

/** A register of a CPUID leaf that holds feature bits. */
export type FeatureWord =
  | '1.edx'
  | '1.ecx'
  | '7.ebx'
  | '7.ecx'
  | '7.edx'
  | '80000001.edx'
  | '80000001.ecx'
  | '80000007.edx'
  | '80000008.ebx'
  | '8000000a.edx'
  | 'd.1.eax'
  | '6.eax';

/** Names by bit, from bit 0; `-` = none. Bits that two AMD and Intel words share are named in the first. */
const NAMES: Record<FeatureWord, string> = {
  '1.edx':
    'fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe',
  '1.ecx':
    'pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm - pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave - avx f16c rdrand hypervisor',
  '7.ebx':
    'fsgsbase tsc-adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm - - mpx - avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er avx512cd sha-ni avx512bw avx512vl',
  '7.ecx':
    '- avx512vbmi umip pku - waitpkg avx512vbmi2 - gfni vaes vpclmulqdq avx512vnni avx512bitalg - avx512-vpopcntdq - la57 - - - - - rdpid - bus-lock-detect cldemote - movdiri movdir64b - sgxlc pks',
  '7.edx':
    '- - avx512-4vnniw avx512-4fmaps fsrm - - - avx512-vp2intersect - md-clear - - - serialize - tsx-ldtrk - - arch-lbr - - amx-bf16 avx512-fp16 amx-tile amx-int8 spec-ctrl stibp - arch-capabilities core-capability ssbd',
  '80000001.edx': '- - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - fxsr-opt pdpe1gb rdtscp - lm 3dnowext 3dnow',
  '80000001.ecx':
    'lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid-msr - tbm topoext perfctr-core perfctr-nb',
  '80000007.edx': '- - - - - - - - invtsc',
  '80000008.ebx':
    'clzero - xsaveerptr - - - - - - wbnoinvd - - ibpb - ibrs amd-stibp - - - - - - - - amd-ssbd virt-ssbd amd-no-ssb',
  '8000000a.edx':
    'npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists - - pause-filter - pfthreshold avic - v-vmsave-vmload vgif',
  'd.1.eax': 'xsaveopt xsavec xgetbv1 xsaves xfd',
  '6.eax': '- - arat',
};

export interface FeatureBit {
  readonly name: string;
  readonly word: FeatureWord;
  /** 0…31. */
  readonly bit: number;
}

export const FEATURE_BITS: readonly FeatureBit[] = (Object.keys(NAMES) as FeatureWord[]).flatMap((word) =>
  NAMES[word].split(' ').flatMap((name, bit) => (name === '-' ? [] : [{ name, word, bit }])),
);

const BY_NAME = new Map(FEATURE_BITS.map((feature) => [feature.name, feature]));

/** Other spellings that QEMU takes, besides `_` for `-`. */
const ALIASES: Readonly<Record<string, string>> = {
  sse3: 'pni',
  'sse4-1': 'sse4.1',
  'sse4-2': 'sse4.2',
  pclmuldq: 'pclmulqdq',
  i64: 'lm',
  xd: 'nx',
  ffxsr: 'fxsr-opt',
};

/** Accepts QEMU's names and aliases. */
export function findFeature(name: string): FeatureBit | undefined {
  const plain = name.replaceAll('_', '-');
  return BY_NAME.get(ALIASES[plain] ?? plain);
}

/**
 * What this CPU does, all of it: a feature stands here once its instructions are complete and pass their vectors.
 * `svm`, `apic`, `monitor` and others that models carry are filtered out because they are not here.
 */
const IMPLEMENTED: ReadonlySet<string> = new Set(
  [
    // system
    'monitor de pse tsc msr pae mce cx8 sep mtrr pge mca pat pse36 clflush hypervisor ss nx lm syscall pdpe1gb rdtscp fsgsbase rdpid clflushopt clwb',
    'smep smap umip vme pcid invpcid tsc-deadline',
    // integer
    'fpu cmov cx16 popcnt movbe rdrand rdseed adx bmi1 bmi2 lahf-lm abm 3dnowprefetch',
    // vectors
    'mmx mmxext fxsr sse sse2 pni ssse3 sse4.1 sse4.2 aes pclmulqdq misalignsse xsave xsaveopt xgetbv1',
  ].flatMap((line) => line.split(' ')),
);

/** Of those, what the 32-bit program `qemu-system-i386` never shows. */
export const LONG_MODE_ONLY: ReadonlySet<string> = new Set(['lm', 'syscall']);

export function isImplemented(name: string, target: 'i386' | 'x86_64'): boolean {
  return IMPLEMENTED.has(name) && !(target === 'i386' && LONG_MODE_ONLY.has(name));
}

/** Feature words; an absent word is 0. Bits are unsigned. */
export class FeatureWords {
  private readonly words = new Map<FeatureWord, number>();

  constructor(initial: Partial<Record<FeatureWord, number>> = {}) {
    for (const word of Object.keys(initial) as FeatureWord[]) this.words.set(word, initial[word]! >>> 0);
  }

  get(word: FeatureWord): number {
    return this.words.get(word) ?? 0;
  }

  has(name: string): boolean {
    const feature = BY_NAME.get(name);
    return feature !== undefined && ((this.get(feature.word) >>> feature.bit) & 1) !== 0;
  }

  set({ word, bit }: FeatureBit, on: boolean): void {
    const mask = (1 << bit) >>> 0;
    const value = this.get(word);
    this.words.set(word, (on ? value | mask : value & ~mask) >>> 0);
  }

  /** In order of words and bits. */
  names(): string[] {
    return FEATURE_BITS.filter(({ word, bit }) => (this.get(word) >>> bit) & 1).map(({ name }) => name);
  }
}
