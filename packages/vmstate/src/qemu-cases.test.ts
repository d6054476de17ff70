/** The cases of QEMU's own unit test of VMState, with its byte vectors: same names, same bytes, own code; interpreted and compiled. */
import { expect, describe as group, it } from 'vitest';
import {
  cloneState,
  compile,
  type Description,
  decodeWithVmdesc,
  fieldsOf,
  load,
  StateError,
  save,
  saveDescribed,
  type TreeNode,
  vmstate,
} from './index.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s|\|/g, ''), 'hex'));
const plain = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A file of the original ends with one byte 0 that a good load leaves unread. */
const withEnd = (bytes: Uint8Array): Uint8Array => new Uint8Array([...bytes, 0]);

function roundTrip<S extends object>(description: Description<S>, full: S, empty: S, wire: string): void {
  const bytes = hex(wire);
  expect(plain(save(description, full))).toBe(plain(bytes));
  const plan = compile(description);
  const other = cloneState(empty);
  expect(plain(plan.save(full))).toBe(plain(bytes));
  expect(plan.load(other, withEnd(bytes))).toBe(bytes.length);
  expect(load(description, empty, withEnd(bytes))).toBe(bytes.length);
  expect(empty).toEqual(full);
  expect(other).toEqual(full);
}

/** Loaded with nothing, two bytes short of the file, the first half and the second half: all fail, none changes the state. */
function refusesParts<S extends object>(description: Description<S>, create: () => S, wire: string): void {
  const file = withEnd(hex(wire));
  const half = Math.ceil(file.length / 2);
  for (const part of [file.subarray(0, 0), file.subarray(0, file.length - 2), file.subarray(0, half), file.subarray(half)]) {
    const state = create();
    expect(() => load(description, state, part)).toThrow(StateError);
    expect(() => compile(description).load(state, part)).toThrow(StateError);
    expect(state).toEqual(create());
  }
}

class Primitive {
  bool1 = false;
  bool2 = false;
  u8 = 0;
  u16 = 0;
  u32 = 0;
  u64 = 0n;
  i8a = 0;
  i8b = 0;
  i16a = 0;
  i16b = 0;
  i32a = 0;
  i32b = 0;
  i64a = 0n;
  i64b = 0n;
}
const p = fieldsOf<Primitive>();
const primitive = vmstate<Primitive>({
  name: 'simple/primitive',
  version: 1,
  fields: [
    p.bool('bool1'),
    p.bool('bool2'),
    p.u8('u8'),
    p.u16('u16'),
    p.u32('u32'),
    p.u64('u64'),
    p.i8('i8a'),
    p.i8('i8b'),
    p.i16('i16a'),
    p.i16('i16b'),
    p.i32('i32a'),
    p.i32('i32b'),
    p.i64('i64a'),
    p.i64('i64b'),
  ],
});
const primitiveWire =
  '01 00 82 0200 00011170 0000000000b8f47c 41 bf 0200 fe00 00011170 fffeee90 0000000000b8f47c ffffffffff470b84';

class Words {
  words = new Uint16Array(3);
}
const words = vmstate<Words>({ name: 'simple/array', version: 1, fields: [fieldsOf<Words>().array('u16', 'words')] });

group('simple', () => {
  it('primitive', () => {
    const full: Primitive = Object.assign(new Primitive(), {
      bool1: true,
      u8: 130,
      u16: 512,
      u32: 70000,
      u64: 12121212n,
      i8a: 65,
      i8b: -65,
      i16a: 512,
      i16b: -512,
      i32a: 70000,
      i32b: -70000,
      i64a: 12121212n,
      i64b: -12121212n,
    });
    roundTrip(primitive, full, new Primitive(), primitiveWire);
    refusesParts(primitive, () => new Primitive(), primitiveWire);
  });

  it('array', () => {
    const full = new Words();
    full.words.set([0x42, 0x43, 0x44]);
    roundTrip(words, full, new Words(), '0042 0043 0044');
    refusesParts(words, () => new Words(), '0042 0043 0044');
  });
});

