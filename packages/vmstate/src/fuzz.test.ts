/**
 * Mutated input, much of it. PAGURUS_FUZZ sets the number of inputs (default 10000; CI sets a million).
 */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, describe as group, it } from 'vitest';
import { Drive, Everything, everything, Point } from './everything.fixture.js';
import {
  compile,
  decode,
  decodeWithVmdesc,
  descriptionFromVmdesc,
  drawState,
  Path,
  Reader,
  StateError,
  save,
  sizeBounds,
  type VmdescDevice,
} from './index.js';
import { loadDescription } from './load.js';

const RUNS = Number(process.env.PAGURUS_FUZZ ?? 10_000);

/** xorshift32: the same numbers every time. */
function random(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Flips, interesting values, cuts, doublings and insertions, up to four at once. */
function mutate(next: (below: number) => number, source: Uint8Array): Uint8Array {
  let bytes = source.slice();
  for (let n = next(4); n >= 0; n--) {
    const at = next(bytes.length || 1);
    const kind = next(6);
    if (kind === 0) bytes[at] = next(256);
    else if (kind === 1) bytes[at] = [0, 1, 5, 0x30, 0x31, 0x7f, 0x80, 0xff][next(8)]!;
    else if (kind === 2) bytes.fill([0, 0xff][next(2)]!, at, at + 4);
    else if (kind === 3) bytes = bytes.slice(0, at);
    else if (kind === 4)
      bytes = new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at, at + next(20)), ...bytes.subarray(at)]);
    else
      bytes = new Uint8Array([
        ...bytes.subarray(0, at),
        5,
        16,
        ...Buffer.from('everything/late'),
        next(256),
        ...bytes.subarray(at),
      ]);
  }
  return bytes;
}

/** Elements and bytes that a state holds in arrays. Each of them takes at least a byte on the wire. */
function weigh(value: unknown): number {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 1 + weigh(item), 0);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, item) => sum + weigh(item), 0);
}

/** The offset behind the section, or where and why there is none. */
function outcome(run: () => number): string {
  try {
    return String(run());
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    return `${error.code} ${error.path} ${error.offset}`;
  }
}

/** All lists, trees and arrays of `everything` full; the nodes of a tree are two objects. */
const MOST_OBJECTS = 6 + 5 + 8 + 2 * 8 + 8;
const made = () => Point.made + Drive.made;

beforeAll(() => {
  // Hundreds of thousands of errors are made; nobody looks where.
  Error.stackTraceLimit = 0;
});

group(`fuzzing with ${RUNS} inputs`, () => {
  it('every kind of field, compiled and interpreted: StateError or a state within its bounds, never more than the bounds allow', {
    timeout: 3_600_000,
  }, () => {
    const next = random(0x1234_5678);
    const make = drawState(everything, () => new Everything());
    const plan = compile(everything);
    expect(plan.compiled).toBe(true);
    const { max } = sizeBounds(everything, new Everything());
    const most = weigh(new Everything()) + max;
    const endless = new Uint8Array(16 * max).fill(1);
    let loaded = 0;
    let heaviest = 0;
    let seed = save(everything, new Everything());
    for (let run = 0; run < RUNS; run++) {
      if (run % 50 === 0) seed = save(everything, make(Uint8Array.from({ length: 600 }, () => next(256))));
      const mutated = mutate(next, seed);
      const input = run % 100 === 99 ? new Uint8Array([...mutated.subarray(0, next(mutated.length + 1)), ...endless]) : mutated;
      // Both load straight into a state that is looked at afterwards, also when it was left half way.
      const [compiled, interpreted] = [new Everything(), new Everything()];
      const before = made();
      const expected = outcome(() => {
        const reader = new Reader(input, 0, new Path('everything'));
        loadDescription(reader, everything, interpreted, everything.version);
        return reader.offset;
      });
      const between = made();
      const found = outcome(() => plan.loadFresh(compiled, input));
      if (found !== expected) throw new Error(`run ${run}: compiled ${found}, interpreted ${expected}`);
      const counts = [between - before, made() - between];
      // Where the plan has given up, the interpreter has done it once more, on a copy (which makes none).
      if (counts[0]! > MOST_OBJECTS || counts[1]! > 2 * MOST_OBJECTS) throw new Error(`run ${run} made ${counts} objects`);
      const weight = Math.max(weigh(compiled), weigh(interpreted));
      if (weight > most) throw new Error(`run ${run}: arrays of ${weight} elements and bytes, at most ${most}`);
      heaviest = Math.max(heaviest, weight);
      if (/^\d+$/.test(expected)) {
        loaded++;
        if (run % 64 === 0) {
          expect(save(everything, compiled)).toEqual(save(everything, interpreted));
          expect(save(everything, compiled).length).toBeLessThanOrEqual(max);
        }
      }
    }
    expect(loaded).toBeGreaterThan(RUNS / 100);
    expect(loaded).toBeLessThan(RUNS);
    // The bound is not out of reach.
    expect(heaviest).toBeGreaterThan(most / 8);
  });

  it('huge counts anywhere allocate nothing to speak of', () => {
    const make = drawState(everything, () => new Everything());
    const next = random(0x1357_9bdf);
    const plan = compile(everything);
    const { max } = sizeBounds(everything, new Everything());
    const bytes = save(everything, make(Uint8Array.from({ length: 600 }, () => next(256))));
    for (const count of [
      [0xff, 0xff, 0xff, 0xff],
      [0x7f, 0xff, 0xff, 0xff],
      [0x7f, 0xff],
      [0x00, 0xff, 0xff, 0xff],
    ]) {
      for (let at = 0; at + count.length <= bytes.length; at++) {
        const input = bytes.slice();
        input.set(count, at);
        for (const load of [
          () => plan.decode(new Everything(), input).end,
          () => decode(everything, new Everything(), input).end,
        ]) {
          const before = process.memoryUsage().arrayBuffers;
          outcome(load);
          // The copies that a load works on and what it makes; a buffer of one such count alone would be at least 32 KB.
          expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * max);
        }
      }
    }
  });

  it('sections of real QEMU, by description and by their own JSON', { timeout: 3_600_000 }, () => {
    const fixtures = JSON.parse(readFileSync(new URL('../fixtures/sections.json', import.meta.url), 'utf8')) as {
      version: number;
      device: VmdescDevice;
      hex: string;
    }[];
    const next = random(0x8765_4321);
    const prepared = fixtures.map(({ device, version, hex }) => ({
      device,
      version,
      bytes: Uint8Array.from(Buffer.from(hex, 'hex')),
      ...descriptionFromVmdesc(device),
    }));
    for (let run = 0; run < RUNS / 4; run++) {
      const { device, version, bytes, description, create } = prepared[run % prepared.length]!;
      const input = mutate(next, bytes);
      for (const attempt of [
        () => compile(description).decode(create(), input, 0, version),
        () => decode(description, create(), input, 0, version),
        () => decodeWithVmdesc(device, input),
      ]) {
        try {
          attempt();
        } catch (error) {
          if (!(error instanceof StateError)) throw error;
        }
      }
    }
  });
});
