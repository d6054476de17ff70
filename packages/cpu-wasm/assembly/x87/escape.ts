/**
 * x87 instructions: opcodes D8 to DF. [SDM 2A/2B: F*; 1:8]
 * The order in each: operands (which may fault), computation on globals, memory results (which may fault), registers, status.
 */
import { CS, FEATURE_1_EDX, FPU_CONTROL, FPU_CS, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, GPR, IGNNE, SEG_SELECTOR } from '../../src/layout';
import { instructionAddress } from '../position';
import { fault, MF, NM, ud } from '../exceptions';
import { condition } from '../flags';
import { loadAt, offsetOf, operandAddress, probeWrite, segmentOf, storeAt } from '../memory';
import { cr0, CR0_EM, CR0_NE, CR0_TS, feature, RAX, segment } from '../state';
import { add, compare, divide, multiply, squareRoot } from './arithmetic';
import { clearExceptions, ferr, initialize, loadEnvironment, restoreState, saveState, storeEnvironment } from './environment';
import { compareFlags, setComparison } from './compare';
import { bcdInvalid, bcdTop, fromBcd, partial, quotientBits, remainderOf, roundToIntegral, scale, toBcd, toInteger } from './integers';
import {
  aDenormal, aExponent, aKind, aSign, aSignificand, bKind, DEFAULT_NAN, DENORMAL, FINITE, flag, flags, INFINITE, INVALID, isNaN80, moveAToB, NEAREST, OVERFLOW, pack32, pack64,
  pack80, PRECISION, resultA, resultInfinite, resultNaN, round, rounding, rExponent, rKind, rSignificand, setA, setB, setFlags, setRoundedUp, swap, TOP_BIT, TRUNCATE, unpack32, unpack64, unpackInteger,
  UNDERFLOW, UNSUPPORTED, UP, ZERO, ZERO_DIVIDE, DOWN, invalid,
} from './number';
import {
  blocked, C0, C1, C2, C3, CONDITION, control, exchange, finish, isEmpty, loadA, loadB, LEAST, MOST, noWrap, oneOperand, physical, pop, precision, push, pushValue,
  setStatus, setTags, setTop, signExponent, significand, st, stackError, start, status, storeBlocked, storeResult, SUMMARY, summarize, tags, top, twoOperands, writeRegister,
} from './stack';
import { arcTangent, cosine, exponentialMinus1, logarithm, logarithmPlus1, sine, sineCosine, tangent } from './transcendental';

/** What a pending unmasked exception does to the next waiting instruction. */
export function checkPending(): void {
  if (status() & SUMMARY) pendingError();
  else if (load<u32>(IGNNE)) store<u32>(IGNNE, 0);
}
function pendingError(): void {
  if (cr0() & CR0_NE) fault(MF);
  if (!load<u32>(IGNNE)) ferr();
}

/** Without a coprocessor (CPUID says so) they trap for emulation, or are invalid where the system does not ask for that. */
function available(): void {
  if (cr0() & (CR0_EM | CR0_TS)) fault(NM);
  if (!feature(FEATURE_1_EDX, 0)) ud();
}

/** Instruction and operand pointers; the opcode only where an unmasked exception will be looked into. */
function track(rec: u32, memory: bool): void {
  store<u64>(FPU_IP, instructionAddress());
  store<u16>(FPU_CS, load<u16>(segment(CS), SEG_SELECTOR));
  if (flags & ~control() & 0x3f) {
    const word = load<u32>(rec, 12);
    store<u32>(FPU_OPCODE, (((word >> 16) & 7) << 8) | ((word >> 8) & 0xff));
  }
  if (memory) {
    store<u64>(FPU_DP, offsetOf(rec));
    store<u16>(FPU_DS, load<u16>(segment(segmentOf(rec)), SEG_SELECTOR));
  }
}

export function escape(rec: u32): void {
  const word = load<u32>(rec, 12);
  const opcode = (word >> 16) & 7;
  const modrm = (word >> 8) & 0xff;
  const reg = (modrm >> 3) & 7;
  available();
  if (modrm < 0xc0) memoryForm(rec, opcode, reg, word & 0xff);
  else registerForm(rec, opcode, reg, modrm & 7);
}

// ---------------------------------------------------------------- memory forms

