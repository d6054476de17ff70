/** Compiled plans against the interpreter: same bytes, same states, same errors. */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { afterEach, expect, describe as group, it, vi } from 'vitest';
import { Everything, everything, Point, point } from './everything.fixture.js';
import {
  cloneState,
  compile,
  copyState,
  decode,
  descriptionFromVmdesc,
  drawState,
  fieldsOf,
  load,
  StateError,
  save,
  saveDescribed,
  type VmdescDevice,
  vmstate,
} from './index.js';
import { Scratch } from './scratch.js';

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
        expect(plan.saveDescribed(state)).toEqual(saveDescribed(everything, state));
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

group('a scratch copy', () => {
  class Large {
    readonly page = new Uint8Array(65_536);
    readonly small = new Uint16Array(3);
    level = 0;
  }
  class Node {
    next: Node | null = null;
    map = new Map([[1, { x: 1 }]]);
    readonly empty = new Set<number>();
    literals: { [key: string]: number }[] = [{ x: 1 }];
    nothing: Node | null | undefined;
    readonly large = new Large();
  }

  it('is equal, shares nothing that is changed, and goes back whatever became of it', () => {
    const scratch = new Scratch<Everything>();
    fc.assert(
      fc.property(anyState, anyState, fc.boolean(), (state, other, reuse) => {
        const before = cloneState(state);
        const copy = scratch.take(state);
        expect(copy).toEqual(before);
        expect(copy).toBeInstanceOf(Everything);
        copyState(copy, cloneState(other));
        const loaded = cloneState(copy);
        expect(state).toEqual(before);
        if (!reuse) return;
        const { point: same, raw } = state;
        scratch.commit(state, copy);
        expect(state).toEqual(loaded);
        expect([state.point, state.raw]).toEqual([same, raw]);
        expect(state.point).toBe(same);
        expect(state.raw).toBe(raw);
        // The copy is used again: nothing of it may live on in the state.
        const again = scratch.take(before);
        expect(again).toEqual(before);
        expect(state).toEqual(loaded);
      }),
      { numRuns: 100 },
    );
  });

  it('copies large arrays when they are touched, and only then', () => {
    const scratch = new Scratch<Node>();
    const node = new Node();
    node.large.page[7] = 1;
    for (let round = 0; round < 3; round++) {
      const copy = scratch.take(node);
      expect(Object.keys(copy.large)).toEqual(['page', 'small', 'level']);
      copy.large.level = round;
      expect(copy.large.page).not.toBe(node.large.page);
      copy.large.page[7] = 5 + round;
      expect(node.large.page[7]).toBe(round === 0 ? 1 : 4 + round);
      const { page } = node.large;
      scratch.commit(node, copy);
      expect(node.large).toMatchObject({ level: round, page });
      expect(node.large.page).toBe(page);
      expect(page[7]).toBe(5 + round);
      // Not touched: it stays the live one.
      const other = scratch.take(node);
      page[8] = round;
      scratch.commit(node, other);
      expect(node.large.page[8]).toBe(round);
    }
    const copy = scratch.take(node);
    (copy.large as { page: Uint8Array }).page = new Uint8Array(3);
    scratch.commit(node, copy);
    expect(node.large.page).toEqual(new Uint8Array(3));
    expect(scratch.take(node).large.page).toEqual(new Uint8Array(3));
  });

  it('survives maps, literals and members that come and go', () => {
    const scratch = new Scratch<Node>();
    const node = new Node();
    node.next = new Node();
    const copy = scratch.take(node);
    copy.map.set(2, { x: 2 });
    copy.literals.push({ y: 3 });
    copy.literals[0] = { z: 4 };
    copy.next = null;
    copy.nothing = new Node();
    expect(node.map.size).toBe(1);
    scratch.commit(node, copy);
    expect(node).toMatchObject({ next: null, literals: [{ z: 4 }, { y: 3 }], nothing: { next: null } });
    expect(node.map.get(2)).toEqual({ x: 2 });
    expect(Object.isExtensible(node.nothing)).toBe(true);

    const grown = Object.assign(new Node(), { late: [1, [2]] });
    const late = scratch.take(grown) as typeof grown;
    expect(late).toEqual(grown);
    late.late.push(3);
    expect(grown.late).toEqual([1, [2]]);
    scratch.commit(grown, late);
    expect(grown.late).toEqual([1, [2], 3]);
    expect(Object.keys(scratch.take(new Node()))).toEqual(Object.keys(new Node()));
  });

  it('of a state that contains itself is a copy that contains itself', () => {
    const scratch = new Scratch<Node>();
    const node = new Node();
    node.next = node;
    const copy = scratch.take(node);
    expect(copy.next).toBe(copy);
    copy.large.level = 9;
    scratch.commit(node, copy);
    expect(node.large.level).toBe(9);
  });

  it('takes members that a description made', () => {
    class Item {
      x = 0;
    }
    class List {
      items: Item[] = [new Item()];
    }
    const scratch = new Scratch<List>();
    const list = new List();
    const copy = scratch.take(list);
    copy.items[0] = Object.assign(new Item(), { late: 5 });
    scratch.commit(list, copy);
    expect(list.items).toEqual([{ x: 0, late: 5 }]);
  });
});
