/** Floating-point values as state: kept as bits, because numbers lose the payload of a NaN. */
import { type Description, vmstate } from './description.js';
import { fieldsOf } from './fields.js';

const view = new DataView(new ArrayBuffer(8));

/** The 64 bits of a double. */
export function doubleToBits(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

/** The double that has these 64 bits. */
export function bitsToDouble(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

/** An x87 extended value: 64 bits of significand with its explicit leading one, then sign and 15 bits of exponent. */
export class Float80 {
  mantissa = 0n;
  /** Bit 15 is the sign. */
  signExponent = 0;
}

const f = fieldsOf<Float80>();

/** 10 bytes: u64 significand, u16 sign and exponent. */
export const float80: Description<Float80> = vmstate<Float80>({
  name: 'float80',
  version: 0,
  fields: [f.u64('mantissa', 'mant'), f.u16('signExponent', 'exp')],
});

const LEADING_ONE = 1n << 63n;
const BIAS = 16383;
const DOUBLE_BIAS = 1023;

/** Exact for every double; a NaN keeps its payload. */
export function numberToFloat80(value: number, target = new Float80()): Float80 {
  const bits = doubleToBits(value);
  const sign = Number(bits >> 63n) << 15;
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = (bits & 0xf_ffff_ffff_ffffn) << 11n;
  if (exponent === 0x7ff) {
    target.signExponent = sign | 0x7fff;
    target.mantissa = LEADING_ONE | fraction;
  } else if (exponent === 0 && fraction === 0n) {
    target.signExponent = sign;
    target.mantissa = 0n;
  } else if (exponent === 0) {
    // A denormal double is a normal extended value.
    const shift = 64 - fraction.toString(2).length;
    target.signExponent = sign | (BIAS - DOUBLE_BIAS + 1 - shift);
    target.mantissa = fraction << BigInt(shift);
  } else {
    target.signExponent = sign | (exponent - DOUBLE_BIAS + BIAS);
    target.mantissa = LEADING_ONE | fraction;
  }
  return target;
}

/** The nearest double, ties to even; encodings that the x87 does not support (no leading one) are NaN. */
export function float80ToNumber({ mantissa, signExponent }: Float80): number {
  const sign = signExponent & 0x8000 ? -1 : 1;
  const exponent = signExponent & 0x7fff;
  if (mantissa === 0n && exponent !== 0x7fff) return sign * 0;
  if (exponent === 0x7fff) return mantissa === LEADING_ONE ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent !== 0 && (mantissa & LEADING_ONE) === 0n) return Number.NaN;
  const scale = (exponent === 0 ? 1 : exponent) - BIAS - 63;
  return sign * scaled(mantissa, scale);
}

/** `mantissa` times two to the power of `scale`, rounded once. */
function scaled(mantissa: bigint, scale: number): number {
  const length = mantissa.toString(2).length;
  // Bits that a double has for this magnitude: 53, less where it is denormal.
  const keep = Math.min(53, length + scale + 1074);
  if (keep < 0) return 0;
  const drop = BigInt(length - keep);
  let rounded = mantissa;
  let power = scale;
  if (drop > 0n) {
    const half = 1n << (drop - 1n);
    const rest = mantissa & ((1n << drop) - 1n);
    rounded = mantissa >> drop;
    if (rest > half || (rest === half && (rounded & 1n) === 1n)) rounded++;
    power += Number(drop);
  }
  // In two steps, because neither factor may leave the range of a double before its time.
  const first = Math.max(power, -1000);
  return Number(rounded) * 2 ** Math.min(first, 1000) * 2 ** (power - Math.min(first, 1000));
}
