/**
 * Singles and doubles under MXCSR: every operation exact with all exceptions, through the same parts as x87. The common case (all exceptions
 * masked, precision already raised, nearest, normal operands and result) takes WebAssembly's own arithmetic, which is then the same.
 * [SDM 1:10.2.3, 1:11.5]
 *
 * MXCSR:
 *
 *     15   14..13  12..7           6    5..0
 *     FTZ  RC      exception masks DAZ  PE UE OE ZE DE IE
 */
import { MXCSR } from '../../src/layout';
import { fault, ud, XM } from '../exceptions';
import { cr4, CR4_OSXMMEXCPT } from '../state';
import { add, divide, multiply, squareRoot } from '../x87/arithmetic';
import { compareFlags, setComparison } from '../x87/compare';
import { roundToIntegral, toInteger } from '../x87/integers';
import {
  aDenormal, aKind, aSign, aSignificand, bDenormal, begin, biases, bKind, bSign, bSignificand, DEFAULT_NAN, DENORMAL, FINITE, flag, flags, INVALID, invalid, moveAToB,
  OVERFLOW, pack32, pack64, PRECISION, QUIET, resultA, resultNaN, round, setA, setFlags, SIGNALING, swap, TRUNCATE, UNDERFLOW, unpack32, unpack64, unpackInteger, ZERO,
  ZERO_DIVIDE,
} from '../x87/number';

export const ADD: u32 = 0x58;
export const MULTIPLY: u32 = 0x59;
export const SUBTRACT: u32 = 0x5c;
export const MINIMUM: u32 = 0x5d;
export const DIVIDE: u32 = 0x5e;
export const MAXIMUM: u32 = 0x5f;
export const ROOT: u32 = 0x51;

const DAZ: u32 = 0x40;
const FTZ: u32 = 0x8000;
/** Masks, rounding, FTZ, DAZ and the precision flag as the quick way wants them. */
const QUICK_MASK: u32 = 0xffe0;
const QUICK: u32 = 0x1fa0;
const PRE: u32 = INVALID | DENORMAL | ZERO_DIVIDE;

let mxcsr: u32 = 0;
let before: u32 = 0;
let after: u32 = 0;

/** Before the elements of an instruction. */
export function startFloats(): void {
  mxcsr = load<u32>(MXCSR);
  before = after = 0;
}
/** Behind them: raises what is unmasked, in which case nothing may be written. */
export function finishFloats(): void {
  if (!(before | after)) return;
  const unmasked = ~(mxcsr >> 7);
  const raised = before & unmasked ? before : before | after;
  store<u32>(MXCSR, mxcsr | raised);
  if (raised & unmasked) {
    if (cr4() & CR4_OSXMMEXCPT) fault(XM);
    ud();
  }
}
export function roundingMode(): u32 {
  return (mxcsr >> 13) & 3;
}
function element(): void {
  begin((mxcsr >> 13) & 3);
  const unmasked = ~(mxcsr >> 7);
  // what lies beyond is never written: the bias only keeps the flags apart
  biases(unmasked & OVERFLOW ? 0x10000 : 0, unmasked & UNDERFLOW ? 0x10000 : 0);
}
function elementDone(): void {
  before |= flags & PRE;
  if (!(flags & PRE & ~(mxcsr >> 7))) after |= flags & ~PRE;
}
@inline function flushing(): bool {
  return (mxcsr & FTZ) != 0 && (mxcsr & (UNDERFLOW << 7)) != 0;
}

function takeA32(bits: u32): void {
  unpack32(bits);
  if (aDenormal && mxcsr & DAZ) setA(ZERO, aSign, 0, 0);
}
function takeA64(bits: u64): void {
  unpack64(bits);
  if (aDenormal && mxcsr & DAZ) setA(ZERO, aSign, 0, 0);
}
@inline function isNaN(kind: u32): bool {
  return kind == QUIET || kind == SIGNALING;
}
/** NaN of the first operand, else of the second. True if there is a result. */
function twoNaNs(): bool {
  if (isNaN(aKind) || isNaN(bKind)) {
    if (aKind == SIGNALING || bKind == SIGNALING) flag(INVALID);
    if (isNaN(aKind)) resultNaN(aSign, aSignificand);
    else resultNaN(bSign, bSignificand);
    return true;
  }
  return false;
}
function oneNaN(): bool {
  if (!isNaN(aKind)) return false;
  if (aKind == SIGNALING) flag(INVALID);
  resultNaN(aSign, aSignificand);
  return true;
}

