import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Machine } from '@pagurus/machine';
import { type Json, toJson } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { blockBytes, counterpart, load, type Sidecar } from '../test/recorded.js';
import { loaded, saved } from './testing.js';

/*
 * The firmware guests that real QEMU was recorded with run here from power-on. What `devstate` leaves in every device is what it left in
 * QEMU 7.2's; `dirtyfw` walks its pages as its header says, also across a save and a load.
 */
const firmware = (name: string) =>
  new Uint8Array(gunzipSync(readFileSync(new URL(`../fixtures/guests/${name}.bin.gz`, import.meta.url))));
const streams = JSON.parse(readFileSync(new URL('../fixtures/streams.json', import.meta.url), 'utf8')) as (Sidecar & {
  file: string;
  program: string;
})[];
const icount = { shift: 3, sleep: false } as const;

/** `section.field` to value, of every device in the order of the stream. */
function fieldsOf(machine: Machine): Map<string, Json> {
  const fields = new Map<string, Json>();
  const walk = (path: string, value: Json): void => {
    if (typeof value !== 'object' || value === null) fields.set(path, value);
    else for (const [key, member] of Object.entries(value)) walk(`${path}.${key}`, member as Json);
  };
  const seen = new Map<string, number>();
  for (const { device } of machine.devices)
    for (const { description, state } of device.sections) {
      const instance = seen.get(description.name) ?? 0;
      seen.set(description.name, instance + 1);
      walk(`${description.name}${instance > 0 ? `#${instance}` : ''}`, toJson(description, state as object));
    }
  return fields;
}

/** Most of it depends on when the guest got where, and when it was stopped. */
const DIFFERENCES: readonly [field: RegExp, reason: string][] = [
  [
    /^timer\.(cpu_\w+_offset|@subsections\.timer\/icount\.qemu_icount)$/,
    'the clock at the save, of a machine that counts instructions',
  ],
  [/^cpu\.env\.segs\.1\.flags$/, 'a far jump marks the descriptor in the cache as accessed, as hardware does'],
  [/^apic\.initial_count_load_time$/, 'when the timer was started'],
  [
    /^hpet\.(hpet_counter|timer\.[01]\.(qemu_timer|cmp)|@subsections\.hpet\/offset\.hpet_offset)$/,
    'the counter since it was started',
  ],
  [/^mc146818rtc\.((periodic|update)_timer|next_(periodic|alarm)_time)$/, 'ticks since power-on'],
  [/^i8254\.channels.*\.(count_load_time|next_transition_time)$/, 'when the counters were loaded'],
  [/^i8254\.channels\.0\.latched_count$/, 'the counter when it was latched'],
  [/^i8254\.channels\.1\.status$/, 'the output pin when it was latched'],
];

describe('devstate', () => {
  it('leaves in the devices what it left in those of QEMU 7.2', async () => {
    const recording = streams.find(({ file }) => file.includes('devstate'))!;
    const of = { program: recording.program, qemu_version: '7.2' };
    const { machine: theirs } = await counterpart(of, recording, { icount });
    await load(
      theirs,
      new Uint8Array(gunzipSync(readFileSync(new URL(`../fixtures/${recording.file}.bin.gz`, import.meta.url)))),
    );
    const { machine, console } = await counterpart(of, recording, { icount, firmware: firmware('devstate') });
    machine.runUntil(20_000_000);
    expect(console()).toBe('OK');
    await saved(machine);

    const [expected, found] = [fieldsOf(theirs), fieldsOf(machine)];
    const different = [...new Set([...expected.keys(), ...found.keys()])].filter((key) => expected.get(key) !== found.get(key));
    const unexplained = different.filter((key) => !DIFFERENCES.some(([field]) => field.test(key)));
    expect(unexplained.map((key) => `${key}: ${expected.get(key)} there, ${found.get(key)} here`)).toEqual([]);
    const unused = DIFFERENCES.filter(([field]) => !different.some((key) => field.test(key)));
    expect(unused.map(([, reason]) => reason)).toEqual([]);
  });
});

const FIRST = 0x100;
const END = 0x300;

/** Pages of 1 to 3 MiB: the counter, and whether the rest is the pattern of the page's number. */
function pages(machine: Machine): number[] {
  const ram = blockBytes(machine, 'pc.ram')!;
  return Array.from({ length: END - FIRST }, (_, i) => {
    const page = ram.subarray((FIRST + i) << 12, (FIRST + i + 1) << 12);
    const pattern = i % 4 === 0 ? 0 : Math.imul(FIRST + i, 0x01010101) >>> 0;
    const words = new Uint32Array(page.slice(16).buffer);
    expect(page.subarray(1, 16).every((byte) => byte === 0) && words.every((word) => word === pattern)).toBe(true);
    return page[0]!;
  });
}

describe('dirtyfw', () => {
  it('increments its pages in order, and goes on after a save and a load', async () => {
    const make = () =>
      counterpart(
        { program: 'qemu-system-i386', qemu_version: '7.2' },
        { command: streams.find(({ file }) => file.includes('7.2-reset-nodefaults'))!.command, sections: [] },
        {
          icount,
          firmware: firmware('dirtyfw'),
          devices: [{ driver: 'isa-debugcon', properties: { iobase: 0x402, chardev: 'dbg' } }],
        },
      );
    const first = await make();
    first.machine.runUntil(2_000_000);
    expect(first.console()).toMatch(/^AB+$/);
    const passes = first.console().length - 1;
    const half = pages(first.machine);
    const turn = half.findIndex((value) => value !== half[0]);
    expect(half).toEqual(half.map((_, i) => (turn < 0 || i < turn ? half[0] : half[0]! - 1)));
    expect(half[0]).toBe(passes + (turn < 0 ? 0 : 1));

    const second = await make();
    await loaded(second.machine, await saved(first.machine));
    for (const { machine } of [first, second]) machine.runUntil(machine.cpu.instructions + 1_000_000);
    expect(pages(second.machine)).toEqual(pages(first.machine));
    expect(first.console()).toBe(`A${'B'.repeat(passes)}${second.console()}`);
    expect(second.console().length).toBeGreaterThan(0);
  });
});
