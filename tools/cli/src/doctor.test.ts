import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { inspectStream } from '@pagurus/migration';
import { afterAll, describe, expect, it } from 'vitest';
import type { Objection } from './doctor-objections.js';
import { readPatient } from './doctor-stream.js';
import { ownCatalogue } from './inspect-catalogue.js';
import { main } from './main.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-doctor-'));
afterAll(() => rmSync(folder, { recursive: true }));

const fixture = (name: string) =>
  new Uint8Array(gunzipSync(readFileSync(new URL(`../../../packages/migration/fixtures/${name}.bin.gz`, import.meta.url))));
const control = fixture('control-pc-i440fx-7.2-i386');
/** The destination that the streams were made for. */
const LIKE_THE_SENDER = ['-M', 'pc-i440fx-7.2', '-m', '4', '-nodefaults'];
/** Devices that QEMU's PC has and ours may not have yet. */
const NOT_YET = ['fdc'];

interface Report {
  code: number;
  loads: boolean;
  against: string;
  assumed: string[];
  errors: Objection[];
  warnings: Objection[];
}

let count = 0;
function file(bytes: Uint8Array): string {
  const path = join(folder, `${++count}.bin`);
  writeFileSync(path, bytes);
  return path;
}

async function doctor(bytes: Uint8Array | string, ...args: string[]): Promise<Report> {
  let out = '';
  const lines: string[] = [];
  const path = typeof bytes === 'string' ? bytes : file(bytes);
  const code = await main(['doctor', path, '--json', ...args], {
    out: (text) => (out += text),
    error: (line) => lines.push(line),
  });
  expect(lines).toEqual([]);
  const { loads, against, assumed, objections } = JSON.parse(out) as Report & { objections: Objection[] };
  expect(code).toBe(loads ? 0 : 1);
  const of = (severity: string) => objections.filter((one) => one.severity === severity && !NOT_YET.includes(one.section));
  return { code, loads, against, assumed, errors: of('error'), warnings: of('warning') };
}

function find(text: string, from = 0): number {
  const at = Buffer.from(control.buffer, control.byteOffset, control.length).indexOf(text, from, 'latin1');
  expect(at, text).toBeGreaterThan(0);
  return at;
}
const replaced = (at: number, ...bytes: number[]): Uint8Array => {
  const copy = control.slice();
  copy.set(bytes, at);
  return copy;
};
const word = (text: string): number[] => [...Buffer.from(text, 'latin1')];
/** Of a section's data, behind its name, instance and version. */
const data = (name: string): number => find(`${String.fromCharCode(name.length)}${name}`) + 1 + name.length + 8;

