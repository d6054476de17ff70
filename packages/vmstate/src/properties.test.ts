/** What holds for every kind of field and every state. */
import * as fc from 'fast-check';
import { expect, describe as group, it } from 'vitest';
import { Drive, drive, Everything, everything, Point, point } from './everything.fixture.js';
import {
  capture,
  cloneState,
  decode,
  decodeWithVmdesc,
  diff,
  drawState,
  encodeTree,
  equals,
  fromJson,
  jsonSchema,
  load,
  restore,
  StateError,
  save,
  saveDescribed,
  sizeBounds,
  toJson,
} from './index.js';

const anyState = fc.uint8Array({ maxLength: 600, size: 'max' }).map(drawState(everything, () => new Everything()));
/** The local side of a load: nulls where the sender has nulls, as QEMU's format demands. */
const receiver = () => new Everything();
const runs = { numRuns: 400 };

function refusal(run: () => unknown): StateError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(StateError);
    return error as StateError;
  }
  throw new Error('nothing was thrown');
}

group('for every state', () => {
  it('draws states that differ and shrink to the default', () => {
    const distinct = new Set(fc.sample(anyState, 200).map((state) => Buffer.from(save(everything, state)).toString('hex')));
    expect(distinct.size).toBeGreaterThan(150);
    const calm = drawState(everything, () => new Everything())(new Uint8Array(0));
    expect(save(everything, calm)).toHaveLength(sizeOfDefault());
  });

  it('save, load, equal', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const bytes = save(everything, state);
        const other = receiver();
        expect(load(everything, other, bytes)).toBe(bytes.length);
        expect(diff(everything, state, other)).toEqual([]);
        expect(save(everything, other)).toEqual(bytes);
      }),
      runs,
    );
  });

  it('the tree encodes to the same bytes, and goes back', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const bytes = save(everything, state);
        const tree = capture(everything, state);
        expect(encodeTree(tree)).toEqual(bytes);
        const other = receiver();
        restore(everything, other, tree);
        expect(save(everything, other)).toEqual(bytes);
      }),
      runs,
    );
  });

  it('JSON text goes back without loss', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const text = JSON.stringify(toJson(everything, state));
        const other = receiver();
        fromJson(everything, other, text);
        expect(save(everything, other)).toEqual(save(everything, state));
        expect(JSON.stringify(toJson(everything, other))).toBe(text);
      }),
      runs,
    );
  });

  it('lies within its size bounds', () => {
    const { min, max } = sizeBounds(everything, new Everything());
    fc.assert(
      fc.property(anyState, (state) => {
        const { length } = save(everything, state);
        expect(length).toBeGreaterThanOrEqual(min);
        expect(length).toBeLessThanOrEqual(max);
      }),
      runs,
    );
  });

  it('is described so that it can be read without its class', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const { bytes, description } = saveDescribed(everything, state);
        const section = decodeWithVmdesc(JSON.parse(JSON.stringify(description)) as typeof description, bytes);
        expect(section.end).toBe(bytes.length);
        expect(encodeTree(section.node)).toEqual(bytes);
      }),
      runs,
    );
  });

  it('a copy is equal and shares nothing', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const before = save(everything, state);
        const copy = cloneState(state);
        expect(equals(everything, state, copy)).toBe(true);
        copy.raw.fill(0xee);
        copy.point.x = 11;
        copy.drives[0]!.track = 200;
        copy.deadlines[0] = 5n;
        expect(save(everything, state)).toEqual(before);
        expect(copy).toBeInstanceOf(Everything);
        expect(copy.drives[0]).toBeInstanceOf(Drive);
      }),
      runs,
    );
  });
});

function sizeOfDefault(): number {
  const state = new Everything();
  state.deadline = -1n;
  return save(everything, state).length;
}

group('load', () => {
  it('reads version 2 with the same description', () => {
    const state = new Everything();
    state.u8 = 9;
    const bytes = save(everything, state);
    // `late` (two bytes, since version 3) stands before the twin and the subsection.
    const tail = 1 + 2 + 'everything/always'.length + 4 + 1;
    const old = new Uint8Array([...bytes.subarray(0, bytes.length - tail - 2), ...bytes.subarray(bytes.length - tail)]);
    const other = receiver();
    other.late = 3;
    expect(load(everything, other, old, 2)).toBe(old.length);
    expect(other.late).toBe(3);
    expect(other.u8).toBe(9);
  });

  it('never throws anything but StateError and changes nothing when it does, on mutated input', () => {
    fc.assert(
      fc.property(anyState, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), fc.nat(), (state, mutations, cut) => {
        const bytes = save(everything, state);
        for (const [at, value] of mutations) bytes[at % bytes.length] = value;
        const other = receiver();
        const before = JSON.stringify(toJson(everything, other));
        let decoded: ReturnType<typeof decode>;
        try {
          decoded = decode(everything, other, cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(StateError);
          expect(JSON.stringify(toJson(everything, other))).toBe(before);
          return;
        }
        expect(JSON.stringify(toJson(everything, other))).toBe(before);
        decoded.commit();
        expect(save(everything, other).length).toBeLessThanOrEqual(sizeBounds(everything, receiver()).max);
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws anything but StateError on JSON of any shape', () => {
    const state = new Everything();
    const good = toJson(everything, state) as Record<string, unknown>;
    const anyJson = fc.jsonValue();
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(good), 'unknown', '@subsections', '@version', '@name'),
        anyJson,
        (key, value) => {
          const other = receiver();
          try {
            fromJson(everything, other, { ...good, [key]: value });
            save(everything, other);
          } catch (error) {
            expect(error).toBeInstanceOf(StateError);
            expect(other).toEqual(receiver());
          }
        },
      ),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(refusal(() => fromJson(everything, receiver(), value))).toBeInstanceOf(StateError);
      }),
      { numRuns: 300 },
    );
    expect(refusal(() => fromJson(everything, receiver(), '{'))).toMatchObject({ code: 'json', path: 'everything' });
  });
});

