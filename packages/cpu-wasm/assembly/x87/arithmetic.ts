/**
 * Exact arithmetic on unpacked operands: a and b in, a result with 128 bits of significand out, to be rounded by the caller.
 * NaNs must have been dealt with before. [SDM 1:4.8.3.5, 1:8.5]
 */
import {
  aExponent, aKind, aSign, aSignificand, bExponent, bKind, bSign, bSignificand, DOWN, FINITE, flag, INFINITE, invalid, resultInfinite, resultZero,
  rounding, setResult, shiftedLow, shiftRight, TOP_BIT, ZERO, ZERO_DIVIDE,
} from './number';

// ---------------------------------------------------------------- wide integers

export let wideLow: u64 = 0;

/** High half of a × b; the low half is left in {@link wideLow}. */
export function multiplyWide(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const p00 = a0 * b0;
  const p01 = a0 * b1;
  const p10 = a1 * b0;
  const middle = (p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff);
  wideLow = (p00 & 0xffffffff) | (middle << 32);
  return a1 * b1 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
}

export let remainder: u64 = 0;

/** (hi, lo) / divisor for hi < divisor and a divisor with bit 63 set; leaves the {@link remainder}. Knuth's algorithm D with two 32-bit digits. */
export function divideWide(hi: u64, lo: u64, divisor: u64): u64 {
  const d1 = divisor >> 32;
  const d0 = divisor & 0xffffffff;
  let q1 = hi / d1;
  let r = hi - q1 * d1;
  let next = (r << 32) | (lo >> 32);
  while (q1 > 0xffffffff || q1 * d0 > next) {
    q1--;
    r += d1;
    if (r > 0xffffffff) break;
    next = (r << 32) | (lo >> 32);
  }
  const middle = ((hi << 32) | (lo >> 32)) - q1 * divisor;
  let q0 = middle / d1;
  r = middle - q0 * d1;
  next = (r << 32) | (lo & 0xffffffff);
  while (q0 > 0xffffffff || q0 * d0 > next) {
    q0--;
    r += d1;
    if (r > 0xffffffff) break;
    next = (r << 32) | (lo & 0xffffffff);
  }
  remainder = ((middle << 32) | (lo & 0xffffffff)) - q0 * divisor;
  return (q1 << 32) + q0;
}

// ---------------------------------------------------------------- + − × ÷ √

/** a + b, or a − b with `negate` 1. */
export function add(negate: u32): void {
  const sign2 = bSign ^ negate;
  if (aKind == INFINITE || bKind == INFINITE) {
    if (aKind == INFINITE && bKind == INFINITE && aSign != sign2) invalid();
    else resultInfinite(aKind == INFINITE ? aSign : sign2);
    return;
  }
  const cancelled: u32 = rounding == DOWN ? 1 : 0;
  if (aKind == ZERO) {
    if (bKind == ZERO) resultZero(aSign == sign2 ? aSign : cancelled);
    else setResult(FINITE, sign2, bExponent, bSignificand, 0);
    return;
  }
  if (bKind == ZERO) {
    setResult(FINITE, aSign, aExponent, aSignificand, 0);
    return;
  }
  const aFirst = aExponent > bExponent || (aExponent == bExponent && aSignificand >= bSignificand);
  const exponent = aFirst ? aExponent : bExponent;
  const large = aFirst ? aSignificand : bSignificand;
  const small = shiftRight(aFirst ? bSignificand : aSignificand, 0, u32(aFirst ? aExponent - bExponent : bExponent - aExponent));
  const smallLow = shiftedLow;
  const sign = aFirst ? aSign : sign2;
  if (aSign == sign2) {
    const sum = large + small;
    if (sum < large) {
      const high = shiftRight(sum, smallLow, 1) | TOP_BIT;
      setResult(FINITE, sign, exponent + 1, high, shiftedLow);
    } else {
      setResult(FINITE, sign, exponent, sum, smallLow);
    }
    return;
  }
  let high = large - small - u64(smallLow != 0);
  let low = 0 - smallLow;
  if ((high | low) == 0) {
    resultZero(cancelled);
    return;
  }
  let down = exponent;
  if (high == 0) {
    high = low;
    low = 0;
    down -= 64;
  }
  const shift = clz(high);
  if (shift) {
    high = (high << shift) | (low >> (64 - shift));
    low <<= shift;
  }
  setResult(FINITE, sign, down - i32(shift), high, low);
}

