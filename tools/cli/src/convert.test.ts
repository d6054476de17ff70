import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { findVmdesc, parseStream, type StreamEvent } from '@pagurus/migration';
import type { Provenance, StructNode } from '@pagurus/vmstate';
import { checkBer, moduleText, parseModule } from '@pagurus/vmstate-ber';
import { afterAll, describe, expect, it } from 'vitest';
import { BerEncoder, parseBer } from './convert-ber.js';
import { STREAM_MODULE } from './convert-ber-module.js';
import { ownCatalogue } from './inspect-catalogue.js';
import { main } from './main.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-convert-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FIXTURES = new URL('../../../packages/migration/fixtures/', import.meta.url);
const fixture = (name: string) => new Uint8Array(gunzipSync(readFileSync(new URL(`${name}.bin.gz`, FIXTURES))));
const NAMES = readdirSync(FIXTURES).flatMap((name) => /^(.*)\.bin\.gz$/.exec(name)?.[1] ?? []);
const MACHINE_7_2 = 'control-pc-i440fx-7.2-i386';

let count = 0;
function file(contents?: Uint8Array | string, ending = '.bin'): string {
  const path = join(folder, `${++count}${ending}`);
  if (contents !== undefined) writeFileSync(path, contents);
  return path;
}

async function convert(...args: string[]): Promise<{ code: number; errors: string }> {
  const errors: string[] = [];
  const code = await main(['convert', ...args], { out: () => {}, error: (line) => errors.push(line) });
  return { code, errors: errors.join('\n') };
}

async function converted(input: string, ...args: string[]): Promise<string> {
  const output = file();
  const { code, errors } = await convert(input, output, ...args);
  expect(code, errors).toBe(0);
  return output;
}

function source(bytes: Uint8Array, piece = 5000) {
  let at = 0;
  return {
    async read() {
      const chunk = bytes.slice(at, at + piece);
      at += piece;
      return chunk.length > 0 ? chunk : undefined;
    },
  };
}

/** All that is in the device sections, by name and instance. */
async function sectionsOf(path: string): Promise<Map<string, StructNode>> {
  const sections = new Map<string, StructNode>();
  let name = '';
  await parseStream(
    source(readFileSync(path)),
    (event) => {
      if (event.kind === 'section') name = `${event.idstr}#${event.instance}`;
      if (event.kind === 'state') sections.set(name, event.node);
    },
    { catalogue: await ownCatalogue() },
  );
  return sections;
}

const plain = (node: StructNode | undefined) => Object.fromEntries(node!.fields.map(({ name, value }) => [name, value]));

describe('pagurus convert', () => {
  it.each(NAMES)('%s: from every encoding to every other, and back to the same bytes', async (name) => {
    const original = fixture(name);
    const qemu = file(original);
    const ber = await converted(qemu, '--to', 'ber');
    const json = await converted(ber, '--to', 'json');
    const direct = await converted(qemu, '--to', 'json');
    expect(readFileSync(json).equals(readFileSync(direct))).toBe(true);
    const berAgain = await converted(json, '--to', 'ber');
    expect(readFileSync(berAgain).equals(readFileSync(ber))).toBe(true);
    for (const encoded of [ber, json, berAgain])
      expect(readFileSync(await converted(encoded, '--to', 'qemu')).equals(original), encoded).toBe(true);
  });

  it.each([
    [['--to', 'xml'], /Allowed choices are qemu, json, ber/],
    [['--to', 'qemu', '--filter', '/nowhere.mjs'], /nowhere\.mjs/],
    [['--to', 'qemu', '--machine', 'pc-i440fx-99'], /unknown machine 'pc-i440fx-99'/],
  ])('%j is refused', async (args, message) => {
    const output = file();
    const { code, errors } = await convert(file(fixture(MACHINE_7_2)), output, ...args);
    expect([code, existsSync(output)]).toEqual([2, false]);
    expect(errors).toMatch(message);
  });
});