group('JSON', () => {
  it('is readable', () => {
    const state = new Everything();
    state.u64 = 2n ** 64n - 1n;
    state.raw.set([1, 2, 3]);
    state.celsius = 20;
    state.drives[1]!.rate = 4;
    state.text = 'hi';
    expect(toJson(everything, state)).toMatchObject({
      '@name': 'everything',
      '@version': 3,
      u64: '18446744073709551615',
      deadline: '-1',
      raw: '010203000000000000',
      flag_as_int: false,
      sensor: { raw: 293 },
      drives: [{ track: 0 }, { track: 0, '@subsections': { 'drive/rate': { '@version': 1, media_rate: 4 } } }],
      text: 'hi',
      'twin[1]': 0,
      '@subsections': { 'everything/always': { '@version': 1, u8: 0 } },
    });
  });

  it.each([
    ['u8', 256, 'out-of-range', 'u8'],
    ['u8', 1.5, 'json', 'u8'],
    ['u8', 'seven', 'json', 'u8'],
    ['u64', '18446744073709551616', 'out-of-range', 'u64'],
    ['u64', 1.5, 'json', 'u64'],
    ['raw', 'abc', 'json', 'hex'],
    ['raw', '00', 'json', '9 bytes'],
    ['words', [1, 2], 'json', '3'],
    ['same', 8, 'not-equal', '0x7'],
    ['at_most', 6, 'out-of-range', '0 to 5'],
    ['list', new Array(9).fill({ track: 1 }), 'out-of-range', '0 to 8'],
  ])('refuses %s = %j', (key, value, code, expected) => {
    const json = { ...(toJson(everything, new Everything()) as object), [key]: value };
    expect(refusal(() => fromJson(everything, receiver(), json))).toMatchObject({ code, expected });
  });

  it('names what is missing, unknown or out of place', () => {
    const good = toJson(everything, new Everything()) as Record<string, unknown>;
    const { u16, ...rest } = good;
    expect(u16).toBe(0);
    expect(refusal(() => fromJson(everything, receiver(), rest))).toMatchObject({ code: 'json', path: 'everything.u16' });
    expect(refusal(() => fromJson(everything, receiver(), { ...good, u17: 1 }))).toMatchObject({ code: 'json', got: 'u17' });
    expect(refusal(() => fromJson(everything, receiver(), { ...good, 'twin[0]': 1 }))).toMatchObject({ code: 'json' });
    const odd = { ...good, '@subsections': { 'everything/none': {} } };
    expect(refusal(() => fromJson(everything, receiver(), odd))).toMatchObject({
      code: 'unknown-subsection',
      got: 'everything/none',
    });
    expect(refusal(() => fromJson(everything, receiver(), { ...good, '@version': 4 }))).toMatchObject({
      code: 'version-too-new',
    });
  });
});

group('diff', () => {
  it('names every place by its wire names', () => {
    const [left, right] = [new Everything(), new Everything()];
    right.u8 = 1;
    right.drives[1]!.rate = 3;
    right.list.push(new Drive());
    right.raw[0] = 0xff;
    right.point.y = 5n;
    expect(diff(everything, left, right).map(({ path, kind, text }) => `${path} ${kind} ${text}`)).toEqual([
      'everything.u8 changed 0 → 1',
      'everything.raw changed 000000000000000000 → ff0000000000000000',
      'everything.point.y changed 0 → 5',
      'everything.drives[1]/rate only-right absent → {…}',
      'everything.list[0] only-right absent → {…}',
      'everything/always.u8 changed 0 → 1',
    ]);
  });
});

group('size bounds', () => {
  it('are one number where nothing varies', () => {
    expect(sizeBounds(point, new Point())).toEqual({ min: 10, max: 10 });
    expect(sizeBounds(point, new Point(), 'all')).toEqual({ min: 2, max: 10 });
    expect(sizeBounds(drive, new Drive())).toEqual({ min: 1, max: 1 + 2 + 'drive/rate'.length + 4 + 1 });
  });
});

group('JSON Schema', () => {
  it('lists what must be there and forbids the rest', () => {
    const schema = jsonSchema(everything, new Everything()) as { required: string[]; properties: Record<string, unknown> };
    expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', additionalProperties: false });
    expect(schema.required).toContain('u8');
    expect(schema.required).not.toContain('optional');
    expect(schema.properties['twin[0]']).toEqual({ type: 'integer', minimum: 0, maximum: 255 });
  });
});
