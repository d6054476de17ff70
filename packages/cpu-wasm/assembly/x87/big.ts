/**
 * Reals with 128 bits of significand for the transcendental functions: enough that a result rounded to 64 bits is wrong only where the
 * following 60 bits are all alike. A number lies in memory, {@link BIG_SIZE} bytes:
 *
 *     0        4          8          16         24
 *     +--------+----------+----------+----------+
 *     | sign   | exponent | high     | low      |   (high, low) / 2^127 × 2^exponent, bit 127 set; zero: high = 0
 *     +--------+----------+----------+----------+
 */
import { multiplyWide, wideLow } from './arithmetic';
import { shiftedLow, shiftRight, TOP_BIT } from './number';

export const BIG_SIZE: u32 = 24;

@inline export function bigSign(a: u32): u32 { return load<u32>(a); }
@inline export function bigExponent(a: u32): i32 { return load<i32>(a, 4); }
@inline export function bigHigh(a: u32): u64 { return load<u64>(a, 8); }
@inline export function bigLow(a: u32): u64 { return load<u64>(a, 16); }
@inline export function bigIsZero(a: u32): bool { return load<u64>(a, 8) == 0; }

export function bigSet(d: u32, sign: u32, exponent: i32, high: u64, low: u64): void {
  store<u32>(d, sign);
  store<i32>(d, exponent, 4);
  store<u64>(d, high, 8);
  store<u64>(d, low, 16);
}
export function bigCopy(d: u32, a: u32): void {
  bigSet(d, bigSign(a), bigExponent(a), bigHigh(a), bigLow(a));
}
export function bigNegate(d: u32): void {
  store<u32>(d, load<u32>(d) ^ 1);
}
/** A small integer. */
export function bigInteger(d: u32, value: i32): void {
  if (value == 0) {
    bigSet(d, 0, 0, 0, 0);
    return;
  }
  const magnitude = u64(value < 0 ? -i64(value) : i64(value));
  const shift = clz(magnitude);
  bigSet(d, u32(value < 0), 63 - i32(shift), magnitude << shift, 0);
}
/** Normalizes (high, low). */
function bigNormalize(d: u32, sign: u32, exponent: i32, high: u64, low: u64): void {
  if (high == 0) {
    if (low == 0) {
      bigSet(d, 0, 0, 0, 0);
      return;
    }
    high = low;
    low = 0;
    exponent -= 64;
  }
  const shift = clz(high);
  if (shift) {
    high = (high << shift) | (low >> (64 - shift));
    low <<= shift;
  }
  bigSet(d, sign, exponent - i32(shift), high, low);
}

export function bigMultiply(d: u32, a: u32, b: u32): void {
  if (bigIsZero(a) || bigIsZero(b)) {
    bigSet(d, 0, 0, 0, 0);
    return;
  }
  const cross1 = multiplyWide(bigHigh(a), bigLow(b));
  const cross2 = multiplyWide(bigLow(a), bigHigh(b));
  let high = multiplyWide(bigHigh(a), bigHigh(b));
  let low = wideLow + cross1;
  high += u64(low < cross1);
  low += cross2;
  high += u64(low < cross2);
  const sign = bigSign(a) ^ bigSign(b);
  const exponent = bigExponent(a) + bigExponent(b);
  if (high & TOP_BIT) bigSet(d, sign, exponent + 1, high, low);
  else bigSet(d, sign, exponent, (high << 1) | (low >> 63), low << 1);
}

