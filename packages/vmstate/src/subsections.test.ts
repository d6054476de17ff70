/**
 * Subsections have no frame: a reader recognises one by its first byte and its name. In 2011 that went wrong with ordinary data, and the
 * prefix rule was the answer; these tests hold both on record, with what is left of the ambiguity.
 */
import * as fc from 'fast-check';
import { expect, describe as group, it } from 'vitest';
import { type Description, fieldsOf, fromJson, load, StateError, save, toJson, vmstate } from './index.js';

class Inner {
  value = 0;
  extra = 0;
}
class Outer {
  readonly inner = new Inner();
  data = new Uint8Array(12);
}
const i = fieldsOf<Inner>();
const o = fieldsOf<Outer>();
const extra = vmstate<Inner>({ name: 'dev/extra', version: 1, needed: (s) => s.extra !== 0, fields: [i.u8('extra')] });
const inner = vmstate<Inner>({ name: 'dev', version: 1, fields: [i.u8('value')], subsections: [extra] });
const outer = vmstate<Outer>({ name: 'board', version: 1, fields: [o.struct('inner', 'inner', inner), o.bytes('data')] });

const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0));
const withData = (...bytes: number[]): Outer => {
  const state = new Outer();
  state.data.set(bytes);
  return state;
};

/** How QEMU 0.13 to 0.15 decided, as the thread describes it: the byte alone. */
function looksLikeSubsectionIn2011(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 5;
}

group('the ambiguity of 2011', () => {
  it('the byte 5 behind a nested structure was taken for a subsection; today it is data', () => {
    const state = withData(5, 3, ...ascii('abc'));
    const bytes = save(outer, state);
    expect(looksLikeSubsectionIn2011(bytes, 1)).toBe(true);
    const other = new Outer();
    expect(load(outer, other, bytes)).toBe(bytes.length);
    expect(other).toEqual(state);
  });

  it('any data that does not carry the name is data', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.boolean(), (data, five) => {
        if (five) data[0] = 5;
        const name = String.fromCharCode(...data.subarray(2, 5));
        fc.pre(!(data[0] === 5 && name === 'dev'));
        const state = withData(...data);
        const other = new Outer();
        load(outer, other, save(outer, state));
        expect(other).toEqual(state);
      }),
      { numRuns: 2000 },
    );
  });

  it('what is left: data that spells the name of its neighbour is misread, by QEMU as by us', () => {
    const unknown = save(outer, withData(5, 8, ...ascii('dev/abcd')));
    expect(() => load(outer, new Outer(), unknown)).toThrow(
      expect.objectContaining({ code: 'unknown-subsection', got: 'dev/abcd' }),
    );
    const known = save(outer, withData(5, 9, ...ascii('dev/extra'), 0));
    expect(() => load(outer, new Outer(), new Uint8Array([...known, 0, 0, 1, 7]))).toThrow(StateError);
  });

  it('a name that is only the prefix, longer than the data or another case is no subsection', () => {
    for (const data of [
      [5, 3, ...ascii('dev')],
      [5, 200, ...ascii('dev/extra')],
      [5, 9, ...ascii('Dev/extra')],
      [5, 2, ...ascii('de')],
    ]) {
      const state = withData(...data);
      const other = new Outer();
      load(outer, other, save(outer, state));
      expect(other).toEqual(state);
    }
  });

  it('an inner description of the same name takes the subsections of the outer one, so they are declared on it', () => {
    const same = (where: 'inner' | 'outer'): Description<Inner> => {
      const nested = vmstate<Inner>({
        name: 'dev',
        version: 1,
        fields: [i.u8('value')],
        subsections: where === 'inner' ? [extra] : [],
      });
      return vmstate<Inner>({
        name: 'dev',
        version: 1,
        fields: [i.inline('nested', nested)],
        subsections: where === 'outer' ? [extra] : [],
      });
    };
    const state = Object.assign(new Inner(), { value: 1, extra: 2 });
    const onOuter = save(same('outer'), state);
    expect(save(same('inner'), state)).toEqual(onOuter);
    expect(() => load(same('outer'), new Inner(), onOuter)).toThrow(expect.objectContaining({ code: 'unknown-subsection' }));
    const other = new Inner();
    load(same('inner'), other, onOuter);
    expect(other).toEqual(state);
  });

  it('our own JSON form is framed and misreads nothing', () => {
    const spelled = fc.constantFrom('dev/extra', 'dev/abcd', 'board/x', 'dev');
    const hostile = spelled.map((name) => withData(5, name.length, ...ascii(name)));
    fc.assert(
      fc.property(
        fc.oneof(
          hostile,
          fc.uint8Array({ minLength: 12, maxLength: 12 }).map((data) => withData(...data)),
        ),
        (state) => {
          const other = new Outer();
          fromJson(outer, other, JSON.stringify(toJson(outer, state)));
          expect(other).toEqual(state);
        },
      ),
    );
  });
});

group('reading subsections as QEMU does', () => {
  const bytesOf = (version: number, ...payload: number[]) => {
    const word = [(version >>> 24) & 0xff, (version >>> 16) & 0xff, (version >>> 8) & 0xff, version & 0xff];
    return new Uint8Array([9, 5, 9, ...ascii('dev/extra'), ...word, ...payload]);
  };

  it('keeps eight bits of the version', () => {
    const state = new Inner();
    expect(load(inner, state, bytesOf(0x101, 3))).toBe(16 + 1);
    expect(state.extra).toBe(3);
    expect(() => load(inner, new Inner(), bytesOf(0x102, 3))).toThrow(
      expect.objectContaining({ code: 'version-too-new', path: 'dev/extra', expected: '1 to 1', got: '2' }),
    );
    expect(() => load(inner, new Inner(), bytesOf(0x100, 3))).toThrow(
      expect.objectContaining({ code: 'version-too-old', got: '0' }),
    );
  });

  it('the receiver does not ask its own predicate, and takes a repeated one', () => {
    const state = new Inner();
    load(inner, state, new Uint8Array([...bytesOf(1, 0), ...bytesOf(1, 4).subarray(1)]));
    expect(state.extra).toBe(4);
    expect(inner.subsections[0]!.needed!(new Inner())).toBe(false);
  });

  it('finds what is cut off', () => {
    expect(() => load(inner, new Inner(), bytesOf(1))).toThrow(
      expect.objectContaining({ code: 'truncated', path: 'dev/extra.extra' }),
    );
    expect(load(inner, new Inner(), bytesOf(1).subarray(0, 6))).toBe(1);
  });

  it('nests', () => {
    const deep = vmstate<Inner>({ name: 'dev/extra/deep', version: 1, fields: [i.u8('value')] });
    const nested = { ...inner, subsections: [{ ...extra, subsections: [deep] }] };
    const state = Object.assign(new Inner(), { value: 1, extra: 2 });
    const other = new Inner();
    const bytes = save(nested, state);
    expect(load(nested, other, bytes)).toBe(bytes.length);
    expect(other).toEqual(state);
  });
});
