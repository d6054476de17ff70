import { expect, describe as group, it } from 'vitest';
import {
  breaks,
  checkSchemas,
  compareSchema,
  fieldsOf,
  type MachineSchema,
  machineSchema,
  type SchemaDescription,
  type SchemaField,
  type SchemaSection,
  schemaFromVmdesc,
  sectionSchema,
  vmstate,
} from './index.js';

const leaf = (field: string, size: number, more: Partial<SchemaField> = {}): SchemaField => ({
  field,
  version_id: 0,
  field_exists: false,
  size,
  ...more,
});
const description = (name: string, Fields: SchemaField[], more: Partial<SchemaDescription> = {}): SchemaDescription => ({
  name,
  version_id: 1,
  minimum_version_id: 1,
  Fields,
  ...more,
});
const section = (Name: string, Description: SchemaDescription): SchemaSection => ({
  Name,
  version_id: Description.version_id,
  minimum_version_id: Description.minimum_version_id,
  Description,
});
const pciDevice = (...fields: SchemaField[]) => description('PCIDevice', fields);
const without = <T extends object>(value: T, key: keyof T): T => {
  const copy = { ...value };
  delete copy[key];
  return copy;
};

/** Machines made the way of QEMU's own test data: the second has every mutation of the checker's list. */
const pci = pciDevice(leaf('version_id', 4), leaf('config', 256), leaf('irq_state', 16, { version_id: 2 }));
const floppy = (version: number, rate: boolean): SchemaDescription =>
  description(
    'fdc',
    [
      leaf('state', 600, {
        Description: description('fdc', [
          leaf('drives', 40, {
            Description: description('fdrive', [leaf('head', 1)], {
              Subsections: [
                description('fdrive/media_changed', [leaf('media_changed', 1)]),
                ...(rate ? [description('fdrive/media_rate', [leaf('media_rate', 1)])] : []),
              ],
            }),
          }),
        ]),
      }),
    ],
    { version_id: version },
  );
const keyboard = (nested: boolean, size: number): SchemaDescription => {
  const keys = [leaf('n', 4), leaf('kbd.keycodes', size), leaf('protocol', 4)];
  return description('usb-kbd', [
    leaf('dev', 200, { Description: pci }),
    ...(nested ? [leaf('hid', 300, { Description: description('hid', keys) })] : keys),
  ]);
};
const ehci = (version: number, fields: SchemaField[]) =>
  section('fusbh200-ehci-usb', description('ehci-core', fields, { version_id: version }));
const registers = [leaf('usbcmd', 4), leaf('usbsts', 4), leaf('usbsts_pending', 4)];
const serial = section('pci-serial-4x', description('pci-serial-multi', [leaf('dev', 2000, { Description: pci })]));
const pflash = section('cfi.pflash01', description('pflash_cfi01', [leaf('wcycle', 1)]));
const piix3 = (version: number, minimum: number, subsections: boolean) =>
  section(
    'PIIX3-xen',
    description('PIIX3', [leaf('dev', 2000, { Description: pci })], {
      version_id: version,
      minimum_version_id: minimum,
      ...(subsections ? { Subsections: [description('PIIX3/rcr', [leaf('rcr', 1)])] } : {}),
    }),
  );

const first: MachineSchema = machineSchema('pc-i440fx-2.1', [
  section('fw_cfg', description('fw_cfg', [leaf('cur_entry', 2)])),
  ehci(2, registers),
  serial,
  section('intel-hda-generic', description('intel-hda', [leaf('pci', 2000, { Description: pci })])),
  pflash,
  section('megasas', description('megasas', [leaf('parent_obj', 2000, { Description: pci })])),
  piix3(1, 1, true),
  section('tpci200', description('tpci200', [leaf('dev', 2000, { Description: pci })])),
  section('sun-fdtwo', floppy(2, true)),
  section('usb-kbd', keyboard(false, 4)),
  section('ehci', description('ehci', [leaf('queue', 4352, { Description: description('queue', [leaf('head', 4)]) })])),
]);
const second: MachineSchema = machineSchema('pc-i440fx-2.2', [
  section('fw_cfg2', description('fw_cfg', [leaf('cur_entry', 2)])),
  ehci(
    1,
    registers.filter(({ field }) => field !== 'usbsts'),
  ),
  { ...serial, Description: without(serial.Description!, 'Fields') },
  section('intel-hda-generic', description('intel-hda', [leaf('pci', 2000)])),
  without(pflash, 'Description'),
  section(
    'megasas',
    description('megasas', [leaf('parent_obj', 2000, { Description: pciDevice(leaf('version_id', 4), leaf('config', 256)) })]),
  ),
  piix3(3, 2, false),
  section('tpci200', description('tpci2002', [leaf('dev', 2000, { Description: pci })])),
  section('sun-fdtwo', floppy(1, false)),
  section('usb-kbd', keyboard(true, 2)),
  section('ehci', description('ehci', [leaf('queue', 5832, { Description: description('queue', [leaf('head', 4)]) })])),
]);

