import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import {
  type AnyDescription,
  effectiveSchema,
  type Finding,
  type SchemaDescription,
  type SchemaField,
  sectionSchema,
} from '@pagurus/vmstate';
import { afterAll, describe, expect, it } from 'vitest';
import { main } from './main.js';
import { parseRunOptions } from './run-options.js';
import { effectiveDocument, vmstateSchema } from './schema.js';
import { machineSections, stillMachine } from './schema-machine.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-check-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with some JSON; or, for text that begins with a machine name, the name. */
function file(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, value instanceof Uint8Array ? value : JSON.stringify(value));
  return path;
}

async function pagurus(...args: string[]): Promise<{ code: number; out: string; errors: string[] }> {
  const result = { code: 0, out: '', errors: [] as string[] };
  result.code = await main(args, { out: (text) => (result.out += text), error: (line) => result.errors.push(line) });
  return result;
}

const fixture = (path: string) => gunzipSync(readFileSync(new URL(path, import.meta.url)));
const stream = (name: string) => fixture(`../../../packages/migration/fixtures/${name}.bin.gz`);
const qemuDump = (version: string) => file(`qemu-${version}.json`, fixture(`../fixtures/vmstate-${version}.json.gz`));

/** A dump that a test may change. */
type Draft<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] | undefined ? Draft<E>[] : Draft<T[K]> };
type DraftDump = Record<
  string,
  { Name: string; version_id: number; minimum_version_id: number; Description: Draft<SchemaDescription> }
>;

const machine = await stillMachine(parseRunOptions(['-M', 'pc-i440fx-7.2', '-device', 'ne2k_pci', '-device', 'ne2k_isa']));
const dump = (): DraftDump => JSON.parse(JSON.stringify(vmstateSchema(machine))) as DraftDump;
const fields = (list: Draft<SchemaDescription>): Draft<SchemaField>[] => list.Fields!;
const fieldOf = (list: Draft<SchemaDescription>, name: string) => fields(list).find(({ field }) => field === name)!;
const remove = (list: Draft<SchemaDescription>, name: string) => {
  list.Fields = fields(list).filter(({ field }) => field !== name);
};

/** The mutations of QEMU's own test data, one for one, done to devices that we have. */
const MUTATIONS: readonly (readonly [what: string, mutate: (dump: DraftDump) => void, breaks: readonly string[]])[] = [
  ['the machine', (d) => Object.assign(d.vmschkmachine!, { Name: 'pc-i440fx-2.2' }), []],
  [
    'a section renamed',
    (d) => {
      d.fw_cfg2 = d.fw_cfg_io!;
      delete d.fw_cfg_io;
    },
    ["fw_cfg_io: the destination has no section 'fw_cfg_io' [section-missing]"],
  ],
  [
    'a version lowered',
    (d) => Object.assign(d.mc146818rtc!, { version_id: 2 }),
    ['mc146818rtc: version 3 is sent, the destination knows 1 to 2 [version-newer]'],
  ],
  [
    'a field removed',
    (d) => remove(d['isa-pcspk']!.Description, 'data_on'),
    [
      "isa-pcspk: pcspk.data_on: 'data_on' is sent where the destination expects 'dummy_refresh_clock'; the rest is not compared [field-differs]",
    ],
  ],
  [
    'the fields removed',
    (d) => Reflect.deleteProperty(d.port92!.Description, 'Fields'),
    ['port92: the destination has no fields [entry-missing]'],
  ],
  [
    'a structure that is one no more',
    (d) => Reflect.deleteProperty(fieldOf(d.VGA!.Description, 'dev'), 'Description'),
    ["VGA: vga.dev: field 'dev' is no structure in the destination [description-missing]"],
  ],
  [
    'the description removed',
    (d) => Reflect.deleteProperty(d.hpet!, 'Description'),
    ["hpet: the destination has no description of 'hpet' [entry-missing]"],
  ],
  [
    'the last field of a nested structure removed',
    (d) => remove(fieldOf(d.ne2k_pci!.Description, 'dev').Description!, 'irq_state'),
    ["ne2k_pci: ne2000.dev.irq_state: field 'irq_state' is sent, the destination has no further fields [field-missing]"],
  ],
  [
    'the oldest version raised',
    (d) => Object.assign(d['isa-serial']!, { version_id: 5, minimum_version_id: 4 }),
    ['isa-serial: version 3 is sent, the destination reads from 4 on [version-too-old]'],
  ],
  [
    'the subsections removed',
    (d) => Reflect.deleteProperty(d.PIIX3!.Description, 'Subsections'),
    ['PIIX3: the destination has no subsections; PIIX3/rcr may be sent [entry-missing]'],
  ],
  [
    'a description renamed',
    (d) => Object.assign(d.ioapic!.Description, { name: 'ioapic2' }),
    ["ioapic: description 'ioapic' is 'ioapic2' in the destination; its fields are not compared [description-renamed]"],
  ],
  [
    'one subsection removed',
    (d) => d.PIIX4_PM!.Description.Subsections!.pop(),
    ["PIIX4_PM: piix4_pm/cpuhp: the destination has no subsection 'piix4_pm/cpuhp' [subsection-missing]"],
  ],
  [
    'fields moved into a structure',
    (d) => {
      const list = d['isa-pit']!;
      const moved = fields(list.Description).splice(0);
      fields(list.Description).push({
        field: 'inner',
        version_id: 0,
        field_exists: false,
        size: 300,
        Description: { name: 'inner', version_id: 1, minimum_version_id: 1, Fields: moved },
      });
    },
    [],
  ],
  [
    'a size',
    (d) => Object.assign(fieldOf(d.i8257!.Description, 'command'), { size: 2 }),
    ["i8257: dma.command: field 'command' is sent with 1 bytes, the destination expects 2 [field-size]"],
  ],
  ['the size of a structure', (d) => Object.assign(fieldOf(d.ne2k_isa!.Description, 'ne2000'), { size: 5832 }), []],
];

