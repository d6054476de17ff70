import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FakeTime } from '../test/fake-machine.js';
import { type RecordedOptions, recordedMachine } from '../test/recorded-machine.js';
import { fixture } from '../test/support.js';
import { bytesChannel, type Inspection, incoming, inspectStream, StreamError, type StreamErrorCode } from './index.js';

/*
 * Every kind of damage that was tried on real QEMU, made again from a small stream. `names` are the names and numbers that QEMU 7.2's
 * messages have (10.0's for the unknown compressed page): ours must have them, too, and a place.
 */

const control = fixture('control-pc-i440fx-7.2-i386.bin');
let inspection: Inspection;
beforeAll(async () => {
  inspection = await inspectStream(bytesChannel(control));
});

/** Finds things in the control stream. */
const at = {
  /** Offset of a section's type byte. */
  section(name: string, instance = 0): number {
    return this.entry(name, instance).offset;
  },
  entry(name: string, instance = 0, type = 'FULL') {
    const found = inspection.entries.find(
      (entry) => entry.kind === 'section' && entry.name === name && entry.instance === instance && entry.type === type,
    );
    if (found?.kind !== 'section') throw new Error(`no ${type} ${name}`);
    return found;
  },
  data(name: string, instance = 0, type = 'FULL'): number {
    return this.entry(name, instance, type).offset + (type === 'PART' ? 5 : 14 + name.length);
  },
  footer(name: string): number {
    return this.data(name) + this.entry(name).length;
  },
  end(name: string): number {
    return this.footer(name) + 5;
  },
  eof(): number {
    const eof = inspection.entries.find((entry) => entry.kind === 'eof');
    return (eof as { offset: number }).offset;
  },
  text(text: string, from = 0): number {
    const index = Buffer.from(control).indexOf(text, from, 'latin1');
    if (index < 0) throw new Error(`no '${text}'`);
    return index;
  },
};

const join2 = (...parts: (Uint8Array | string | number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))));
const cut = (from: number, to: number): Uint8Array => join2(control.subarray(0, from), control.subarray(to));
const insert = (where: number, ...bytes: number[]): Uint8Array =>
  join2(control.subarray(0, where), bytes, control.subarray(where));
const put = (where: number, ...bytes: number[]): Uint8Array =>
  join2(control.subarray(0, where), bytes, control.subarray(where + bytes.length));
const putText = (where: number, text: string): Uint8Array => put(where, ...Buffer.from(text, 'latin1'));

interface Damage {
  readonly kind: string;
  readonly make: () => Uint8Array;
  /** Undefined: loads, as in QEMU. */
  readonly code?: StreamErrorCode;
  readonly section?: string;
  readonly names?: readonly string[];
  /** Where the error must point. */
  readonly offset?: () => number;
}

