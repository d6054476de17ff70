/**
 * F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN, FCOS, FSINCOS with 128-bit intermediate results.
 * Arguments of the trigonometric functions are reduced with the 66-bit π of the hardware. [SDM 1:8.3.8, 1:8.3.9]
 */
import {
  BIG_SIZE, bigAdd, bigCopy, bigDivide, bigDivideSmall, bigExponent, bigHigh, bigInteger, bigIsZero, bigLow, bigMultiply, bigNegate, bigSet, bigSign,
} from './big';
import {
  aExponent, aKind, aSign, aSignificand, bDenormal, bExponent, bKind, bSign, bSignificand, FINITE, flag, flags, INFINITE, INVALID, invalid, pack80, PRECISION, resultA,
  resultInfinite, resultZero, round, rSignificand, setResult, TOP_BIT, ZERO, ZERO_DIVIDE,
} from './number';
import {
  blocked, C2, control, isEmpty, LEAST, loadA, loadB, MOST, oneOperand, pop, push, setStatus, st, stackError, status, storeResult, twoOperands, writeRegister,
} from './stack';

const NUMBERS: u32 = memory.data(16 * 24, 8) as u32;
const X: u32 = NUMBERS;
const Y: u32 = NUMBERS + BIG_SIZE;
const SQUARE: u32 = NUMBERS + 2 * BIG_SIZE;
const TERM: u32 = NUMBERS + 3 * BIG_SIZE;
const SUM: u32 = NUMBERS + 4 * BIG_SIZE;
const PART: u32 = NUMBERS + 5 * BIG_SIZE;
const R: u32 = NUMBERS + 6 * BIG_SIZE;
const S: u32 = NUMBERS + 7 * BIG_SIZE;
const T: u32 = NUMBERS + 8 * BIG_SIZE;
const U: u32 = NUMBERS + 9 * BIG_SIZE;

/** Bits behind the last one of SUM at which a series ends. */
const ENOUGH: i32 = 132;

function setLn2(d: u32): void {
  bigSet(d, 0, -1, 0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af);
}
function setLog2E(d: u32): void {
  bigSet(d, 0, 0, 0xb8aa3b295c17f0bb, 0xbe87fed0691d3e89);
}
/** π × 2^scale. */
function setPi(d: u32, scale: i32): void {
  bigSet(d, 0, 1 + scale, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1);
}

function bigA(d: u32): void {
  bigSet(d, aSign, aExponent, aKind == ZERO ? 0 : aSignificand, 0);
}
function bigB(d: u32): void {
  bigSet(d, bSign, bExponent, bKind == ZERO ? 0 : bSignificand, 0);
}
/** The number as a result, never exact. */
function resultBig(a: u32): void {
  if (bigIsZero(a)) resultZero(bigSign(a));
  else setResult(FINITE, bigSign(a), bigExponent(a), bigHigh(a), bigLow(a) | 1);
}
/** The same for a result a hair nearer to zero than `a`, which lost the difference. */
function resultBelow(a: u32): void {
  if (bigLow(a)) setResult(FINITE, bigSign(a), bigExponent(a), bigHigh(a), bigLow(a) | 1);
  else if (bigHigh(a) == TOP_BIT) setResult(FINITE, bigSign(a), bigExponent(a) - 1, u64.MAX_VALUE, u64.MAX_VALUE);
  else setResult(FINITE, bigSign(a), bigExponent(a), bigHigh(a) - 1, u64.MAX_VALUE);
}

// ---------------------------------------------------------------- series

/** SUM = Σ TERM × (±SQUARE)^i / ((n)(n+1))…, n = first, first + 2 …: sine from r and 2, cosine from 1 and 1. */
function alternatingFactorial(first: u32): void {
  bigCopy(SUM, TERM);
  for (let n = first; ; n += 2) {
    bigMultiply(PART, TERM, SQUARE);
    bigDivideSmall(TERM, PART, n * (n + 1));
    bigNegate(TERM);
    if (bigIsZero(TERM) || bigExponent(TERM) < bigExponent(SUM) - ENOUGH) return;
    bigAdd(SUM, SUM, TERM, 0);
  }
}
/** SUM = Σ TERM × (±SQUARE)^i / (2i + 1): arc tangent, or its hyperbolic without alternation. */
function odd(alternating: bool): void {
  bigCopy(SUM, TERM);
  for (let n: u32 = 3; ; n += 2) {
    bigMultiply(PART, TERM, SQUARE);
    bigCopy(TERM, PART);
    if (alternating) bigNegate(TERM);
    bigDivideSmall(PART, TERM, n);
    if (bigIsZero(PART) || bigExponent(PART) < bigExponent(SUM) - ENOUGH) return;
    bigAdd(SUM, SUM, PART, 0);
  }
}