group('what the static checker finds', () => {
  const findings = checkSchemas(first, second);
  const of = (name: string) => findings.filter((finding) => finding.section === name);

  it.each([
    ['fw_cfg', 'section-missing', 'fw_cfg', "the destination has no section 'fw_cfg'"],
    [
      'fusbh200-ehci-usb',
      'field-differs',
      'ehci-core.usbsts',
      "'usbsts' is sent where the destination expects 'usbsts_pending'; the rest is not compared",
    ],
    ['fusbh200-ehci-usb', 'version-newer', 'fusbh200-ehci-usb', 'version 2 is sent, the destination knows 1 to 1'],
    ['pci-serial-4x', 'entry-missing', 'pci-serial-multi', 'the destination has no fields'],
    ['intel-hda-generic', 'description-missing', 'intel-hda.pci', "field 'pci' is no structure in the destination"],
    ['cfi.pflash01', 'entry-missing', 'pflash_cfi01', "the destination has no description of 'cfi.pflash01'"],
    [
      'megasas',
      'field-missing',
      'megasas.parent_obj.irq_state',
      "field 'irq_state' is sent, the destination has no further fields",
    ],
    ['PIIX3-xen', 'version-too-old', 'PIIX3-xen', 'version 1 is sent, the destination reads from 2 on'],
    ['PIIX3-xen', 'entry-missing', 'PIIX3', 'the destination has no subsections; PIIX3/rcr may be sent'],
    [
      'tpci200',
      'description-renamed',
      'tpci200',
      "description 'tpci200' is 'tpci2002' in the destination; its fields are not compared",
    ],
    ['sun-fdtwo', 'version-newer', 'sun-fdtwo', 'version 2 is sent, the destination knows 1 to 1'],
    ['sun-fdtwo', 'subsection-missing', 'fdc.state.drives/media_rate', "the destination has no subsection 'fdrive/media_rate'"],
    ['usb-kbd', 'field-size', 'usb-kbd.kbd.keycodes', "field 'kbd.keycodes' is sent with 4 bytes, the destination expects 2"],
  ])('%s: %s', (name, code, path, message) => {
    expect(of(name)).toContainEqual(expect.objectContaining({ code, path, message, severity: 'error' }));
  });

  it('accepts fields that moved into a structure, and structures of another size', () => {
    expect(of('usb-kbd').map(({ code }) => code)).toEqual(['field-size']);
    expect(of('ehci')).toEqual([]);
  });

  it('only warns of another machine', () => {
    expect(findings.filter(({ severity }) => severity === 'warning')).toEqual([
      expect.objectContaining({ code: 'machine-differs' }),
    ]);
  });

  it('counts its errors for the exit status', () => {
    // As many as QEMU's checker counts for the same mutations.
    expect(breaks(findings)).toBe(13);
    expect(breaks(Array.from({ length: 300 }, () => findings[0]!).map((one) => ({ ...one, severity: 'error' as const })))).toBe(
      255,
    );
    expect(breaks(checkSchemas(first, first))).toBe(0);
  });

  it('the other way round finds what is only there', () => {
    const codes = checkSchemas(second, first).map((finding) => `${finding.section} ${finding.code}`);
    expect(codes).toContain('fw_cfg2 section-missing');
    expect(codes).toContain('PIIX3-xen version-newer');
    expect(codes).toContain('usb-kbd field-size');
    expect(codes).not.toContain('megasas field-missing');
  });
});