/** Loads an operand of `opcode`'s format into a. */
function loadFormat(rec: u32, opcode: u32): void {
  switch (opcode >> 1) {
    case 0: unpack32(loadAt<u32>(operandAddress(rec, 0, 4, false))); break;
    case 1: unpackInteger(i64(i32(loadAt<u32>(operandAddress(rec, 0, 4, false))))); break;
    case 2: unpack64(loadAt<u64>(operandAddress(rec, 0, 8, false))); break;
    default: unpackInteger(i64(i16(loadAt<u16>(operandAddress(rec, 0, 2, false))))); break;
  }
}

function memoryForm(rec: u32, opcode: u32, reg: u32, size: u32): void {
  // control instructions do not wait, or keep the pointers
  if (opcode == 1 && reg >= 4) {
    if (reg == 4) {
      checkPending();
      loadEnvironment(rec, size);
    } else if (reg == 5) {
      checkPending();
      loadControl(loadAt<u16>(operandAddress(rec, 0, 2, false)));
    } else if (reg == 6) {
      storeEnvironment(rec, size);
    } else {
      storeAt<u16>(operandAddress(rec, 0, 2, true), load<u16>(FPU_CONTROL));
    }
    return;
  }
  if (opcode == 5 && reg >= 4) {
    if (reg == 4) {
      checkPending();
      restoreState(rec, size);
    } else if (reg == 6) {
      saveState(rec, size);
    } else if (reg == 7) {
      storeAt<u16>(operandAddress(rec, 0, 2, true), u16(statusWord()));
    } else {
      ud();
    }
    return;
  }
  if ((opcode == 1 && reg == 1) || (opcode == 3 && (reg == 4 || reg == 6))) ud();
  checkPending();
  start();
  if (!(opcode & 1)) {
    loadFormat(rec, opcode);
    moveAToB();
    arithmeticWithB(reg, 0, isEmpty(0));
  } else if (reg == 0) {
    loadFormat(rec, opcode - 1);
    loadReal(opcode);
  } else if (opcode == 3 && reg == 5) {
    const low = loadAt<u64>(operandAddress(rec, 0, 8, false));
    pushValue(low, loadAt<u16>(operandAddress(rec, 8, 2, false)));
  } else if (opcode == 3 && reg == 7) {
    storeExtended(rec);
  } else if (opcode == 7 && reg == 4) {
    const low = loadAt<u64>(operandAddress(rec, 0, 8, false));
    const high: u32 = loadAt<u16>(operandAddress(rec, 8, 2, false));
    unpackInteger(i64(fromBcd(low, high & 0xff)));
    resultA();
    pushValue(rSignificand, pack80() | (high & 0x8000));
  } else if (opcode == 7 && reg == 5) {
    unpackInteger(loadAt<i64>(operandAddress(rec, 0, 8, false)));
    resultA();
    pushValue(rSignificand, pack80());
  } else if (opcode == 7 && reg == 6) {
    storeBcd(rec);
  } else if (opcode == 7 && reg == 7) {
    storeInteger(rec, 8, rounding, true);
  } else if (opcode == 3 || opcode == 7) {
    // FISTTP, FIST, FISTP
    storeInteger(rec, opcode == 3 ? 4 : 2, reg == 1 ? TRUNCATE : rounding, reg != 2);
  } else if (reg == 1) {
    storeInteger(rec, 8, TRUNCATE, true);
  } else {
    storeReal(rec, opcode == 5, reg == 3);
  }
  track(rec, true);
  finish(0, 0);
}

/** FLD of a single or double, FILD: a is there. */
function loadReal(opcode: u32): void {
  if (!isEmpty(7)) {
    pushValue(0, 0);
    return;
  }
  if (opcode == 1 || opcode == 5) {
    // a denormal is loaded even if its exception is unmasked
    if (oneOperand() && aKind != FINITE) {
      if (blocked()) return;
      push();
      writeRegister(0, rSignificand, pack80());
      return;
    }
  }
  resultA();
  push();
  writeRegister(0, rSignificand, pack80());
}