/** a + b, or a − b with `negate` 1. */
export function bigAdd(d: u32, a: u32, b: u32, negate: u32): void {
  if (bigIsZero(b)) {
    bigCopy(d, a);
    return;
  }
  if (bigIsZero(a)) {
    bigSet(d, bigSign(b) ^ negate, bigExponent(b), bigHigh(b), bigLow(b));
    return;
  }
  const signB = bigSign(b) ^ negate;
  const aFirst =
    bigExponent(a) > bigExponent(b) ||
    (bigExponent(a) == bigExponent(b) && (bigHigh(a) > bigHigh(b) || (bigHigh(a) == bigHigh(b) && bigLow(a) >= bigLow(b))));
  const x = aFirst ? a : b;
  const y = aFirst ? b : a;
  const sign = aFirst ? bigSign(a) : signB;
  const exponent = bigExponent(x);
  const otherHigh = shiftRight(bigHigh(y), bigLow(y), u32(min(exponent - bigExponent(y), 256)));
  const otherLow = shiftedLow;
  let high: u64;
  let low: u64;
  if (bigSign(a) == signB) {
    low = bigLow(x) + otherLow;
    const carry = u64(low < otherLow);
    high = bigHigh(x) + otherHigh;
    let over = high < otherHigh;
    high += carry;
    over = over || (carry != 0 && high == 0);
    if (over) {
      low = (low >> 1) | (high << 63);
      high = (high >> 1) | TOP_BIT;
      bigSet(d, sign, exponent + 1, high, low);
    } else bigSet(d, sign, exponent, high, low);
    return;
  }
  low = bigLow(x) - otherLow;
  high = bigHigh(x) - otherHigh - u64(bigLow(x) < otherLow);
  bigNormalize(d, sign, exponent, high, low);
}

/** a / b bit by bit; d may be neither a nor b. */
export function bigDivide(d: u32, a: u32, b: u32): void {
  if (bigIsZero(a)) {
    bigSet(d, 0, 0, 0, 0);
    return;
  }
  let high = bigHigh(a);
  let low = bigLow(a);
  const divisorHigh = bigHigh(b);
  const divisorLow = bigLow(b);
  let quotientHigh: u64 = 0;
  let quotientLow: u64 = 0;
  let exponent = bigExponent(a) - bigExponent(b);
  let over = false;
  if (high < divisorHigh || (high == divisorHigh && low < divisorLow)) {
    exponent--;
    over = high >> 63 != 0;
    high = (high << 1) | (low >> 63);
    low <<= 1;
  }
  for (let i = 0; i < 128; i++) {
    quotientHigh = (quotientHigh << 1) | (quotientLow >> 63);
    quotientLow <<= 1;
    if (over || high > divisorHigh || (high == divisorHigh && low >= divisorLow)) {
      high = high - divisorHigh - u64(low < divisorLow);
      low -= divisorLow;
      quotientLow |= 1;
    }
    over = high >> 63 != 0;
    high = (high << 1) | (low >> 63);
    low <<= 1;
  }
  bigSet(d, bigSign(a) ^ bigSign(b), exponent, quotientHigh, quotientLow);
}

/** a / n for 0 < n < 2^31. */
export function bigDivideSmall(d: u32, a: u32, n: u32): void {
  if (bigIsZero(a)) {
    bigSet(d, 0, 0, 0, 0);
    return;
  }
  const divisor = u64(n);
  let rest: u64 = 0;
  let high: u64 = 0;
  let low: u64 = 0;
  const h = bigHigh(a);
  const l = bigLow(a);
  let part = h >> 32;
  high = part / divisor;
  rest = part % divisor;
  part = (rest << 32) | (h & 0xffffffff);
  high = (high << 32) | (part / divisor);
  rest = part % divisor;
  part = (rest << 32) | (l >> 32);
  low = part / divisor;
  rest = part % divisor;
  part = (rest << 32) | (l & 0xffffffff);
  low = (low << 32) | (part / divisor);
  rest = part % divisor;
  // up to 31 bits of the quotient were lost at the top: get them from the remainder
  const shift = clz(high);
  if (shift) {
    const more = (rest << 32) / divisor;
    high = (high << shift) | (low >> (64 - shift));
    low = (low << shift) | (more >> (32 - shift));
  }
  bigSet(d, bigSign(a), bigExponent(a) - i32(shift), high, low);
}
