import { readFileSync } from 'node:fs';
import { expect, describe as group, it } from 'vitest';
import {
  type AnyDescription,
  descriptionFromVmdesc,
  type ExaminedSection,
  examineSection,
  examineSections,
  fieldsOf,
  likelyCause,
  type Objection,
  saveDescribed,
  type VmdescDevice,
  vmstate,
} from './index.js';

const fixtures = JSON.parse(readFileSync(new URL('../fixtures/sections.json', import.meta.url), 'utf8')) as {
  qemu: string;
  version: number;
  device: VmdescDevice;
  hex: string;
}[];

/** A recorded section in the middle of other bytes, and a destination that fits it. */
function recorded(name: string, qemu = '7.2') {
  const { device, version, hex } = fixtures.find((one) => one.device.name === name && one.qemu === qemu)!;
  const data = Buffer.from(hex, 'hex');
  const bytes = new Uint8Array([1, 2, 3, ...data, 0x7e, 0, 0, 0, 1]);
  const { description, create } = descriptionFromVmdesc(device);
  const section: ExaminedSection = { name, instance: 0, version, bytes, offset: 3, device };
  return { section, destination: { description: description as AnyDescription, state: create() } };
}

const short = ({ code, path, offset, expected, got }: Objection) => ({ code, path, offset, expected, got });

group('examining a section', () => {
  it('has nothing against what loads, and touches nothing', () => {
    const { section, destination } = recorded('hpet');
    const before = JSON.stringify(destination.state, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    expect(examineSection(section, destination)).toEqual([]);
    expect(JSON.stringify(destination.state, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))).toBe(
      before,
    );
  });

  it('names a section that is not here', () => {
    const { section } = recorded('hpet');
    expect(examineSections([section], () => undefined).map(short)).toEqual([
      { code: 'section-unknown', path: 'hpet', offset: 3, expected: undefined, got: 'hpet 0' },
    ]);
  });

  it('names a subsection that is not known here, with its place', () => {
    const { section, destination } = recorded('hpet');
    const without = { ...destination.description, subsections: destination.description.subsections.slice(0, 1) };
    expect(examineSection(section, { ...destination, description: without }).map(short)).toEqual([
      { code: 'subsection-missing', path: 'hpet/offset', offset: 3 + 201 - 8, expected: 'hpet/offset', got: undefined },
    ]);
    const { device: _device, ...blind } = section;
    expect(examineSection(blind, { ...destination, description: without })).toEqual([
      expect.objectContaining({ code: 'unknown-subsection', path: 'hpet', offset: 3 + 201 - 8 - 4 - 13, got: 'hpet/offset' }),
    ]);
  });

  it('names every field of another structure', () => {
    const { section, destination } = recorded('fdc', '10.0');
    const { description } = destination;
    const [outer] = description.fields as [Extract<(typeof description.fields)[number], { kind: 'struct' }>];
    const inner = {
      ...outer.description,
      fields: outer.description.fields.filter(({ wire }) => wire !== 'tdr'),
      subsections: [],
    };
    const objections = examineSection(section, {
      ...destination,
      description: { ...description, fields: [{ ...outer, description: inner }] },
    });
    expect(objections.map(short)).toEqual([
      { code: 'field-differs', path: 'fdc.state.tdr', offset: 3 + 3, expected: 'dsr', got: 'tdr' },
      { code: 'entry-missing', path: 'fdc.state', offset: 3, expected: 'Subsections', got: undefined },
    ]);
  });

  it('tells an older and a newer version apart', () => {
    const { section, destination } = recorded('ps2kbd');
    const versions = (version: number, minVersion: number) => ({
      ...destination,
      description: { ...destination.description, version, minVersion },
    });
    expect(examineSection(section, versions(2, 1))).toEqual([
      expect.objectContaining({ code: 'version-too-new', expected: '1 to 2', got: '3' }),
    ]);
    expect(examineSection(section, versions(5, 4))).toEqual([
      expect.objectContaining({ code: 'version-too-old', expected: '4 to 5', got: '3' }),
    ]);
  });

  it('notices data that is too short, too long, and too short for its own description', () => {
    const { section, destination } = recorded('timer');
    const { device: _device, ...blind } = section;
    expect(examineSection({ ...blind, end: 3 + 23 }, destination)).toEqual([
      expect.objectContaining({ code: 'truncated', offset: 3 + 16 }),
    ]);
    expect(examineSection({ ...blind, end: 3 + 25 }, destination)).toEqual([
      expect.objectContaining({ code: 'trailing-data', offset: 3 + 24, expected: '24', got: '25' }),
    ]);
    expect(examineSection({ ...section, bytes: section.bytes.subarray(0, 10) }, destination)).toEqual([
      expect.objectContaining({ code: 'truncated', path: 'timer.cpu_ticks_offset' }),
    ]);
  });
});