// ---------------------------------------------------------------- sine, cosine, tangent

/** π × 2^64 with 66 bits. */
const PI_HIGH: u64 = 3;
const PI_LOW: u64 = 0x243f6a8885a308d3;
let quadrant: u32 = 0;

/** R = |a| modulo π/2, in −π/4 … π/4. */
function reduce(): void {
  quadrant = 0;
  if (aExponent < -1) {
    bigSet(R, 0, aExponent, aSignificand, 0);
    return;
  }
  // Unit 2^−65: π/2 is the 66-bit integer P, a is its significand × 2^(aExponent + 2).
  let high: u64 = 0;
  let low: u64 = 0;
  let quotient: u32 = 0;
  for (let i: i32 = 0; i < 64 + aExponent + 2; i++) {
    const bit: u64 = i < 64 ? (aSignificand >> (63 - i)) & 1 : 0;
    high = (high << 1) | (low >> 63);
    low = (low << 1) | bit;
    quotient <<= 1;
    if (high > PI_HIGH || (high == PI_HIGH && low >= PI_LOW)) {
      high = high - PI_HIGH - u64(low < PI_LOW);
      low -= PI_LOW;
      quotient |= 1;
    }
  }
  quadrant = quotient & 3;
  // nearer to the next multiple?
  const twiceHigh = (high << 1) | (low >> 63);
  const twiceLow = low << 1;
  let sign: u32 = 0;
  if (twiceHigh > PI_HIGH || (twiceHigh == PI_HIGH && twiceLow > PI_LOW)) {
    quadrant = (quadrant + 1) & 3;
    const borrow = u64(PI_LOW < low);
    low = PI_LOW - low;
    high = PI_HIGH - high - borrow;
    sign = 1;
  }
  if ((high | low) == 0) {
    bigSet(R, 0, 0, 0, 0);
    return;
  }
  // (high, low) × 2^−65
  let exponent: i32 = 127 - 65;
  if (high == 0) {
    high = low;
    low = 0;
    exponent -= 64;
  }
  const shift = clz(high);
  if (shift) {
    high = (high << shift) | (low >> (64 - shift));
    low <<= shift;
  }
  bigSet(R, sign, exponent - i32(shift), high, low);
}

function sineOfR(d: u32): void {
  bigMultiply(SQUARE, R, R);
  bigCopy(TERM, R);
  alternatingFactorial(2);
  bigCopy(d, SUM);
}
function cosineOfR(d: u32): void {
  bigMultiply(SQUARE, R, R);
  bigInteger(TERM, 1);
  alternatingFactorial(1);
  bigCopy(d, SUM);
}
/** S = sin |a|, T = cos |a|. */
function sineAndCosine(): void {
  reduce();
  sineOfR(S);
  cosineOfR(T);
  if (quadrant & 1) {
    bigCopy(U, S);
    bigCopy(S, T);
    bigCopy(T, U);
  }
  if (quadrant & 2) bigNegate(S);
  if (quadrant == 1 || quadrant == 2) bigNegate(T);
}
/** S as the sine, whose last difference from a tiny argument may be lost. */
function resultSine(): void {
  if (aSign) bigNegate(S);
  if (quadrant == 0 && bigLow(S) == 0 && !bigIsZero(S)) resultBelow(S);
  else resultBig(S);
}
function resultCosine(): void {
  if (bigLow(T) == 0 && bigHigh(T) == TOP_BIT && bigExponent(T) == 0) resultBelow(T);
  else resultBig(T);
}

