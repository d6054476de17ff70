import { expect, describe as group, it } from 'vitest';
import {
  type Bump,
  compareLocks,
  fieldsOf,
  type Lock,
  type LockCompat,
  type LockDevice,
  lockText,
  makeLock,
  minimumBump,
  vmstate,
} from './index.js';

class State {
  mode = 0;
  output = 0;
  extra = 0;
}
const f = fieldsOf<State>();
const FROZEN = ['7.2', '2.4'];

interface Change {
  properties?: LockDevice['properties'];
  version?: number;
  minVersion?: number;
  /** An ungated change of the wire. */
  more?: boolean;
  /** A subsection gated by a property of that name, on by default. */
  gate?: string;
  reordered?: boolean;
}

/** A keyboard controller: `extended-state` gates a subsection, off up to 6.0. */
function device(change: Change = {}): LockDevice {
  const properties = change.properties ?? { 'extended-state': { type: 'bool', default: 'on' } };
  return {
    type: 'i8042',
    parents: ['isa-device'],
    properties,
    sections(values) {
      const on = (property: string) => (values[property] ?? properties[property]?.default) === 'on';
      const fields = [
        f.u8('mode'),
        f.u8('output', 'output', { when: (s) => s.mode > 0 }),
        ...(change.more ? [f.u8('extra')] : []),
      ];
      const subsection = (name: string, needed: () => boolean) =>
        vmstate<State>({ name, version: 0, needed, fields: [f.u8('extra')] });
      const description = vmstate<State>({
        name: 'pckbd',
        version: change.version ?? 3,
        minVersion: change.minVersion ?? 3,
        fields: change.reordered ? fields.reverse() : fields,
        subsections: [
          subsection('pckbd/extended_state', () => on('extended-state')),
          ...(change.gate ? [subsection(`pckbd/${change.gate}`, () => on(change.gate!))] : []),
        ],
      });
      return [{ description, state: new State() }];
    },
  };
}
const compat: LockCompat = { '6.0': { i8042: { 'extended-state': 'off' } } };
const lock = (change?: Change, rows: LockCompat = compat, frozen = FROZEN) =>
  makeLock('@pagurus/dev-ps2', [device(change)], rows, frozen);
const verdicts = (now: Lock, old = lock()) =>
  compareLocks(old, now).map(({ verdict, where, message }) => `${verdict} | ${where} | ${message}`);
const bump = (now: Lock): Bump => minimumBump(compareLocks(lock(), now));

group('a lock', () => {
  it('is the same text every time and survives being read', () => {
    expect(lockText(lock())).toBe(lockText(lock()));
    expect(compareLocks(JSON.parse(lockText(lock())) as Lock, lock())).toEqual([]);
    expect(bump(lock())).toBe('none');
  });

  it('has what each frozen machine sends', () => {
    const { machines, properties } = lock().devices.i8042!;
    expect(Object.keys(machines)).toEqual(['2.4', '7.2', 'newest']);
    expect(machines['2.4']).toMatchObject({
      properties: { 'extended-state': 'off' },
      sections: [{ Subsections: [{ present: 'no' }] }],
    });
    expect(machines['7.2']).toMatchObject({ properties: {}, sections: [{ Subsections: [{ present: 'yes' }] }] });
    expect(properties).toEqual({ 'extended-state': { type: 'bool', default: 'on' } });
  });

  it('takes rows of parent types, and the older of two rows', () => {
    const rows: LockCompat = {
      '7.1': { 'isa-device': { 'extended-state': 'off', other: 'x' } },
      '3.0': { i8042: { 'extended-state': 'on' } },
    };
    const { machines } = lock(undefined, rows).devices.i8042!;
    expect(machines['2.4']!.properties).toEqual({ 'extended-state': 'on' });
    expect(lock(undefined, rows, ['7.0']).devices.i8042!.machines['7.0']!.properties).toEqual({ 'extended-state': 'off' });
  });
});

