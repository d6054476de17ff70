import { expect, describe as group, it } from 'vitest';
import {
  checkEffective,
  checkSchemas,
  type Description,
  effectiveSchema,
  fieldsOf,
  machineSchema,
  save,
  sectionSchema,
  vmstate,
} from './index.js';

class Drive {
  track = 0;
  rate = 0;
}
const d = fieldsOf<Drive>();
class Device {
  /** Configuration: no field carries it. */
  ports = 2;
  mode = 0;
  queue = { count: 0 };
  level = 0;
  readonly drives = [new Drive(), new Drive()];
  readonly irqs = 4;
  count = 0;
  items: number[] = [];
  cache = 0;
}
const f = fieldsOf<Device>();
const queue = vmstate<Device['queue']>({ name: 'queue', version: 1, fields: [fieldsOf<Device['queue']>().i32('count')] });

interface Properties {
  extended: boolean;
}
const device = (properties: Properties, more: Partial<Description<Device>> = {}): Description<Device> => ({
  ...vmstate<Device>({
    name: 'dev',
    version: 2,
    minVersion: 1,
    derived: ['cache'],
    fields: [
      f.u8('mode'),
      f.struct('queue', 'queue', queue),
      f.u32('level', 'level', { when: (s) => s.mode > 1 }),
      f.u32('level', 'wide_level', { when: (s) => s.ports > 4 }),
      f.equal('i32', 'irqs', 'nirq'),
      f.structArray('drives', 'drives', vmstate<Drive>({ name: 'drive', version: 1, fields: [d.u8('track')] })),
      f.u16('count'),
      f.varArray('u16', 'items', 'items', { count: 'count', max: 8 }),
    ],
    subsections: [
      vmstate<Device>({ name: 'dev/extended', version: 1, needed: () => properties.extended, fields: [f.u8('mode')] }),
      vmstate<Device>({ name: 'dev/busy', version: 1, needed: (s) => s.queue.count > 0, fields: [f.u8('mode')] }),
      vmstate<Device>({
        name: 'dev/cached',
        version: 1,
        needed: (s) => properties.extended && s.cache > 0,
        fields: [f.u8('mode')],
      }),
    ],
  }),
  ...more,
});

group('an effective schema', () => {
  const schema = effectiveSchema(device({ extended: false }), new Device());
  const field = (name: string) => schema.Fields.find((one) => one.field === name);

  it('evaluates properties and configuration, and leaves run-time predicates open', () => {
    expect(schema.Subsections.map(({ name, present, reads }) => ({ name, present, reads }))).toEqual([
      { name: 'dev/extended', present: 'no', reads: undefined },
      { name: 'dev/busy', present: 'maybe', reads: ['queue'] },
      // The property decides before any state is read.
      { name: 'dev/cached', present: 'no', reads: undefined },
    ]);
    expect(field('level')).toMatchObject({ present: 'maybe', reads: ['mode'] });
    expect(field('wide_level')).toMatchObject({ present: 'no' });
    expect(effectiveSchema(device({ extended: true }), new Device()).Subsections.map(({ present }) => present)).toEqual([
      'yes',
      'maybe',
      'maybe',
    ]);
  });

  it('has counts, sizes and values to compare', () => {
    expect(field('drives')).toMatchObject({ count: { min: 2, max: 2 }, Description: { name: 'drive' } });
    expect(field('items')).toMatchObject({ count: { min: 0, max: 8 }, size: { min: 0, max: 16 } });
    expect(field('nirq')).toMatchObject({ type: 'int32 equal', equals: '4' });
  });

  it('does not call a predicate that throws out of context an error', () => {
    const odd = device({ extended: true }, { needed: () => JSON.parse('{') as boolean });
    expect(effectiveSchema(odd, new Device())).toMatchObject({ present: 'maybe' });
  });
});