/** True if a is a number in range: infinities are invalid, above 2^63 C2 is set. Clears C2 otherwise. */
function inRange(): bool {
  if (aKind == INFINITE) {
    invalid();
    return true;
  }
  return aKind == ZERO || aExponent < 63;
}

function trigonometric(which: u32): void {
  if (isEmpty(0)) stackError(false);
  else {
    loadA(st(0));
    if (!oneOperand()) {
      if (!inRange()) {
        setStatus(status() | C2);
        return;
      }
      if (!(flags & INVALID)) {
        if (aKind == ZERO) {
          if (which) setResult(FINITE, 0, 0, TOP_BIT, 0);
          else resultA();
        } else {
          sineAndCosine();
          if (which) resultCosine();
          else resultSine();
        }
      }
    }
  }
  storeResult(0, 64);
  setStatus(status() & ~C2);
}
export function sine(): void {
  trigonometric(0);
}
export function cosine(): void {
  trigonometric(1);
}

/** FSINCOS and FPTAN: the first result replaces ST(0), the second (cosine, 1) is pushed. */
function pairOfResults(tangents: bool): void {
  outOfRange = false;
  if (isEmpty(0) || !isEmpty(7)) {
    stackError(!isEmpty(0));
    setStatus(status() & ~C2);
    if (!blocked()) writeIndefinitePair();
    return;
  }
  loadA(st(0));
  if (oneOperand() || !inRangeOrC2()) {
    if (outOfRange) return;
    setStatus(status() & ~C2);
    if (blocked()) return;
    round(64, LEAST, MOST, false);
    const low = rSignificand;
    const high = pack80();
    writeRegister(0, low, high);
    push();
    writeRegister(0, low, high);
    return;
  }
  setStatus(status() & ~C2);
  if (aKind == ZERO) {
    writeRegister(0, 0, aSign << 15);
    push();
    writeRegister(0, TOP_BIT, 0x3fff);
    return;
  }
  sineAndCosine();
  if (tangents) {
    if (aSign) bigNegate(S);
    bigDivide(U, S, T);
    resultBig(U);
    storeResult(0, 64);
    push();
    writeRegister(0, TOP_BIT, 0x3fff);
    return;
  }
  resultSine();
  storeResult(0, 64);
  push();
  resultCosine();
  storeResult(0, 64);
}
let outOfRange: bool = false;
function inRangeOrC2(): bool {
  outOfRange = false;
  if (aKind == INFINITE) {
    invalid();
    return false;
  }
  if (aKind == FINITE && aExponent >= 63) {
    outOfRange = true;
    setStatus(status() | C2);
    return false;
  }
  return true;
}
function writeIndefinitePair(): void {
  writeRegister(0, 0xc000000000000000, 0xffff);
  push();
  writeRegister(0, 0xc000000000000000, 0xffff);
}
export function sineCosine(): void {
  pairOfResults(false);
}
export function tangent(): void {
  pairOfResults(true);
}

// ---------------------------------------------------------------- arc tangent

/** atan(k / 8). */
function setArcTangent(d: u32, k: u32): void {
  switch (k) {
    case 0: bigSet(d, 0, 0, 0, 0); break;
    case 1: bigSet(d, 0, -4, 0xfeadd4d5617b6e32, 0xc897989f3e888ef8); break;
    case 2: bigSet(d, 0, -3, 0xfadbafc96406eb15, 0x6dc79ef5f7a217e6); break;
    case 3: bigSet(d, 0, -2, 0xb7b0ca0f26f78473, 0x8aa32122dcfe4483); break;
    case 4: bigSet(d, 0, -2, 0xed63382b0dda7b45, 0x6fe445ecbc3a8d03); break;
    case 5: bigSet(d, 0, -1, 0x8f005d5ef7f59f9b, 0x5c835e1665c43748); break;
    case 6: bigSet(d, 0, -1, 0xa4bc7d1934f70924, 0x19a87f2a457dac9f); break;
    case 7: bigSet(d, 0, -1, 0xb8053e2bc2319e73, 0xcb2da55210a4443d); break;
    default: setPi(d, -2); break;
  }
}

