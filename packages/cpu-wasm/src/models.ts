/**
 * CPU models by QEMU's names with the identification that QEMU 7.2 gives them, and the syntax of `-cpu`.
 * The values were read by a guest under QEMU 7.2 (TCG, pc-i440fx-7.2); see fixtures/README.md, cpuid.json.
 */
import { FEATURE_BITS, type FeatureWord, FeatureWords, findFeature, isImplemented } from './features.js';
import type { Target } from './state.js';

export type Vendor = 'GenuineIntel' | 'AuthenticAMD';

export interface CpuModel {
  readonly name: string;
  readonly doc: string;
  readonly vendor: Vendor;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** Highest basic leaf. */
  readonly level: number;
  /** Highest extended leaf, or 0 for none. */
  readonly xlevel: number;
  /** Brand string, up to 48 characters. */
  readonly modelId: string;
  /** What QEMU gives the model under TCG. 80000001.edx without the bits that AMD repeats from 1.edx. */
  readonly features: Partial<Record<FeatureWord, number>>;
}

const QEMU_ID = 'QEMU Virtual CPU version 2.5+';
const intel = (
  name: string,
  signature: readonly [family: number, model: number, stepping: number],
  levels: readonly [level: number, xlevel: number],
  modelId: string,
  features: CpuModel['features'],
  doc: string,
  vendor: Vendor = 'GenuineIntel',
): CpuModel => ({
  name,
  doc,
  vendor,
  family: signature[0],
  model: signature[1],
  stepping: signature[2],
  level: levels[0],
  xlevel: levels[1],
  modelId,
  features,
});
const amd = (...[name, signature, levels, modelId, features, doc]: Parameters<typeof intel>): CpuModel =>
  intel(name, signature, levels, modelId, features, doc, 'AuthenticAMD');

const HYPERVISOR = 0x80000000;

/** Bits of 1.edx that AMD repeats in 80000001.edx. */
export const AMD_SHARED = 0x0183f3ff;

export const CPU_MODELS: readonly CpuModel[] = [
  intel('486', [4, 8, 0], [1, 0], '', { '1.edx': 0x9, '1.ecx': HYPERVISOR }, 'Intel 80486DX4'),
  intel('pentium', [5, 4, 3], [1, 0], '', { '1.edx': 0x008003bd, '1.ecx': HYPERVISOR }, 'Intel Pentium MMX'),
  intel('pentium2', [6, 5, 2], [2, 0], '', { '1.edx': 0x0183fbfd, '1.ecx': HYPERVISOR }, 'Intel Pentium II'),
  intel('pentium3', [6, 7, 3], [3, 0], '', { '1.edx': 0x0383fbfd, '1.ecx': HYPERVISOR }, 'Intel Pentium III'),
  intel(
    'coreduo',
    [6, 14, 8],
    [10, 0x80000008],
    'Genuine Intel(R) CPU           T2600  @ 2.16GHz',
    { '1.edx': 0x0fc9fbfd, '1.ecx': 0x80000009, '80000001.edx': 0x00100000 },
    'Intel Core Duo',
  ),
  intel(
    'n270',
    [6, 28, 2],
    [10, 0x80000008],
    'Intel(R) Atom(TM) CPU N270   @ 1.60GHz',
    { '1.edx': 0x0fc9fbfd, '1.ecx': 0x80400209, '80000001.edx': 0x00100000, '80000001.ecx': 1 },
    'Intel Atom N270',
  ),
  amd(
    'athlon',
    [6, 2, 3],
    [2, 0x80000008],
    QEMU_ID,
    { '1.edx': 0x0783fbfd, '1.ecx': HYPERVISOR, '80000001.edx': 0xc0400000 },
    'AMD Athlon',
  ),
  intel('qemu32', [6, 6, 3], [4, 0x80000004], QEMU_ID, { '1.edx': 0x0781abfd, '1.ecx': 0x80000001 }, 'QEMU virtual CPU, 32 bit'),
  intel(
    'kvm32',
    [15, 6, 1],
    [5, 0x80000008],
    'Common 32-bit KVM processor',
    { '1.edx': 0x078bfbfd, '1.ecx': 0x80000001 },
    'Common 32-bit KVM processor',
  ),
  amd(
    'qemu64',
    [15, 107, 1],
    [13, 0x8000000a],
    QEMU_ID,
    { '1.edx': 0x078bfbfd, '1.ecx': 0x80002001, '80000001.edx': 0x20100800, '80000001.ecx': 5 },
    'QEMU virtual CPU, 64 bit',
  ),
  intel(
    'kvm64',
    [15, 6, 1],
    [13, 0x80000008],
    'Common KVM processor',
    { '1.edx': 0x078bfbfd, '1.ecx': 0x80002001, '80000001.edx': 0x20100800 },
    'Common 64-bit KVM processor',
  ),
  intel(
    'core2duo',
    [6, 15, 11],
    [10, 0x80000008],
    'Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz',
    { '1.edx': 0x0fcbfbfd, '1.ecx': 0x80002209, '80000001.edx': 0x20100800, '80000001.ecx': 1 },
    'Intel Core 2 Duo T7700',
  ),
  intel(
    'Conroe',
    [6, 15, 3],
    [10, 0x80000008],
    'Intel Celeron_4x0 (Conroe/Merom Class Core 2)',
    { '1.edx': 0x078bfbfd, '1.ecx': 0x80000201, '80000001.edx': 0x20100800, '80000001.ecx': 1 },
    'Intel Celeron 4x0, Core 2 class',
  ),
  intel(
    'Penryn',
    [6, 23, 3],
    [10, 0x80000008],
    'Intel Core 2 Duo P9xxx (Penryn Class Core 2)',
    { '1.edx': 0x078bfbfd, '1.ecx': 0x80082201, '80000001.edx': 0x20100800, '80000001.ecx': 1 },
    'Intel Core 2 Duo P9xxx',
  ),
  intel(
    'Nehalem',
    [6, 26, 3],
    [11, 0x80000008],
    'Intel Core i7 9xx (Nehalem Class Core i7)',
    { '1.edx': 0x078bfbfd, '1.ecx': 0x80982201, '80000001.edx': 0x20100800, '80000001.ecx': 1 },
    'Intel Core i7 9xx',
  ),
  amd(
    'Opteron_G3',
    [16, 2, 3],
    [5, 0x8000000a],
    'AMD Opteron 23xx (Gen 3 Class Opteron)',
    { '1.edx': 0x078bfbfd, '1.ecx': 0x80802009, '80000001.edx': 0x28100800, '80000001.ecx': 0x65 },
    'AMD Opteron 23xx',
  ),
  amd(
    'phenom',
    [16, 2, 3],
    [5, 0x8000001a],
    'AMD Phenom(tm) 9550 Quad-Core Processor',
    { '1.edx': 0x078bfbfd, '1.ecx': 0x80802009, '80000001.edx': 0xec500800, '80000001.ecx': 0x65, '8000000a.edx': 1 },
    'AMD Phenom 9550',
  ),
];

