import { defineDevice } from '@pagurus/device-model';
import { describe, expect, it } from 'vitest';
import { compatRows, resolveProperties } from './compat.js';
import { migrationCompat, migrationObject } from './stream-settings.js';

const thing = defineDevice<{ first: boolean; second: number }>({
  type: 'thing',
  doc: 'a test device',
  bus: 'isa',
  parents: ['thing-base'],
  properties: {
    first: { name: 'first-knob', type: 'bool', default: true, doc: '' },
    second: { name: 'second', type: 'uint32', default: 5, doc: '' },
  },
  create: () => ({ sections: [], reset() {} }),
});

describe('compat rows', () => {
  const tables = [{ '2.10': { thing: { second: '3' } }, '2.4': { thing: { second: '2', 'first-knob': 'off' } } }];

  it('hold for their version and every older one, the oldest level last', () => {
    expect(resolveProperties(thing, compatRows(tables, '2.11'), [], {}).values).toEqual({ first: true, second: 5 });
    expect(resolveProperties(thing, compatRows(tables, '2.10'), [], {}).values).toEqual({ first: true, second: 3 });
    expect(resolveProperties(thing, compatRows(tables, '2.4'), [], {}).values).toEqual({ first: false, second: 2 });
    expect(resolveProperties(thing, compatRows(tables, undefined), [], {}).values).toEqual({ first: true, second: 5 });
  });

  it('are overruled by -global, and that by the device itself', () => {
    const globals = [{ driver: 'thing-base', property: 'second', value: '8' }];
    const resolved = resolveProperties(thing, compatRows(tables, '2.4'), globals, {});
    expect(resolved).toEqual({ values: { first: false, second: 8 }, sources: { first: 'machine', second: 'global' } });
    expect(resolveProperties(thing, [], globals, { second: '0x10' }).values.second).toBe(16);
  });

  it('name what is wrong', () => {
    expect(() => resolveProperties(thing, [], [], { third: '1' })).toThrow(
      'thing.third: no such property; thing has: first-knob, second',
    );
    expect(() => resolveProperties(thing, [], [{ driver: 'thing', property: 'second', value: 'x' }], {})).toThrow(
      "'x' is not a number",
    );
    expect(() => resolveProperties(thing, [], [], { second: '-1' })).toThrow('between 0 and 4294967295');
  });
});

describe('the migration object', () => {
  const settings = (version: string) => resolveProperties(migrationObject, compatRows([migrationCompat], version), [], {}).values;

  it.each([
    ['10.0', { sendConfiguration: true, suppressVmdesc: false, sendSwitchoverStart: true }],
    ['7.2', { sendConfiguration: true, suppressVmdesc: false, sendSwitchoverStart: false }],
    ['2.3', { sendConfiguration: false, sendSectionFooter: false, suppressVmdesc: false }],
    ['2.1', { sendConfiguration: false, suppressVmdesc: true }],
    ['1.7', { sendConfiguration: false, suppressVmdesc: false }],
  ])('pc-i440fx-%s', (version, expected) => {
    expect(settings(version)).toMatchObject(expected);
  });
});