const damages: readonly Damage[] = [
  { kind: 'control-unmodified', make: () => control },
  {
    kind: 'bad-footer-id',
    make: () => put(at.footer('cpu') + 4, 6),
    code: 'footer-mismatch',
    section: 'cpu',
    names: ['cpu', '0x6', '0x5'],
    offset: () => at.footer('cpu'),
  },
  {
    kind: 'bad-footer-marker',
    make: () => put(at.footer('cpu'), 0x7d),
    code: 'footer-missing',
    section: 'cpu',
    names: ['cpu', '0x7d'],
    offset: () => at.footer('cpu'),
  },
  {
    kind: 'missing-footer',
    make: () => cut(at.footer('cpu'), at.end('cpu')),
    code: 'footer-missing',
    section: 'cpu',
    names: ['cpu'],
    offset: () => at.footer('cpu'),
  },
  {
    kind: 'bad-runstate',
    make: () => putText(at.data('globalstate') + 4, 'walking\0'),
    code: 'run-state',
    section: 'globalstate',
    names: ['walking', 'globalstate'],
    offset: () => at.data('globalstate') + 4,
  },
  {
    kind: 'command-ping-no-return-path',
    make: () => insert(at.section('timer'), 8, 0, 2, 0, 4, 0, 0, 0, 7),
    code: 'command-order',
    names: ['PING', '0x7'],
    offset: () => at.section('timer'),
  },
  {
    kind: 'unknown-command',
    make: () => insert(at.section('timer'), 8, 0, 99, 0, 0),
    code: 'unknown-command',
    names: ['0x63', '0'],
    offset: () => at.section('timer'),
  },
  {
    kind: 'compressed-ram-flag-off',
    make: () => put(at.data('ram', 0, 'PART') + 6, 1, 2),
    code: 'ram-flags',
    section: 'ram',
    names: ['0x102'],
    offset: () => at.data('ram', 0, 'PART'),
  },
  {
    kind: 'unknown-ram-flag',
    make: () => put(at.data('ram', 0, 'PART') + 6, 8, 0),
    code: 'ram-flags',
    section: 'ram',
    names: ['0x800'],
    offset: () => at.data('ram', 0, 'PART'),
  },
  {
    kind: 'ram-address-beyond-block',
    make: () => put(at.data('ram', 0, 'PART'), 0, 0, 0, 0x70, 0, 0, 0, 2),
    code: 'ram-address',
    section: 'ram',
    names: ['0x7000000000', 'pc.ram', '0x400000'],
    offset: () => at.data('ram', 0, 'PART'),
  },
  {
    kind: 'unknown-ram-block',
    make: () => putText(at.text('pc.ram'), 'pc.rax'),
    code: 'ram-unknown-block',
    section: 'ram',
    names: ['pc.rax'],
    offset: () => at.text('pc.ram') - 1,
  },
  {
    kind: 'wrong-ram-size',
    make: () => wrongRamSize(),
    code: 'ram-block-size',
    section: 'ram',
    names: ['pc.ram', '0x800000', '0x400000'],
    offset: () => at.text('pc.ram') - 1,
  },
  {
    kind: 'ram-version-too-new',
    make: () => put(at.data('ram', 0, 'START') - 1, 5),
    code: 'section-version-too-new',
    section: 'ram',
    names: ['5', 'ram', '4'],
  },
  {
    kind: 'part-of-unknown-section',
    make: () => put(at.data('ram', 0, 'PART') - 2, 3, 0xe7),
    code: 'unknown-section-id',
    names: ['999'],
    offset: () => at.data('ram', 0, 'PART') - 5,
  },
  { kind: 'empty', make: () => new Uint8Array(0), code: 'not-a-stream', names: ['QEVM', 'nothing'], offset: () => 0 },
  { kind: 'wrong-magic', make: () => put(0, 0x58), code: 'not-a-stream', names: ['0x5145564d', '0x5845564d'], offset: () => 0 },
  { kind: 'wrong-stream-version-2', make: () => put(7, 2), code: 'stream-version', names: ['2', '3'], offset: () => 4 },
  { kind: 'wrong-stream-version-4', make: () => put(7, 4), code: 'stream-version', names: ['4', '3'], offset: () => 4 },
  {
    kind: 'wrong-machine',
    make: () => putText(at.text('pc-i440fx-7.2'), 'pc-i440fx-7.1'),
    code: 'machine-mismatch',
    section: 'configuration',
    names: ['pc-i440fx-7.1', 'pc-i440fx-7.2'],
  },
  {
    kind: 'unknown-configuration-subsection',
    make: () => insert(at.entry('ram', 0, 'START').offset, 5, 21, ...Buffer.from('configuration/unknown'), 0, 0, 0, 1),
    code: 'unknown-configuration-subsection',
    section: 'configuration',
    names: ['configuration/unknown'],
  },
  {
    kind: 'pci-config-mismatch',
    make: () => put(at.data('0000:00:00.0/I440FX') + 4, 0x87),
    code: 'device-state',
    section: '0000:00:00.0/I440FX',
    names: ['I440FX', 'config', '0x87', '0x86', '0'],
  },
  { kind: 'section-missing', make: () => cut(at.section('hpet'), at.end('hpet')) },
  {
    kind: 'section-twice',
    make: () =>
      join2(
        control.subarray(0, at.end('port92')),
        control.subarray(at.section('port92'), at.end('port92')),
        control.subarray(at.end('port92')),
      ),
  },
  { kind: 'sections-reordered', make: () => reordered() },
  {
    kind: 'section-too-short',
    make: () => cut(at.footer('port92') - 1, at.footer('port92')),
    code: 'footer-missing',
    section: 'port92',
    names: ['port92'],
  },
  {
    kind: 'section-version-too-new',
    make: () => put(at.data('cpu') - 1, 99),
    code: 'section-version-too-new',
    section: 'cpu',
    names: ['99', 'cpu', '12'],
  },
  {
    kind: 'section-version-too-old',
    make: () => put(at.data('cpu') - 1, 2),
    code: 'section-version-too-old',
    section: 'cpu',
    names: ['cpu', '2', '11'],
  },
  {
    kind: 'subsection-version-too-new',
    make: () => put(at.text('cpu/poll_control_msr') + 23, 77),
    code: 'device-state',
    section: 'cpu',
    names: ['cpu/poll_control_msr', '77', '1'],
  },
  {
    kind: 'unknown-subsection',
    make: () => putText(at.text('cpu/poll_control_msr') + 19, '!'),
    code: 'device-state',
    section: 'cpu',
    names: ['cpu', 'cpu/poll_control_ms!'],
  },
  {
    kind: 'unknown-section',
    make: () => putText(at.section('hpet') + 6, 'hpxt'),
    code: 'unknown-section',
    section: 'hpxt',
    names: ['hpxt', '0'],
    offset: () => at.section('hpet'),
  },
  {
    kind: 'unknown-instance',
    make: () => put(at.data('i8259', 1) - 5, 7),
    code: 'unknown-section',
    section: 'i8259',
    names: ['i8259', '7'],
  },
  {
    kind: 'unknown-section-type',
    make: () => put(at.section('cpu'), 0x44),
    code: 'unknown-section-type',
    names: ['68'],
    offset: () => at.section('cpu'),
  },
  { kind: 'truncated-in-header', make: () => control.subarray(0, at.section('cpu') + 7), code: 'section-name', names: ['5'] },
  {
    kind: 'truncated-in-device',
    make: () => control.subarray(0, at.data('cpu') + 364),
    code: 'truncated',
    section: 'cpu',
    names: ['cpu', 'env.xmm_regs', '_q_ZMMReg[0]'],
    offset: () => at.data('cpu') + 360,
  },
  {
    kind: 'truncated-in-ram',
    make: () => control.subarray(0, at.data('ram', 0, 'PART') + 3000),
    code: 'truncated',
    section: 'ram',
    names: ['ram'],
    offset: () => at.data('ram', 0, 'PART') + 3000,
  },
  {
    kind: 'truncated-before-eof',
    make: () => control.subarray(0, at.eof()),
    code: 'truncated',
    names: [],
    offset: () => at.eof(),
  },
  { kind: 'truncated-in-vmdesc', make: () => control.subarray(0, at.eof() + 1000) },
  { kind: 'no-vmdesc', make: () => control.subarray(0, at.eof() + 1) },
  { kind: 'garbage-after-vmdesc', make: () => join2(control, new Uint8Array(64).fill(0xa5)) },
];