class Versioned {
  a = 1;
  b = 2;
  c = 3;
  d = 4n;
  e = 5;
  f = 6n;
  skip = false;
}
const v = fieldsOf<Versioned>();
const versioned = vmstate<Versioned>({
  name: 'test/versioned',
  version: 2,
  minVersion: 1,
  fields: [
    v.u32('a'),
    v.u32('b', 'b', { since: 2 }),
    v.u32('c'),
    v.u64('d'),
    v.u32('e', 'e', { since: 2 }),
    v.u64('f', 'f', { since: 2 }),
  ],
});
const skipping = vmstate<Versioned>({
  name: 'test/skip',
  version: 2,
  minVersion: 1,
  fields: [
    v.u32('a'),
    v.u32('b'),
    // The test overrules the version: `since: 9` never matters.
    v.u32('c', 'c', { when: (s) => !s.skip, since: 9 }),
    v.u64('d'),
    v.u32('e', 'e', { when: (s) => !s.skip }),
    v.u64('f', 'f', { since: 2 }),
  ],
});

group('versioned', () => {
  it('load/v1: fields that came with version 2 stay as they were', () => {
    const state = new Versioned();
    state.b = 77;
    const wire = hex('0000000a 0000001e 0000000000000028');
    expect(load(versioned, state, withEnd(wire), 1)).toBe(wire.length);
    expect(state).toMatchObject({ a: 10, b: 77, c: 30, d: 40n, e: 5, f: 6n });
  });

  it('load/v2', () => {
    const state = new Versioned();
    const wire = hex('0000000a 00000014 0000001e 0000000000000028 00000032 000000000000003c');
    expect(load(versioned, state, withEnd(wire), 2)).toBe(wire.length);
    expect(state).toMatchObject({ a: 10, b: 20, c: 30, d: 40n, e: 50, f: 60n });
  });

  it('a save writes every versioned field', () => {
    expect(save(versioned, new Versioned())).toHaveLength(4 + 4 + 4 + 8 + 4 + 8);
  });
});

group('field_exists', () => {
  const noskip = '00000001 00000002 00000003 0000000000000004 00000005 0000000000000006';
  const skip = '00000001 00000002 0000000000000004 0000000000000006';

  it('save/noskip and save/skip', () => {
    const state = new Versioned();
    expect(plain(save(skipping, state))).toBe(plain(hex(noskip)));
    state.skip = true;
    expect(plain(save(skipping, state))).toBe(plain(hex(skip)));
  });

  it('load/noskip and load/skip', () => {
    for (const [flag, wire] of [
      [false, noskip],
      [true, skip],
    ] as const) {
      const state = Object.assign(new Versioned(), { a: 0, b: 0, c: 100, d: 0n, e: 300, f: 0n, skip: flag });
      expect(load(skipping, state, withEnd(hex(wire)), 2)).toBe(hex(wire).length);
      expect(state).toMatchObject({ a: 1, b: 2, c: flag ? 100 : 3, d: 4n, e: flag ? 300 : 5, f: 6n });
    }
  });
});

class Item {
  constructor(public i = 0) {}
}
const item = vmstate<Item>({ name: 'test/struct', version: 1, fields: [fieldsOf<Item>().i32('i')] });
class Pointers {
  constructor(public items: (Item | null)[]) {}
}
class Numbers {
  constructor(public items: (number | null)[]) {}
}
const create = () => new Item();
const structPointers = vmstate<Pointers>({
  name: 'array/ptr/str',
  version: 1,
  fields: [fieldsOf<Pointers>().structPointers('items', 'ar', item, { create })],
});
const markedPointers = vmstate<Pointers>({
  name: 'array/ptr-nulls/str',
  version: 1,
  fields: [fieldsOf<Pointers>().structPointers('items', 'ar', item, { create, marks: 'each' })],
});
const scalarPointers = vmstate<Numbers>({
  name: 'array/ptr/prim',
  version: 1,
  fields: [fieldsOf<Numbers>().scalarPointers('i32', 'items', 'ar')],
});

group('array', () => {
  const full = () => [0, 1, 2, 3].map((i) => new Item(i));
  const holed = () => full().map((one) => (one.i === 1 ? null : one));
  const blank = (items: (Item | null)[]) => items.map((one) => one && new Item());

  it('ptr/str/no0', () => {
    roundTrip(structPointers, new Pointers(full()), new Pointers(blank(full())), '00000000 00000001 00000002 00000003');
  });

  it('ptr/str/0: a null is 0x30 and must be null on the loading side', () => {
    roundTrip(structPointers, new Pointers(holed()), new Pointers(blank(holed())), '00000000 | 30 | 00000002 00000003');
    expect(() => load(structPointers, new Pointers(blank(holed())), hex('00000000 00000001 00000002 00000003'))).toThrow(
      expect.objectContaining({ code: 'invalid', path: 'array/ptr/str.items[1]', expected: '48', got: '0' }),
    );
  });

  it('ptr/prim/0', () => {
    roundTrip(scalarPointers, new Numbers([0, null, 2, 3]), new Numbers([9, null, 9, 9]), '00000000 30 00000002 00000003');
  });

  it('ptr-nulls/str: every element has its mark, elements are made or dropped as the marks say', () => {
    roundTrip(
      markedPointers,
      new Pointers(holed()),
      new Pointers([null, new Item(9), null, null]),
      '31 00000000 30 31 00000002 31 00000003',
    );
    expect(() => load(markedPointers, new Pointers([null]), hex('32 00000000'))).toThrow(
      expect.objectContaining({ code: 'invalid', expected: '48 or 49', got: '50' }),
    );
  });
});