function storeReal(rec: u32, double: bool, popping: bool): void {
  const n: u32 = double ? 8 : 4;
  const at = operandAddress(rec, 0, n, true);
  if (isEmpty(0)) {
    stackError(false);
  } else {
    noWrap();
    loadA(st(0));
    aDenormalIsSilent();
    if (!oneOperand()) {
      resultA();
      const least: i32 = double ? -1022 : -126;
      const small = rKind == FINITE && least > rExponent;
      if (double) round(53, -1022, 1023, false);
      else round(24, -126, 127, false);
      // unmasked, an exact tiny result underflows, too [SDM 1:4.9.1.5]
      if (small && !(flags & PRECISION) && !(control() & UNDERFLOW)) setFlags(flags | UNDERFLOW);
      // an unmasked overflow or underflow stores nothing and does not look what would be lost
      if (flags & (OVERFLOW | UNDERFLOW) & ~control()) {
        setFlags(flags & ~PRECISION);
        setRoundedUp(false);
      }
    }
  }
  if (storeBlocked()) {
    probeWrite(at, n);
    return;
  }
  if (double) storeAt<u64>(at, pack64());
  else storeAt<u32>(at, pack32());
  if (popping) pop();
}
/** Stores do not raise the denormal exception: what they store underflows instead. */
function aDenormalIsSilent(): void {
  if (aDenormal) setA(FINITE, aSign, aExponent, aSignificand);
}

function storeExtended(rec: u32): void {
  // ten bytes are two accesses: each wraps for itself in a 16-bit segment
  const at = operandAddress(rec, 0, 8, true);
  const top = operandAddress(rec, 8, 2, true);
  let low = significand(st(0));
  let high = signExponent(st(0));
  if (isEmpty(0)) {
    stackError(false);
    low = DEFAULT_NAN;
    high = 0xffff;
  }
  probeWrite(at, 8);
  probeWrite(top, 2);
  if (blocked()) return;
  storeAt<u64>(at, low);
  storeAt<u16>(top, u16(high));
  pop();
}

function storeInteger(rec: u32, n: u32, mode: u32, popping: bool): void {
  const at = operandAddress(rec, 0, n, true);
  let value: i64;
  if (isEmpty(0)) {
    stackError(false);
    value = n == 8 ? i64.MIN_VALUE : -(<i64>1 << (n * 8 - 1));
  } else {
    loadA(st(0));
    value = toInteger(n * 8, mode);
  }
  if (blocked()) {
    probeWrite(at, n);
    return;
  }
  if (n == 8) storeAt<u64>(at, u64(value));
  else if (n == 4) storeAt<u32>(at, u32(value));
  else storeAt<u16>(at, u16(value));
  if (popping) pop();
}

function storeBcd(rec: u32): void {
  // ten bytes are two accesses: each wraps for itself in a 16-bit segment
  const at = operandAddress(rec, 0, 8, true);
  const top = operandAddress(rec, 8, 2, true);
  let low: u64 = 0;
  let high: u32 = 0;
  let indefinite = false;
  if (isEmpty(0)) {
    stackError(false);
    indefinite = true;
  } else {
    loadA(st(0));
    low = toBcd(rounding);
    high = bcdTop | (aSign << 15);
    indefinite = bcdInvalid;
  }
  if (indefinite) {
    low = DEFAULT_NAN;
    high = 0xffff;
  }
  probeWrite(at, 8);
  probeWrite(top, 2);
  if (blocked()) return;
  storeAt<u64>(at, low);
  storeAt<u16>(top, u16(high));
  pop();
}

function loadControl(value: u32): void {
  // bit 6 reads as 1, bit 7 and the upper reserved ones as 0
  store<u16>(FPU_CONTROL, u16((value & 0x1f3f) | 0x40));
  setStatus(summarized());
}
function summarized(): u32 {
  return summarize(status());
}
export function statusWord(): u32 {
  return (status() & ~0x3800) | (top() << 11);
}

// ---------------------------------------------------------------- arithmetic

/** Operation `reg` of D8 on ST(0) and the b that is loaded, result to ST(0); `empty` = ST(0) is. */
function arithmeticWithB(reg: u32, target: u32, empty: bool): void {
  if (reg == 2 || reg == 3) {
    if (!empty) loadA(st(0));
    compareAB(false, empty);
    if (reg == 3 && !blocked()) pop();
    return;
  }
  if (empty) stackError(false);
  else {
    loadA(st(0));
    compute(reg);
  }
  storeResult(target, precision());
}