/** pc.ram as 8 MiB, and the total accordingly. */
function wrongRamSize(): Uint8Array {
  const bytes = join2(control);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const total = at.data('ram', 0, 'START');
  view.setBigUint64(total, view.getBigUint64(total) + 0x400000n);
  view.setBigUint64(at.text('pc.ram') + 6, 0x800000n);
  return bytes;
}

function reordered(): Uint8Array {
  const [hpet, hpetEnd, port92, port92End] = [at.section('hpet'), at.end('hpet'), at.section('port92'), at.end('port92')];
  return join2(
    control.subarray(0, hpet),
    control.subarray(port92, port92End),
    control.subarray(hpetEnd, port92),
    control.subarray(hpet, hpetEnd),
    control.subarray(port92End),
  );
}

/** Loads into a machine like the one that wrote the control stream. */
async function load(bytes: Uint8Array, options: RecordedOptions = {}, chunk = 1 << 16) {
  const { machine, states } = await recordedMachine(control, options);
  const outcome = await incoming(machine, bytesChannel(bytes, chunk), { timer: new FakeTime() }).catch((error: unknown) => error);
  return { machine, states, outcome };
}

describe('damaged streams', () => {
  it.each(damages.map((damage) => [damage.kind, damage] as const))('%s', async (_, damage) => {
    const { machine, outcome } = await load(damage.make());
    if (damage.code === undefined) {
      expect(outcome).toMatchObject({ runState: 'paused' });
      expect(machine.history).toEqual(['resume paused']);
      return;
    }
    expect(outcome).toBeInstanceOf(StreamError);
    const error = outcome as StreamError;
    expect(error.code).toBe(damage.code);
    expect(error.section).toBe(damage.section ?? '');
    for (const name of damage.names ?? []) expect(error.message).toContain(name);
    expect(error.offset).toBeGreaterThanOrEqual(0);
    if (damage.offset) expect(error.offset).toBe(damage.offset());
    expect(machine.resets).toBe(2);
    expect(machine.history).toEqual([]);
  });

  it('say the same when they come in small pieces', async () => {
    for (const damage of damages) {
      const whole = await load(damage.make());
      const pieces = await load(damage.make(), {}, 97);
      if (damage.code === undefined) expect(pieces.outcome).toMatchObject({ runState: 'paused' });
      else expect((pieces.outcome as Error).message).toBe((whole.outcome as Error).message);
    }
  });

  it('leave nothing changed but in loads that succeed', async () => {
    const damage = damages.find(({ kind }) => kind === 'bad-runstate')!;
    const { states } = await load(damage.make());
    expect(states.get('i8259#0')).toMatchObject({ imr: 0 });
    const good = await load(control);
    expect(good.states.get('cpu_common#0')).toMatchObject({ halted: 1 });
  });

  it('name missing sections without refusing', async () => {
    const { outcome } = await load(damages.find(({ kind }) => kind === 'section-missing')!.make());
    expect(outcome).toMatchObject({ missing: ['hpet 0'] });
  });

  it('find plain names and aliases', async () => {
    const { outcome } = await load(put(at.data('i8259', 1) - 8, 0, 0, 0, 0xa0));
    expect(outcome).toMatchObject({ missing: [] });
    const path = '0000:00:01.3/piix4_pm';
    const start = at.section(path);
    const plain = join2(control.subarray(0, start + 5), [8], 'piix4_pm', control.subarray(start + 6 + path.length));
    expect((await load(plain)).outcome).toMatchObject({ missing: [] });
  });
});