// ---------------------------------------------------------------- arithmetic

/** Result of the operation on unpacked a and b, not rounded. */
function compute(operation: u32): void {
  if (operation == ROOT) {
    if (oneNaN()) return;
    if (aSign && aKind != ZERO) {
      invalid();
      return;
    }
    if (aDenormal) flag(DENORMAL);
    squareRoot();
    return;
  }
  if (twoNaNs()) return;
  if (operation == DIVIDE && bKind == ZERO && aKind == FINITE) {
    divide();
    return;
  }
  if (aDenormal || bDenormal) flag(DENORMAL);
  if (operation == ADD) add(0);
  else if (operation == SUBTRACT) add(1);
  else if (operation == MULTIPLY) multiply();
  else divide();
}

/** MIN, MAX: the second operand where they are equal or not ordered. True = the first. */
function firstIsBetter(maximum: bool): bool {
  if (isNaN(aKind) || isNaN(bKind)) {
    flag(INVALID);
    return false;
  }
  const order = compareFlags(true, false);
  return maximum ? order == 0 : order == 1;
}

function plain32(x: u32): bool {
  const exponent = (x >> 23) & 0xff;
  return exponent != 0 && exponent != 0xff;
}
function plain64(x: u64): bool {
  const exponent = u32(x >> 52) & 0x7ff;
  return exponent != 0 && exponent != 0x7ff;
}

/** One element; for ROOT the operand is y. */
export function arithmetic32(operation: u32, x: u32, y: u32): u32 {
  if ((mxcsr & QUICK_MASK) == QUICK && plain32(y) && (operation == ROOT || plain32(x))) {
    let r: f32;
    const a = reinterpret<f32>(x);
    const b = reinterpret<f32>(y);
    if (operation == ADD) r = a + b;
    else if (operation == SUBTRACT) r = a - b;
    else if (operation == MULTIPLY) r = a * b;
    else if (operation == DIVIDE) r = a / b;
    else if (operation == ROOT) r = sqrt<f32>(b);
    else if (operation == MINIMUM) return a < b ? x : y;
    else return a > b ? x : y;
    const bits = reinterpret<u32>(r);
    const exponent = (bits >> 23) & 0xff;
    if (exponent > 1 && exponent != 0xff) return bits;
  }
  element();
  takeA32(y);
  moveAToB();
  if (operation != ROOT) takeA32(x);
  if (operation == MINIMUM || operation == MAXIMUM) {
    const first = firstIsBetter(operation == MAXIMUM);
    elementDone();
    // a denormal that counts as zero is also delivered as one
    return quietZero32(first ? x : y);
  }
  compute(operation);
  round(24, -126, 127, flushing());
  elementDone();
  return pack32();
}
export function arithmetic64(operation: u32, x: u64, y: u64): u64 {
  if ((mxcsr & QUICK_MASK) == QUICK && plain64(y) && (operation == ROOT || plain64(x))) {
    let r: f64;
    const a = reinterpret<f64>(x);
    const b = reinterpret<f64>(y);
    if (operation == ADD) r = a + b;
    else if (operation == SUBTRACT) r = a - b;
    else if (operation == MULTIPLY) r = a * b;
    else if (operation == DIVIDE) r = a / b;
    else if (operation == ROOT) r = sqrt<f64>(b);
    else if (operation == MINIMUM) return a < b ? x : y;
    else return a > b ? x : y;
    const bits = reinterpret<u64>(r);
    const exponent = u32(bits >> 52) & 0x7ff;
    if (exponent > 1 && exponent != 0x7ff) return bits;
  }
  element();
  takeA64(y);
  moveAToB();
  if (operation != ROOT) takeA64(x);
  if (operation == MINIMUM || operation == MAXIMUM) {
    const first = firstIsBetter(operation == MAXIMUM);
    elementDone();
    return quietZero64(first ? x : y);
  }
  compute(operation);
  round(53, -1022, 1023, flushing());
  elementDone();
  return pack64();
}
function quietZero32(x: u32): u32 {
  return mxcsr & DAZ && (x & 0x7f800000) == 0 ? x & 0x80000000 : x;
}
function quietZero64(x: u64): u64 {
  return mxcsr & DAZ && (x & 0x7ff0000000000000) == 0 ? x & 0x8000000000000000 : x;
}

// ---------------------------------------------------------------- comparison

