import {
  type Codec,
  type Description,
  drawState,
  equals,
  fieldsOf,
  fromJson,
  load,
  StateError,
  save,
  type TreeNode,
  toJson,
  vmstate,
} from '@pagurus/vmstate';
import * as asn1 from 'asn1js';
import * as fc from 'fast-check';
import { expect, describe as group, it } from 'vitest';
import { asnModule, checkBer, fromBer, ModuleSyntaxError, moduleText, parseModule, readBerSection, toBer } from './index.js';

class Drive {
  track = 0;
  rate = 0;
}
const d = fieldsOf<Drive>();
const drive = vmstate<Drive>({
  name: 'floppy drive',
  version: 1,
  fields: [d.u8('track')],
  subsections: [vmstate<Drive>({ name: 'floppy drive/rate', version: 2, needed: (s) => s.rate !== 0, fields: [d.u8('rate')] })],
});

const hexCodec: Codec<Uint8Array> = {
  type: 'blob',
  minSize: 1,
  maxSize: 256,
  get: (reader) => reader.bytes(reader.u8()),
  put: (writer, value) => {
    writer.u8(value.length);
    writer.bytes(value);
  },
  toJson: (value) => [...value],
  fromJson: (json) => Uint8Array.from(json as number[]),
  examples: [new Uint8Array(0), new Uint8Array([5, 3, 100])],
};

/** One field of every shape. */
class State {
  small = 0;
  big = 0n;
  signed = -1n;
  flag = false;
  atMost = 9;
  raw = new Uint8Array(5);
  size = 0;
  sized = new Uint8Array(0);
  words = new Uint16Array(3);
  flags = [false, true];
  one = new Drive();
  drives = [new Drive(), new Drive()];
  pointers: (Drive | null)[] = [new Drive(), null];
  numbers: (number | null)[] = [null, 3];
  list: Drive[] = [];
  tree: TreeNode<Drive, Drive>[] = [];
  direct: TreeNode<bigint, Drive>[] = [];
  blob: Uint8Array = new Uint8Array(0);
  late = 0;
}
const f = fieldsOf<State>();
const create = () => new Drive();
const fields = [
  f.u8('small'),
  f.u64('big'),
  f.i64('signed'),
  f.bool('flag'),
  f.lessOrEqual('atMost'),
  f.bytes('raw', 'raw.data'),
  f.u16('size'),
  f.sizedBytes('sized', 'raw-data', { size: 'size', max: 40 }),
  f.array('u16', 'words'),
  f.boolArray('u8', 'flags'),
  f.struct('one', 'one', drive),
  f.structArray('drives', 'drives', drive),
  f.structPointers('pointers', 'pointers', drive, { create, marks: 'each' }),
  f.scalarPointers('i32', 'numbers'),
  f.list('list', '9 lives', drive, { create, max: 6 }, { since: 1 }),
  f.tree<Drive, Drive>('tree', 'tree', drive, { create, max: 6, keys: { description: drive, create } }, { since: 1 }),
  f.tree<bigint, Drive>('direct', 'direct', drive, { create, max: 6 }, { since: 1 }),
  f.custom('blob', 'blob', hexCodec),
  f.u8('late', 'late', { when: (s) => s.small > 100 }),
];
const subsections = [vmstate<State>({ name: 'state/late', version: 1, needed: (s) => s.late > 0, fields: [f.u8('late')] })];
const description = vmstate<State>({ name: 'state', version: 3, minVersion: 1, fields, subsections });
const anyState = fc.uint8Array({ maxLength: 300, size: 'max' }).map(drawState(description, () => new State()));
const module = parseModule(moduleText(asnModule(description, new State())));

function refusal(run: () => unknown): StateError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(StateError);
    return error as StateError;
  }
  throw new Error('nothing was thrown');
}

group('every state', () => {
  it('goes through BER without loss, and is as the module says', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const bytes = toBer(description, state);
        const other = new State();
        fromBer(description, other, bytes);
        expect(equals(description, state, other)).toBe(true);
        expect(toBer(description, other)).toEqual(bytes);
        expect(checkBer(bytes, module)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('converts between BER, QEMU binary and JSON in any order', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const [one, two, three] = [new State(), new State(), new State()];
        fromBer(description, one, toBer(description, state));
        load(description, two, save(description, one));
        fromJson(description, three, JSON.stringify(toJson(description, two)));
        expect(toBer(description, three)).toEqual(toBer(description, state));
      }),
      { numRuns: 100 },
    );
  });
});

