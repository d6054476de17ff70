/**
 * The x87 register stack and its status: reading operands with NaN and stack-fault rules, storing results, exception summary.
 * [SDM 1:8.1, 1:8.4, 1:8.5]
 */
import { FPU_CONTROL, FPU_REGISTERS, FPU_STATUS, FPU_TAG, FPU_TOP } from '../../src/layout';
import {
  aDenormal, aKind, aSign, aSignificand, BEFORE, bDenormal, begin, biases, bKind, bSign, bSignificand, DEFAULT_NAN, DENORMAL, flag, flags, INVALID,
  invalid, moveAToB, OVERFLOW, pack80, QUIET, resultNaN, round, roundedUp, rSignificand, setFlags, setResult, setRoundedUp, SIGNALING, UNDERFLOW, unpack80,
  UNSUPPORTED,
} from './number';

export const STACK_FAULT: u32 = 0x40;
export const SUMMARY: u32 = 0x80;
export const C0: u32 = 0x100;
export const C1: u32 = 0x200;
export const C2: u32 = 0x400;
export const C3: u32 = 0x4000;
export const CONDITION: u32 = C0 | C1 | C2 | C3;
export const BUSY: u32 = 0x8000;

/** Least and most exponent of normal extended reals. */
export const LEAST: i32 = -16382;
export const MOST: i32 = 16383;
/** What an unmasked overflow or underflow moves the exponent by. */
const WRAP: i32 = 24576;

@inline export function control(): u32 { return load<u16>(FPU_CONTROL); }
@inline export function status(): u32 { return load<u16>(FPU_STATUS); }
@inline export function setStatus(value: u32): void { store<u16>(FPU_STATUS, u16(value)); }
@inline export function top(): u32 { return load<u32>(FPU_TOP); }
@inline export function setTop(value: u32): void { store<u32>(FPU_TOP, value & 7); }
@inline export function tags(): u32 { return load<u8>(FPU_TAG); }
@inline export function setTags(value: u32): void { store<u8>(FPU_TAG, u8(value)); }

@inline export function physical(i: u32): u32 { return (top() + i) & 7; }
/** Address of ST(i). */
@inline export function st(i: u32): u32 { return FPU_REGISTERS + (physical(i) << 4); }
@inline export function isEmpty(i: u32): bool { return ((tags() >> physical(i)) & 1) == 0; }
@inline export function significand(at: u32): u64 { return load<u64>(at); }
@inline export function signExponent(at: u32): u32 { return load<u16>(at, 8); }

export function writeRegister(i: u32, low: u64, high: u32): void {
  const at = st(i);
  store<u64>(at, low);
  store<u16>(at, u16(high), 8);
  setTags(tags() | (1 << physical(i)));
}
export function pop(): void {
  setTags(tags() & ~(1 << top()));
  setTop(top() + 1);
}
export function push(): void {
  setTop(top() - 1);
}

/** Exchanges the contents of ST(0) and ST(i). */
export function exchange(i: u32): void {
  const a = st(0);
  const b = st(i);
  const low = load<u64>(a);
  const high = load<u16>(a, 8);
  store<u64>(a, load<u64>(b));
  store<u16>(a, load<u16>(b, 8), 8);
  store<u64>(b, low);
  store<u16>(b, high, 8);
  setTags(tags() | (1 << physical(0)) | (1 << physical(i)));
}

// ---------------------------------------------------------------- status

let stackFault: bool = false;

export function start(): void {
  begin((control() >> 10) & 3);
  stackFault = false;
  const unmasked = ~control();
  biases(unmasked & OVERFLOW ? WRAP : 0, unmasked & UNDERFLOW ? WRAP : 0);
}
/** Narrow stores never wrap exponents: an unmasked overflow or underflow stores nothing. */
export function noWrap(): void {
  biases(0, 0);
}

export function summarize(value: u32): u32 {
  return value & ~control() & 0x3f ? value | SUMMARY | BUSY : value & ~(SUMMARY | BUSY);
}

