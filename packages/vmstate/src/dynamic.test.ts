import { readFileSync } from 'node:fs';
import { expect, describe as group, it } from 'vitest';
import { abbreviate, decodeWithVmdesc, encodeTree, type PlainValue, StateError, type VmdescDevice } from './index.js';

interface Fixture {
  qemu: string;
  version: number;
  device: VmdescDevice;
  values: PlainValue;
  hex: string;
}
const fixtures = JSON.parse(readFileSync(new URL('../fixtures/sections.json', import.meta.url), 'utf8')) as Fixture[];
const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const device = (fields: object[], more: object = {}): VmdescDevice =>
  ({ name: 'dev', instance_id: 0, vmsd_name: 'dev', version: 1, fields, ...more }) as unknown as VmdescDevice;
const u8 = (name: string, more: object = {}) => ({ name, ...more, type: 'uint8', size: 1 });

function refusal(run: () => unknown): StateError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(StateError);
    return error as StateError;
  }
  throw new Error('nothing was thrown');
}

/** Parsed JSON has lost the digits of numbers beyond 2^53; compare those as doubles. */
function rounded(value: PlainValue): PlainValue {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rounded(item)]));
}

group('sections of real QEMU through their own description', () => {
  it.each(fixtures.map((fixture) => [`${fixture.device.name} of ${fixture.qemu}`, fixture] as const))('%s', (_name, fixture) => {
    const bytes = fromHex(fixture.hex);
    const result = decodeWithVmdesc(fixture.device, bytes);
    expect(result.end).toBe(bytes.length);
    expect(rounded(abbreviate(result.values))).toEqual(fixture.values);
    expect(Buffer.from(encodeTree(result.node)).toString('hex')).toBe(fixture.hex);
  });

  it('gives every leaf its path, offset and size', () => {
    const fdc = fixtures.find((fixture) => fixture.device.name === 'fdc')!;
    const { fields } = decodeWithVmdesc(fdc.device, new Uint8Array([0, 0, ...fromHex(fdc.hex)]), 2);
    expect(fields[0]).toEqual({ path: 'fdc.state.sra', type: 'uint8', size: 1, offset: 2, value: 192 });
    expect(fields.map((field) => field.path)).toContain('fdc.state.drives[0]/media_rate.media_rate');
    expect(fields.at(-1)).toEqual({
      path: 'fdc.state/reset_sensei.reset_sensei',
      type: 'int32',
      size: 4,
      offset: 2 + 615,
      value: 4,
    });
  });
});

group('what versions of QEMU print differently', () => {
  it('reads arrays with index on all, all but the last, or no element', () => {
    for (const entries of [
      [u8('a', { index: 0 }), u8('a', { index: 1 })],
      [u8('a', { index: 0 }), u8('a')],
      [u8('a'), u8('a')],
    ]) {
      const { node } = decodeWithVmdesc(device(entries), new Uint8Array([7, 8]));
      expect(node.fields).toEqual([{ name: 'a', type: 'uint8', value: [7, 8] }]);
    }
  });

  it('reads arrays of pointers split into runs, and NULL as uint64 of one byte or nullptr', () => {
    for (const type of ['uint64', 'nullptr']) {
      const entries = [
        { name: 'p', array_len: 2, type: 'int32', size: 4 },
        { name: 'p', type, size: 1 },
        { name: 'p', type: 'int32', size: 4 },
      ];
      const bytes = fromHex('0000000000000001' + '30' + '00000003');
      const { node, end } = decodeWithVmdesc(device(entries), bytes);
      expect(end).toBe(13);
      expect(node.fields.map((field) => field.value)).toEqual([[0, 1], null, 3]);
      expect(encodeTree(node)).toEqual(bytes);
    }
    expect(
      refusal(() => decodeWithVmdesc(device([{ name: 'p', type: 'nullptr', size: 1 }]), new Uint8Array([0x31]))),
    ).toMatchObject({
      code: 'invalid',
      expected: '48',
      got: '49',
    });
  });

  it('reads pointer marks', () => {
    const entries = [
      { name: 'p', type: 'ptr-marker', size: 1 },
      { name: 'p', type: 'int32', size: 4 },
      { name: 'p', type: 'ptr-marker', size: 1 },
    ];
    const bytes = fromHex('310000000230');
    const { node } = decodeWithVmdesc(device(entries), bytes);
    expect(node.fields.map((field) => field.value)).toEqual([0x31, 2, 0x30]);
    expect(encodeTree(node)).toEqual(bytes);
  });

  it('reads opaque sections of old save functions', () => {
    const opaque = { name: 'slirp', instance_id: 0, size: 3, fields: [{ name: 'data', size: 3, type: 'buffer' }] };
    const { values, end } = decodeWithVmdesc(opaque, new Uint8Array([0, 0, 9]));
    expect({ ...values }).toEqual({ data: '000009' });
    expect(end).toBe(3);
  });

  it('keeps lists as bytes, because their repeated keys do not survive a JSON parser', () => {
    const list = { name: 'q', type: 'qtailq', vmsd_name: 'e', version: 1, fields: [u8('x')], size: 5 };
    const bytes = new Uint8Array([1, 10, 1, 11, 0]);
    const { node } = decodeWithVmdesc(device([list]), bytes);
    expect(node.fields[0]!.value).toEqual(bytes);
    expect(encodeTree(node)).toEqual(bytes);
  });
});

