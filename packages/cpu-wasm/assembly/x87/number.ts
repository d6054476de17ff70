/**
 * Floating-point numbers taken apart, and the way back: the part that x87, SSE and conversions share.
 *
 * A finite number is (-1)^sign × significand × 2^(exponent − 63) with the significand's bit 63 set; denormals are normalized on the way in.
 * Results carry 64 further bits, the last of them sticky, until {@link round} cuts them. [SDM 1:4.8, 1:8]
 */

// ---------------------------------------------------------------- exceptions

/** As in the x87 status word and in MXCSR. */
export const INVALID: u32 = 1;
export const DENORMAL: u32 = 2;
export const ZERO_DIVIDE: u32 = 4;
export const OVERFLOW: u32 = 8;
export const UNDERFLOW: u32 = 0x10;
export const PRECISION: u32 = 0x20;
/** Those that keep an unmasked operation from having any result. */
export const BEFORE: u32 = INVALID | DENORMAL | ZERO_DIVIDE;

/** Rounding control. */
export const NEAREST: u32 = 0;
export const DOWN: u32 = 1;
export const UP: u32 = 2;
export const TRUNCATE: u32 = 3;

// ---------------------------------------------------------------- operands

export const ZERO: u32 = 0;
export const FINITE: u32 = 1;
export const INFINITE: u32 = 2;
export const QUIET: u32 = 3;
export const SIGNALING: u32 = 4;
/** Pseudo-NaN, pseudo-infinity, unnormal: invalid operands since the 387. */
export const UNSUPPORTED: u32 = 5;

export const TOP_BIT: u64 = 0x8000000000000000;
export const QUIET_BIT: u64 = 0x4000000000000000;
export const DEFAULT_NAN: u64 = 0xc000000000000000;

/** Unpacked operands a and b. A NaN's payload is in the significand. */
export let aSign: u32 = 0;
export let aExponent: i32 = 0;
export let aSignificand: u64 = 0;
export let aKind: u32 = 0;
export let aDenormal: bool = false;
export let bSign: u32 = 0;
export let bExponent: i32 = 0;
export let bSignificand: u64 = 0;
export let bKind: u32 = 0;
export let bDenormal: bool = false;

/** The result before and after rounding. */
export let rSign: u32 = 0;
export let rExponent: i32 = 0;
export let rSignificand: u64 = 0;
export let rLow: u64 = 0;
export let rKind: u32 = 0;

/** Exceptions of the operation in progress, and whether rounding went away from zero (C1). */
export let flags: u32 = 0;
export let roundedUp: bool = false;

/** How to round: control, significant bits, exponent range, and what an unmasked overflow or underflow adds to the exponent (0 = masked). */
export let rounding: u32 = NEAREST;
export let overflowBias: i32 = 0;
export let underflowBias: i32 = 0;

export function begin(mode: u32): void {
  flags = 0;
  roundedUp = false;
  rounding = mode;
  overflowBias = 0;
  underflowBias = 0;
}
export function biases(overflow: i32, underflow: i32): void {
  overflowBias = overflow;
  underflowBias = underflow;
}
export function flag(bits: u32): void {
  flags |= bits;
}
export function setFlags(bits: u32): void {
  flags = bits;
}
export function setRoundedUp(value: bool): void {
  roundedUp = value;
}

export function setResult(kind: u32, sign: u32, exponent: i32, significand: u64, low: u64): void {
  rKind = kind;
  rSign = sign;
  rExponent = exponent;
  rSignificand = significand;
  rLow = low;
}
export function resultZero(sign: u32): void {
  setResult(ZERO, sign, 0, 0, 0);
}
export function resultInfinite(sign: u32): void {
  setResult(INFINITE, sign, 0, TOP_BIT, 0);
}
export function resultNaN(sign: u32, payload: u64): void {
  setResult(QUIET, sign, 0, payload | DEFAULT_NAN, 0);
}
/** Invalid operation: the real indefinite. */
export function invalid(): void {
  flags |= INVALID;
  resultNaN(1, DEFAULT_NAN);
}
export function resultA(): void {
  setResult(aKind, aSign, aExponent, aSignificand, 0);
}
export function resultB(): void {
  setResult(bKind, bSign, bExponent, bSignificand, 0);
}
export function moveAToB(): void {
  bSign = aSign;
  bExponent = aExponent;
  bSignificand = aSignificand;
  bKind = aKind;
  bDenormal = aDenormal;
}
export function swap(): void {
  const sign = aSign;
  const exponent = aExponent;
  const significand = aSignificand;
  const kind = aKind;
  const denormal = aDenormal;
  aSign = bSign;
  aExponent = bExponent;
  aSignificand = bSignificand;
  aKind = bKind;
  aDenormal = bDenormal;
  bSign = sign;
  bExponent = exponent;
  bSignificand = significand;
  bKind = kind;
  bDenormal = denormal;
}
export function setA(kind: u32, sign: u32, exponent: i32, significand: u64): void {
  aKind = kind;
  aSign = sign;
  aExponent = exponent;
  aSignificand = significand;
  aDenormal = false;
}
export function setB(kind: u32, sign: u32, exponent: i32, significand: u64): void {
  bKind = kind;
  bSign = sign;
  bExponent = exponent;
  bSignificand = significand;
  bDenormal = false;
}