/** a op b by the reg field of D8: + × . . − reversed − ÷ reversed ÷. */
function compute(reg: u32): void {
  if (reg >= 6 && (reg == 6 ? bKind : aKind) == ZERO && (reg == 6 ? aKind : bKind) == FINITE) {
    // division by zero hides a denormal dividend
    if (reg == 7) swap();
    divide();
    return;
  }
  if (twoOperands()) return;
  switch (reg) {
    case 0: add(0); break;
    case 1: multiply(); break;
    case 4: add(1); break;
    case 5:
      swap();
      add(1);
      break;
    case 6: divide(); break;
    default:
      swap();
      divide();
      break;
  }
}

/** Sets C3 C2 C0 from a and b. `quiet` = unordered without invalid for quiet NaNs. */
function compareAB(quiet: bool, empty: bool): void {
  if (empty) stackError(false);
  const conditions = compareFlags(quiet, empty);
  const bits = (conditions & 1 ? C0 : 0) | (conditions & 2 ? C2 : 0) | (conditions & 4 ? C3 : 0);
  // also when an unmasked exception keeps the stack from being popped
  setStatus((status() & ~(C0 | C2 | C3)) | bits);
}

// ---------------------------------------------------------------- register forms

function registerForm(rec: u32, opcode: u32, reg: u32, rm: u32): void {
  if (opcode == 3 && reg == 4) {
    control4(rm);
    return;
  }
  if (opcode == 7 && reg == 4) {
    if (rm != 0) ud();
    store<u16>(GPR + RAX, u16(statusWord()));
    return;
  }
  if (!exists(opcode, reg, rm)) ud();
  checkPending();
  start();
  switch (opcode) {
    case 0:
      binary(reg, 0, rm, false);
      break;
    case 1:
      if (reg == 0) copyFrom(rm);
      else if (reg == 1) exchangeWith(rm);
      else if (reg == 2) return; // FNOP
      else if (reg == 3) {
        // this one encoding of FSTP does not mind an empty register
        if (isEmpty(0)) pop();
        else copyTo(rm, true);
      } else group(reg, rm);
      break;
    case 2:
      if (reg == 5) compareWith(1, true, 2);
      else moveIf(reg, rm, true);
      break;
    case 3:
      if (reg == 5 || reg == 6) compareToFlags(rm, reg == 5, false);
      else moveIf(reg, rm, false);
      break;
    case 4:
      if (reg == 2 || reg == 3) compareWith(rm, false, reg - 2);
      else binary(reg, rm, rm, false);
      break;
    case 5:
      if (reg == 0) {
        setTags(tags() & ~(1 << physical(rm)));
        break;
      }
      if (reg == 1) exchangeWith(rm);
      else if (reg < 4) copyTo(rm, reg == 3);
      else compareWith(rm, true, reg - 4);
      break;
    case 6:
      if (reg == 2) compareWith(rm, false, 1);
      else if (reg == 3) compareWith(1, false, 2);
      else binary(reg, rm, rm, true);
      break;
    default:
      if (reg == 0) {
        setTags(tags() & ~(1 << physical(rm)));
        pop();
        break;
      }
      if (reg == 1) exchangeWith(rm);
      else if (reg < 4) copyTo(rm, true);
      else compareToFlags(rm, reg == 5, true);
      break;
  }
  track(rec, false);
  finish(0, 0);
}

function exists(opcode: u32, reg: u32, rm: u32): bool {
  switch (opcode) {
    case 1:
      if (reg == 2) return rm == 0;
      if (reg == 4) return rm != 2 && rm != 3 && rm < 6;
      if (reg == 5) return rm != 7;
      return true;
    case 2: return reg < 4 || (reg == 5 && rm == 1);
    case 3: return reg != 7;
    case 5: return reg < 6;
    case 6: return reg != 3 || rm == 1;
    case 7: return reg < 7;
    default: return true;
  }
}

/** DB E0…E7: does not wait. */
function control4(rm: u32): void {
  if (rm == 2) clearExceptions();
  else if (rm == 3) initialize();
  else if (rm > 4) ud();
}

function binary(reg: u32, target: u32, other: u32, popping: bool): void {
  if (reg == 2 || reg == 3) {
    compareWith(other, false, reg - 2);
    return;
  }
  if (isEmpty(0) || isEmpty(other)) stackError(false);
  else {
    loadB(st(other));
    loadA(st(0));
    compute(reg);
  }
  if (storeResult(target, precision()) && popping) pop();
}