/** FPATAN: the angle of the point (ST(0), ST(1)) to ST(1), then pops. */
export function arcTangent(): void {
  if (isEmpty(0) || isEmpty(1)) stackError(false);
  else {
    loadB(st(1));
    loadA(st(0));
    if (!twoOperands()) angle();
  }
  if (storeResult(1, 64)) pop();
}

/** Result = atan2(b, a). */
function angle(): void {
  const sign = bSign;
  if (bKind == ZERO || (aKind == INFINITE && bKind != INFINITE)) {
    if (!aSign) resultZero(sign);
    else resultAngle(sign, 0);
    return;
  }
  if (aKind == ZERO || (bKind == INFINITE && aKind != INFINITE)) {
    resultAngle(sign, -1);
    return;
  }
  if (aKind == INFINITE) {
    setPi(R, -2);
    if (aSign) {
      setPi(S, 0);
      bigAdd(R, S, R, 1);
    }
    store<u32>(R, sign);
    resultBig(R);
    return;
  }
  bigA(X);
  bigB(Y);
  store<u32>(X, 0);
  store<u32>(Y, 0);
  const steep = bExponent > aExponent || (bExponent == aExponent && bSignificand > aSignificand);
  if (steep) bigDivide(T, X, Y);
  else bigDivide(T, Y, X);
  // k = T × 8 rounded
  const e = bigExponent(T);
  const k: u32 = e < -4 ? 0 : u32(((bigHigh(T) >> (60 - e - 1)) + 1) >> 1);
  if (k == 0) {
    bigMultiply(SQUARE, T, T);
    bigCopy(TERM, T);
    odd(true);
    bigCopy(R, SUM);
  } else {
    bigInteger(U, i32(k));
    store<i32>(U, bigExponent(U) - 3, 4);
    bigAdd(X, T, U, 1);
    bigMultiply(Y, T, U);
    bigInteger(S, 1);
    bigAdd(Y, Y, S, 0);
    bigDivide(TERM, X, Y);
    bigMultiply(SQUARE, TERM, TERM);
    if (bigIsZero(TERM)) bigSet(SUM, 0, 0, 0, 0);
    else odd(true);
    setArcTangent(S, k);
    bigAdd(R, S, SUM, 0);
  }
  if (steep) {
    setPi(S, -1);
    bigAdd(R, S, R, 1);
  }
  if (aSign) {
    setPi(S, 0);
    bigAdd(R, S, R, 1);
  }
  store<u32>(R, sign);
  // a quotient that is its own arc tangent to 128 bits: still a little larger
  if (bigLow(R) == 0 && !steep && !aSign) resultBelow(R);
  else resultBig(R);
}
function resultAngle(sign: u32, scale: i32): void {
  setPi(R, scale);
  store<u32>(R, sign);
  resultBig(R);
}

// ---------------------------------------------------------------- powers and logarithms

/** F2XM1: 2^a − 1 for −1 ≤ a ≤ 1. Beyond that the operand stays. */
export function exponentialMinus1(): void {
  if (isEmpty(0)) stackError(false);
  else {
    loadA(st(0));
    if (!oneOperand()) {
      if (aKind == INFINITE) {
        if (aSign) setResult(FINITE, 1, 0, TOP_BIT, 0);
        else resultInfinite(0);
      } else if (aKind == ZERO) {
        resultA();
      } else if (aExponent >= 0) {
        flag(PRECISION);
        if (aExponent == 0 && aSignificand == TOP_BIT && aSign) setResult(FINITE, 1, -1, TOP_BIT, 0);
        else resultA();
      } else {
        bigA(X);
        setLn2(Y);
        bigMultiply(R, X, Y);
        bigCopy(SUM, R);
        bigCopy(TERM, R);
        for (let n: u32 = 2; ; n++) {
          bigMultiply(PART, TERM, R);
          bigDivideSmall(TERM, PART, n);
          if (bigExponent(TERM) < bigExponent(SUM) - ENOUGH) break;
          bigAdd(SUM, SUM, TERM, 0);
        }
        resultBig(SUM);
      }
    }
  }
  storeResult(0, 64);
}