describe('pagurus doctor', () => {
  it('has nothing against a good stream', async () => {
    expect(await doctor(control, ...LIKE_THE_SENDER)).toMatchObject({ against: 'pc-i440fx-7.2', assumed: [], errors: [] });
  });

  it('takes from the stream what the user does not say', async () => {
    const { assumed, against, errors } = await doctor(control);
    expect([against, errors]).toEqual(['pc-i440fx-7.2', []]);
    expect(assumed).toEqual(['-M pc-i440fx-7.2', '-m 4']);
    const newer = await doctor(fixture('reset-nodefaults-pc-i440fx-10.0-x86_64'));
    expect([newer.against, newer.errors]).toEqual(['pc-i440fx-10.0', []]);
    expect(newer.assumed).toContain('-target x86_64');
  });

  it('names a field, its place, and what is there instead', async () => {
    const config = data('0000:00:00.0/I440FX') + 4;
    const { errors } = await doctor(replaced(config, 0x87), ...LIKE_THE_SENDER);
    expect(errors).toEqual([
      expect.objectContaining({
        code: 'not-equal',
        section: '0000:00:00.0/I440FX',
        path: '0000:00:00.0/I440FX.pci.config',
        // The whole field has been read when its bytes are compared.
        offset: config + 256,
        expected: '0x86',
        got: '0x87',
        cause: 'another device is in this place, or its configuration space is damaged (0x86 became 0x87)',
      }),
    ]);
  });

  it('lists everything, also behind the place where a loader gives up', async () => {
    const broken = replaced(data('0000:00:00.0/I440FX') + 4, 0x87);
    // The footer of the section before.
    broken[find('kvm-tpr-opt') - 6 - 5] = 0x7d;
    const { errors } = await doctor(broken, ...LIKE_THE_SENDER);
    expect(errors.map(({ section, code }) => `${section} ${code}`)).toEqual([
      'cpu footer-missing',
      '0000:00:00.0/I440FX not-equal',
    ]);
  });

  it('recognises damaged names', async () => {
    const section = await doctor(replaced(find('hpet'), ...word('hpxt')), ...LIKE_THE_SENDER);
    expect(section.errors).toEqual([
      expect.objectContaining({
        code: 'section-unknown',
        section: 'hpxt',
        cause: "the name is damaged: 'hpet' is meant, and missing in the stream",
      }),
    ]);
    const subsection = await doctor(replaced(find('cpu/poll_control_msr') + 19, 0x21), ...LIKE_THE_SENDER);
    expect(subsection.errors).toContainEqual(
      expect.objectContaining({ code: 'unknown-subsection', cause: "the name is damaged: 'cpu/poll_control_msr' is meant" }),
    );
  });

  it('knows which machine version the sender probably has', async () => {
    const { errors } = await doctor(control, '-M', 'pc-i440fx-6.2', '-nodefaults');
    expect(errors).toContainEqual(
      expect.objectContaining({ code: 'machine-mismatch', section: 'configuration', cause: 'start with -M pc-i440fx-7.2' }),
    );
    const power = errors.find(({ section }) => section === '0000:00:01.3/piix4_pm')!;
    expect(power).toMatchObject({
      code: 'field-not-expected',
      path: '0000:00:01.3/piix4_pm.acpi_pci_hotplug.acpi_index',
      message: "'acpi_pci_hotplug.acpi_index' is sent, which this machine turns off",
    });
    expect(power.offset).toBeGreaterThan(data('0000:00:01.3/piix4_pm'));
    expect(power.cause).toMatch(
      /machine type is probably pc-i440fx-7\.2, not pc-i440fx-6\.2: .*PIIX4_PM\.x-not-migrate-acpi-index is off there and on here/,
    );
  });

  it.each([
    [['-m', '8'], 'ram-block-size', 'pc.ram', 'the sender had another memory size: start with -m 4'],
    [['-M', 'pc-i440fx-7.2,hpet=off'], 'section-unknown', 'hpet', "the sender has a device with a section 'hpet'"],
    [['-M', 'pc-i440fx-7.2,acpi=off'], 'ram-unknown-block', '/rom@etc/acpi/tables', "the sender's machine has ACPI"],
    [['-cpu', '486'], 'section-unknown', 'apic', "the sender has a device with a section 'apic'"],
    [['-M', 'pc-i440fx-2.3'], 'configuration-invalid', '', 'the configuration section came with machine version 2.4'],
    [['-target', 'x86_64'], 'field-size', 'cpu.env.regs', ''],
  ])('with a machine made with %j: %s', async (args, code, path, cause) => {
    const { errors } = await doctor(control, '-nodefaults', ...args);
    const found = errors.filter((one) => one.code === code);
    expect(found.map((one) => one.path).join(), JSON.stringify(errors.slice(0, 4))).toContain(path);
    if (cause !== '') expect(found.map((one) => one.cause).join()).toContain(cause);
  });

  it("compares with a dump of somebody else's QEMU", async () => {
    const dump = join(folder, 'dump.json');
    const text = gunzipSync(readFileSync(new URL('../fixtures/vmstate-7.2.json.gz', import.meta.url))).toString();
    writeFileSync(dump, text);
    expect(await doctor(control, '--schema', dump)).toMatchObject({ loads: true, errors: [] });
    writeFileSync(dump, text.replace('"field": "isr"', '"field": "status"').replace('"field":"isr"', '"field":"status"'));
    const { errors } = await doctor(control, '--schema', dump);
    expect(errors.length).toBeGreaterThan(0);
    for (const { offset } of errors) expect(offset).toBeGreaterThan(0);
  });

  it('says it in words', async () => {
    let out = '';
    const path = file(control.subarray(0, data('cpu') + 364));
    const code = await main(['doctor', path, ...LIKE_THE_SENDER], { out: (text) => (out += text), error: () => {} });
    expect(code).toBe(1);
    expect(out).toMatch(/^error +section 'cpu'.*offset \d+ \(0x[0-9a-f]+\): .*\[truncated\]\n +probably: the stream ends early/);
    expect(out).toMatch(/pc-i440fx-7.2 refuses this stream: \d errors?\n$/);
  });

  it.each([
    [[], /expected STREAM/],
    [['/nowhere', '-M', 'pc'], /cannot open '\/nowhere'/],
    [['x', '--schema', 'y', '-M', 'pc'], /expected -M or --schema, not both/],
    [['x', '-incoming', 'defer'], /unknown option '-incoming'/],
  ])('%j is refused in one line', async (args, message) => {
    const errors: string[] = [];
    expect(await main(['doctor', ...args], { out: () => {}, error: (line) => errors.push(line) })).toBe(2);
    expect(errors).toEqual([expect.stringMatching(message)]);
  });

  it('reads streams of any size without keeping their RAM', async () => {
    // Pages are put in front of the first of the stream, again and again.
    const first = find('\x06pc.ram', find('pc.ram') + 10) - 8;
    const page = new Uint8Array(8 + 7 + 4096).fill(0x5a);
    page.set([0, 0, 0, 0, 0, 0, 0x10, 0x08, 6, ...word('pc.ram')]);
    const many = new Uint8Array(page.length * 64);
    for (let i = 0; i < 64; i++) many.set(page, i * page.length);
    const [rounds, most] = [800, { bytes: 0 }];
    const chunks = (function* () {
      yield control.subarray(0, first);
      for (let i = 0; i < rounds; i++) {
        most.bytes = Math.max(most.bytes, process.memoryUsage().arrayBuffers);
        yield many;
      }
      for (let at = first; at < control.length; at += 5000) yield control.subarray(at, at + 5000);
    })();
    const before = process.memoryUsage().arrayBuffers;
    const { inspection, sections } = await readPatient(
      { read: async () => chunks.next().value as Uint8Array | undefined },
      await ownCatalogue(),
    );
    expect([inspection.error, inspection.ram!.blocks[0]!.pages.normal]).toEqual([undefined, expect.any(Number)]);
    expect(inspection.ram!.blocks[0]!.pages.normal).toBeGreaterThanOrEqual(rounds * 64);
    // 210 MB went by.
    expect(most.bytes - before).toBeLessThan(80e6);
    const small = await readPatient(memoryChannelOf(control), await ownCatalogue());
    expect(sections.map(({ name, bytes }) => [name, bytes])).toEqual(small.sections.map(({ name, bytes }) => [name, bytes]));
    expect((await inspectStream(memoryChannelOf(control))).error).toBeUndefined();
  });
});

