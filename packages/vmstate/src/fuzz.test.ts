/**
 * Mutated input, much of it. PAGURUS_FUZZ sets the number of inputs (default 20000; a release is fuzzed with a million).
 */
import { readFileSync } from 'node:fs';
import { expect, describe as group, it } from 'vitest';
import { Drive, Everything, everything, Point } from './everything.fixture.js';
import {
  compile,
  decodeWithVmdesc,
  descriptionFromVmdesc,
  drawState,
  StateError,
  save,
  sizeBounds,
  type VmdescDevice,
} from './index.js';

const RUNS = Number(process.env.PAGURUS_FUZZ ?? 20_000);

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

/** Elements and bytes that a state holds in arrays. */
function weigh(value: unknown): number {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 1 + weigh(item), 0);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, item) => sum + weigh(item), 0);
}

group(`fuzzing with ${RUNS} inputs`, () => {
  it('every kind of field: StateError or a state within its bounds, and never more objects than the bounds allow', {
    timeout: 3_600_000,
  }, () => {
    const next = random(0x1234_5678);
    const make = drawState(everything, () => new Everything());
    const plan = compile(everything);
    const { max } = sizeBounds(everything, new Everything());
    let loaded = 0;
    let seed = save(everything, new Everything());
    for (let run = 0; run < RUNS; run++) {
      if (run % 50 === 0) seed = save(everything, make(Uint8Array.from({ length: 600 }, () => next(256))));
      const input = mutate(next, seed);
      const state = new Everything();
      const before = Point.made + Drive.made;
      try {
        const decoded = plan.decode(state, input);
        decoded.commit();
        loaded++;
        if (run % 16 === 0) expect(weigh(state)).toBeLessThan(4 * max);
        if (run % 64 === 0) expect(save(everything, state).length).toBeLessThanOrEqual(max);
      } catch (error) {
        if (!(error instanceof StateError)) throw error;
      }
      // All lists and trees full make 41 objects; the interpreter may repeat what the plan has given up.
      if (Point.made + Drive.made - before > 2 * 41)
        throw new Error(`run ${run} made ${Point.made + Drive.made - before} objects`);
    }
    expect(loaded).toBeGreaterThan(RUNS / 100);
    expect(loaded).toBeLessThan(RUNS);
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