describe('archives in BER', () => {
  it('are as the module says, whose text can be read again', async () => {
    const module = parseModule(moduleText(STREAM_MODULE));
    const bytes = readFileSync(await converted(file(fixture('postcopy-pc-i440fx-7.2-i386')), '--to', 'ber'));
    expect(bytes.subarray(0, 2)).toEqual(Buffer.of(0x30, 0x80));
    // The whole, as any BER decoder reads it.
    expect(checkBer(bytes, module)).toEqual([]);
    expect(checkBer(Buffer.concat([bytes.subarray(0, 9), Buffer.of(0xa8, 2, 5, 0, 0, 0)]), module)).toEqual([]);
    expect(checkBer(Buffer.concat([bytes.subarray(0, 9), Buffer.of(0xa8, 2, 1, 0, 0, 0)]), module)).not.toEqual([]);
  });

  it('are read in pieces, and never more than an event is held', async () => {
    const bytes = readFileSync(await converted(file(fixture(MACHINE_7_2)), '--to', 'ber'));
    const kinds: string[] = [];
    await parseBer(source(bytes, 7), (event) => void kinds.push(event.kind));
    const wanted: string[] = [];
    await parseStream(source(fixture(MACHINE_7_2)), (event) => void wanted.push(event.kind));
    expect(kinds).toEqual(wanted);
  });

  it('refuse damage with a typed error that says where', async () => {
    const small: StreamEvent[] = [
      { kind: 'header', version: 3 },
      { kind: 'section', type: 'FULL', sectionId: 1, idstr: 'timer', instance: 0, version: 2, offset: 0 },
      { kind: 'command', command: { name: 'POSTCOPY_ADVISE', pageSizes: { ofBlocks: 4096n, ofTarget: 4096n } }, offset: 0 },
      { kind: 'eof', offset: 0 },
    ];
    const chunks: Uint8Array[] = [];
    const encoder = new BerEncoder({ write: async (bytes) => void chunks.push(bytes), end: async () => {} });
    for (const event of small) await encoder.write(event);
    await encoder.end();
    const whole = new Uint8Array(Buffer.concat(chunks));
    const events: StreamEvent[] = [];
    await parseBer(source(whole), (event) => void events.push(event));
    expect(events.map(({ kind }) => kind)).toEqual(small.map(({ kind }) => kind));
    let refused = 0;
    for (let at = 0; at < whole.length; at++) {
      for (const change of [0x01, 0x80, 0xff]) {
        const damaged = whole.slice();
        damaged[at]! ^= change;
        await parseBer(source(damaged), () => {}).catch((error: unknown) => {
          refused++;
          expect((error as Error).name, String((error as Error).stack)).toBe('StreamError');
        });
      }
      await expect(parseBer(source(whole.slice(0, at)), () => {})).rejects.toMatchObject({ name: 'StreamError' });
    }
    expect(refused).toBeGreaterThan(whole.length);
    const endless = Uint8Array.of(0x30, 0x80, 0xa0, 0x84, 0xff, 0xff, 0xff, 0xff);
    await expect(parseBer(source(endless), () => {})).rejects.toMatchObject({ code: 'limit', offset: 2 });
  });
});

describe('pagurus convert --filter', () => {
  const filter = (...steps: object[]) => file(`export default { name: 'mine', steps: ${JSON.stringify(steps)} };`, '.mjs');

  it('rewrites fields and sections, and the stream says so', async () => {
    const mine = filter(
      { do: 'default', section: 'port92', path: ['second'], type: 'uint16', value: 0x1234 },
      { do: 'rename', section: 'port92', path: ['outport'], to: 'first' },
      { do: 'renameSection', section: 'hpet', to: 'our-hpet' },
      { do: 'dropSection', section: 'vmmouse' },
    );
    const input = file(fixture(MACHINE_7_2));
    const before = await sectionsOf(input);
    const output = file();
    const { code, errors } = await convert(input, output, '--to', 'qemu', '--filter', mine);
    expect(code, errors).toBe(0);
    expect(errors).toContain('mine: port92: second added');
    const after = await sectionsOf(output);
    expect(plain(after.get('port92#0'))).toEqual({ first: plain(before.get('port92#0')).outport, second: 0x1234 });
    expect([after.has('hpet#0'), after.has('our-hpet#0'), after.has('vmmouse#0')]).toEqual([false, true, false]);
    expect(after.get('our-hpet#0')).toEqual(before.get('hpet#0'));
    expect(after.size).toBe(before.size - 1);
    const { filters } = findVmdesc(readFileSync(output))!.vmdesc as unknown as { filters: Provenance[] };
    expect(filters).toContainEqual({ filter: 'mine', step: 1, section: 'port92', text: 'outport is now first' });
    let shown = '';
    expect(await main(['inspect', output], { out: (part) => (shown += part), error: () => {} })).toBe(0);
    expect(shown).toContain('rewritten       mine: hpet: section is now our-hpet');
    // And away again: the same sections as before, in every encoding.
    const undo = filter(
      { do: 'drop', section: 'port92', path: ['second'] },
      { do: 'rename', section: 'port92', path: ['first'], to: 'outport' },
      { do: 'renameSection', section: 'our-hpet', to: 'hpet' },
    );
    const ber = await converted(await converted(output, '--to', 'json'), '--to', 'ber', '--filter', undo);
    const again = await sectionsOf(await converted(ber, '--to', 'qemu'));
    before.delete('vmmouse#0');
    expect(again).toEqual(before);
  });

  it('refuses a step that finds nothing, and leaves no file', async () => {
    const output = file();
    const wrong = filter({ do: 'drop', section: 'port92', path: ['nothing'] });
    const { code, errors } = await convert(file(fixture(MACHINE_7_2)), output, '--to', 'qemu', '--filter', wrong);
    expect([code, existsSync(output)]).toEqual([1, false]);
    expect(errors).toMatch(/mine\[0\] port92\.nothing: there is no such field/);
    const { errors: none } = await convert('x', output, '--to', 'qemu', '--filter', file('export default 5;', '.mjs'));
    expect(none).toMatch(/expected a default export/);
  });
});

