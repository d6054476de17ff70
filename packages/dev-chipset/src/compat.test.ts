import { readFileSync } from 'node:fs';
import { compareVersions, type DeviceType } from '@pagurus/device-model';
import { propertiesOfMachine } from '@pagurus/device-testkit';
import { describe, expect, it } from 'vitest';
import { devicePackage } from './index.js';

interface RecordedProperty {
  readonly type: string;
  readonly property: string;
  /** Versions at which the value changes, oldest first. */
  readonly values: readonly (readonly [version: string, ...values: unknown[]])[];
}

const recorded = JSON.parse(
  readFileSync(new URL('../fixtures/qemu-properties.json', import.meta.url), 'utf8'),
) as readonly RecordedProperty[];

const VERSIONS = [
  ...['1.4', '1.5', '1.6', '1.7', '2.0', '2.1', '2.2', '2.3', '2.4', '2.5', '2.6', '2.7', '2.8', '2.9', '2.10', '2.11', '2.12'],
  ...['3.0', '3.1', '4.0', '4.1', '4.2', '5.0', '5.1', '5.2', '6.0', '6.1', '6.2', '7.0', '7.1', '7.2', '8.0', '8.1', '8.2'],
  ...['9.0', '9.1', '9.2', '10.0'],
];

/** Values that the recorded command line or machine gave to one instance; ours come from the machine, too. */
const PER_INSTANCE = new Set([
  ...['index', 'iobase', 'irq'].flatMap((name) => [`isa-serial.${name}`, `isa-parallel.${name}`]),
  ...['base', 'page-base', 'dshift'].map((name) => `i8257.${name}`),
  'isa-debugcon.iobase',
]);

/** The pair is one device here; its addresses are its own. */
const PAIR = 'isa-i8259';

const types = new Map(devicePackage.types.map((type) => [type.type, type as DeviceType]));

function ours(type: DeviceType, property: string, version: string): unknown {
  const entry = Object.entries(type.properties as Record<string, { name: string }>).find(([, { name }]) => name === property);
  if (!entry) return undefined;
  return (propertiesOfMachine(type, devicePackage.compat, version) as Record<string, unknown>)[entry[0]];
}

describe.each(VERSIONS)('pc-i440fx-%s', (version) => {
  const compared = recorded.filter(({ type, property }) => type !== PAIR && !PER_INSTANCE.has(`${type}.${property}`));

  it.each(compared)('$type.$property is QEMU’s', ({ type, property, values }) => {
    const [, ...expected] = values.findLast(([since]) => compareVersions(since, version) <= 0)!;
    expect(expected).toContainEqual(ours(types.get(type)!, property, version));
  });
});

describe('compat rows', () => {
  it('are all about devices and properties of this package', () => {
    for (const [version, drivers] of Object.entries(devicePackage.compat)) {
      expect(version).toMatch(/^\d+\.\d+$/);
      for (const [driver, properties] of Object.entries(drivers)) {
        const meant = devicePackage.types.filter(({ type, parents = [] }) => type === driver || parents.includes(driver));
        expect(meant.length, driver).toBeGreaterThan(0);
        for (const name of Object.keys(properties)) {
          for (const type of meant)
            expect(Object.values(type.properties).map((p) => (p as { name: string }).name)).toContain(name);
        }
      }
    }
  });

  it('number the sections of local APICs anew from 2.7 on', () => {
    const apic = types.get('apic')!;
    expect(['2.6', '2.7'].map((version) => ours(apic, 'legacy-instance-id', version))).toEqual([true, false]);
  });

  it('leave out no device whose properties were recorded', () => {
    expect([...new Set(recorded.map(({ type }) => type))].filter((type) => !types.has(type))).toEqual([]);
  });
});