class Element {
  constructor(
    public b = false,
    public u = 0,
  ) {}
}
class Queue {
  i16 = -512;
  queue: Element[] = [];
  u32 = 70000;
}
const e = fieldsOf<Element>();
const element = vmstate<Element>({ name: 'test/queue_element', version: 1, fields: [e.bool('b'), e.u8('u')] });
const q = fieldsOf<Queue>();
const queue = vmstate<Queue>({
  name: 'test/queue',
  version: 1,
  fields: [
    q.i16('i16'),
    q.list('queue', 'queue', element, { create: () => new Element(), max: 100 }, { since: 1 }),
    q.u32('u32'),
  ],
});

group('qtailq', () => {
  it('saveq and loadq', () => {
    const full = new Queue();
    full.queue = [new Element(true, 130), new Element(false, 65)];
    roundTrip(queue, full, new Queue(), 'fe00 01 01 82 01 00 41 00 00011170');
  });

  it('ends at its bound, however long the data goes on', () => {
    expect(() => load(queue, new Queue(), new Uint8Array(1000).fill(1))).toThrow(
      expect.objectContaining({ code: 'out-of-range', path: 'test/queue.queue[100]', expected: '0 to 100', got: '101' }),
    );
  });

  it('loads elements at the version of the field, so that one that forgets it finds no version 0', () => {
    const forgot = vmstate<Queue>({
      name: 'test/queue',
      version: 1,
      fields: [q.list('queue', 'queue', element, { create: () => new Element(), max: 100 })],
    });
    expect(() => load(forgot, new Queue(), hex('01 01 82 00'))).toThrow(expect.objectContaining({ code: 'version-too-old' }));
  });
});

class Interval {
  constructor(
    public low = 0n,
    public high = 0n,
  ) {}
}
class Mapping {
  constructor(
    public physical = 0n,
    public flags = 0,
  ) {}
}
class Domain {
  id = 0;
  mappings: TreeNode<Interval, Mapping>[] = [];
}
class Iommu {
  id = 0;
  domains: TreeNode<bigint, Domain>[] = [];
}
const r = fieldsOf<Interval>();
const m = fieldsOf<Mapping>();
const d = fieldsOf<Domain>();
const u = fieldsOf<Iommu>();
const interval = vmstate<Interval>({ name: 'interval', version: 1, fields: [r.u64('low'), r.u64('high')] });
const mapping = vmstate<Mapping>({ name: 'mapping', version: 1, fields: [m.u64('physical', 'phys_addr'), m.u32('flags')] });
const domain = vmstate<Domain>({
  name: 'domain',
  version: 1,
  fields: [
    d.i32('id'),
    d.tree<Interval, Mapping>(
      'mappings',
      'mappings',
      mapping,
      { create: () => new Mapping(), max: 64, keys: { description: interval, create: () => new Interval() } },
      { since: 1 },
    ),
  ],
});
const iommu = vmstate<Iommu>({
  name: 'iommu',
  version: 1,
  fields: [
    u.i32('id'),
    u.tree<bigint, Domain>('domains', 'domains', domain, { create: () => new Domain(), max: 64 }, { since: 1 }),
  ],
});