group('values', () => {
  it('are exact beyond 2^53, and a timer that is not pending is all ones as recorded', () => {
    const entries = [
      { name: 'big', type: 'uint64', size: 8 },
      { name: 'small', type: 'int64', size: 8 },
      { name: 'timer', type: 'timer', size: 8 },
      { name: 'flag', type: 'bool', size: 1 },
    ];
    const { values, node } = decodeWithVmdesc(
      device(entries),
      fromHex('fffffffffffffffe' + 'fffffffffffffffe' + 'ffffffffffffffff' + '01'),
    );
    expect({ ...values }).toEqual({ big: 2n ** 64n - 2n, small: -2, timer: 2n ** 64n - 1n, flag: 1 });
    expect(node.fields.map((field) => field.value)).toEqual([2n ** 64n - 2n, -2n, -1n, true]);
  });

  it('abbreviates only what is longer than 64 bytes', () => {
    expect(abbreviate('00'.repeat(64))).toBe('00'.repeat(64));
    expect(abbreviate('ab'.repeat(65))).toBe(`65 bytes ${'ab'.repeat(16)}..`);
  });
});

group('hostile input', () => {
  const subsection = { subsections: [{ vmsd_name: 'dev/extra', version: 1, fields: [u8('x')] }] };

  it('names the field that the data is too short for', () => {
    expect(
      refusal(() => decodeWithVmdesc(device([u8('a'), { name: 'b', type: 'uint32', size: 4 }]), new Uint8Array(3))),
    ).toMatchObject({
      code: 'truncated',
      path: 'dev.b',
      offset: 1,
      expected: '4 bytes',
      got: '2 bytes',
    });
  });

  it('names a subsection that is announced but not there', () => {
    const good = [9, 5, 9, ...Buffer.from('dev/extra'), 0, 0, 0, 1, 7];
    expect(decodeWithVmdesc(device([u8('a')], subsection), new Uint8Array(good)).values).toMatchObject({
      a: 9,
      'SUB dev/extra v1': { x: 7 },
    });
    const other = [9, 5, 9, ...Buffer.from('dev/extrb'), 0, 0, 0, 1, 7];
    expect(refusal(() => decodeWithVmdesc(device([u8('a')], subsection), new Uint8Array(other)))).toMatchObject({
      code: 'invalid',
      path: 'dev/extra',
      expected: "'dev/extra'",
      got: "'dev/extrb'",
    });
  });

  it('allocates nothing for an array_len that the data cannot hold', () => {
    for (const size of [0, 4]) {
      const huge = { name: 'a', array_len: 2 ** 40, type: 'uint32', size };
      expect(refusal(() => decodeWithVmdesc(device([huge]), new Uint8Array(100)))).toMatchObject({
        code: 'truncated',
        path: 'dev.a',
      });
    }
    const structs = {
      name: 'a',
      array_len: 2 ** 40,
      type: 'struct',
      struct: { vmsd_name: 'e', version: 1, fields: [] },
      size: 0,
    };
    expect(refusal(() => decodeWithVmdesc(device([structs]), new Uint8Array(100)))).toMatchObject({ code: 'truncated' });
  });

  it.each([
    ['no fields', { ...device([]), fields: 7 }],
    ['a field that is null', device([null as unknown as object])],
    ['a field without a name', device([{ type: 'uint8', size: 1 }])],
    ['a negative size', device([{ name: 'a', type: 'buffer', size: -1 }])],
    ['a fractional array_len', device([{ name: 'a', array_len: 0.5, type: 'uint8', size: 1 }])],
    ['a struct without a version', device([{ name: 'a', type: 'struct', struct: { vmsd_name: 'x', fields: [] }, size: 0 }])],
    ['a subsection that is a number', device([], { subsections: [3] })],
    ['subsections that are text', device([], { subsections: 'abc' })],
  ])('refuses a malformed description: %s', (_name, bad) => {
    expect(refusal(() => decodeWithVmdesc(bad as VmdescDevice, new Uint8Array(10))).code).toBe('json');
  });

  it('refuses a description nested without end', () => {
    let fields: object[] = [u8('x')];
    for (let i = 0; i < 100; i++)
      fields = [{ name: 's', type: 'struct', struct: { vmsd_name: 's', version: 1, fields }, size: 1 }];
    expect(refusal(() => decodeWithVmdesc(device(fields), new Uint8Array(10))).code).toBe('json');
  });

  it('notices a struct whose size is not that of its fields', () => {
    const odd = { name: 's', type: 'struct', struct: { vmsd_name: 's', version: 1, fields: [u8('x')] }, size: 2 };
    expect(refusal(() => decodeWithVmdesc(device([odd]), new Uint8Array(2)))).toMatchObject({
      code: 'invalid',
      expected: '2 bytes',
      got: '1 bytes',
    });
  });

  it('takes names like __proto__ for what they are', () => {
    const { values } = decodeWithVmdesc(device([u8('__proto__')]), new Uint8Array([3]));
    expect(Object.keys(values)).toEqual(['__proto__']);
  });
});
