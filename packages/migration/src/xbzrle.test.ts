import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyXbzrle, decodeXbzrle, encodeXbzrleRuns, XbzrleError } from './index.js';

const bytes = (hex: string) =>
  Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));

describe('XBZRLE', () => {
  it('decodes what QEMU sent for a page whose byte 0x10 and bytes 0x200 and 0x201 changed', () => {
    const page = new Uint8Array(4096);
    const runs = decodeXbzrle(bytes('10 01 bc ef 03 02 bc aa'), 4096);
    applyXbzrle(runs, page);
    expect([...page.entries()].filter(([, value]) => value !== 0)).toEqual([
      [0x10, 0xbc],
      [0x200, 0xbc],
      [0x201, 0xaa],
    ]);
    expect(encodeXbzrleRuns(runs)).toEqual(bytes('10 01 bc ef 03 02 bc aa'));
  });

  it('allows an equal run of 0 at the beginning only', () => {
    expect(decodeXbzrle(bytes('00 01 55'), 4096)).toEqual([{ skip: 0, bytes: bytes('55') }]);
    expect(() => decodeXbzrle(bytes('00 01 55 00 01 66'), 4096)).toThrow(/equal run of 0/);
  });

  it.each([
    ['a changed run of 0', '05 00', 1],
    ['an end behind the equal run', '05', 1],
    ['an end inside a number', '85', 1],
    ['a number of three bytes', '85 85 01', 1],
    ['fewer bytes than announced', '05 03 aa', 2],
    ['a run behind the page', 'ff 1f 02 aa bb', 0],
  ])('refuses %s', (_, hex, offset) => {
    const attempt = () => decodeXbzrle(bytes(hex), 4096);
    expect(attempt).toThrow(XbzrleError);
    expect(attempt).toThrow(expect.objectContaining({ offset }));
  });

  it('fills exactly one page (property)', () => {
    const run = fc.tuple(fc.integer({ min: 1, max: 600 }), fc.uint8Array({ minLength: 1, maxLength: 300 }));
    fc.assert(
      fc.property(fc.array(run, { maxLength: 4 }), (list) => {
        const runs = list.map(([skip, changed]) => ({ skip, bytes: changed }));
        expect(decodeXbzrle(encodeXbzrleRuns(runs), 4096)).toEqual(runs);
      }),
    );
  });

  it('never throws anything else for hostile data, and never writes outside of the page', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (delta) => {
        try {
          applyXbzrle(decodeXbzrle(delta, 4096), new Uint8Array(4096));
        } catch (error) {
          expect(error).toBeInstanceOf(XbzrleError);
        }
      }),
    );
  });
});