/** `max` is not QEMU's `max` but ours: everything that this CPU implements. */
function maxModel(target: Target, implemented = isImplemented): CpuModel {
  const words = new FeatureWords();
  for (const feature of FEATURE_BITS) if (implemented(feature.name, target)) words.set(feature, true);
  const features: Partial<Record<FeatureWord, number>> = {};
  for (const { word } of FEATURE_BITS) features[word] = words.get(word);
  return amd(
    'max',
    target === 'i386' ? [6, 6, 3] : [15, 107, 1],
    [13, 0x8000000a],
    'Pagurus CPU with every feature',
    features,
    'Every feature this CPU implements',
  );
}

/** The default of the pc machines. */
export function defaultCpuModel(target: Target): string {
  return target === 'i386' ? 'qemu32' : 'qemu64';
}

/** What `-cpu` was resolved to. */
export interface CpuConfiguration {
  readonly name: string;
  readonly target: Target;
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  readonly level: number;
  readonly xlevel: number;
  readonly modelId: string;
  readonly features: FeatureWords;
  /** Features of the model that this CPU lacks and that CPUID therefore does not show. */
  readonly filtered: readonly string[];
  /** Machines up to 6.0: leaves 2 and 4 also for AMD (`x-vendor-cpuid-only=off`). */
  readonly vendorCpuidOnly: boolean;
  /** Leaf 0xb. */
  readonly topologyLeaf: boolean;
  /** Leaf 0x40000000, by which Linux sees that it runs under QEMU. */
  readonly hypervisorLeaf: boolean;
}

/** A `-cpu` that cannot be: unknown model, feature, property or value, or a feature that is not implemented. */
export class CpuModelError extends Error {
  override readonly name = 'CpuModelError';
}

/** One line of `pagurus cpus`. */
export interface CpuListEntry {
  readonly name: string;
  readonly doc: string;
  readonly features: readonly string[];
  readonly filtered: readonly string[];
}