describe('pagurus convert --machine', () => {
  const doctor = async (path: string, machine: string) => {
    let out = '';
    await main(['doctor', path, '-M', machine, '-m', '4', '-nodefaults', '--json'], {
      out: (text) => (out += text),
      error: () => {},
    });
    return JSON.parse(out) as { loads: boolean; objections: object[] };
  };

  it.each(['pc-i440fx-6.2', 'pc-i440fx-2.4', 'pc-i440fx-2.0', 'pc-i440fx-1.4'])(
    'from 7.2 to %s and back, nothing is lost',
    async (machine) => {
      const input = file(fixture(MACHINE_7_2));
      const there = await converted(input, '--to', 'qemu', '--machine', machine);
      expect(await doctor(there, machine)).toMatchObject({ loads: true });
      expect((await doctor(there, 'pc-i440fx-7.2')).loads).toBe(false);
      const back = await converted(there, '--to', 'qemu', '--from', machine, '--machine', 'pc-i440fx-7.2');
      expect(await doctor(back, 'pc-i440fx-7.2')).toMatchObject({ loads: true });
      const [before, after] = [await sectionsOf(input), await sectionsOf(back)];
      // Machines before 2.4 do not send the run state, those before 1.7 not whether firmware has read its tables.
      for (const name of ['globalstate#0', 'acpi_build#0']) if (!after.has(name)) before.delete(name);
      expect([...after.keys()]).toEqual([...before.keys()]);
      for (const [name, values] of before) expect(after.get(name), name).toEqual(values);
    },
  );

  it('lists everything that cannot be rewritten', async () => {
    const input = file(fixture(MACHINE_7_2));
    const set = file(
      `export default { name: 'used', steps: [
        { do: 'change', section: 'piix4_pm', path: ['acpi_pci_hotplug.acpi_index'], with: () => 7 },
        { do: 'change', section: 'piix4_pm', path: ['/piix4_pm/memhp', 'acpi_memory_hotplug', 'selector'], with: () => 3 },
      ] };`,
      '.mjs',
    );
    const output = file();
    const { code, errors } = await convert(input, output, '--to', 'qemu', '--filter', set, '--machine', 'pc-i440fx-2.0');
    expect([code, existsSync(output)]).toEqual([1, false]);
    expect(errors).toMatch(
      /piix4_pm\.acpi_pci_hotplug\.acpi_index: holds 7 \(after power-on 0\), pc-i440fx-2.0 has no such state/,
    );
    expect(errors).toMatch(/piix4_pm\/piix4_pm\/memhp\.acpi_memory_hotplug\.selector: holds 3/);
  });

  it('must be told where a stream comes from that does not say', async () => {
    const old = await converted(file(fixture(MACHINE_7_2)), '--to', 'qemu', '--machine', 'pc-i440fx-2.3');
    const { code, errors } = await convert(old, file(), '--to', 'qemu', '--machine', 'pc-i440fx-2.4');
    expect([code, errors]).toEqual([2, expect.stringMatching(/expected --from/)]);
  });
});

/* Every recorded stream, a few minutes. */
const shared = process.env.PAGURUS_SHARED;

describe.skipIf(!shared)('recorded streams (PAGURUS_SHARED)', () => {
  const recorded = ['7.2', '10.0'].flatMap((version) => {
    const path = shared ? join(shared, 'qemu/streams', version) : '';
    if (!existsSync(path)) return [];
    return readdirSync(path).flatMap((name) =>
      /\.bin\.gz$/.test(name) && !/\.(back|ch\d|conn\d+\.\w+)\./.test(name) ? join(path, name) : [],
    );
  });
  it.each(recorded)('%s', async (path) => {
    const original = gunzipSync(readFileSync(path));
    const ber = await converted(file(original), '--to', 'ber');
    const back = await converted(await converted(ber, '--to', 'json'), '--to', 'qemu');
    expect(readFileSync(back).equals(original)).toBe(true);
  });
});
