import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { machineTypes } from '@pagurus/machine';
import {
  checkSchemas,
  compareSchema,
  diff,
  type MachineSchema,
  type SchemaSection,
  sectionSchema,
  toJson,
} from '@pagurus/vmstate';
import { asnModule, checkBer, fromBer, parseModule, toBer } from '@pagurus/vmstate-ber';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { main } from './main.js';
import { parseRunOptions } from './run-options.js';
import { classOf, type EffectiveDocument } from './schema.js';
import { deviceSections } from './schema-devices.js';
import { machineSections, sectionKey, stillMachine } from './schema-machine.js';

async function pagurus(...args: string[]): Promise<{ code: number; out: string; errors: string[] }> {
  const result = { code: 0, out: '', errors: [] as string[] };
  result.code = await main(args, { out: (text) => (result.out += text), error: (line) => result.errors.push(line) });
  return result;
}

async function schema<T>(...args: string[]): Promise<T> {
  const { code, out, errors } = await pagurus('schema', ...args);
  expect([code, errors]).toEqual([0, []]);
  return JSON.parse(out) as T;
}

describe('pagurus schema', () => {
  it("has the shape of QEMU's dump", async () => {
    const dump = await schema<MachineSchema>('-M', 'pc-i440fx-7.2', '-device', 'isa-parallel,index=0');
    expect(dump.vmschkmachine).toEqual({ Name: 'pc-i440fx-7.2' });
    expect(Object.keys(dump)).toEqual(
      expect.arrayContaining([
        'PIIX4_PM',
        'VGA',
        'fw_cfg_io',
        'i440FX',
        'i8042',
        'isa-parallel',
        'isa-pit',
        'ps2-kbd',
        'ps2-mouse',
      ]),
    );
    for (const name of ['timer', 'cpu', 'PCIBUS', 'i2c_bus']) expect(Object.keys(dump)).not.toContain(name);
    expect(dump['ps2-kbd']).toMatchObject({
      Name: 'ps2-kbd',
      version_id: 3,
      minimum_version_id: 2,
      Description: { name: 'ps2kbd', Fields: [{ field: 'parent_obj', version_id: 0, field_exists: false }, {}, {}, {}] },
    });
  });

  it('is the same for every machine version, as in QEMU, unless evaluated', async () => {
    const { vmschkmachine: _, ...old } = await schema<MachineSchema>('-M', 'pc-i440fx-2.4');
    const { vmschkmachine: __, ...now } = await schema<MachineSchema>('-M', 'pc-i440fx-7.2');
    expect(old).toEqual(now);
    const evaluated = async (version: string, ...more: string[]) => {
      const { machine, effective } = await schema<EffectiveDocument>(
        '-M',
        `pc-i440fx-${version}`,
        '--format',
        'effective',
        ...more,
      );
      expect(machine).toBe(`pc-i440fx-${version}`);
      return effective;
    };
    const modules = (document: EffectiveDocument['effective']) =>
      document['0000:00:01.3/piix4_pm']!.Subsections.find(({ name }) => name === 'piix4_pm/memhp')!.present;
    expect([modules(await evaluated('2.0')), modules(await evaluated('7.2'))]).toEqual(['no', 'yes']);
    expect(modules(await evaluated('7.2', '-global', 'PIIX4_PM.memory-hotplug-support=off'))).toBe('no');
    expect(Object.keys(await evaluated('7.2', '-nodefaults'))).toEqual(
      expect.arrayContaining(['cpu', 'i8259', 'i8259#1', 'timer']),
    );
  });

  it("describes the JSON form of the machine's sections", async () => {
    const machine = await stillMachine(parseRunOptions(['-M', 'pc-i440fx-7.2', '-device', 'ne2k_pci']));
    const document = await schema<object>('-M', 'pc-i440fx-7.2', '-device', 'ne2k_pci', '--format', 'json-schema');
    const validate = new Ajv2020({ strict: true }).compile(document);
    const state = Object.fromEntries(
      machineSections(machine).map((section) => [sectionKey(section), toJson(section.description, section.state)]),
    );
    expect(validate(state), JSON.stringify(validate.errors)).toBe(true);
    expect(Object.keys(state).length).toBeGreaterThan(30);
    expect(validate({ ...state, port92: { ...(state.port92 as object), outport: 256 } })).toBe(false);
  });

  it('makes ASN.1 modules that the sections in BER are checked against', async () => {
    const machine = await stillMachine(parseRunOptions(['-M', 'pc-i440fx-7.2']));
    const { code, out } = await pagurus('schema', '-M', 'pc-i440fx-7.2', '--format', 'asn1');
    expect(code).toBe(0);
    const modules = out.split(/(?<=\nEND\n)/).map((text) => parseModule(text));
    expect(modules.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Pagurus-Stream', 'VmState-Piix4-pm', 'VmState-I8259']),
    );
    expect(new Set(modules.map(({ name }) => name)).size).toBe(modules.length);
    for (const { idstr, description, state } of machineSections(machine)) {
      const bytes = toBer(description, state);
      const own = asnModule(description, state).name;
      const fitting = modules.filter(({ name }) => name === own || name.startsWith(`${own}-`));
      expect(
        fitting.some((module) => checkBer(bytes, module).length === 0),
        idstr,
      ).toBe(true);
      const copy = structuredClone(state);
      fromBer(description, copy, bytes);
      expect(diff(description, state, copy), idstr).toEqual([]);
    }
  });

  it.each([
    [['-M', 'pc-i440fx-99'], /unknown machine 'pc-i440fx-99'/],
    [['--format', 'json'], /--format json: expected vmstate, effective, json-schema, asn1/],
    [['-S'], /pagurus schema: unknown option '-S'/],
    [['a.json'], /unexpected 'a.json'/],
    [['-device', 'isa-seral'], /'isa-seral' is not a known device/],
    [['--format'], /--format: expected a value behind it/],
    [['-M', 'help'], /lists are given by pagurus machines/],
  ])('%j is refused in one line', async (args, message) => {
    const { code, out, errors } = await pagurus('schema', ...args);
    expect([code, out, errors.length]).toEqual([2, '', 1]);
    expect(errors[0]).toMatch(message);
  });

  it('numbers sections as the machine does', async () => {
    const machine = await stillMachine(parseRunOptions(['-M', 'pc-i440fx-2.4', '-device', 'ne2k_pci', '-device', 'ne2k_pci']));
    const place = ({ idstr, instance, alias, compat }: (typeof machine.sections)[number]) => ({ idstr, instance, alias, compat });
    expect(new Set(machineSections(machine).map((one) => JSON.stringify(place(one as never))))).toEqual(
      new Set(machine.sections.map((one) => JSON.stringify(place(one)))),
    );
  });
});