describe('damages that a walk without a machine survives', () => {
  it.each([
    ['bad-runstate', 'run-state', 'globalstate'],
    ['command-ping-no-return-path', 'command-order', ''],
    ['section-missing', 'description-mismatch', 'hpet'],
    ['section-twice', 'description-mismatch', 'port92'],
    ['section-version-too-new', 'description-mismatch', 'cpu'],
    ['section-version-too-old', 'description-mismatch', 'cpu'],
    ['subsection-version-too-new', 'description-mismatch', 'cpu'],
    ['unknown-section', 'description-mismatch', 'hpxt'],
    ['unknown-instance', 'description-mismatch', 'i8259'],
  ])('%s', async (kind, code, section) => {
    const { problems, error } = await inspectStream(bytesChannel(damages.find((damage) => damage.kind === kind)!.make()));
    expect(error).toBeUndefined();
    expect(problems[0]).toMatchObject({ code, section });
  });

  it('finds nothing against good streams', () => {
    expect(inspection).toMatchObject({ problems: [], warnings: [], error: undefined });
  });
});

describe('destinations that differ', () => {
  it.each([
    ['twice the RAM', { lengths: { 'pc.ram': 0x800000 } }, 'ram-block-size', ['pc.ram', '0x400000', '0x800000']],
    ['another machine version', { name: 'pc-i440fx-7.1' }, 'machine-mismatch', ['pc-i440fx-7.2', 'pc-i440fx-7.1']],
    ['no HPET', { without: ['hpet'] }, 'unknown-section', ['hpet', '0']],
    ['another CPU', { without: ['kvm-tpr-opt', 'apic'] }, 'unknown-section', ['kvm-tpr-opt', '0']],
    ['firmware of another size', { lengths: { 'pc.bios': 0x40000 } }, 'ram-block-size', ['pc.bios', '0x10000', '0x40000']],
    ['no ACPI', { withoutBlocks: ['/rom@etc/acpi/tables'] }, 'ram-unknown-block', ['/rom@etc/acpi/tables']],
  ] as const)('%s', async (_, options, code, names) => {
    const { outcome } = await load(control, options as RecordedOptions);
    expect(outcome).toMatchObject({ code });
    for (const name of names) expect((outcome as Error).message).toContain(name);
  });

  it('resizes what may grow', async () => {
    const { outcome, machine } = await load(control, { lengths: { '/rom@etc/acpi/tables': 0x10000 } });
    expect(outcome).toMatchObject({ runState: 'paused' });
    expect(machine.ramBlocks.find((block) => block.name === '/rom@etc/acpi/tables')!.usedLength).toBe(0x20000);
  });
});