/** Adds the operation's exceptions and C1 to the status word; `conditions` = new C0, C2, C3 under `mask`. */
export function finish(mask: u32, conditions: u32): void {
  let value = (status() & ~(C1 | mask)) | flags | (conditions & mask);
  if (roundedUp) value |= C1;
  if (stackFault) value |= STACK_FAULT;
  setStatus(summarize(value));
}

/** Has an unmasked exception that suppresses the result been raised? */
export function blocked(): bool {
  return (flags & BEFORE & ~control()) != 0;
}
/** The same for stores to memory, where overflow and underflow suppress, too. */
export function storeBlocked(): bool {
  return (flags & (BEFORE | OVERFLOW | UNDERFLOW) & ~control()) != 0;
}

/** An empty register was read (or, with `overflow`, a full one pushed over): the result is the real indefinite. */
export function stackError(overflow: bool): void {
  stackFault = true;
  setFlags(INVALID);
  setRoundedUp(overflow);
  resultNaN(1, DEFAULT_NAN);
}

// ---------------------------------------------------------------- operands

export function loadA(at: u32): void {
  unpack80(significand(at), signExponent(at));
}
export function loadB(at: u32): void {
  loadA(at);
  moveAToB();
}

@inline function isNaN(kind: u32): bool {
  return kind == QUIET || kind == SIGNALING;
}

/** Deals with one NaN or unsupported operand. True if there is already a result. Raises the denormal exception otherwise. */
export function oneOperand(): bool {
  if (aKind == UNSUPPORTED) {
    invalid();
    return true;
  }
  if (isNaN(aKind)) {
    if (aKind == SIGNALING) flag(INVALID);
    resultNaN(aSign, aSignificand);
    return true;
  }
  if (aDenormal) {
    flag(DENORMAL);
    return blocked();
  }
  return false;
}

/** The same for two: the quiet one, else the larger significand, else the positive one. */
export function twoOperands(): bool {
  if (aKind == UNSUPPORTED || bKind == UNSUPPORTED) {
    invalid();
    return true;
  }
  if (isNaN(aKind) || isNaN(bKind)) {
    if (aKind == SIGNALING || bKind == SIGNALING) flag(INVALID);
    let first: bool;
    if (!isNaN(bKind)) first = true;
    else if (!isNaN(aKind)) first = false;
    else if (aKind != bKind) first = aKind == QUIET;
    else if (aSignificand != bSignificand) first = aSignificand > bSignificand;
    else first = aSign < bSign;
    if (first) resultNaN(aSign, aSignificand);
    else resultNaN(bSign, bSignificand);
    return true;
  }
  if (aDenormal || bDenormal) {
    flag(DENORMAL);
    return blocked();
  }
  return false;
}

// ---------------------------------------------------------------- results

/** Significant bits by precision control. */
export function precision(): u32 {
  const code = (control() >> 8) & 3;
  return code == 0 ? 24 : code == 2 ? 53 : 64;
}

/** Rounds the result to `bits` and puts it into ST(i) unless an unmasked exception forbids. True if it was written. */
export function storeResult(i: u32, bits: u32): bool {
  if (!blocked()) round(bits, LEAST, MOST, false);
  if (blocked()) {
    setRoundedUp(roundedUp && stackFault);
    return false;
  }
  writeRegister(i, rSignificand, pack80());
  return true;
}

/** Pushes the extended real (low, high); a full register below makes it a stack overflow. */
export function pushValue(low: u64, high: u32): void {
  if (!isEmpty(7)) {
    stackError(true);
    if (blocked()) return;
    push();
    writeRegister(0, DEFAULT_NAN, 0xffff);
    return;
  }
  push();
  writeRegister(0, low, high);
}

/** A result that needs no rounding. */
export function exactResult(kind: u32, sign: u32, exponent: i32, value: u64): void {
  setResult(kind, sign, exponent, value, 0);
}