group('renamed and unused', () => {
  const one = (...fields: SchemaField[]) => machineSchema('m', [section('d', description('piix4_pm', fields))]);

  it('knows the names that changed', () => {
    const old = one(
      leaf('dev', 9, { Description: pci }),
      leaf('pm1a.sts', 2),
      leaf('gpe', 24, { Description: description('gpe', [leaf('sts', 2)]) }),
    );
    const now = one(
      leaf('parent_obj', 9, { Description: pci }),
      leaf('ar.pm1.evt.sts', 2),
      leaf('ar.gpe', 24, { Description: description('gpe', [leaf('sts', 2)]) }),
    );
    expect(checkSchemas(old, now)).toEqual([]);
    expect(checkSchemas(now, old)).toEqual([]);
    const renamed = (name: string) => machineSchema('m', [section(name, description('x', []))]);
    expect(checkSchemas(renamed('ICH9-LPC'), renamed('ICH9 LPC'))).toEqual([]);
  });

  it('lets unused bytes stand for fields whose sizes add up', () => {
    const fields = one(leaf('a', 4), leaf('b', 2), leaf('c', 2), leaf('z', 1));
    const gap = one(leaf('unused', 8), leaf('z', 1));
    expect(checkSchemas(fields, gap)).toEqual([]);
    expect(checkSchemas(gap, fields)).toEqual([]);
    expect(checkSchemas(fields, one(leaf('unused', 7), leaf('z', 1)))).toEqual([
      expect.objectContaining({ code: 'field-differs' }),
    ]);
  });

  it('lets the destination have more', () => {
    expect(checkSchemas(one(leaf('a', 4)), one(leaf('a', 4), leaf('b', 4, { version_id: 2 })))).toEqual([]);
  });
});

group('our own descriptions', () => {
  class State {
    a = 0;
    b = 0;
    readonly buffer = new Uint8Array(7);
    readonly list = new Uint16Array(3);
  }
  const f = fieldsOf<State>();
  const device = vmstate<State>({
    name: 'dev',
    version: 3,
    minVersion: 2,
    fields: [
      f.u8('a'),
      f.bytes('buffer'),
      f.array('u16', 'list'),
      f.u32('b', 'b', { since: 3 }),
      f.unused(2, { when: () => true }),
    ],
    subsections: [vmstate<State>({ name: 'dev/b', version: 1, needed: (s) => s.b > 0, fields: [f.u32('b')] })],
  });

  it('have the shape of a dump, key for key', () => {
    expect(JSON.stringify(machineSchema('pc', [sectionSchema('my-device', device, new State())]))).toBe(
      JSON.stringify({
        vmschkmachine: { Name: 'pc' },
        'my-device': {
          Name: 'my-device',
          version_id: 3,
          minimum_version_id: 2,
          Description: {
            name: 'dev',
            version_id: 3,
            minimum_version_id: 2,
            Fields: [
              { field: 'a', version_id: 0, field_exists: false, size: 1 },
              { field: 'buffer', version_id: 0, field_exists: false, size: 7 },
              { field: 'list', version_id: 0, field_exists: false, size: 2 },
              { field: 'b', version_id: 3, field_exists: false, size: 4 },
              { field: 'unused', version_id: 0, field_exists: true, size: 2 },
            ],
            Subsections: [
              {
                name: 'dev/b',
                version_id: 1,
                minimum_version_id: 1,
                Fields: [{ field: 'b', version_id: 0, field_exists: false, size: 4 }],
              },
            ],
          },
        },
      }),
    );
  });
});