export function cpus(target: Target): CpuListEntry[] {
  return [...CPU_MODELS, maxModel(target)].map((model) => {
    const { features, filtered } = parseCpu(model.name, target);
    return { name: model.name, doc: model.doc, features: features.names(), filtered };
  });
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Resolves the text of `-cpu`: `MODEL[,+FEATURE][,-FEATURE][,PROPERTY=VALUE]…`. `defaults` are properties that the machine version sets
 * first (compat rows of `x86_64-cpu` and its parents). `implemented` is for tests.
 *
 * @throws {CpuModelError}
 */
export function parseCpu(
  text: string,
  target: Target,
  defaults: Readonly<Record<string, string>> = {},
  implemented: (feature: string, target: Target) => boolean = isImplemented,
): CpuConfiguration {
  const [name = '', ...options] = text.split(',');
  const model = name === 'max' ? maxModel(target, implemented) : CPU_MODELS.find((candidate) => candidate.name === name);
  if (!model)
    throw new CpuModelError(`-cpu ${name}: unknown model; known: ${[...CPU_MODELS.map((m) => m.name), 'max'].join(', ')}`);
  const words = new FeatureWords(model.features);
  const filtered = words.names().filter((feature) => !implemented(feature, target));
  for (const feature of filtered) words.set(findFeature(feature)!, false);
  const configuration: Mutable<CpuConfiguration> = {
    name,
    target,
    vendor: model.vendor,
    family: model.family,
    model: model.model,
    stepping: model.stepping,
    level: model.level,
    xlevel: model.xlevel,
    modelId: model.modelId,
    features: words,
    filtered,
    vendorCpuidOnly: true,
    topologyLeaf: true,
    hypervisorLeaf: true,
  };
  for (const [property, value] of Object.entries(defaults)) {
    // What a machine version switches on is left out where it is not implemented, as features of the model are.
    const feature = findFeature(property);
    if (feature && boolean(configuration, property, value) && !implemented(feature.name, target)) filtered.push(feature.name);
    else setProperty(configuration, property, value);
  }
  let enforce = false;
  for (const option of options) {
    if (option === '') continue;
    const sign = option[0];
    if (sign === '+' || sign === '-') setFeature(configuration, option.slice(1), sign === '+');
    else {
      const equals = option.indexOf('=');
      const [property, value] = equals < 0 ? [option, 'on'] : [option.slice(0, equals), option.slice(equals + 1)];
      if (property === 'enforce') enforce = boolean(configuration, property, value);
      else setProperty(configuration, property, value);
    }
  }
  if (enforce && filtered.length > 0) throw new CpuModelError(`-cpu ${name},enforce: not implemented: ${filtered.join(', ')}`);
  return configuration;
}

function setFeature(configuration: CpuConfiguration, name: string, on: boolean): void {
  const feature = findFeature(name);
  if (!feature) throw new CpuModelError(`-cpu ${configuration.name}: unknown feature "${name}"`);
  if (on && !isImplemented(feature.name, configuration.target)) {
    throw new CpuModelError(`-cpu ${configuration.name}: feature "${feature.name}" is not implemented by this CPU`);
  }
  configuration.features.set(feature, on);
}

function setProperty(configuration: Mutable<CpuConfiguration>, property: string, value: string): void {
  const number = (max: number): number => {
    const parsed = /^(0x[0-9a-f]+|\d+)$/i.test(value) ? Number(value) : Number.NaN;
    if (!(parsed <= max))
      throw new CpuModelError(`-cpu ${configuration.name}: ${property}=${value}: expected a number from 0 to ${max}`);
    return parsed;
  };
  switch (property.replaceAll('_', '-')) {
    case 'family':
      configuration.family = number(0xff + 0xf);
      return;
    case 'model':
      configuration.model = number(0xff);
      return;
    case 'stepping':
      configuration.stepping = number(0xf);
      return;
    case 'level':
      configuration.level = number(0xffffffff);
      return;
    case 'xlevel':
      configuration.xlevel = number(0xffffffff);
      return;
    case 'vendor':
      if (value.length !== 12) throw new CpuModelError(`-cpu ${configuration.name}: vendor="${value}": expected 12 characters`);
      configuration.vendor = value;
      return;
    case 'model-id':
      configuration.modelId = value.slice(0, 48);
      return;
    case 'x-vendor-cpuid-only':
      configuration.vendorCpuidOnly = boolean(configuration, property, value);
      return;
    case 'cpuid-0xb':
      configuration.topologyLeaf = boolean(configuration, property, value);
      return;
    case 'tcg-cpuid':
      configuration.hypervisorLeaf = boolean(configuration, property, value);
      return;
    case 'check':
      boolean(configuration, property, value);
      return;
    default:
      if (!findFeature(property))
        throw new CpuModelError(`-cpu ${configuration.name}: unknown feature or property "${property}"`);
      setFeature(configuration, property, boolean(configuration, property, value));
  }
}

function boolean(configuration: CpuConfiguration, property: string, value: string): boolean {
  if (['on', 'yes', 'true', 'y'].includes(value)) return true;
  if (['off', 'no', 'false', 'n'].includes(value)) return false;
  throw new CpuModelError(`-cpu ${configuration.name}: ${property}=${value}: expected on or off`);
}