// ---------------------------------------------------------------- taking apart

function setANormalized(sign: u32, exponent: i32, significand: u64, denormal: bool): void {
  const shift = clz(significand);
  aKind = FINITE;
  aSign = sign;
  aExponent = exponent - i32(shift);
  aSignificand = significand << shift;
  aDenormal = denormal;
}

/** `signExponent` = the upper 16 bits of an extended real. */
export function unpack80(significand: u64, signExponent: u32): void {
  const sign = (signExponent >> 15) & 1;
  const exponent = signExponent & 0x7fff;
  if (exponent == 0) {
    if (significand == 0) setA(ZERO, sign, 0, 0);
    else setANormalized(sign, -16382, significand, true);
  } else if (!(significand & TOP_BIT)) {
    setA(UNSUPPORTED, sign, 0, significand);
  } else if (exponent == 0x7fff) {
    if (significand == TOP_BIT) setA(INFINITE, sign, 0, TOP_BIT);
    else setA(significand & QUIET_BIT ? QUIET : SIGNALING, sign, 0, significand);
  } else {
    setA(FINITE, sign, i32(exponent) - 16383, significand);
  }
}

export function unpack64(bits: u64): void {
  const sign = u32(bits >> 63);
  const exponent = u32(bits >> 52) & 0x7ff;
  const fraction = bits << 11 & ~TOP_BIT;
  if (exponent == 0) {
    if (fraction == 0) setA(ZERO, sign, 0, 0);
    else setANormalized(sign, -1022, fraction, true);
  } else if (exponent == 0x7ff) {
    if (fraction == 0) setA(INFINITE, sign, 0, TOP_BIT);
    else setA(fraction & QUIET_BIT ? QUIET : SIGNALING, sign, 0, fraction | TOP_BIT);
  } else {
    setA(FINITE, sign, i32(exponent) - 1023, fraction | TOP_BIT);
  }
}

export function unpack32(bits: u32): void {
  const sign = bits >> 31;
  const exponent = (bits >> 23) & 0xff;
  const fraction = (u64(bits) << 40) & ~TOP_BIT;
  if (exponent == 0) {
    if (fraction == 0) setA(ZERO, sign, 0, 0);
    else setANormalized(sign, -126, fraction, true);
  } else if (exponent == 0xff) {
    if (fraction == 0) setA(INFINITE, sign, 0, TOP_BIT);
    else setA(fraction & QUIET_BIT ? QUIET : SIGNALING, sign, 0, fraction | TOP_BIT);
  } else {
    setA(FINITE, sign, i32(exponent) - 127, fraction | TOP_BIT);
  }
}

export function unpackInteger(value: i64): void {
  if (value == 0) setA(ZERO, 0, 0, 0);
  else setANormalized(value < 0 ? 1 : 0, 63, value < 0 ? u64(-value) : u64(value), false);
}

// ---------------------------------------------------------------- rounding

/** Shifts (hi, lo) right, the last bit sticky; answers the new high half and leaves the low one in {@link shiftedLow}. */
export let shiftedLow: u64 = 0;
export function shiftRight(hi: u64, lo: u64, by: u32): u64 {
  if (by == 0) {
    shiftedLow = lo;
    return hi;
  }
  if (by < 64) {
    shiftedLow = (hi << (64 - by)) | (lo >> by) | u64(lo << (64 - by) != 0);
    return hi >> by;
  }
  if (by == 64) shiftedLow = hi | u64(lo != 0);
  else if (by < 128) shiftedLow = (hi >> (by - 64)) | u64((hi << (128 - by)) != 0 || lo != 0);
  else shiftedLow = u64((hi | lo) != 0);
  return 0;
}