describe('pagurus check', () => {
  it.each(MUTATIONS)('finds %s', async (_, mutate, expected) => {
    const changed = dump();
    mutate(changed);
    const { code, out } = await pagurus('check', file('a.json', dump()), file('b.json', changed));
    const lines = out.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('break')).map((line) => line.replace(/^break +/, ''))).toEqual(expected);
    expect(code).toBe(expected.length);
  });

  it('adds them up in its exit code', async () => {
    const changed = dump();
    for (const [, mutate] of MUTATIONS) mutate(changed);
    const total = MUTATIONS.reduce((sum, [, , breaks]) => sum + breaks.length, 0);
    const { code, out } = await pagurus('check', file('a.json', dump()), file('b.json', changed), '--json');
    const document = JSON.parse(out) as { source: string; destination: string; breaks: number; findings: Finding[] };
    // QEMU's checker counts one more: its data has a version and a field changed in one device.
    expect([code, document.breaks, total]).toEqual([total, total, 12]);
    expect([document.source, document.destination]).toEqual(['pc-i440fx-7.2', 'pc-i440fx-2.2']);
    expect(document.findings.filter(({ severity }) => severity === 'warning')).toEqual([
      expect.objectContaining({ code: 'machine-differs', expected: 'pc-i440fx-7.2', got: 'pc-i440fx-2.2' }),
    ]);
  });

  it('has nothing against the same machine, in words', async () => {
    expect(await pagurus('check', 'pc-i440fx-7.2', file('a.json', vmstateSchema(machine)))).toEqual({
      code: 0,
      out: 'pc-i440fx-7.2 to pc-i440fx-7.2: 0 breaks, 0 maybe, 0 warnings\n',
      errors: [],
    });
  });

  it("takes QEMU's dumps: they load what our machines send", async () => {
    const ours = await pagurus('check', 'pc-i440fx-7.2', qemuDump('10.0'), '-device', 'ne2k_pci');
    expect(ours.out).toMatch(/: 0 breaks, 0 maybe, 1 warning\n$|hpet: hpet.num_timers/);
    const old = await pagurus('check', qemuDump('7.2'), qemuDump('10.0'));
    expect(old.out).toContain('acpi-ged/ghes.ghes_state.ghes_addr_le');
    expect(old.code).toBeGreaterThan(0);
  });

  it('takes streams and their descriptions', async () => {
    const recorded = file('uuid.bin', stream('uuid-pc-i440fx-7.2-i386'));
    const { code, out } = await pagurus('check', recorded, qemuDump('7.2'));
    expect([code, out]).toEqual([0, expect.stringMatching(/^warning +cpu.*a dump does not show/m)]);
    const bare = file('bare.bin', stream('reset-nodefaults-pc-i440fx-10.0-x86_64'));
    const loads = await pagurus('check', bare, 'pc-i440fx-10.0', '-target', 'x86_64', '-nodefaults');
    expect(loads.out).toMatch(/^warning +globalstate/m);
    // QEMU's PC has a floppy controller in any case.
    expect(loads.out.split('\n').filter((line) => line.startsWith('break') && !line.includes("'fdc'"))).toEqual([]);
    const wrong = dump();
    remove(wrong.hpet!.Description, 'config');
    const broken = await pagurus('check', recorded, file('b.json', wrong));
    expect(broken.code).toBeGreaterThan(0);
    expect(broken.out).toContain("hpet.config: 'config' is sent where the destination expects 'isr'");
  });

  it.each([
    [['a.json'], /expected SRC DST/],
    [['nowhere/x.json', 'pc-i440fx-7.2'], /there is no file 'nowhere\/x.json'/],
    [['pc-i440fx-77', 'pc-i440fx-7.2'], /unknown machine 'pc-i440fx-77'/],
    [[fileURLToPath(import.meta.url), 'pc-i440fx-7.2'], /neither a migration stream nor JSON/],
    [[new URL('../package.json', import.meta.url).pathname, 'pc-i440fx-7.2'], /expected a dump of -dump-vmstate/],
    [[new URL('../../../packages/migration/fixtures/README.md', import.meta.url).pathname, 'pc'], /neither a migration stream/],
    [['pc', 'pc', '-M', 'pc'], /machines are given as/],
    [['-', '-'], /only one side/],
  ])('%j is refused in one line', async (args, message) => {
    const { code, out, errors } = await pagurus('check', ...args);
    expect([code, out, errors.length]).toEqual([2, '', 1]);
    expect(errors[0]).toMatch(message);
  });
});