group('the frame', () => {
  const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0));
  class Inner {
    value = 0;
    extra = 0;
  }
  class Outer {
    inner = new Inner();
    data = new Uint8Array(12);
  }
  const i = fieldsOf<Inner>();
  const o = fieldsOf<Outer>();
  const extra = vmstate<Inner>({ name: 'dev/extra', version: 1, needed: (s) => s.extra !== 0, fields: [i.u8('extra')] });
  const inner = vmstate<Inner>({ name: 'dev', version: 1, fields: [i.u8('value')], subsections: [extra] });
  const outer = vmstate<Outer>({ name: 'board', version: 1, fields: [o.struct('inner', 'inner', inner), o.bytes('data')] });

  it('never takes data for a subsection, whatever it spells', () => {
    const spelled = fc.constantFrom('dev/extra', 'dev/abcd', 'dev').map((name) => [5, name.length, ...ascii(name)]);
    const any = fc.oneof(spelled, fc.array(fc.nat(255), { maxLength: 12 }));
    fc.assert(
      fc.property(any, fc.nat(255), fc.nat(1), (data, value, more) => {
        const state = Object.assign(new Outer(), { inner: Object.assign(new Inner(), { value, extra: more }) });
        state.data.set(data.slice(0, 12));
        const other = new Outer();
        fromBer(outer, other, toBer(outer, state));
        expect(other).toEqual(state);
      }),
      { numRuns: 150 },
    );
    // The same state in QEMU's format is misread.
    const state = new Outer();
    state.data.set([5, 8, ...ascii('dev/abcd')]);
    expect(refusal(() => load(outer, new Outer(), save(outer, state))).code).toBe('unknown-subsection');
  });

  it('can be skipped and read without the description', () => {
    const bytes = toBer(description, new State());
    const section = readBerSection(bytes);
    expect(section).toMatchObject({ name: 'state', version: 3 });
    expect(section.layouts.get('state')!.fields.slice(0, 6)).toEqual(['small', 'big', 'signed', 'flag', 'atMost', 'raw.data']);
    expect(section.layouts.get('state.one')).toEqual({ fields: ['track'], subsections: ['floppy drive/rate'] });
    // Tag, length: whoever does not know the content goes on behind it.
    expect(asn1.fromBER(new Uint8Array([...bytes, 0x05, 0x00])).offset).toBe(bytes.length);
  });
});

group('archives outlive changes of the description', () => {
  const names = (one: { fields: typeof fields }) => one.fields.map(({ wire }) => wire);

  it('a field inserted anywhere moves no other', () => {
    const state = Object.assign(new State(), { small: 7, late: 9 });
    const archive = toBer(description, state);
    class Grown extends State {
      fresh = 5;
    }
    const g = fieldsOf<Grown>();
    const grown: Description<Grown> = vmstate<Grown>({
      name: 'state',
      version: 4,
      minVersion: 1,
      fields: [g.u8('fresh', 'fresh', { since: 4 }), ...fields],
      subsections: [
        vmstate<Grown>({ name: 'state/new', version: 1, needed: () => false, fields: [g.u8('fresh')] }),
        ...(subsections as Description<Grown>[]),
      ],
    });
    const other = new Grown();
    fromBer(grown, other, archive);
    expect(other).toMatchObject({ small: 7, late: 9, fresh: 5 });
    expect(names({ fields })[0]).toBe('small');
  });

  it('a field that is gone is named', () => {
    const less = vmstate<State>({ name: 'state', version: 3, fields: fields.slice(1), subsections });
    expect(refusal(() => fromBer(less, new State(), toBer(description, new State())))).toMatchObject({
      code: 'invalid',
      got: 'small',
    });
    const without = vmstate<State>({ name: 'state', version: 3, fields });
    const sent = toBer(description, Object.assign(new State(), { late: 1 }));
    expect(refusal(() => fromBer(without, new State(), sent)).code).toBe('unknown-subsection');
    const other = vmstate<State>({ name: 'other', version: 3, fields, subsections });
    expect(refusal(() => fromBer(other, new State(), sent))).toMatchObject({ expected: 'other', got: 'state' });
  });
});

