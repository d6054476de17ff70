import type { Machine, MachineConfig } from '@pagurus/machine';
import { describe, expect, it } from 'vitest';
import {
  blockBytes,
  bytesOf,
  counterpart,
  load,
  nameOf,
  type Recording,
  recordings,
  sha256,
  shared,
  sidecarOf,
} from '../test/recorded.js';
import { loaded, saved } from './testing.js';

/*
 * Guests that real QEMU saved while they ran go on in our machines. The firmware guest `dirtyfw` increments the first byte of each page
 * from 1 to 3 MiB for ever: walking upward, pages done in this pass have v, the others v − 1; the rest of each page never changes.
 */
if (!shared) console.log('guests of QEMU going on in our machines: skipped, PAGURUS_SHARED is not set');

const PAGE = 4096;
const FIRST = 0x100000 / PAGE;
const END = 0x300000 / PAGE;

/** Their pages come on other connections, or not at all. */
const OTHERWISE = /-multifd-|ignore-shared/;
const guests = recordings('live').filter((entry) => !OTHERWISE.test(entry.sidecar));

/** @returns what the pages count to, passes times pages. */
function work(ram: Uint8Array): { values: number[]; constant: string } {
  const values: number[] = [];
  const rest: Uint8Array[] = [];
  for (let page = FIRST; page < END; page++) {
    values.push(ram[page * PAGE]!);
    rest.push(ram.subarray(page * PAGE + 1, (page + 1) * PAGE));
  }
  return { values, constant: sha256(Buffer.concat(rest)) };
}

/** Pages that have been done in the pass under way, or a complaint. */
function invariant(values: readonly number[]): string | undefined {
  const [first] = values;
  const turn = values.findIndex((value) => value !== first);
  if (turn < 0) return undefined;
  const wrong = values.findIndex((value, i) => i >= turn && value !== ((first! - 1) & 0xff));
  return wrong < 0 ? undefined : `page ${FIRST + wrong} has ${values[wrong]}, the first ${first}`;
}

describe.skipIf(!shared)('live guests of QEMU go on', () => {
  it.each(guests.map((entry) => [nameOf(entry), entry] as const))('%s', async (_, entry: Recording) => {
    const sidecar = sidecarOf(entry);
    const { machine, console } = await counterpart(entry, sidecar, { icount: { shift: 3, sleep: false } });
    const capabilities = sidecar.capabilities_set_on_source?.['mapped-ram'] ? ['mapped-ram'] : [];
    await load(machine, bytesOf(entry), capabilities);
    const before = work(blockBytes(machine, 'pc.ram')!);
    expect(invariant(before.values)).toBeUndefined();
    const start = machine.cpu.instructions;
    machine.runUntil(start + 500_000_000);
    const after = work(blockBytes(machine, 'pc.ram')!);
    expect(invariant(after.values)).toBeUndefined();
    expect(after.constant).toBe(before.constant);
    expect(after.values).not.toEqual(before.values);
    expect(console()).toMatch(/^B+$/);

    const { machine: second } = await counterpart(entry, sidecar, { icount: { shift: 3, sleep: false } });
    await loaded(second, await saved(machine));
    expect(work(blockBytes(second, 'pc.ram')!)).toEqual(after);
  });
});

/** What is typed, and what the real destination's guest answered to it. */
const LINUX: readonly [stream: RegExp, typed: string, answer: RegExp][] = [
  [/tiny-ping/, 'ping\n', /pong 3/],
  [/debian-shell/, 'echo $((6 * 7)) answers\n', /42 answers/],
  [/tiny-busy/, '', /busy 2880 be250c2[\s\S]*busy 2944 247dfbb8[\s\S]*busy 3008 ceb00d4/],
];

type SerialBackend = NonNullable<NonNullable<MachineConfig['serial']>[number]>;

const STEP = 20_000_000;
const STEPS = 100;

describe.skipIf(!shared)('Linux of QEMU goes on', { timeout: 300_000 }, () => {
  const linux = recordings('linux').flatMap((entry) => {
    const found = LINUX.find(([name]) => name.test(entry.sidecar));
    return found ? [[nameOf(entry), entry, found[1], found[2]] as const] : [];
  });

  it.each(linux)('%s', async (_, entry, typed, answer) => {
    const sidecar = sidecarOf(entry);
    let text = '';
    let machine: Machine | undefined;
    let frontend: Parameters<SerialBackend['connect']>[0] | undefined;
    const waiting: number[] = [];
    const feed = () => {
      while (frontend && waiting.length > 0 && frontend.canReceive() > 0) frontend.receive(Uint8Array.of(waiting.shift()!));
    };
    const serial: SerialBackend & { ready(): void } = {
      write: (bytes) => {
        text += Buffer.from(bytes).toString('latin1');
        if (answer.test(text)) machine!.stop();
      },
      connect: (device) => {
        frontend = device;
      },
      ready: feed,
    };
    ({ machine } = await counterpart(entry, sidecar, { icount: { shift: 3, sleep: false }, serial: [serial] }));
    await load(machine, bytesOf(entry));
    waiting.push(...Buffer.from(typed));
    const start = machine.cpu.instructions;
    feed();
    for (let step = 1; step <= STEPS && !answer.test(text); step++) {
      machine.runUntil(start + step * STEP);
      feed();
    }
    expect(text).toMatch(answer);
  });
});