group('values', () => {
  class Bus {
    nirq = 4;
    least = 3;
    lines = 0;
    level = 0;
  }
  const f = fieldsOf<Bus>();
  const bus = vmstate<Bus>({
    name: 'bus',
    version: 1,
    fields: [
      f.equal('i32', 'nirq', 'nirq', { hint: 'set by the board' }),
      f.lessOrEqual('least'),
      f.u8('lines'),
      f.validate('lines are few', (s) => s.lines < 5),
      f.u8('level'),
    ],
    postLoad: (s) => {
      if (s.level > 1) throw new Error('a line is high or low');
    },
  });
  const sent = Object.assign(new Bus(), { nirq: 8, least: 9, lines: 4, level: 2 });
  const { bytes, description } = saveDescribed(bus, sent);
  bytes[8] = 200;
  const section: ExaminedSection = {
    name: '0000:00:00.0/bus',
    instance: 1,
    version: 1,
    bytes,
    offset: 0,
    device: { name: '0000:00:00.0/bus', instance_id: 1, ...description },
  };

  it('are all named, not only the first', () => {
    expect(examineSection(section, { description: bus, state: new Bus() })).toEqual([
      {
        code: 'not-equal',
        section: '0000:00:00.0/bus',
        instance: 1,
        path: '0000:00:00.0/bus.nirq',
        offset: 4,
        message: '0x8 does not equal 0x4 here (set by the board)',
        expected: '0x4',
        got: '0x8',
      },
      expect.objectContaining({ code: 'out-of-range', path: '0000:00:00.0/bus.least', expected: '0 to 3', got: '9' }),
      expect.objectContaining({
        code: 'invalid',
        path: '0000:00:00.0/bus.lines are few',
        message: 'input validation failed: lines are few',
      }),
      expect.objectContaining({
        code: 'hook-failed',
        path: '0000:00:00.0/bus',
        message: 'postLoad refused: a line is high or low',
      }),
    ]);
  });

  it('and the structure behind them, too', () => {
    const shorter = { ...bus, fields: bus.fields.slice(0, -1), postLoad: undefined };
    expect(examineSection(section, { description: shorter, state: new Bus() }).map(({ code }) => code)).toEqual([
      'field-missing',
      'not-equal',
      'out-of-range',
      'invalid',
    ]);
  });
});

group('the likely cause', () => {
  const objection: Objection = {
    code: 'unknown-subsection',
    section: 'pckbd',
    instance: 0,
    path: 'pckbd',
    offset: 7,
    message: "subsection 'pckbd/extended_state' of 'pckbd' is not known here",
  };
  const here = {
    machine: 'pc-i440fx-5.2',
    properties: { 'i8042.extended-state': 'off', 'hpet.timers': '3' },
    objections: [objection],
  };
  const fits = (machine: string, properties: Record<string, string>) => ({ machine, properties, objections: [] });

  it('is the machine type with the fewest differences that takes the stream', () => {
    const others = [
      fits('pc-i440fx-10.0', { 'i8042.extended-state': 'on', 'hpet.timers': '8' }),
      fits('pc-i440fx-7.2', { 'i8042.extended-state': 'on', 'hpet.timers': '3' }),
      { ...here, machine: 'pc-i440fx-4.2' },
    ];
    expect(likelyCause(here, others)).toBe(
      "the sender's machine type is probably pc-i440fx-7.2, not pc-i440fx-5.2: i8042.extended-state is on there and off here",
    );
  });

  it('is a newer sender where no machine type takes it, and nothing where all is well', () => {
    expect(likelyCause(here, [])).toBe("the sender is newer: subsection 'pckbd/extended_state' of 'pckbd' is not known here");
    expect(likelyCause({ ...here, objections: [{ ...objection, code: 'truncated' }] }, [])).toBeUndefined();
    expect(likelyCause({ ...here, objections: [] }, [])).toBeUndefined();
    expect(likelyCause(here, [fits('isapc', here.properties)])).toBe(
      "the sender's machine type is probably isapc, not pc-i440fx-5.2",
    );
  });
});
