/** Every code of StateError, with path, offset, expected and found; and that a failed load or save leaves things as they were. */
import { expect, describe as group, it } from 'vitest';
import { Everything, everything } from './everything.fixture.js';
import {
  capture,
  compile,
  type Description,
  describe,
  fieldsOf,
  fromJson,
  load,
  PRIORITY,
  StateError,
  save,
  toJson,
  vmstate,
} from './index.js';

class Inner {
  x = 0;
}
class State {
  a = 1;
  nirq = 4;
  most = 3;
  count = 0;
  items: number[] = [];
  inner: Inner | null = new Inner();
  list = [new Inner(), new Inner()];
}
const f = fieldsOf<State>();
const inner = vmstate<Inner>({ name: 'inner', version: 1, fields: [fieldsOf<Inner>().u16('x', 'wire.x')] });
const make = (fields: Description<State>['fields'], more: Partial<Description<State>> = {}): Description<State> => ({
  ...vmstate<State>({ name: 'dev', version: 2, minVersion: 1, fields }),
  ...more,
});
const full = make([f.u8('a'), f.structArray('list', 'list', inner)]);

function refusal(run: () => unknown): StateError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(StateError);
    return error as StateError;
  }
  throw new Error('nothing was thrown');
}

group('loading', () => {
  const loaded = (description: Description<State>, bytes: number[], version?: number) =>
    refusal(() => load(description, new State(), new Uint8Array(bytes), version, { path: '0000:00:01.0/dev' }));

  it('truncated', () => {
    expect(loaded(full, [1, 0, 2, 0])).toMatchObject({
      code: 'truncated',
      path: '0000:00:01.0/dev.list[1].x',
      offset: 3,
      expected: '2 bytes',
      got: '1 bytes',
      message: '0000:00:01.0/dev.list[1].x at offset 3: the data ends here: 2 bytes needed, 1 left',
    });
  });

  it('version-too-new and version-too-old', () => {
    expect(loaded(full, [], 3)).toMatchObject({ code: 'version-too-new', offset: 0, expected: '1 to 2', got: '3' });
    expect(loaded(full, [], 0)).toMatchObject({ code: 'version-too-old', expected: '1 to 2', got: '0' });
  });

  it('not-equal says what the value should be, and why', () => {
    const equal = make([f.equal('i32', 'nirq', 'nirq', { hint: 'the number of pins is a property of the board' })]);
    expect(loaded(equal, [0, 0, 0, 8])).toMatchObject({
      code: 'not-equal',
      path: '0000:00:01.0/dev.nirq',
      expected: '0x4',
      got: '0x8',
      message: expect.stringContaining('0x8 does not equal 0x4 here (the number of pins is a property of the board)') as string,
    });
    expect(loaded(equal, [255, 255, 255, 255])).toMatchObject({ got: '-0x1' });
  });

  it('out-of-range: a value above the local one, a count above its bound', () => {
    expect(loaded(make([f.lessOrEqual('most')]), [0, 0, 0, 4])).toMatchObject({
      code: 'out-of-range',
      expected: '0 to 3',
      got: '4',
    });
    expect(loaded(make([f.lessOrEqual('most')]), [255, 255, 255, 255])).toMatchObject({ code: 'out-of-range', got: '-1' });
    const counted = make([f.u32('count'), f.varArray('u8', 'items', 'items', { count: 'count', max: 5 })]);
    expect(loaded(counted, [0xff, 0xff, 0xff, 0xff])).toMatchObject({
      code: 'out-of-range',
      path: '0000:00:01.0/dev.items',
      expected: '0 to 5',
      got: '4294967295',
    });
  });

  it('a negative count is none', () => {
    const counted = make([f.i32('count'), f.varArray('u8', 'items', 'items', { count: 'count', max: 5 })]);
    const state = Object.assign(new State(), { items: [1, 2] });
    expect(load(counted, state, new Uint8Array([255, 255, 255, 255, 9]))).toBe(4);
    expect(state.items).toEqual([]);
    expect(save(counted, state)).toEqual(new Uint8Array([255, 255, 255, 255]));
  });

  it('invalid: a condition that does not hold, a pointer to nothing', () => {
    expect(loaded(make([f.u8('a'), f.validate('a is small', (s) => s.a < 5)]), [9])).toMatchObject({
      code: 'invalid',
      path: '0000:00:01.0/dev.a is small',
      offset: 1,
      message: expect.stringContaining('input validation failed: a is small') as string,
    });
    const pointer = make([f.pointer('inner', 'inner', inner)]);
    expect(refusal(() => load(pointer, Object.assign(new State(), { inner: null }), new Uint8Array(2)))).toMatchObject({
      code: 'invalid',
      expected: 'inner',
      got: 'null',
    });
  });

  it('hook-failed: whatever code of a description throws', () => {
    const boom = () => {
      throw new RangeError('boom');
    };
    const hooks: [Partial<Description<State>>, string][] = [
      [{ preLoad: boom }, 'preLoad refused: boom'],
      [{ postLoad: boom }, 'postLoad refused: boom'],
      [{ fields: [f.u8('a', 'a', { when: boom })] }, 'field test refused: boom'],
      [{ fields: [f.validate('odd', boom)] }, 'validation refused: boom'],
      [
        { fields: [f.u32('count'), f.varStructArray('list', 'list', inner, { count: 'count', max: 9, create: boom })] },
        'create refused: boom',
      ],
      [{ fields: [f.tmp('tmp', inner, boom)] }, 'create refused: boom'],
    ];
    for (const [more, message] of hooks) {
      const error = loaded(make([f.u8('a')], more), [0, 0, 0, 9, 9, 9]);
      expect(error).toMatchObject({ code: 'hook-failed', message: expect.stringContaining(message) as string });
    }
    const text = make([f.u8('a')], {
      postLoad: () => {
        throw 'in words';
      },
    });
    expect(loaded(text, [1]).message).toContain('postLoad refused: in words');
  });

  it('a StateError of a hook keeps its own words', () => {
    const own = new StateError('invalid', 'dev.a', 7, 'a is not right', '1', '2');
    const refusing = make([f.u8('a')], {
      postLoad: () => {
        throw own;
      },
    });
    expect(loaded(refusing, [1])).toBe(own);
  });
});

