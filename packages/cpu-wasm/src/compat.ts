import type { CompatTable } from '@pagurus/device-model';

/** What `model-id` said up to 2.4. */
const OLD_NAMES = ['2.4', '2.3', '2.2', '2.1', '2.0', '1.7', '1.6', '1.5', '1.4', '1.3', '1.2', '1.1', '1.0', '0.14'] as const;
/** They say two numbers only. */
const SHORT_NAMES: readonly string[] = ['1.0', '0.14'];
const NAMED = ['qemu32', 'qemu64', 'athlon'] as const;

/**
 * History of the processors: a row holds for its machine version and every older one. `x86-cpu` is any model, `MODEL-x86-cpu` one. Only
 * what this CPU's CPUID shows; the rows of QEMU that change hints about caches are absent. [QEMU 7.2 and 10.0: compat lists and QOM
 * properties of every machine version]
 */
export const compat: CompatTable = withNames({
  '6.0': { 'qemu64-x86-cpu': { family: '6', model: '6', stepping: '3' }, 'x86-cpu': { 'x-vendor-cpuid-only': 'off' } },
  '3.1': { 'Opteron_G3-x86-cpu': { rdtscp: 'off' } },
  '2.8': { 'x86-cpu': { 'tcg-cpuid': 'off' } },
  '2.7': { 'Opteron_G3-x86-cpu': { family: '15', model: '6', stepping: '1' } },
  '2.6': { 'x86-cpu': { 'cpuid-0xb': 'off' } },
  '2.4': {
    'qemu64-x86-cpu': { sse4a: 'on', abm: 'on', popcnt: 'on' },
    'qemu32-x86-cpu': { popcnt: 'on' },
    'Opteron_G3-x86-cpu': { rdtscp: 'on' },
  },
  '2.3': { 'qemu64-x86-cpu': { level: '4' } },
  '1.6': { 'qemu64-x86-cpu': { model: '2' }, 'qemu32-x86-cpu': { model: '3' } },
});

function withNames(table: CompatTable): CompatTable {
  const result: Record<string, Record<string, Record<string, string>>> = structuredClone(table);
  for (const version of OLD_NAMES) {
    const rows = result[version] ?? {};
    result[version] = rows;
    for (const model of NAMED) {
      rows[`${model}-x86-cpu`] = {
        ...rows[`${model}-x86-cpu`],
        'model-id': `QEMU Virtual CPU version ${version}${SHORT_NAMES.includes(version) ? '' : '.0'}`,
      };
    }
  }
  return result;
}