function memoryChannelOf(bytes: Uint8Array) {
  let given = false;
  return {
    async read() {
      if (given) return undefined;
      given = true;
      return bytes;
    },
  };
}

/* The recorded damaged streams: what is wrong with each must be among the objections, as the first of its severity. */
const shared = process.env.PAGURUS_SHARED;
const FAULTS: Readonly<Record<string, readonly [code: string, where: RegExp, warning?: boolean] | undefined>> = {
  'bad-footer-id': ['footer-mismatch', /cpu/],
  'bad-footer-marker': ['footer-missing', /cpu/],
  'bad-runstate': ['run-state', /globalstate/],
  'command-ping-no-return-path': ['command-order', /PING/],
  'compressed-ram-flag-off': ['ram-flags', /0x102/],
  'control-unmodified': undefined,
  empty: ['not-a-stream', /nothing/],
  'garbage-after-vmdesc': ['note', /64 bytes behind the end/, true],
  'missing-footer': ['footer-missing', /cpu/],
  'no-vmdesc': ['note', /carries no description/, true],
  'part-of-unknown-section': ['unknown-section-id', /999/],
  'pci-config-mismatch': ['not-equal', /I440FX.*config/],
  'ram-address-beyond-block': ['ram-address', /0x7000000000/],
  'ram-version-too-new': ['section-version-too-new', /ram/],
  'section-missing': ['description-mismatch', /hpet/, true],
  'section-too-short': ['footer-missing', /port92/],
  'section-twice': ['description-mismatch', /port92/, true],
  'section-version-too-new': ['version-too-new', /cpu.*99/],
  'section-version-too-old': ['version-too-old', /cpu.*version 2/],
  'sections-reordered': ['section-order', /port92/, true],
  'subsection-version-too-new': ['version-too-new', /poll_control_msr.*77/],
  'truncated-before-eof': ['truncated', /where a section or its end should be/],
  'truncated-in-device': ['truncated', /cpu/],
  'truncated-in-header': ['section-name', /section 5/],
  'truncated-in-ram': ['truncated', /pc\.bios/],
  'truncated-in-vmdesc': ['note', /description is cut/, true],
  'unknown-command': ['unknown-command', /0x63/],
  'unknown-configuration-subsection': ['unknown-configuration-subsection', /configuration\/unknown/],
  'unknown-instance': ['section-unknown', /i8259.*7/],
  'unknown-ram-block': ['ram-unknown-block', /pc\.rax|pc\.ram/],
  'unknown-ram-flag': ['ram-flags', /0x800/],
  'unknown-section': ['section-unknown', /hpxt.*'hpet' is meant/],
  'unknown-section-type': ['unknown-section-type', /0x44/],
  'unknown-subsection': ['unknown-subsection', /poll_control_ms!/],
  'wrong-machine': ['machine-mismatch', /7\.2.*7\.1/],
  'wrong-magic': ['not-a-stream', /0x5845564d/],
  'wrong-ram-size': ['ram-block-size', /pc\.ram.*0x400000.*0x800000/],
  'wrong-stream-version-2': ['stream-version', /version 2/],
  'wrong-stream-version-4': ['stream-version', /found 4|"got":"4"/],
};