group('the effective check', () => {
  const check = (from: Description<Device>, to: Description<Device>, [a, b] = [new Device(), new Device()]) =>
    checkEffective({ dev: effectiveSchema(from, a) }, { dev: effectiveSchema(to, b) });

  it('has nothing against equal configurations', () => {
    expect(check(device({ extended: true }), device({ extended: true }))).toEqual([]);
    expect(check(device({ extended: true }), device({ extended: false }))).toEqual([]);
  });

  it('finds other counts, values and sections', () => {
    const other = new Device();
    Object.assign(other, { irqs: 8 });
    other.drives.push(new Drive());
    expect(check(device({ extended: false }), device({ extended: false }), [new Device(), other])).toEqual([
      expect.objectContaining({ code: 'value-differs', path: 'dev.nirq', severity: 'error', expected: '8', got: '4' }),
      expect.objectContaining({ code: 'field-size', path: 'dev.drives', expected: '3', got: '2' }),
    ]);
    const schema = effectiveSchema(device({ extended: false }), new Device());
    expect(checkEffective({ dev: schema }, {})).toEqual([
      expect.objectContaining({ code: 'section-missing', severity: 'error' }),
    ]);
    expect(checkEffective({ dev: { ...schema, present: 'maybe', reads: ['mode'] } }, {})).toEqual([
      expect.objectContaining({
        severity: 'maybe',
        message: "section 'dev' is sent depending on mode, the destination has none",
      }),
    ]);
    expect(checkEffective({ dev: { ...schema, present: 'no' } }, {})).toEqual([]);
  });

  it('finds subsections that the destination does not know', () => {
    const plain = { ...device({ extended: true }), subsections: [] };
    expect(check(device({ extended: true }), plain).map(({ code, severity, path }) => [code, severity, path])).toEqual([
      ['subsection-missing', 'error', 'dev/extended'],
      ['subsection-missing', 'maybe', 'dev/busy'],
      ['subsection-missing', 'maybe', 'dev/cached'],
    ]);
  });

  it('finds predicates over different state, and versions', () => {
    const [other] = [device({ extended: false })];
    const changed = {
      ...other,
      fields: other.fields.map((one) => (one.wire === 'level' ? { ...one, when: (s: Device) => s.queue.count > 0 } : one)),
    };
    expect(check(other, changed)).toEqual([
      expect.objectContaining({
        code: 'predicate-differs',
        severity: 'maybe',
        path: 'dev.level',
        message: 'it is sent depending on mode and expected depending on queue',
      }),
    ]);
    expect(check({ ...other, version: 3 }, other)).toEqual([
      expect.objectContaining({ code: 'version-newer', expected: '1 to 2', got: '3' }),
    ]);
    expect(check({ ...other, version: 0 }, other)).toEqual([expect.objectContaining({ code: 'version-too-old' })]);
  });

  it('knows that a newer field is not there for an older version', () => {
    const [old] = [device({ extended: false })];
    const newer = { ...old, version: 3, fields: [...old.fields, f.u8('cache', 'cache', { since: 3 })] };
    expect(check({ ...old }, newer)).toEqual([]);
    expect(check(newer, { ...old, version: 3 })).toEqual([
      expect.objectContaining({ code: 'field-not-expected', path: 'dev.cache' }),
    ]);
  });
});

/**
 * QEMU's issue 932: a test that decides over `acpi_index` in piix4_pm was handed the wrong structure. On i440FX it read a zero by chance up
 * to 6.2, something else from 7.0 on: same descriptions, same dump, other bytes.
 */
group('a wrong predicate that no dump shows', () => {
  class Hotplug {
    hotplugSelect = 0;
    acpiIndex = 0;
  }
  class Power {
    status = 0;
    readonly hotplug = new Hotplug();
    /** Configuration: whether the machine type has the feature. */
    readonly useAcpiIndex = false;
  }
  const p = fieldsOf<Power>();
  const h = fieldsOf<Hotplug>();
  const inner = (test: (s: Hotplug) => boolean) =>
    vmstate<Hotplug>({
      name: 'acpi_pcihp',
      version: 1,
      fields: [h.u32('hotplugSelect', 'hotplug_select'), h.u32('acpiIndex', 'acpi_index', { when: test })],
    });
  const power = (test: (s: Hotplug) => boolean) =>
    vmstate<Power>({
      name: 'piix4_pm',
      version: 3,
      fields: [p.u16('status', 'ar.pm1.evt.sts'), p.struct('hotplug', 'acpi_pci_hotplug', inner(test))],
    });
  // What the test believed to be the machine's flag.
  const before = power(() => false);
  const after = power(() => true);

  it('is invisible in the schemas', () => {
    const dump = (one: Description<Power>) => machineSchema('pc-i440fx-6.2', [sectionSchema('PIIX4_PM', one, new Power())]);
    expect(dump(before)).toEqual(dump(after));
    expect(checkSchemas(dump(before), dump(after))).toEqual([]);
    expect(save(after, new Power())).toHaveLength(save(before, new Power()).length + 4);
  });

  it('is found by evaluating it, in both directions', () => {
    const machine = (one: Description<Power>) => ({ '0000:00:01.3/piix4_pm': effectiveSchema(one, new Power()) });
    expect(checkEffective(machine(before), machine(after))).toEqual([
      {
        code: 'field-not-sent',
        severity: 'error',
        section: '0000:00:01.3/piix4_pm',
        path: 'piix4_pm.acpi_pci_hotplug.acpi_index',
        message: "the destination expects 'acpi_index', the source does not send it",
      },
    ]);
    expect(checkEffective(machine(after), machine(before))).toEqual([
      expect.objectContaining({
        code: 'field-not-expected',
        message: "the source sends 'acpi_index', the destination does not expect it",
      }),
    ]);
    expect(checkEffective(machine(after), machine(after))).toEqual([]);
  });
});