/** A QEMU that lacks what another has: ours describes the streams of all versions. */
const KNOWN: Record<string, Record<string, string[]>> = {
  '7.2': { 'isa-i8259': ['i8259: subsections i8259/ltim, expected none'] },
  // The same bytes under another name.
  '10.0': { hpet: ["hpet[3]: 'num_timers', expected 'num_timers_save'"] },
};

describe("QEMU's own dumps", () => {
  it.each(['7.2', '10.0'])('of %s: every device that we have is the same, field by field', async (version) => {
    const path = new URL(`../fixtures/vmstate-${version}.json.gz`, import.meta.url);
    const theirs = JSON.parse(gunzipSync(readFileSync(path)).toString()) as Record<string, SchemaSection>;
    const found: Record<string, string[]> = {};
    const compared = new Set<string>();
    for (const pack of new Set(machineTypes.flatMap(({ packages }) => packages))) {
      for (const type of pack.types) {
        for (const { description, state } of await deviceSections(pack, type)) {
          const name = classOf(type.type, description.name);
          if (name === undefined) continue;
          expect(Object.keys(theirs), `${type.type} ${description.name}`).toContain(name);
          compared.add(name);
          const ours = sectionSchema(name, description, state);
          const differences = compareSchema(ours, theirs[name]!);
          if (differences.length > 0) found[name] = differences;
          else {
            const [own, other] = [{ [name]: ours }, { [name]: theirs[name]! }];
            expect([...checkSchemas(own, other), ...checkSchemas(other, own)]).toEqual([]);
          }
        }
      }
    }
    expect(found).toEqual(KNOWN[version]);
    expect(compared.size).toBeGreaterThan(25);
  });
});
