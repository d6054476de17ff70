/** Compiled plans against the interpreter: same bytes, same states, same errors. */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { afterEach, expect, describe as group, it, vi } from 'vitest';
import { Everything, everything, Point, point } from './everything.fixture.js';
import { backupOf } from './fast-clone.js';
import {
  compile,
  copyState,
  decode,
  descriptionFromVmdesc,
  drawState,
  fieldsOf,
  load,
  StateError,
  save,
  toJson,
  type VmdescDevice,
  vmstate,
} from './index.js';

const anyState = fc.uint8Array({ maxLength: 600, size: 'max' }).map(drawState(everything, () => new Everything()));
const plan = compile(everything);

/** What a call gave or threw, comparable. */
function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    expect(error).toBeInstanceOf(StateError);
    const { code, path, offset, message, expected, got } = error as StateError;
    return { code, path, offset, message, expected, got };
  }
}

afterEach(() => {
  vi.unstubAllGlobals();
});

group('a compiled plan', () => {
  it('is compiled once', () => {
    expect(plan.compiled).toBe(true);
    expect(compile(everything)).toBe(plan);
  });

  it('writes the same bytes', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        expect(plan.save(state)).toEqual(save(everything, state));
      }),
      { numRuns: 400 },
    );
  });

  it('refuses to save what the interpreter refuses, with its words', () => {
    const spoil: [string, unknown][] = [
      ['u8', 256],
      ['u16', -1],
      ['u32', 2 ** 32],
      ['u32', 1.5],
      ['i8', 128],
      ['i16', Number.NaN],
      ['i32', 2 ** 31],
      ['u64', 2n ** 64n],
      ['i64', -(2n ** 63n) - 1n],
      ['u64', 5],
      ['u8', undefined],
      ['plain', [0, 128, 0]],
      ['size', 40],
      ['count', 21],
      ['text', 7],
    ];
    for (const [key, value] of spoil) {
      const state = Object.assign(new Everything(), { [key]: value });
      const reference = outcome(() => save(everything, state));
      expect(reference, key).toMatchObject({ code: expect.any(String) as string });
      expect(
        outcome(() => plan.save(state)),
        key,
      ).toEqual(reference);
    }
  });

  it('loads the same state in every way', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const bytes = save(everything, state);
        const [reference, one, two, three] = [new Everything(), new Everything(), new Everything(), new Everything()];
        const end = load(everything, reference, bytes);
        expect(plan.load(one, bytes)).toBe(end);
        expect(plan.loadFresh(two, bytes)).toBe(end);
        const decoded = plan.decode(three, bytes);
        expect(decoded.end).toBe(end);
        expect(three).toEqual(new Everything());
        decoded.commit();
        for (const state of [one, two, three]) expect(state).toEqual(reference);
      }),
      { numRuns: 300 },
    );
  });

  it('fails like the interpreter on mutated input, and leaves the state alone', () => {
    fc.assert(
      fc.property(
        anyState,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
        fc.nat(),
        fc.nat(4),
        (state, mutations, cut, version) => {
          const bytes = save(everything, state);
          for (const [at, value] of mutations) bytes[at % bytes.length] = value;
          const input = cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
          const [reference, one, two, three] = [new Everything(), new Everything(), new Everything(), new Everything()];
          const expected = outcome(() => load(everything, reference, input, version));
          expect(outcome(() => plan.load(one, input, version))).toEqual(expected);
          expect(outcome(() => plan.decode(two, input, 0, version).end)).toEqual(expected);
          expect(outcome(() => plan.loadFresh(three, input, version))).toEqual(expected);
          expect(one).toEqual(reference);
          expect(two).toEqual(new Everything());
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('starts and ends where it is told, and names its path', () => {
    const bytes = save(point, Object.assign(new Point(), { x: -2, y: 9n }));
    const shifted = new Uint8Array([0, 0, 0, ...bytes, 0]);
    const state = new Point();
    expect(compile(point).load(state, shifted, 2, { offset: 3 })).toBe(3 + bytes.length);
    expect(state).toEqual({ x: -2, y: 9n });
    expect(() => compile(point).load(state, shifted, 2, { offset: 8, path: 'machine/point' })).toThrow(
      expect.objectContaining({ code: 'truncated', path: 'machine/point.y', offset: 10 }),
    );
  });

  it('runs every hook in order, also of nested descriptions and subsections', () => {
    class Logged {
      value = 1;
      extra = 0;
      readonly child = new Point();
    }
    const log: string[] = [];
    const f = fieldsOf<Logged>();
    const hooked = vmstate<Logged>({
      name: 'hooked',
      version: 1,
      preSave: () => log.push('preSave'),
      postSave: () => log.push('postSave'),
      preLoad: () => log.push('preLoad'),
      postLoad: (_state, version) => log.push(`postLoad ${version}`),
      fields: [
        f.u8('value'),
        f.struct('child', 'child', {
          ...point,
          preLoad: () => log.push('child preLoad'),
          postLoad: (_state, version) => log.push(`child postLoad ${version}`),
        }),
      ],
      subsections: [
        vmstate<Logged>({
          name: 'hooked/extra',
          version: 3,
          minVersion: 1,
          needed: () => log.push('needed') > 0,
          postLoad: (_state, version) => log.push(`extra postLoad ${version}`),
          fields: [f.u8('extra')],
        }),
      ],
    } as Parameters<typeof vmstate<Logged>>[0]);
    const bytes = compile(hooked).save(new Logged());
    expect(log.splice(0)).toEqual(['preSave', 'needed', 'postSave']);
    compile(hooked).load(new Logged(), bytes);
    const once = ['preLoad', 'child preLoad', 'child postLoad 2', 'extra postLoad 3', 'postLoad 1'];
    expect(log.splice(0)).toEqual(once);
    load(hooked, new Logged(), bytes);
    expect(log).toEqual(once);
  });

  it('never takes a name for code', () => {
    const key = "a'];throw 1;//\n";
    const strange = vmstate<Record<string, number>>({
      name: '";throw 2;//',
      version: 1,
      fields: [fieldsOf<Record<string, number>>().u8(key)],
    });
    const state = { [key]: 5 };
    expect(compile(strange).save(state)).toEqual(new Uint8Array([5]));
    expect(compile(strange).load(state, new Uint8Array([7]))).toBe(1);
    expect(state[key]).toBe(7);
  });

  it('falls back to the interpreter where code must not be generated', () => {
    vi.stubGlobal(
      'Function',
      class {
        constructor() {
          throw new EvalError('unsafe-eval is not allowed');
        }
      },
    );
    const copy = { ...point };
    expect(compile(copy).compiled).toBe(false);
    const state = Object.assign(new Point(), { x: 3, y: 4n });
    const bytes = compile(copy).save(state);
    const [other, third] = [new Point(), new Point()];
    expect(compile(copy).load(other, bytes)).toBe(bytes.length);
    compile(copy).decode(third, bytes).commit();
    expect([other, third]).toEqual([state, state]);
    // States of classes never seen before cannot be copied by generated code either.
    class Unseen {
      point = new Point();
    }
    expect(backupOf(new Unseen())).toEqual(new Unseen());
  });

  it('loads sections of real QEMU', () => {
    const fixtures = JSON.parse(readFileSync(new URL('../fixtures/sections.json', import.meta.url), 'utf8')) as {
      version: number;
      device: VmdescDevice;
      hex: string;
    }[];
    for (const { device, version, hex } of fixtures) {
      const { description, create } = descriptionFromVmdesc(device);
      const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
      const [one, two] = [create(), create()];
      expect(compile(description).load(one, bytes, version)).toBe(bytes.length);
      decode(description, two, bytes, 0, version).commit();
      expect(one).toEqual(two);
      expect(compile(description).save(one)).toEqual(bytes);
    }
  });
});

group('a backup', () => {
  it('puts everything back, of any shape', () => {
    fc.assert(
      fc.property(anyState, anyState, (state, other) => {
        const before = JSON.stringify(toJson(everything, state));
        const backup = backupOf(state);
        copyState(state, backupOf(other));
        copyState(state, backup);
        expect(JSON.stringify(toJson(everything, state))).toBe(before);
        expect(state).toBeInstanceOf(Everything);
      }),
      { numRuns: 200 },
    );
  });

  it('survives cycles, maps, changing keys and holes', () => {
    class Node {
      next: Node | null = null;
      map = new Map([[1, { x: 1 }]]);
      nothing = null;
    }
    const node = new Node();
    node.next = node;
    expect(backupOf(node).next).toBeInstanceOf(Node);
    const grown = Object.assign(new Node(), { late: [1, [2]] });
    const backup = backupOf(grown);
    expect(backup).toEqual(grown);
    expect(backup.late).not.toBe(grown.late);
    expect(backupOf(new Node())).toEqual(new Node());
  });
});