export function multiply(): void {
  const sign = aSign ^ bSign;
  if (aKind == INFINITE || bKind == INFINITE) {
    if (aKind == ZERO || bKind == ZERO) invalid();
    else resultInfinite(sign);
    return;
  }
  if (aKind == ZERO || bKind == ZERO) {
    resultZero(sign);
    return;
  }
  const high = multiplyWide(aSignificand, bSignificand);
  const low = wideLow;
  if (high & TOP_BIT) setResult(FINITE, sign, aExponent + bExponent + 1, high, low);
  else setResult(FINITE, sign, aExponent + bExponent, (high << 1) | (low >> 63), low << 1);
}

export function divide(): void {
  const sign = aSign ^ bSign;
  if (aKind == INFINITE) {
    if (bKind == INFINITE) invalid();
    else resultInfinite(sign);
    return;
  }
  if (bKind == INFINITE) {
    resultZero(sign);
    return;
  }
  if (bKind == ZERO) {
    if (aKind == ZERO) invalid();
    else {
      flag(ZERO_DIVIDE);
      resultInfinite(sign);
    }
    return;
  }
  if (aKind == ZERO) {
    resultZero(sign);
    return;
  }
  const less = aSignificand < bSignificand;
  const quotient = less ? divideWide(aSignificand, 0, bSignificand) : divideWide(aSignificand >> 1, aSignificand << 63, bSignificand);
  setResult(FINITE, sign, aExponent - bExponent - i32(less), quotient, restOf(remainder, bSignificand));
}

/** remainder / divisor as 64 bits: exactly its first, the others sticky. */
function restOf(rest: u64, divisor: u64): u64 {
  if (rest == 0) return 0;
  if (rest >= TOP_BIT) return TOP_BIT | 1; // twice the remainder overflows 64 bits and exceeds the divisor
  const twice = rest << 1;
  return twice > divisor ? TOP_BIT | 1 : twice == divisor ? TOP_BIT : 1;
}

/** √a. */
export function squareRoot(): void {
  if (aKind == ZERO) {
    resultZero(aSign);
    return;
  }
  if (aSign) {
    invalid();
    return;
  }
  if (aKind == INFINITE) {
    resultInfinite(0);
    return;
  }
  // The radicand as 128 bits: significand × 2^63 or 2^64, so that the exponent becomes even; two bits of it per bit of the root.
  const odd = aExponent & 1;
  let high = odd ? aSignificand : aSignificand >> 1;
  let low: u64 = odd ? 0 : aSignificand << 63;
  let root: u64 = 0;
  let restHigh: u64 = 0;
  let rest: u64 = 0;
  for (let i = 0; i < 64; i++) {
    restHigh = (restHigh << 2) | (rest >> 62);
    rest = (rest << 2) | (high >> 62);
    high = (high << 2) | (low >> 62);
    low <<= 2;
    // subtract 4 × root + 1 if it fits
    const trialHigh = root >> 62;
    const trial = (root << 2) | 1;
    root <<= 1;
    if (restHigh > trialHigh || (restHigh == trialHigh && rest >= trial)) {
      restHigh -= trialHigh + u64(rest < trial);
      rest -= trial;
      root |= 1;
    }
  }
  // The next bit of the root is set if the remainder exceeds root (remainder ≥ root + 1/4).
  const more = restHigh != 0 || rest > root;
  setResult(FINITE, 0, aExponent >> 1, root, more ? TOP_BIT | 1 : u64((restHigh | rest) != 0));
}

/** −1, 0, 1: a less than, equal to, greater than b. */
export function compare(): i32 {
  if (aKind == ZERO && bKind == ZERO) return 0;
  const negativeA = aSign != 0 && aKind != ZERO;
  const negativeB = bSign != 0 && bKind != ZERO;
  if (aKind == ZERO) return negativeB ? 1 : -1;
  if (bKind == ZERO) return negativeA ? -1 : 1;
  if (negativeA != negativeB) return negativeA ? -1 : 1;
  let order: i32;
  if (aKind == INFINITE || bKind == INFINITE) order = i32(aKind == INFINITE) - i32(bKind == INFINITE);
  else if (aExponent != bExponent) order = aExponent < bExponent ? -1 : 1;
  else order = aSignificand < bSignificand ? -1 : i32(aSignificand > bSignificand);
  return negativeA ? -order : order;
}