group('hostile input', () => {
  it('is refused with a StateError, and the state stays', () => {
    fc.assert(
      fc.property(
        anyState,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        (state, mutations, cut) => {
          const bytes = toBer(description, state);
          for (const [at, value] of mutations) bytes[at % bytes.length] = value;
          const other = new State();
          try {
            fromBer(description, other, cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(StateError);
            expect(other).toEqual(new State());
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('bytes of any kind', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(refusal(() => fromBer(description, new State(), bytes))).toBeInstanceOf(StateError);
      }),
      { numRuns: 500 },
    );
    const nested = new Uint8Array(200_000).fill(0x30).map((byte, at) => (at % 2 === 0 ? byte : 0x80));
    expect(refusal(() => fromBer(description, new State(), nested))).toBeInstanceOf(StateError);
  });

  it('numbers beyond a field, types that are others, data behind the end', () => {
    const bytes = toBer(description, new State());
    expect(refusal(() => fromBer(description, new State(), new Uint8Array([...bytes, 0])))).toMatchObject({
      code: 'trailing-data',
    });
    const state = readBerSection(bytes);
    const rebuilt = (value: asn1.AsnType) => {
      const first = (state.state.valueBlock as unknown as { value: { valueBlock: { value: asn1.AsnType[] } }[] }).value[0]!;
      first.valueBlock.value = [value];
      const whole = new asn1.Sequence({
        value: [
          new asn1.Utf8String({ value: 'state' }),
          new asn1.Integer({ value: 3 }),
          ...(asn1.fromBER(bytes.slice()).result.valueBlock as unknown as { value: asn1.AsnType[] }).value.slice(2, 3),
          state.state,
        ],
      });
      return new Uint8Array(whole.toBER());
    };
    expect(refusal(() => fromBer(description, new State(), rebuilt(new asn1.Integer({ value: 256 }))))).toMatchObject({
      code: 'out-of-range',
      path: 'state.small',
    });
    expect(refusal(() => fromBer(description, new State(), rebuilt(asn1.Integer.fromBigInt(1n << 90n)))).code).toBe('invalid');
    expect(refusal(() => fromBer(description, new State(), rebuilt(new asn1.Null())))).toMatchObject({
      path: 'state.small',
      expected: 'INTEGER',
    });
    expect(checkBer(rebuilt(new asn1.Integer({ value: 256 })), module)).toEqual([
      'Section.state.small: INTEGER (0..255) is expected',
    ]);
  });
});

group('the module', () => {
  const text = moduleText(asnModule(description, new State()));

  it('is text that says what there is', () => {
    expect(text).toContain('VmState-State DEFINITIONS EXPLICIT TAGS ::=\nBEGIN');
    expect(text).toContain('  small [0] INTEGER (0..255),\n');
    expect(text).toContain('  raw-data [5] OCTET STRING (SIZE(5)), -- raw.data\n');
    expect(text).toContain('  raw-data-2 [7] OCTET STRING (SIZE(0..40)), -- raw-data\n');
    expect(text).toContain('  x-9-lives [14] SEQUENCE (SIZE(0..6)) OF Floppy-drive, -- 9 lives\n');
    expect(text).toContain(
      '  numbers [13] SEQUENCE (SIZE(2)) OF CHOICE { absent NULL, present INTEGER (-2147483648..2147483647) },\n',
    );
    expect(text).toContain('  late [18] INTEGER (0..255) OPTIONAL,\n');
  });

  it('survives being read', () => {
    const again = parseModule(text);
    expect(parseModule(moduleText(again))).toEqual(again);
    expect([...again.types.keys()]).toEqual(['Section', 'Layout', 'Floppy-drive-rate', 'Floppy-drive', 'State-late', 'State']);
  });

  it('finds what is not as it says', () => {
    const other = Object.assign(new State(), { words: new Uint16Array(4) });
    expect(checkBer(toBer(description, other), module)).toEqual(['Section.state.words: SIZE(3..3) is expected']);
    expect(checkBer(new Uint8Array([5, 0]), module)).toEqual(['Section: SEQUENCE is expected']);
    expect(checkBer(new Uint8Array([0x30, 0x80]), module)[0]).toMatch(/BER|missing/);
    const less = parseModule(
      moduleText(asnModule(vmstate<State>({ name: 'state', version: 3, fields: fields.slice(0, 2) }), new State())),
    );
    expect(checkBer(toBer(description, new State()), less)).toEqual(['Section.state: 16 components are not known']);
    const more = parseModule(
      text.replace('BEGIN', 'BEGIN').replace('Layout ::= SEQUENCE {', 'Layout ::= SEQUENCE {\n  first INTEGER (0..1),'),
    );
    expect(checkBer(toBer(description, new State()), more).length).toBeGreaterThan(0);
  });

  it.each([
    ['', 'the text ends'],
    ['M DEFINITIONS IMPLICIT TAGS ::= BEGIN END', "'EXPLICIT' is expected"],
    ['M DEFINITIONS EXPLICIT TAGS ::= BEGIN END', 'there are no types'],
    ['M DEFINITIONS EXPLICIT TAGS ::= BEGIN A ::= Missing END', 'type Missing is not defined'],
    ['M DEFINITIONS EXPLICIT TAGS ::= BEGIN A ::= NULL A ::= NULL END', 'defined twice'],
    ['M DEFINITIONS EXPLICIT TAGS ::= BEGIN A ::= small END', "'small' is no type"],
    ['M DEFINITIONS EXPLICIT TAGS ::= BEGIN A ::= INTEGER (x) END', "'x' is no number"],
    ['M DEFINITIONS EXPLICIT TAGS ::= BEGIN 7 ::= NULL END', "'7' is no name"],
  ])('a text that is none: %s', (bad, message) => {
    expect(() => parseModule(bad)).toThrow(ModuleSyntaxError);
    expect(() => parseModule(bad)).toThrow(message);
  });

  it('gives descriptions of one name and different types names of their own', () => {
    class Two {
      a = Object.assign(new Drive(), {});
      b = { x: 0 };
    }
    const t = fieldsOf<Two>();
    const same = vmstate<{ x: number }>({ name: 'floppy drive', version: 1, fields: [fieldsOf<{ x: number }>().u16('x')] });
    const two = vmstate<Two>({
      name: '7',
      version: 1,
      fields: [t.struct('a', undefined, drive), t.struct('b', undefined, same)],
    });
    const types = parseModule(moduleText(asnModule(two, new Two()))).types;
    expect([...types.keys()]).toEqual(['Section', 'Layout', 'Floppy-drive-rate', 'Floppy-drive', 'Floppy-drive-2', 'X-7']);
    expect(checkBer(toBer(two, new Two()), parseModule(moduleText(asnModule(two, new Two()))))).toEqual([]);
  });
});
