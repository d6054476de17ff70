import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompatTable, type DevicePackage, defineDevice, section } from '@pagurus/device-model';
import { compareLocks, type Description, fieldsOf, minimumBump, vmstate } from '@pagurus/vmstate';
import { afterAll, describe, expect, it } from 'vitest';
import { differencesText, LOCK_FILE, lockPackage, packLock, unpackLock } from './check-lock.js';
import { main } from './main.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

class SensorState {
  degrees = 20;
  offset = 0;
}
const f = fieldsOf<SensorState>();

interface SensorProperties {
  offsetSaved: boolean;
  limit: number;
}

/** A device as its next version may be. */
interface Changes {
  readonly description?: (offsetSaved: boolean) => Description<SensorState>;
  readonly compat?: CompatTable;
  readonly offsetDefault?: boolean;
  readonly limitDefault?: number;
  readonly without?: 'limit';
}

const subsection = (offsetSaved: boolean) =>
  vmstate<SensorState>({
    name: 'sensor/offset',
    version: 1,
    needed: (s) => offsetSaved && s.offset !== 0,
    fields: [f.i32('offset')],
  });
const plain = (offsetSaved: boolean) =>
  vmstate<SensorState>({ name: 'sensor', version: 1, fields: [f.u32('degrees')], subsections: [subsection(offsetSaved)] });
const HISTORY: CompatTable = { '6.0': { sensor: { 'offset-saved': 'off' } } };

function pack({
  description = plain,
  compat = HISTORY,
  offsetDefault = true,
  limitDefault = 80,
  without,
}: Changes = {}): DevicePackage {
  const properties = {
    offsetSaved: { name: 'offset-saved', type: 'bool', default: offsetDefault, doc: '' },
    limit: { name: without === 'limit' ? 'most' : 'limit', type: 'uint8', default: limitDefault, doc: '' },
  } as const;
  const sensor = defineDevice<SensorProperties>({
    type: 'sensor',
    doc: 'a thermometer',
    bus: 'isa',
    properties,
    create: (_, props) => ({ sections: [section(description(props.offsetSaved), new SensorState())], reset() {} }),
  });
  return { name: '@me/sensor', types: [sensor], compat };
}

const locked = await lockPackage(pack());
const verdicts = async (changes: Changes) => compareLocks(locked, await lockPackage(pack(changes)));

describe('the lock of a package', () => {
  it('has what every machine version sends', () => {
    const { machines } = locked.devices.sensor!;
    expect(machines['6.0']!.properties).toEqual({ 'offset-saved': 'off' });
    expect(machines['6.0']!.sections[0]!.Subsections[0]).toMatchObject({ name: 'sensor/offset', present: 'no' });
    expect(machines['6.1']!.properties).toEqual({});
    expect(machines['6.1']!.sections[0]!.Subsections[0]).toMatchObject({ present: 'maybe', reads: ['offset'] });
    expect(Object.keys(machines).length).toBeGreaterThan(30);
  });

  it('is the same after it was written and read, and says nothing twice', () => {
    const text = packLock(locked);
    expect(unpackLock(text, LOCK_FILE)).toEqual(locked);
    expect(text.match(/sensor\/offset/g)!.length).toBeLessThan(5);
    expect(() => unpackLock('{', 'x')).toThrow('x: not JSON');
    expect(() => unpackLock('{"lockVersion":2}', 'x')).toThrow('x: expected lockVersion 1');
  });
});