/* The damaged streams themselves, with what real QEMU said of them. */
const shared = process.env.PAGURUS_SHARED;
const folder = shared ? join(shared, 'qemu/streams/7.2/corrupt') : '';

describe.skipIf(!shared)('recorded damaged streams', () => {
  const unpacked = join(process.env.PAGURUS_STREAMS ?? join(tmpdir(), 'streams'), '7.2/corrupt/corrupt');
  const kinds = shared ? readdirSync(folder).filter((name) => name.endsWith('-pc-i440fx-7.2.json')) : [];

  it.each(kinds)('%s', async (name) => {
    if (!existsSync(unpacked)) {
      mkdirSync(unpacked, { recursive: true });
      execFileSync('tar', ['-xJf', join(folder, 'corrupt.tar.xz'), '-C', unpacked]);
    }
    const sidecar = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
      name: string;
      member: string;
      real_destinations: Record<string, { result: string; stderr?: string[] }>;
    };
    const { outcome } = await load(readFileSync(join(unpacked, sidecar.member)));
    const real = sidecar.real_destinations['7.2']!;
    const damage = damages.find(({ kind }) => sidecar.name.startsWith(`${kind}-pc`))!;
    expect(outcome instanceof StreamError ? 'error' : 'ok').toBe(real.result);
    if (!(outcome instanceof StreamError)) return;
    expect(outcome.code).toBe(damage.code);
    // Everything QEMU names in quotes, and every hexadecimal number, is in our message or its members.
    const ours = `${outcome.message} ${outcome.path} ${String((outcome.cause as Error | undefined)?.message)}`;
    const told = (real.stderr ?? []).join('\n');
    for (const [, quoted] of told.matchAll(/['"]([^'"]+)['"]/g)) expect(ours).toContain(quoted);
    for (const [number] of told.replaceAll(/instance 0x0|mask: \S+/g, '').matchAll(/0x[0-9a-f]+/g)) {
      expect(ours).toMatch(new RegExp(`${number}|\\b${Number(number)}\\b`));
    }
  });
});