/** FCOM and FUCOM with ST(other); pops that many. */
function compareWith(other: u32, quiet: bool, pops: u32): void {
  const empty = isEmpty(0) || isEmpty(other);
  if (!empty) {
    loadB(st(other));
    loadA(st(0));
  }
  compareAB(quiet, empty);
  if (blocked()) return;
  for (let i: u32 = 0; i < pops; i++) pop();
}

/** FCOMI and FUCOMI. */
function compareToFlags(other: u32, quiet: bool, popping: bool): void {
  const empty = isEmpty(0) || isEmpty(other);
  if (!empty) {
    loadB(st(other));
    loadA(st(0));
    setRoundedUp((status() & C1) != 0);
  } else {
    stackError(false);
  }
  setComparison(compareFlags(quiet, empty));
  if (popping && !blocked()) pop();
}

/** FLD ST(i). */
function copyFrom(i: u32): void {
  if (isEmpty(i)) {
    stackError(false);
    if (blocked()) return;
    push();
    writeRegister(0, DEFAULT_NAN, 0xffff);
    return;
  }
  const at = st(i);
  pushValue(significand(at), signExponent(at));
}

/** FST ST(i), FSTP ST(i). */
function copyTo(i: u32, popping: bool): void {
  let low = significand(st(0));
  let high = signExponent(st(0));
  if (isEmpty(0)) {
    stackError(false);
    if (blocked()) return;
    low = DEFAULT_NAN;
    high = 0xffff;
  }
  writeRegister(i, low, high);
  if (popping) pop();
}

function exchangeWith(i: u32): void {
  if (isEmpty(0) || isEmpty(i)) {
    stackError(false);
    if (blocked()) return;
    if (isEmpty(0)) writeRegister(0, DEFAULT_NAN, 0xffff);
    if (isEmpty(i)) writeRegister(i, DEFAULT_NAN, 0xffff);
  }
  exchange(i);
}

/** FCMOVcc: B E BE U and their opposites. */
function moveIf(reg: u32, i: u32, on: bool): void {
  if (isEmpty(0) || isEmpty(i)) {
    stackError(false);
    if (!blocked()) writeRegister(0, DEFAULT_NAN, 0xffff);
    return;
  }
  setRoundedUp((status() & C1) != 0);
  const code: u32 = reg == 0 ? 2 : reg == 1 ? 4 : reg == 2 ? 6 : 10;
  if (condition(code) == on) writeRegister(0, significand(st(i)), signExponent(st(i)));
}

// ---------------------------------------------------------------- D9 E0…FF

function group(reg: u32, rm: u32): void {
  if (reg == 4) {
    if (rm < 2) changeSign(rm == 1);
    else if (rm == 4) {
      const empty = isEmpty(0);
      if (!empty) loadA(st(0));
      setB(ZERO, 0, 0, 0);
      compareAB(false, empty);
    } else examine();
    return;
  }
  if (reg == 5) {
    constant(rm);
    return;
  }
  switch (((reg & 1) << 3) | rm) {
    case 0: exponentialMinus1(); break;
    case 1: logarithm(); break;
    case 2: tangent(); break;
    case 3: arcTangent(); break;
    case 4: extract(); break;
    case 5: remainderStep(true); break;
    case 6: setTop(top() - 1); break;
    case 7: setTop(top() + 1); break;
    case 8: remainderStep(false); break;
    case 9: logarithmPlus1(); break;
    case 10: root(); break;
    case 11: sineCosine(); break;
    case 12: integral(); break;
    case 13: scaleST(); break;
    case 14: sine(); break;
    default: cosine(); break;
  }
}

function changeSign(clear: bool): void {
  if (isEmpty(0)) {
    stackError(false);
    if (!blocked()) writeRegister(0, DEFAULT_NAN, 0xffff);
    return;
  }
  const high = signExponent(st(0));
  store<u16>(st(0), u16(clear ? high & 0x7fff : high ^ 0x8000), 8);
}