/** Does a value with these bits behind the last kept one grow? `odd` = the last kept bit. */
@inline function grows(sign: u32, odd: bool, rest: u64, sticky: bool): bool {
  if (rest == 0 && !sticky) return false;
  if (rounding == NEAREST) return rest > TOP_BIT || (rest == TOP_BIT && (sticky || odd));
  if (rounding == DOWN) return sign != 0;
  if (rounding == UP) return sign == 0;
  return false;
}

/**
 * Cuts a FINITE result to `bits` significant bits in the exponent range `least` to `most`; raises underflow, overflow and precision.
 * A denormal comes out with exponent `least` and bit 63 clear. `flush` = tiny results become zero (MXCSR.FTZ, underflow masked).
 * What lies beyond the wrapped exponent range becomes zero or infinity.
 */
export function round(bits: u32, least: i32, most: i32, flush: bool): void {
  if (rKind != FINITE) return;
  const drop = 64 - bits;
  const mask: u64 = drop ? (<u64>1 << drop) - 1 : 0;
  let exponent = rExponent;
  let hi = rSignificand;
  let lo = rLow;
  let tiny = false;
  let wrapped = false;
  if (exponent < least) {
    // tiny if it stays below the least normal number when rounded as if there were no least exponent
    tiny = true;
    if (exponent == least - 1) {
      const rest = drop ? (hi & mask) << bits : lo;
      const sticky = drop ? lo != 0 : false;
      if ((hi | mask) == u64.MAX_VALUE && grows(rSign, ((hi >> drop) & 1) != 0, rest, sticky)) tiny = false;
    }
    if (tiny && underflowBias && exponent + underflowBias >= least) {
      flags |= UNDERFLOW;
      exponent += underflowBias;
      wrapped = true;
    } else {
      if (tiny && (flush || underflowBias)) {
        flags |= UNDERFLOW | PRECISION;
        resultZero(rSign);
        return;
      }
      hi = shiftRight(hi, lo, u32(least - exponent));
      lo = shiftedLow;
      exponent = least;
    }
  }
  const rest = drop ? (hi & mask) << bits : lo;
  const sticky = drop ? lo != 0 : false;
  if (rest != 0 || sticky) {
    flags |= PRECISION;
    if (tiny && !wrapped) flags |= UNDERFLOW;
    const up = grows(rSign, ((hi >> drop) & 1) != 0, rest, sticky);
    hi &= ~mask;
    if (up) {
      roundedUp = true;
      hi += <u64>1 << drop;
      if (hi == 0) {
        hi = TOP_BIT;
        exponent++;
      }
    }
  }
  if (hi == 0) {
    resultZero(rSign);
    return;
  }
  if (exponent > most && !wrapped) {
    flags |= OVERFLOW;
    if (overflowBias && exponent - overflowBias <= most) {
      exponent -= overflowBias;
    } else {
      flags |= PRECISION;
      // beyond the wrapped range, too: infinity in every rounding
      if (overflowBias || rounding == NEAREST || rounding == (rSign ? DOWN : UP)) {
        roundedUp = true;
        resultInfinite(rSign);
        return;
      }
      roundedUp = false;
      hi = ~mask;
      exponent = most;
    }
  }
  rExponent = exponent;
  rSignificand = hi;
  rLow = 0;
}

// ---------------------------------------------------------------- putting together

/** Upper 16 bits of the rounded result as an extended real; the rest is {@link rSignificand}. */
export function pack80(): u32 {
  const sign = rSign << 15;
  if (rKind == ZERO) return sign;
  if (rKind != FINITE) return sign | 0x7fff;
  return rSignificand & TOP_BIT ? sign | (u32(rExponent + 16383) & 0x7fff) : sign;
}
export function pack64(): u64 {
  const sign = u64(rSign) << 63;
  if (rKind == ZERO) return sign;
  if (rKind != FINITE) return sign | 0x7ff0000000000000 | ((rSignificand & ~TOP_BIT) >> 11);
  const fraction = (rSignificand & ~TOP_BIT) >> 11;
  return rSignificand & TOP_BIT ? sign | (u64(rExponent + 1023) << 52) | fraction : sign | fraction;
}
export function pack32(): u32 {
  const sign = rSign << 31;
  if (rKind == ZERO) return sign;
  if (rKind != FINITE) return sign | 0x7f800000 | u32((rSignificand & ~TOP_BIT) >> 40);
  const fraction = u32((rSignificand & ~TOP_BIT) >> 40);
  return rSignificand & TOP_BIT ? sign | (u32(rExponent + 127) << 23) | fraction : sign | fraction;
}

@inline export function isNaN80(kind: u32): bool {
  return kind == QUIET || kind == SIGNALING;
}
