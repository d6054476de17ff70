import { capture, fieldsOf, vmstate } from '@pagurus/vmstate';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { place, plainOf, protobufOf } from './peers.js';
import { vmstateSuite } from './vmstate-suite.js';

class Inner {
  x = -3;
  words = new Uint16Array([1, 2]);
}
class State {
  flag = true;
  count = 4_000_000_000;
  deadline = -1n;
  readonly longs = new BigUint64Array([5n, 2n ** 64n - 1n]);
  readonly raw = new Uint8Array([1, 2, 3]);
  readonly inner = new Inner();
  readonly list = [new Inner(), new Inner()];
  nothing: Inner | null = null;
}
const f = fieldsOf<State>();
const i = fieldsOf<Inner>();
const inner = vmstate<Inner>({ name: 'inner', version: 1, fields: [i.i32('x'), i.array('u16', 'words')] });
const description = vmstate<State>({
  name: 'state',
  version: 1,
  fields: [
    f.bool('flag'),
    f.u32('count'),
    f.timer('deadline'),
    f.array('u64', 'longs'),
    f.bytes('raw'),
    f.struct('inner', 'inner', inner),
    f.structArray('list', 'list', inner),
  ],
});

describe('peers', () => {
  it('get the same values', () => {
    const plain = plainOf(capture(description, new State()));
    expect(plain).toMatchObject({ deadline: -1n, longs: [5n, 2n ** 64n - 1n], inner: { x: -3 } });
    const packr = new Packr({ structures: [], moreTypes: true });
    expect(packr.unpack(packr.pack(plain))).toMatchObject({ inner: { x: -3, words: new Uint16Array([1, 2]) }, deadline: -1n });
    const peer = protobufOf(plain);
    const decoded = JSON.parse(JSON.stringify(peer.decode(peer.encode()))) as { [name: string]: unknown };
    expect(decoded).toMatchObject({
      f1: true,
      f2: 4_000_000_000,
      f4: ['5', '18446744073709551615'],
      f5: 'AQID',
      f6: { f1: -3, f2: [1, 2] },
    });
  });
});

describe('place', () => {
  it('puts every value where it belongs and keeps the objects', () => {
    const target = { a: 1, nested: { words: new Uint16Array(2), list: [{ x: 1n }] }, none: null };
    const { nested } = target;
    place(target, { a: 2, nested: { words: new Uint16Array([3, 4]), list: [{ x: 5n }] }, none: true });
    expect(target).toEqual({ a: 2, nested: { words: new Uint16Array([3, 4]), list: [{ x: 5n }] }, none: true });
    expect(target.nested).toBe(nested);
  });
});

describe('the suite', () => {
  it('measures every way', async () => {
    const rows = await vmstateSuite([{ name: 'state', description, state: new State() }], 5);
    expect(rows.map(({ operation, who }) => `${operation} ${who}`)).toEqual([
      ...['save', 'decode', 'load'].flatMap((operation) =>
        ['plan', 'interpreter', 'protobufjs', 'msgpackr'].map((who) => `${operation} ${who}`),
      ),
      'describe plan',
      'describe interpreter',
    ]);
    for (const { microseconds, bytes } of rows) {
      expect(microseconds).toBeGreaterThan(0);
      expect(bytes).toBeGreaterThan(0);
    }
  });
});