describe.skipIf(!shared)('recorded damaged streams (PAGURUS_SHARED)', () => {
  const recorded = shared ? join(shared, 'qemu/streams/7.2/corrupt') : '';
  const unpacked = join(process.env.PAGURUS_STREAMS ?? join(tmpdir(), 'streams'), '7.2/corrupt/corrupt');
  const names = shared ? readdirSync(recorded).flatMap((name) => /^(.*)-pc-i440fx-7\.2\.json$/.exec(name)?.[1] ?? []) : [];

  it.each(names)('%s', async (name) => {
    if (!existsSync(unpacked)) {
      mkdirSync(unpacked, { recursive: true });
      execFileSync('tar', ['-xJf', join(recorded, 'corrupt.tar.xz'), '-C', unpacked]);
    }
    expect(Object.keys(FAULTS)).toContain(name);
    const { errors, warnings } = await doctor(join(unpacked, `${name}-pc-i440fx-7.2.bin`), ...LIKE_THE_SENDER);
    const fault = FAULTS[name];
    if (!fault) {
      expect([errors, warnings]).toEqual([[], []]);
      return;
    }
    const [code, where, warning = false] = fault;
    if (warning) expect(errors).toEqual([]);
    const [first] = warning ? warnings : errors;
    expect(first).toMatchObject({ code });
    expect(JSON.stringify([...errors, ...warnings])).toMatch(where);
    if (!warning) expect(first!.cause).toMatch(/\w/);
  });
});