/** C3 C2 C0 by class: 000 unsupported, 001 NaN, 010 normal, 011 infinity, 100 zero, 101 empty, 110 denormal; C1 = sign. */
function examine(): void {
  const sign = signExponent(st(0)) & 0x8000;
  loadA(st(0));
  let conditions: u32;
  if (isEmpty(0)) conditions = C3 | C0;
  else if (aKind == UNSUPPORTED) conditions = 0;
  else if (isNaN80(aKind)) conditions = C0;
  else if (aKind == INFINITE) conditions = C2 | C0;
  else if (aKind == ZERO) conditions = C3;
  else conditions = aDenormal ? C3 | C2 : C2;
  setStatus((status() & ~CONDITION) | conditions);
  setRoundedUp(sign != 0);
}

/** 1, log2 10, log2 e, π, log10 2, ln 2, 0: as the rounding control rounds their infinitely long forms. */
function constant(rm: u32): void {
  const high: bool = rounding == UP;
  const low: bool = rounding == DOWN || rounding == TRUNCATE;
  switch (rm) {
    case 0: pushValue(TOP_BIT, 0x3fff); break;
    case 1: pushValue(0xd49a784bcd1b8afe + u64(high), 0x4000); break;
    case 2: pushValue(0xb8aa3b295c17f0bc - u64(low), 0x3fff); break;
    case 3: pushValue(0xc90fdaa22168c235 - u64(low), 0x4000); break;
    case 4: pushValue(0x9a209a84fbcff799 - u64(low), 0x3ffd); break;
    case 5: pushValue(0xb17217f7d1cf79ac - u64(low), 0x3ffe); break;
    default: pushValue(0, 0); break;
  }
}

function root(): void {
  if (isEmpty(0)) stackError(false);
  else {
    loadA(st(0));
    if (aSign && aKind != ZERO && !isNaN80(aKind) && aKind != UNSUPPORTED) invalid();
    else if (!oneOperand()) squareRoot();
  }
  storeResult(0, precision());
}

function integral(): void {
  if (isEmpty(0)) stackError(false);
  else {
    loadA(st(0));
    if (!oneOperand()) roundToIntegral(rounding);
  }
  storeResult(0, 64);
}

function scaleST(): void {
  if (isEmpty(0) || isEmpty(1)) stackError(false);
  else {
    loadB(st(1));
    loadA(st(0));
    if (!twoOperands()) scale();
  }
  storeResult(0, 64);
}

function remainderStep(nearest: bool): void {
  if (isEmpty(0) || isEmpty(1)) stackError(false);
  else {
    loadB(st(1));
    loadA(st(0));
    if (!twoOperands()) {
      remainderOf(nearest);
      if (!(flags & INVALID) && storeResult(0, 64)) {
        setStatus((status() & ~(C0 | C2 | C3)) | (partial ? C2 : 0) | (quotientBits & 4 ? C0 : 0) | (quotientBits & 2 ? C3 : 0));
        setRoundedUp((quotientBits & 1) != 0);
        return;
      }
    }
  }
  storeResult(0, 64);
  setStatus(status() & ~C2);
}

/** Exponent to ST(0), then significand pushed. */
function extract(): void {
  if (isEmpty(0)) {
    stackError(false);
    if (blocked()) return;
    writeRegister(0, DEFAULT_NAN, 0xffff);
    push();
    writeRegister(0, DEFAULT_NAN, 0xffff);
    return;
  }
  if (!isEmpty(7)) {
    stackError(true);
    if (blocked()) return;
    writeRegister(0, DEFAULT_NAN, 0xffff);
    push();
    writeRegister(0, DEFAULT_NAN, 0xffff);
    return;
  }
  loadA(st(0));
  if (oneOperand()) {
    if (blocked()) return;
    writeRegister(0, rSignificand, pack80());
    push();
    writeRegister(0, rSignificand, pack80());
    return;
  }
  if (aKind == ZERO) {
    flag(ZERO_DIVIDE);
    if (blocked()) return;
    const sign = aSign << 15;
    writeRegister(0, TOP_BIT, 0xffff);
    push();
    writeRegister(0, 0, sign);
    return;
  }
  if (aKind == INFINITE) {
    const sign = aSign << 15;
    writeRegister(0, TOP_BIT, 0x7fff);
    push();
    writeRegister(0, TOP_BIT, 0x7fff | sign);
    return;
  }
  const sign = aSign << 15;
  const fraction = aSignificand;
  unpackInteger(i64(aExponent));
  resultA();
  writeRegister(0, rSignificand, pack80());
  push();
  writeRegister(0, fraction, 0x3fff | sign);
}