group('differences', () => {
  const off = { 'extended-state': { type: 'bool', default: 'on' }, late: { type: 'bool', default: 'on' } };

  it('a change that nothing gates is forbidden', () => {
    expect(verdicts(lock({ more: true }))).toEqual([
      "forbidden | i8042 pc-2.4 | 'pckbd.extra' is sent now",
      "forbidden | i8042 pc-7.2 | 'pckbd.extra' is sent now",
      "compatible | i8042 | 'pckbd.extra' is sent now",
    ]);
    expect(bump(lock({ more: true }))).toBe('major');
    expect(verdicts(lock(), lock({ more: true }))).toContain("forbidden | i8042 pc-7.2 | 'pckbd.extra' is not sent any more");
    expect(verdicts(lock({ reordered: true }))).toContain('forbidden | i8042 pc-7.2 | the order of fields has changed');
  });

  it('a gated change needs a row for every frozen machine, and is compatible with it', () => {
    const without = compareLocks(lock(), lock({ gate: 'late', properties: off }));
    expect(
      without.filter(({ verdict }) => verdict === 'needs-compat-row').map(({ where, advice }) => `${where}: ${advice}`),
    ).toEqual([
      "i8042 pc-2.4: a frozen machine sends something else; switch it off there with the compat row '7.2': { 'i8042': { 'late': … } }",
      "i8042 pc-7.2: a frozen machine sends something else; switch it off there with the compat row '7.2': { 'i8042': { 'late': … } }",
    ]);
    const rows = { ...compat, '7.2': { i8042: { late: 'off' } } };
    const withRow = lock({ gate: 'late', properties: off }, rows);
    expect(verdicts(withRow)).toEqual([
      'compatible | i8042.late | the property is new',
      "compatible | i8042 | 'pckbd/late' is sent now",
    ]);
    expect(bump(withRow)).toBe('minor');
  });

  it('a new default needs a row that keeps the old one', () => {
    const properties = { 'extended-state': { type: 'bool', default: 'off' } };
    expect(verdicts(lock({ properties }))).toContain(
      'needs-compat-row | i8042 pc-7.2.extended-state | the new default off changes a frozen machine, which had on',
    );
    const kept = lock({ properties }, { ...compat, '7.2': { i8042: { 'extended-state': 'on' } } });
    expect(verdicts(kept).filter((text) => !text.startsWith('compatible'))).toEqual([]);
  });

  it('rows of released machines, versions and properties stay', () => {
    expect(verdicts(lock(undefined, {}))).toContain('forbidden | i8042 pc-2.4.extended-state | the value was off and is on');
    expect(verdicts(lock({ version: 4 }))).toContain('forbidden | i8042 pckbd | the version was 3 and is 4');
    expect(verdicts(lock({ version: 4, minVersion: 4 }))).toContain(
      'forbidden | i8042 pckbd | the oldest version that loads was 3 and is 4',
    );
    expect(verdicts(lock({ properties: {} }))).toContain('forbidden | i8042.extended-state | the property is gone');
    expect(verdicts(lock({ properties: { 'extended-state': { type: 'uint8', default: 'on' } } }))).toContain(
      'forbidden | i8042.extended-state | the property was bool and is uint8',
    );
    expect(verdicts(lock(undefined, compat, ['7.2']))).toContain(
      'forbidden | i8042 pc-2.4 | the machine version is not frozen any more',
    );
  });

  it('devices come freely and never go', () => {
    const none = makeLock('@pagurus/dev-ps2', [], compat, FROZEN);
    expect(verdicts(lock(), none)).toEqual(['compatible | i8042 | the device is new']);
    expect(verdicts(none)).toEqual(['forbidden | i8042 | the device is gone']);
  });

  it('freezing a machine version is a patch', () => {
    const frozen = lock(undefined, compat, [...FROZEN, '8.0']);
    expect(verdicts(frozen)).toEqual(['compatible | i8042 pc-8.0 | the machine version is frozen from now on']);
    expect(bump(frozen)).toBe('patch');
  });
});
