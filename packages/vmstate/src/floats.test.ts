import * as fc from 'fast-check';
import { expect, describe as group, it } from 'vitest';
import { bitsToDouble, doubleToBits, Float80, float80, float80ToNumber, load, numberToFloat80, save } from './index.js';

const of = (mantissa: bigint, signExponent: number) => Object.assign(new Float80(), { mantissa, signExponent });

group('doubles', () => {
  it('keep every bit', () => {
    for (const bits of [0n, 0x8000_0000_0000_0000n, 0x7ff0_0000_0000_0000n, 0x3ff0_0000_0000_0000n, 1n])
      expect(doubleToBits(bitsToDouble(bits))).toBe(bits);
    expect(doubleToBits(1)).toBe(0x3ff0_0000_0000_0000n);
    expect(bitsToDouble(0x7ff8_0000_0000_0001n)).toBeNaN();
  });
});

group('extended values', () => {
  it.each<[number, bigint, number]>([
    [1, 0x8000_0000_0000_0000n, 0x3fff],
    [-2.5, 0xa000_0000_0000_0000n, 0xc000],
    [0, 0n, 0],
    [-0, 0n, 0x8000],
    [Number.POSITIVE_INFINITY, 0x8000_0000_0000_0000n, 0x7fff],
    [Number.NEGATIVE_INFINITY, 0x8000_0000_0000_0000n, 0xffff],
    [Math.PI, 0xc90f_daa2_2168_c000n, 0x4000],
    [Number.MIN_VALUE, 0x8000_0000_0000_0000n, 0x3bcd],
    [Number.MAX_VALUE, 0xffff_ffff_ffff_f800n, 0x43fe],
  ])('%d', (value, mantissa, signExponent) => {
    expect(numberToFloat80(value)).toEqual(of(mantissa, signExponent));
    expect(float80ToNumber(of(mantissa, signExponent))).toBe(value);
  });

  it('hold every double exactly', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(float80ToNumber(numberToFloat80(value))).toBe(value);
      }),
      { numRuns: 5000 },
    );
    expect(numberToFloat80(bitsToDouble(0x7ff8_0000_0000_0123n)).mantissa & 0x7ff_ffffn).toBe((0x123n << 11n) & 0x7ff_ffffn);
  });

  it('round to the nearest double, ties to even', () => {
    expect(float80ToNumber(of(0x8000_0000_0000_0400n, 0x3fff))).toBe(1);
    expect(float80ToNumber(of(0x8000_0000_0000_0c00n, 0x3fff))).toBe(1 + 2 ** -51);
    expect(float80ToNumber(of(0x8000_0000_0000_0401n, 0x3fff))).toBe(1 + 2 ** -52);
    expect(float80ToNumber(of(0xffff_ffff_ffff_ffffn, 0x43fe))).toBe(Number.POSITIVE_INFINITY);
    expect(float80ToNumber(of(0xffff_ffff_ffff_ffffn, 0x7ffe))).toBe(Number.POSITIVE_INFINITY);
    expect(float80ToNumber(of(0x8000_0000_0000_0001n, 0x3bcc))).toBe(Number.MIN_VALUE);
    expect(float80ToNumber(of(0x8000_0000_0000_0000n, 0x3bcc))).toBe(0);
    expect(float80ToNumber(of(0xffff_ffff_ffff_ffffn, 1))).toBe(0);
  });

  it('are not a number where the x87 says so', () => {
    expect(float80ToNumber(of(0xc000_0000_0000_0000n, 0x7fff))).toBeNaN();
    expect(float80ToNumber(of(0x4000_0000_0000_0000n, 0x3fff))).toBeNaN();
    expect(float80ToNumber(of(0n, 0x7fff))).toBeNaN();
  });

  it('are ten bytes', () => {
    const bytes = save(float80, numberToFloat80(-2.5));
    expect(Buffer.from(bytes).toString('hex')).toBe('a000000000000000c000');
    const other = new Float80();
    expect(load(float80, other, bytes)).toBe(10);
    expect(float80ToNumber(other)).toBe(-2.5);
  });
});