describe('a change is', () => {
  it('none', async () => {
    expect(await verdicts({})).toEqual([]);
    expect(differencesText('@me/sensor', [])).toBe('@me/sensor: as locked');
  });

  it('compatible: a subsection that a property gates, with a row for what is frozen', async () => {
    const description = (offsetSaved: boolean) =>
      vmstate<SensorState>({
        name: 'sensor',
        version: 1,
        fields: [f.u32('degrees')],
        subsections: [
          subsection(offsetSaved),
          vmstate<SensorState>({ name: 'sensor/new', version: 1, needed: () => false, fields: [] }),
        ],
      });
    // Never sent: nothing on the wire is another.
    expect(await verdicts({ description })).toEqual([]);
  });

  it('one that needs a compat row: another default', async () => {
    const found = await verdicts({ limitDefault: 90 });
    expect(found.find(({ where }) => where === 'sensor pc-7.2.limit')).toMatchObject({
      verdict: 'needs-compat-row',
      advice: expect.stringContaining("'limit': '80'"),
    });
    expect(minimumBump(found)).toBe('minor');
    // With the row it is compatible.
    const newest = Object.keys(locked.devices.sensor!.machines).filter((version) => version !== 'newest');
    const latest = newest.at(-1)!;
    const compat = { ...HISTORY, [latest]: { sensor: { limit: '80' } } };
    const rowed = await verdicts({ limitDefault: 90, compat });
    expect(rowed.filter(({ verdict }) => verdict !== 'compatible')).toEqual([]);
    expect(rowed.length).toBeGreaterThan(0);
  });

  it.each<[string, Changes, RegExp]>([
    [
      'a field more',
      { description: () => vmstate<SensorState>({ name: 'sensor', version: 1, fields: [f.u32('degrees'), f.i32('offset')] }) },
      /'sensor.offset' is sent now/,
    ],
    [
      'another width',
      { description: () => vmstate<SensorState>({ name: 'sensor', version: 1, fields: [f.u16('degrees')] }) },
      /'sensor.degrees' is sent as uint16/,
    ],
    [
      'a higher version',
      { description: () => vmstate<SensorState>({ name: 'sensor', version: 2, minVersion: 1, fields: [f.u32('degrees')] }) },
      /the version was 1 and is 2/,
    ],
    ['history rewritten', { compat: {} }, /the value was off and is on/],
    ['a property less', { without: 'limit' }, /the property is gone/],
  ])('forbidden: %s', async (_, changes, message) => {
    const found = await verdicts(changes);
    const forbidden = found.filter(({ verdict }) => verdict === 'forbidden');
    expect(forbidden.map((one) => one.message).join('\n')).toMatch(message);
    expect(minimumBump(found)).toBe('major');
    for (const { advice } of forbidden) expect(advice).toMatch(/\w/);
    expect(differencesText('@me/sensor', found)).toMatch(/^forbidden[\s\S]*the release is at least a major one$/m);
  });
});

describe('pagurus lock', () => {
  const run = async (...args: string[]) => {
    const result = { code: 0, out: '', errors: [] as string[] };
    result.code = await main(['lock', ...args], {
      out: (text) => (result.out += text),
      error: (line) => result.errors.push(line),
    });
    return result;
  };

  it('writes and checks the lock of a built package', async () => {
    const own = join(folder, 'sensor');
    mkdirSync(own);
    const source = (threshold: string) => `
      const field = { kind: 'scalar', key: 'a', wire: 'a', since: 0, when: undefined, type: '${threshold}', bool: false };
      const description = { name: 'tiny', version: 1, minVersion: 1, priority: 0, earlySetup: false, fields: [field], subsections: [], derived: [] };
      const tiny = { type: 'tiny', doc: '', bus: 'isa', properties: {}, create: () => ({ sections: [{ description, state: { a: 0 } }], reset() {} }) };
      export const devicePackage = { name: 'tiny', types: [tiny], compat: {} };`;
    writeFileSync(
      join(own, 'package.json'),
      JSON.stringify({ name: 'tiny', type: 'module', exports: { '.': { default: './a.js' } } }),
    );
    expect(await run(own)).toMatchObject({ code: 2, errors: [expect.stringContaining('build the package first')] });
    writeFileSync(join(own, 'a.js'), source('u8'));
    expect(await run(own, '--check')).toMatchObject({
      code: 1,
      errors: [expect.stringContaining('there is no vmstate.lock.json yet')],
    });
    expect(await run(own)).toEqual({ code: 0, out: '', errors: [] });
    expect(JSON.parse(readFileSync(join(own, LOCK_FILE), 'utf8'))).toMatchObject({ lockVersion: 1, package: 'tiny' });
    expect(await run(own, '--check')).toMatchObject({ code: 0, out: 'tiny: as locked\n' });
    // A module is loaded once for each name.
    writeFileSync(join(own, 'b.js'), source('u16'));
    writeFileSync(
      join(own, 'package.json'),
      JSON.stringify({ name: 'tiny', type: 'module', exports: { '.': { default: './b.js' } } }),
    );
    const changed = await run(own, '--check');
    expect(changed.code).toBe(1);
    expect(changed.out).toMatch(/^forbidden +tiny pc-7\.2: 'tiny\.a' is sent as uint16/m);
  });

  it('refuses what is no device package', async () => {
    expect(await run(folder)).toMatchObject({
      code: 2,
      errors: [expect.stringContaining('expected the folder of a device package')],
    });
  });
});