group('a stream against a dump', () => {
  const dump = machineSchema('m', [
    section(
      'e1000',
      description(
        'e1000',
        [leaf('unused', 4, { field_exists: true }), leaf('unused', 4), leaf('x', 4), leaf('y', 2, { version_id: 2 })],
        { version_id: 2 },
      ),
    ),
    section('e1000-other', description('e1000', [leaf('q', 4)], { version_id: 2 })),
  ]);
  const stream = (fields: object[], version = 1) =>
    schemaFromVmdesc({
      page_size: 4096,
      devices: [{ name: '0000:00:03.0/e1000', instance_id: 0, vmsd_name: 'e1000', version, fields: fields as never }],
    });
  const sent = [
    { name: 'unused[1]', type: 'unused_buffer', size: 4 },
    { name: 'x', type: 'uint32', size: 4 },
  ];

  it('pairs by description, skips what may be absent and takes the class that fits best', () => {
    expect(checkSchemas(stream(sent), dump, { stream: true })).toEqual([]);
    const newer = [...sent, { name: 'y', type: 'uint16', size: 2 }];
    expect(checkSchemas(stream(newer, 2), dump, { stream: true })).toEqual([]);
  });

  it('names what does not fit', () => {
    const strange = [sent[0]!, { name: 'z', type: 'uint32', size: 4 }];
    expect(checkSchemas(stream(strange), dump, { stream: true })).toEqual([
      expect.objectContaining({ code: 'field-differs', section: '0000:00:03.0/e1000', path: 'e1000.z', expected: 'x', got: 'z' }),
    ]);
    expect(checkSchemas(stream(sent, 3), dump, { stream: true })).toContainEqual(
      expect.objectContaining({ code: 'version-newer' }),
    );
  });

  it('only warns of sections that no dump shows', () => {
    const cpu = schemaFromVmdesc({
      page_size: 4096,
      devices: [{ name: 'cpu', instance_id: 1, vmsd_name: 'cpu', version: 12, fields: [] }],
    });
    expect(checkSchemas(cpu, dump, { stream: true })).toEqual([
      expect.objectContaining({ code: 'section-missing', severity: 'warning', section: 'cpu#1' }),
    ]);
    expect(breaks(checkSchemas(cpu, dump))).toBe(1);
  });

  it('reads the elements of an array as one field with all their subsections', () => {
    const element = (index: number, extra: string[]) => ({
      name: 'drives',
      index,
      type: 'struct',
      struct: {
        vmsd_name: 'd',
        version: 1,
        fields: [],
        subsections: extra.map((name) => ({ vmsd_name: name, version: 1, fields: [] })),
      },
      size: 0,
    });
    const schema = stream([element(0, ['d/a']), element(1, ['d/b'])]);
    const { Description } = schema['0000:00:03.0/e1000'] as SchemaSection;
    expect(Description?.Fields).toHaveLength(1);
    expect(Description?.Fields?.[0]?.Description?.Subsections?.map(({ name }) => name)).toEqual(['d/a', 'd/b']);
  });
});

group('comparing field by field', () => {
  const theirs = section(
    'dev',
    description('dev', [leaf('a', 4), leaf('b', 2, { version_id: 2 }), leaf('s', 300, { Description: pci })], {
      version_id: 2,
      Subsections: [description('dev/x', [leaf('x', 1)])],
    }),
  );

  it('finds nothing between equals, and no sizes of structures', () => {
    expect(compareSchema(theirs, theirs)).toEqual([]);
    const [, , nested] = theirs.Description!.Fields!;
    const other = {
      ...theirs,
      Description: { ...theirs.Description!, Fields: [...theirs.Description!.Fields!.slice(0, 2), { ...nested!, size: 12 }] },
    };
    expect(compareSchema(other, theirs)).toEqual([]);
  });

  it('names every difference', () => {
    const ours = section(
      'dev',
      description('Dev', [leaf('a', 2), leaf('b', 2, { field_exists: true }), leaf('z', 300)], { minimum_version_id: 0 }),
    );
    expect(compareSchema(ours, theirs)).toEqual([
      'version 1, expected 2',
      'dev: name Dev, expected dev',
      'dev: version_id 1, expected 2',
      'dev: minimum_version_id 0, expected 1',
      'dev.a: size 2, expected 4',
      'dev.b: version_id 0, expected 2',
      'dev.b: field_exists true, expected false',
      "dev[2]: 'z', expected 's'",
      'dev: subsections none, expected dev/x',
    ]);
    const flat = section('dev', {
      ...theirs.Description!,
      Fields: [leaf('a', 4), leaf('b', 2, { version_id: 2 }), leaf('s', 300)],
    });
    expect(compareSchema(flat, theirs)).toEqual(['dev.s: no structure, expected one']);
    expect(compareSchema(without(theirs, 'Description'), theirs)).toEqual(['only one side has a description']);
    const longer = section('dev', { ...theirs.Description!, Fields: [...theirs.Description!.Fields!, leaf('more', 1)] });
    expect(compareSchema(longer, theirs)).toEqual(["dev[3]: 'more', expected 'nothing'"]);
  });
});
