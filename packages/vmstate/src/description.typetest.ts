/** Compile-time tests: what must not compile. `tsc -p tsconfig.test.json` fails on an expectation that is not met. */
import {
  type Codec,
  type Description,
  fieldsOf,
  type HostKeys,
  type IsPlain,
  load,
  save,
  type TreeNode,
  vmstate,
} from './index.js';

class Inner {
  x = 0;
  big = 0n;
}
class Other {
  y = 'text';
}
class State {
  small = 0;
  big = 0n;
  flag = false;
  text = '';
  bytes = new Uint8Array(4);
  words = new Uint16Array(4);
  signed = new Int16Array(4);
  longs = new BigUint64Array(4);
  plain: number[] = [];
  bigs: bigint[] = [];
  flags: boolean[] = [];
  inner = new Inner();
  inners: Inner[] = [];
  readonly fixed: readonly Inner[] = [];
  maybe: Inner | null = null;
  pointers: (Inner | null)[] = [];
  tree: TreeNode<Inner, Inner>[] = [];
  direct: TreeNode<bigint, Inner>[] = [];
}
const f = fieldsOf<State>();
const inner = vmstate<Inner>({ name: 'inner', version: 1, fields: [fieldsOf<Inner>().u8('x')] });
const other = vmstate<Other>({ name: 'other', version: 1, fields: [] });
const create = () => new Inner();

// Properties that exist, of the right type.
f.u8('small');
f.u64('big');
f.bool('flag');
f.boolAs('i32', 'flag');
f.array('u8', 'bytes');
f.array('u16', 'words');
f.array('u64', 'bigs');
f.varArray('u8', 'bytes', undefined, { count: 'small', max: 4 });
f.struct('inner', undefined, inner);
f.structArray('fixed', undefined, inner);
f.tree<bigint, Inner>('direct', undefined, inner, { create, max: 4 });

// A property that does not exist.
// @ts-expect-error
f.u8('missing');
// @ts-expect-error
f.bytes('byte');
// @ts-expect-error
vmstate<State>({ name: 's', version: 1, fields: [], derived: ['nothing'] });

// A text, a flag or a number of the wrong width as a scalar.
// @ts-expect-error
f.u32('text');
// @ts-expect-error
f.u8('flag');
// @ts-expect-error
f.u64('small');
// @ts-expect-error
f.u32('big');
// @ts-expect-error
f.bool('small');
// @ts-expect-error
f.timer('small');
// @ts-expect-error
f.equal('u64', 'small');
// @ts-expect-error
f.double('small');
// @ts-expect-error
f.fd('big');

// Arrays of another width, sign or element type.
// @ts-expect-error
f.array('u8', 'words');
// @ts-expect-error
f.array('u16', 'signed');
// @ts-expect-error
f.array('u64', 'plain');
// @ts-expect-error
f.array('u32', 'bigs');
// @ts-expect-error
f.bytes('words');
// @ts-expect-error
f.boolArray('u8', 'plain');
// @ts-expect-error
f.varArray('i64', 'longs', undefined, { count: 'small', max: 1 });

// Counts that are no numbers.
// @ts-expect-error
f.varArray('u8', 'bytes', undefined, { count: 'big', max: 1 });
// @ts-expect-error
f.sizedBytes('bytes', undefined, { size: 'text', max: 1 });
// @ts-expect-error
f.bitmap('bytes', undefined, { bits: 'flag', max: 1 });

// Structs of another class, or where there is none.
// @ts-expect-error
f.struct('inner', undefined, other);
// @ts-expect-error
f.struct('small', undefined, inner);
// @ts-expect-error
f.structArray('inners', undefined, other);
// @ts-expect-error
f.structArray('inner', undefined, inner);
// @ts-expect-error
f.struct('maybe', undefined, inner);
f.pointer('maybe', undefined, inner, { when: (s) => s.maybe !== null });
// @ts-expect-error
f.inline('inner', inner);
// @ts-expect-error
f.varStructArray('inners', undefined, inner, { count: 'small', max: 1, create: () => new Other() });
// @ts-expect-error
f.structPointers('inners', undefined, other, { create });
// @ts-expect-error
f.list('plain', undefined, inner, { create, max: 1 });
// @ts-expect-error
f.tree<Inner, Inner>('tree', undefined, inner, { create, max: 4 });

// Predicates and hooks see the state's own type.
// @ts-expect-error
f.u8('small', 'small', { when: (s) => s.missing > 0 });
// @ts-expect-error
vmstate<State>({ name: 's', version: 1, fields: [], needed: (s: Other) => s.y === '' });
// @ts-expect-error
vmstate<State>({ name: 's', version: 1, fields: [], postLoad: (s) => s.text.missing() });

// A subsection of another state.
// @ts-expect-error
vmstate<State>({ name: 's', version: 1, fields: [], subsections: [other] });

// A codec of another type.
declare const textCodec: Codec<string>;
f.custom('text', undefined, textCodec);
// @ts-expect-error
f.custom('small', undefined, textCodec);

// A description with a state of another class.
declare const description: Description<State>;
save(description, new State());
// @ts-expect-error
save(description, new Inner());
// @ts-expect-error
load(description, new Inner(), new Uint8Array(0));

// Hosts in a state class.
class WithCallback {
  level = 0;
  onChange = (): void => {};
}
class WithTimer {
  handle: Promise<void> | undefined;
}
class WithLine {
  irq = { level: 0, set(_level: boolean): void {} };
}
class WithListOfLines {
  lines: { set(level: boolean): void }[] = [];
}
class WithSymbol {
  token = Symbol('token');
}
// @ts-expect-error
vmstate<WithCallback>({ name: 's', version: 1, fields: [] });
// @ts-expect-error
vmstate<WithTimer>({ name: 's', version: 1, fields: [] });
// @ts-expect-error
vmstate<WithLine>({ name: 's', version: 1, fields: [] });
// @ts-expect-error
vmstate<WithListOfLines>({ name: 's', version: 1, fields: [] });
// @ts-expect-error
vmstate<WithSymbol>({ name: 's', version: 1, fields: [] });

class Nested {
  readonly parent: Nested | null = null;
  table: ReadonlyMap<number, Inner> = new Map();
  readonly list: readonly (Inner | Uint8Array)[] = [];
  mode: 'a' | 'b' = 'a';
}
vmstate<Nested>({ name: 's', version: 1, fields: [] });
const plainness: [IsPlain<Nested>, IsPlain<() => void>, HostKeys<WithLine>] = [true, false, 'irq'];

export { plainness };