describe('pagurus check --effective', () => {
  it('knows machine versions and configuration', async () => {
    expect(await pagurus('check', 'pc-i440fx-2.0', 'pc-i440fx-2.0', '--effective')).toMatchObject({ code: 0 });
    const newer = await pagurus('check', 'pc-i440fx-7.2', 'pc-i440fx-7.2,hpet=off', '--effective');
    expect(newer.code).toBe(1);
    expect(newer.out).toMatch(/^break +hpet: section 'hpet' is sent, the destination has none \[section-missing\]$/m);
    const version = await pagurus('check', 'pc-i440fx-6.2', 'pc-i440fx-7.2', '--effective');
    expect(version.out).toContain("the destination expects 'acpi_pci_hotplug.acpi_index', the source does not send it");
    expect(version.code).toBe(1);
  });

  /**
   * QEMU's issue 932: the test that decides whether piix4_pm sends acpi_index was handed the wrong structure. On machines that must not
   * send it, it found a number where it looked for a flag, and bytes went out that no description shows.
   */
  it('finds the wrong predicate of piix4_pm that no dump shows', async () => {
    const old = await stillMachine(parseRunOptions(['-M', 'pc-i440fx-6.2']));
    const sections = machineSections(old);
    const power = sections.find(({ description }) => description.name === 'piix4_pm')!;
    const right = effectiveDocument(old);
    const fields = power.description.fields.map((one) =>
      one.wire === 'acpi_pci_hotplug.acpi_index' ? { ...one, when: () => true } : one,
    );
    const description = { ...power.description, fields } as AnyDescription;
    const wrong = { ...right, effective: { ...right.effective, [power.idstr]: effectiveSchema(description, power.state) } };
    const [good, bad] = [file('right.json', right), file('wrong.json', wrong)];
    expect(await pagurus('check', good, good, '--effective')).toMatchObject({ code: 0 });
    expect(await pagurus('check', good, 'pc-i440fx-6.2', '--effective')).toMatchObject({ code: 0 });
    const found = await pagurus('check', good, bad, '--effective');
    expect(found.code).toBe(1);
    expect(found.out.split('\n')[0]).toBe(
      'break   0000:00:01.3/piix4_pm: piix4_pm.acpi_pci_hotplug.acpi_index: ' +
        "the destination expects 'acpi_pci_hotplug.acpi_index', the source does not send it [field-not-sent]",
    );
    const back = await pagurus('check', bad, good, '--effective');
    expect([back.code, back.out]).toEqual([1, expect.stringContaining('[field-not-expected]')]);
    // What dumps show of the two is the same.
    expect(sectionSchema('PIIX4_PM', description, power.state)).toEqual(vmstateSchema(old).PIIX4_PM);
  });

  it('refuses what is not evaluated', async () => {
    const refused = await pagurus('check', qemuDump('7.2'), 'pc-i440fx-7.2', '--effective');
    expect(refused).toMatchObject({ code: 2, errors: [expect.stringContaining('does not say how its predicates decide')] });
    const effective = file('effective.json', effectiveDocument(machine));
    expect(await pagurus('check', effective, effective)).toMatchObject({
      code: 2,
      errors: [expect.stringContaining('compared with --effective only')],
    });
  });
});