/** R = log2 of the positive number X; exactly for a power of two. */
function log2OfX(): void {
  let exponent = bigExponent(X);
  store<i32>(X, 0, 4);
  if (bigHigh(X) > 0xb504f333f9de6484) {
    store<i32>(X, -1, 4);
    exponent++;
  }
  bigInteger(S, 1);
  bigAdd(T, X, S, 1);
  bigAdd(U, X, S, 0);
  bigDivide(TERM, T, U);
  log2FromTerm();
  bigInteger(S, exponent);
  bigAdd(R, S, R, 0);
}
/** R = log2((1 + TERM) / (1 − TERM)). */
function log2FromTerm(): void {
  if (bigIsZero(TERM)) {
    bigSet(R, 0, 0, 0, 0);
    return;
  }
  bigMultiply(SQUARE, TERM, TERM);
  odd(false);
  store<i32>(SUM, bigExponent(SUM) + 1, 4);
  setLog2E(S);
  bigMultiply(R, SUM, S);
}
/** Result = b × R. */
function timesB(): void {
  bigB(Y);
  bigMultiply(U, R, Y);
  resultBig(U);
}

/** FYL2X: ST(1) × log2 ST(0) to ST(1), then pops. */
export function logarithm(): void {
  if (isEmpty(0) || isEmpty(1)) stackError(false);
  else {
    loadB(st(1));
    loadA(st(0));
    // a negative argument hides a denormal factor
    if (aSign && aKind == FINITE && bKind <= INFINITE) invalid();
    // so does an unmasked division by zero
    else if ((aKind == ZERO && bDenormal && !(control() & ZERO_DIVIDE)) || !twoOperands()) yLog2X();
  }
  if (storeResult(1, 64)) pop();
}
function yLog2X(): void {
  if (aKind == ZERO) {
    if (bKind == ZERO) invalid();
    else {
      if (bKind == FINITE) flag(ZERO_DIVIDE);
      resultInfinite(bSign ^ 1);
    }
    return;
  }
  if (aSign) {
    invalid();
    return;
  }
  const one = aKind == FINITE && aExponent == 0 && aSignificand == TOP_BIT;
  const negative: u32 = aKind == FINITE && aExponent < 0 ? 1 : 0;
  if (bKind == INFINITE) {
    if (one) invalid();
    else resultInfinite(bSign ^ negative);
    return;
  }
  if (aKind == INFINITE) {
    if (bKind == ZERO) invalid();
    else resultInfinite(bSign);
    return;
  }
  if (bKind == ZERO || one) {
    resultZero(bSign ^ negative);
    return;
  }
  bigA(X);
  log2OfX();
  timesB();
}

/** FYL2XP1: ST(1) × log2(ST(0) + 1) to ST(1), then pops. */
export function logarithmPlus1(): void {
  if (isEmpty(0) || isEmpty(1)) stackError(false);
  else {
    loadB(st(1));
    loadA(st(0));
    if (!twoOperands()) yLog2XPlus1();
  }
  if (storeResult(1, 64)) pop();
}
function yLog2XPlus1(): void {
  if (aKind == ZERO) {
    if (bKind == INFINITE) invalid();
    else resultZero(aSign ^ bSign);
    return;
  }
  if (bKind == ZERO && aKind == FINITE) {
    resultZero(aSign ^ bSign);
    return;
  }
  if (bKind == INFINITE && aKind == FINITE) {
    resultInfinite(aSign ^ bSign);
    return;
  }
  if (aSign && (aKind == INFINITE || aExponent >= 0)) {
    // not defined from −1 down; the operand comes back
    if (aKind == INFINITE) invalid();
    else {
      flag(PRECISION);
      resultA();
    }
    return;
  }
  if (bKind == INFINITE || aKind == INFINITE) {
    if (bKind == ZERO) invalid();
    else resultInfinite(aSign ^ bSign);
    return;
  }
  if (bKind == ZERO) {
    resultZero(aSign ^ bSign);
    return;
  }
  bigA(X);
  if (aExponent < -1) {
    bigInteger(S, 2);
    bigAdd(U, X, S, 0);
    bigDivide(TERM, X, U);
    log2FromTerm();
  } else {
    bigInteger(S, 1);
    bigAdd(X, X, S, 0);
    log2OfX();
  }
  timesB();
}