/** Does predicate 0…7 (EQ LT LE UNORD NEQ NLT NLE ORD) hold? LT, LE and their opposites are signaling. */
function holds(predicate: u32): bool {
  const order = compareFlags((predicate & 3) == 0 || (predicate & 3) == 3, false);
  let answer: bool;
  switch (predicate & 3) {
    case 0: answer = order == 4; break;
    case 1: answer = order == 1; break;
    case 2: answer = order == 1 || order == 4; break;
    default: answer = order == 7; break;
  }
  return predicate & 4 ? !answer : answer;
}
export function compare32(predicate: u32, x: u32, y: u32): u32 {
  element();
  takeA32(y);
  moveAToB();
  takeA32(x);
  const answer = holds(predicate);
  elementDone();
  return answer ? 0xffffffff : 0;
}
export function compare64(predicate: u32, x: u64, y: u64): u64 {
  element();
  takeA64(y);
  moveAToB();
  takeA64(x);
  const answer = holds(predicate);
  elementDone();
  return answer ? u64.MAX_VALUE : 0;
}
/** COMIS and UCOMIS: the conditions, to be put into EFLAGS when no exception came. */
export function order32(quiet: bool, x: u32, y: u32): u32 {
  element();
  takeA32(y);
  moveAToB();
  takeA32(x);
  const order = compareFlags(quiet, false);
  elementDone();
  return order;
}
export function order64(quiet: bool, x: u64, y: u64): u32 {
  element();
  takeA64(y);
  moveAToB();
  takeA64(x);
  const order = compareFlags(quiet, false);
  elementDone();
  return order;
}
export { setComparison };

// ---------------------------------------------------------------- conversion

function toOther(): void {
  if (oneNaN()) return;
  if (aDenormal) flag(DENORMAL);
  resultA();
}
export function doubleOfSingle(x: u32): u64 {
  element();
  takeA32(x);
  toOther();
  round(53, -1022, 1023, flushing());
  elementDone();
  return pack64();
}
export function singleOfDouble(x: u64): u32 {
  element();
  takeA64(x);
  toOther();
  round(24, -126, 127, flushing());
  elementDone();
  return pack32();
}
export function singleOfInteger(value: i64): u32 {
  element();
  unpackInteger(value);
  resultA();
  round(24, -126, 127, false);
  elementDone();
  return pack32();
}
export function doubleOfInteger(value: i64): u64 {
  element();
  unpackInteger(value);
  resultA();
  round(53, -1022, 1023, false);
  elementDone();
  return pack64();
}
export function integerOfSingle(x: u32, bits: u32, truncate: bool): i64 {
  element();
  takeA32(x);
  const value = toInteger(bits, truncate ? TRUNCATE : roundingMode());
  elementDone();
  return value;
}
export function integerOfDouble(x: u64, bits: u32, truncate: bool): i64 {
  element();
  takeA64(x);
  const value = toInteger(bits, truncate ? TRUNCATE : roundingMode());
  elementDone();
  return value;
}

/** ROUND: `imm` bit 2 = MXCSR's rounding, else bits 1…0; bit 3 = no precision exception. */
export function round32(x: u32, imm: u32): u32 {
  element();
  takeA32(x);
  if (!oneNaN()) roundToIntegral(imm & 4 ? roundingMode() : imm & 3);
  if (imm & 8) setFlags(flags & ~PRECISION);
  elementDone();
  return pack32();
}
export function round64(x: u64, imm: u32): u64 {
  element();
  takeA64(x);
  if (!oneNaN()) roundToIntegral(imm & 4 ? roundingMode() : imm & 3);
  if (imm & 8) setFlags(flags & ~PRECISION);
  elementDone();
  return pack64();
}

// ---------------------------------------------------------------- approximations

/** RCP: 1 / x to 12 bits and more, no exceptions; denormals count as zero on both sides. */
export function reciprocal(x: u32): u32 {
  const exponent = (x >> 23) & 0xff;
  if (exponent == 0xff && x & 0x7fffff) return x | 0x400000;
  if (exponent == 0) return (x & 0x80000000) | 0x7f800000;
  const bits = reinterpret<u32>(<f32>1 / reinterpret<f32>(x));
  return (bits >> 23) & 0xff ? bits : bits & 0x80000000;
}
export function reciprocalRoot(x: u32): u32 {
  const exponent = (x >> 23) & 0xff;
  if (exponent == 0xff && x & 0x7fffff) return x | 0x400000;
  if (exponent == 0) return (x & 0x80000000) | 0x7f800000;
  if (x >> 31) return 0xffc00000;
  return reinterpret<u32>(<f32>1 / sqrt<f32>(reinterpret<f32>(x)));
}