group('saving', () => {
  it('unmigratable says why, nested or not', () => {
    const stuck = make([f.u8('a')], { unmigratable: 'it holds a file of the host' });
    for (const run of [
      () => save(stuck, new State()),
      () => capture(stuck, new State()),
      () => compile(stuck).save(new State()),
      () => toJson(stuck, new State()),
    ]) {
      expect(refusal(run)).toMatchObject({ code: 'unmigratable', path: 'dev', message: 'dev: it holds a file of the host' });
    }
    const outer = make([f.inline('stuck', stuck)]);
    expect(refusal(() => save(outer, new State()))).toMatchObject({ code: 'unmigratable', path: 'dev.stuck' });
  });

  it('invalid: arrays that are too short, null behind a pointer, a condition', () => {
    const counted = make([f.u32('count'), f.varArray('u8', 'items', 'items', { count: 'count', max: 5 })]);
    expect(refusal(() => save(counted, Object.assign(new State(), { count: 2, items: [1] })))).toMatchObject({
      code: 'invalid',
      path: 'dev.items',
      expected: '2',
      got: '1',
    });
    expect(refusal(() => save(counted, Object.assign(new State(), { count: 6 })))).toMatchObject({
      code: 'out-of-range',
      expected: '0 to 5',
    });
    expect(
      refusal(() => save(make([f.pointer('inner', 'inner', inner)]), Object.assign(new State(), { inner: null }))),
    ).toMatchObject({ code: 'invalid' });
    expect(refusal(() => save(make([f.validate('never', () => false)]), new State()))).toMatchObject({
      code: 'invalid',
      path: 'dev.never',
    });
  });

  it('runs postSave even if it fails', () => {
    const log: string[] = [];
    const hooked = make([f.u8('a')], { preSave: () => void log.push('pre'), postSave: () => void log.push('post') });
    expect(refusal(() => save(hooked, Object.assign(new State(), { a: 999 })))).toMatchObject({
      code: 'out-of-range',
      offset: -1,
    });
    expect(log).toEqual(['pre', 'post']);
  });
});

group('JSON', () => {
  it('json and trailing data', () => {
    expect(refusal(() => fromJson(full, new State(), '[1]'))).toMatchObject({
      code: 'json',
      path: 'dev',
      expected: 'object',
      got: 'list',
    });
    expect(refusal(() => fromJson(full, new State(), { a: 1, list: [{ 'wire.x': 1 }, { 'wire.x': -1 }] }))).toMatchObject({
      code: 'out-of-range',
      path: 'dev.list[1].x',
    });
  });
});

group('defaults', () => {
  it('of a description', () => {
    expect(vmstate<State>({ name: 'dev', version: 4, fields: [] })).toMatchObject({
      minVersion: 4,
      subsections: [],
      priority: PRIORITY.DEFAULT,
      earlySetup: false,
      unmigratable: undefined,
      derived: [],
    });
    expect(PRIORITY.DEFAULT).toBeLessThan(PRIORITY.IOMMU);
    expect(PRIORITY.IOMMU).toBeLessThan(PRIORITY.PCI_BUS);
    expect(PRIORITY.PCI_BUS).toBeLessThan(PRIORITY.APIC);
    expect(PRIORITY.LOW).toBeLessThan(PRIORITY.DEFAULT);
  });

  it('the description JSON names every kind as QEMU does', () => {
    const names = new Map(describe(everything, new Everything()).fields.map(({ name, type }) => [name, type]));
    expect(Object.fromEntries(names)).toMatchObject({
      flag: 'bool',
      flag_as_int: 'uint32',
      same: 'uint8 equal',
      same64: 'int64 equal',
      at_most: 'int32 le',
      deadline: 'timer',
      deadlines: 'timer',
      half: 'CPU_Double_U',
      raw: 'buffer',
      counted: 'GByteArray',
      fixed_bits: 'bitmap',
      old: 'vstruct',
      list: 'qtailq',
      tree: 'gtree',
      sensor: 'tmp',
      unused: 'unused_buffer',
      text: 'ascii',
      'twin[1]': 'uint8',
    });
    expect(names.has('size is even or odd')).toBe(false);
  });
});