group('gtree', () => {
  const domainWire =
    '00000006 00000002' +
    '01 0000000000001000 0000000000001fff 000000000000a000 00000001' +
    '01 0000000000004000 0000000000004fff 000000000000f000 00000002' +
    '00';
  const makeDomain = () =>
    Object.assign(new Domain(), {
      id: 6,
      mappings: [
        { key: new Interval(0x1000n, 0x1fffn), value: new Mapping(0xa000n, 1) },
        { key: new Interval(0x4000n, 0x4fffn), value: new Mapping(0xf000n, 2) },
      ],
    });

  it('savedomain and loaddomain: keys with a description of their own', () => {
    roundTrip(domain, makeDomain(), new Domain(), domainWire);
  });

  it('saveiommu and loadiommu: trees in a tree with direct keys', () => {
    const full = Object.assign(new Iommu(), {
      id: 7,
      domains: [
        { key: 5n, value: Object.assign(makeDomain(), { id: 5 }) },
        { key: 6n, value: makeDomain() },
      ],
    });
    const inner = domainWire.slice('00000006'.length);
    roundTrip(
      iommu,
      full,
      new Iommu(),
      `00000007 00000002 01 0000000000000005 00000005${inner} 01 0000000000000006 00000006${inner} 00`,
    );
  });

  it('refuses a count that is not that of the nodes', () => {
    for (const count of ['00000001', '00000003']) {
      expect(() => load(domain, new Domain(), hex(domainWire.replace('00000002', count)))).toThrow(StateError);
    }
    expect(() => load(domain, new Domain(), hex(domainWire.replace('00000002', '00000003')))).toThrow(
      expect.objectContaining({ code: 'invalid', expected: '3', got: '2' }),
    );
    expect(() => load(domain, new Domain(), hex(domainWire.replace('00000002', 'ffffffff')))).toThrow(
      expect.objectContaining({ code: 'out-of-range', expected: '0 to 64' }),
    );
  });
});

class Container {
  id = 0;
  list: Item[] = [];
}
const c = fieldsOf<Container>();
const container = vmstate<Container>({
  name: 'container',
  version: 1,
  fields: [
    c.u32('id'),
    c.list(
      'list',
      'list',
      vmstate<Item>({ name: 'element', version: 1, fields: [fieldsOf<Item>().u32('i')] }),
      { create, max: 10, info: 'qlist' },
      { since: 1 },
    ),
  ],
});

group('qlist', () => {
  it('saveqlist and loadqlist', () => {
    const full = Object.assign(new Container(), { id: 1, list: [0x0a, 0x0b00, 0x0c0000, 0x0d000000].map((i) => new Item(i)) });
    roundTrip(container, full, new Container(), '00000001 01 0000000a 01 00000b00 01 000c0000 01 0d000000 00');
  });
});

class Parent {
  a = 2;
  b = 3;
  c = 0;
  d = 1n;
  f = 8n;
}
/** Carries the difference b - a and restores b from it. */
class Scratch {
  diff = 0n;
  constructor(readonly parent: Parent) {}
}
const s = fieldsOf<Parent>();
const scratch = vmstate<Scratch>({
  name: 'test/tmp',
  version: 0,
  preSave: (tmp) => {
    tmp.diff = BigInt(tmp.parent.b - tmp.parent.a);
  },
  postLoad: (tmp) => {
    tmp.parent.b = tmp.parent.a + Number(tmp.diff);
  },
  fields: [fieldsOf<Scratch>().u64('diff')],
});
const withScratch = vmstate<Parent>({
  name: 'test/with_tmp',
  version: 1,
  fields: [s.u32('a'), s.u64('d'), s.tmp('tmp', scratch, (parent) => new Scratch(parent)), s.u64('f')],
});

group('tmp_struct', () => {
  const wire = '00000002 0000000000000001 0000000000000002 0000000000000008';
  it('is filled from the parent and writes back to it', () => {
    const full = Object.assign(new Parent(), { b: 4 });
    const empty = Object.assign(new Parent(), { a: 0, b: 0, d: 0n, f: 0n });
    roundTrip(withScratch, full, empty, wire);
    refusesParts(withScratch, () => new Parent(), wire);
  });
});

class Inherited {
  fd = -1;
  after = 0;
}
const h = fieldsOf<Inherited>();
const inherited = vmstate<Inherited>({ name: 'test/fd', version: 1, fields: [h.fd('fd'), h.u8('after')] });

group('fd', () => {
  it('is its number, as one process leaves it to the next (10.0)', () => {
    roundTrip(inherited, Object.assign(new Inherited(), { fd: 17, after: 9 }), new Inherited(), '00000011 09');
    roundTrip(inherited, new Inherited(), Object.assign(new Inherited(), { fd: 3 }), 'ffffffff 00');
  });

  it('is called so in the description JSON and read back from it', () => {
    const { bytes, description } = saveDescribed(inherited, Object.assign(new Inherited(), { fd: 17 }));
    expect(description.fields[0]).toEqual({ name: 'fd', type: 'fd', size: 4 });
    expect(decodeWithVmdesc(description, bytes).values).toEqual({ fd: 17, after: 0 });
  });
});
