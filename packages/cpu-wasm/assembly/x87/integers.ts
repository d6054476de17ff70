/** Between reals and integers, the remainder, scaling and BCD: on unpacked operands. [SDM 1:4.8, 2A: FIST, FPREM, FSCALE, FBSTP] */
import {
  aExponent, aKind, aSign, aSignificand, bExponent, bKind, bSign, bSignificand, DOWN, FINITE, flag, flags, INFINITE, INVALID, invalid, NEAREST,
  PRECISION, resultA, resultInfinite, resultZero, setFlags, setResult, setRoundedUp, shiftedLow, shiftRight, TOP_BIT, UP, ZERO,
} from './number';

/** The integer that a rounds to, as a magnitude; {@link tooLarge} if it has more than 64 bits. Raises precision, sets C1. */
export let tooLarge: bool = false;
export function toMagnitude(mode: u32): u64 {
  tooLarge = false;
  if (aKind == ZERO) return 0;
  if (aKind != FINITE || aExponent > 63) {
    tooLarge = true;
    return 0;
  }
  let whole = shiftRight(aSignificand, 0, u32(63 - aExponent));
  const rest = shiftedLow;
  if (rest == 0) return whole;
  flag(PRECISION);
  let up: bool;
  if (mode == NEAREST) up = rest > TOP_BIT || (rest == TOP_BIT && (whole & 1) != 0);
  else up = mode == (aSign ? DOWN : UP);
  if (up) {
    setRoundedUp(true);
    whole++;
    if (whole == 0) tooLarge = true;
  }
  return whole;
}

/** a as a signed integer of `bits` bits; invalid gives the integer indefinite, 10…0. */
export function toInteger(bits: u32, mode: u32): i64 {
  const before = flags;
  const magnitude = toMagnitude(mode);
  const limit = <u64>1 << (bits - 1);
  if (tooLarge || magnitude > limit || (magnitude == limit && !aSign)) {
    setRoundedUp(false);
    setFlags(before | INVALID);
    return -i64(limit);
  }
  return aSign ? -i64(magnitude) : i64(magnitude);
}

/** a rounded to an integral value, as a result. */
export function roundToIntegral(mode: u32): void {
  if (aKind != FINITE || aExponent >= 63) {
    resultA();
    return;
  }
  const whole = toMagnitude(mode);
  if (whole == 0) resultZero(aSign);
  else {
    const shift = clz(whole);
    setResult(FINITE, aSign, 63 - i32(shift), whole << shift, 0);
  }
}

/** a × 2^trunc(b). */
export function scale(): void {
  if (bKind == INFINITE) {
    if (bSign) {
      if (aKind == INFINITE) invalid();
      else resultZero(aSign);
    } else if (aKind == ZERO) invalid();
    else resultInfinite(aSign);
    return;
  }
  if (aKind != FINITE || bKind == ZERO || bExponent < 0) {
    resultA();
    return;
  }
  // beyond 2^17 every result is out of range, also with the exponent wrapped
  let by: i32 = bExponent > 16 ? 0x18000 : i32(bSignificand >> (63 - bExponent));
  if (bSign) by = -by;
  setResult(FINITE, aSign, aExponent + by, aSignificand, 0);
}

/** Low three bits of the quotient, and whether the reduction is only partial (C2). */
export let quotientBits: u32 = 0;
export let partial: bool = false;

/** Remainder of a / b; the quotient is truncated or, with `nearest`, rounded to even. One step reduces the exponent by at most 63. */
export function remainderOf(nearest: bool): void {
  quotientBits = 0;
  partial = false;
  if (aKind == INFINITE || bKind == ZERO) {
    invalid();
    return;
  }
  if (aKind == ZERO || bKind == INFINITE) {
    resultA();
    return;
  }
  const difference = aExponent - bExponent;
  const least: i32 = nearest ? -1 : 0;
  if (difference < least) {
    resultA();
    return;
  }
  let steps = difference;
  if (difference > 63) {
    partial = true;
    steps = 32 + (difference & 31);
  }
  // Long division: `rest` < b before each step; `over` = its 65th bit.
  let rest = aSignificand;
  let over: u64 = 0;
  let quotient: u64 = 0;
  let exponent = aExponent;
  if (steps < 0) {
    // a is below b but may be above b / 2: shift b instead
    rest = aSignificand >> 1;
    over = aSignificand << 63;
    // compare 2a with b: a's exponent is one less, so 2a has the significand of a
    let sign = aSign;
    if (aSignificand > bSignificand) {
      // b − a, on b's scale with one more bit below
      const low = 0 - over;
      let high = bSignificand - rest - u64(over != 0);
      let down = bExponent;
      let tail = low;
      if (high == 0) {
        high = tail;
        tail = 0;
        down -= 64;
      }
      const shift = clz(high);
      high = shift ? (high << shift) | (tail >> (64 - shift)) : high;
      quotientBits = 1;
      sign ^= 1;
      setResult(FINITE, sign, down - i32(shift), high, 0);
    } else {
      resultA();
    }
    return;
  }
  for (let i = 0; ; i++) {
    quotient <<= 1;
    if (over || rest >= bSignificand) {
      rest -= bSignificand;
      quotient |= 1;
    }
    if (i == steps) break;
    over = rest >> 63;
    rest <<= 1;
  }
  exponent = aExponent - steps;
  let sign = aSign;
  if (nearest && !partial) {
    const twice = rest << 1;
    const exceeds = rest >> 63 != 0 || twice > bSignificand;
    if (exceeds || (twice == bSignificand && (quotient & 1) != 0)) {
      rest = bSignificand - rest;
      quotient++;
      sign ^= 1;
    }
  }
  quotientBits = partial ? 0 : u32(quotient & 7);
  if (rest == 0) {
    resultZero(aSign);
    return;
  }
  const shift = clz(rest);
  setResult(FINITE, sign, exponent - i32(shift), rest << shift, 0);
}

// ---------------------------------------------------------------- BCD

/** 18 digits of a as packed BCD (the low 64 bits); the tenth… byte's two digits are left in {@link bcdTop}. Invalid: answers 0 with {@link bcdInvalid}. */
export let bcdTop: u32 = 0;
export let bcdInvalid: bool = false;
export function toBcd(mode: u32): u64 {
  const before = flags;
  bcdInvalid = false;
  let magnitude = toMagnitude(mode);
  if (tooLarge || magnitude > 999999999999999999) {
    setRoundedUp(false);
    setFlags(before | INVALID);
    bcdInvalid = true;
    return 0;
  }
  let low: u64 = 0;
  for (let i: u32 = 0; i < 64; i += 4) {
    low |= magnitude % 10 << i;
    magnitude /= 10;
  }
  bcdTop = u32(magnitude % 10) | (u32(magnitude / 10) << 4);
  return low;
}

/** Value of 18 packed digits; digits above 9 count as what they are. */
export function fromBcd(low: u64, top: u32): u64 {
  let value: u64 = u64((top >> 4) & 15) * 10 + u64(top & 15);
  for (let i: i32 = 60; i >= 0; i -= 4) value = value * 10 + ((low >> i) & 15);
  return value;
}
