/** Floating-point instructions by their operands: arithmetic, comparisons, conversions. The operations are in floats.ts. */
import { loadAt } from '../memory';
import { get, put } from '../state';
import {
  ADD, arithmetic32, arithmetic64, compare32, compare64, doubleOfInteger, doubleOfSingle, finishFloats, integerOfDouble, integerOfSingle,
  order32, order64, reciprocal, reciprocalRoot, setComparison, singleOfDouble, singleOfInteger, startFloats, SUBTRACT,
} from './floats';
import { NP, P66, PF2, PF3, X, Y, Z } from './forms';
import {
  ARITHMETIC, enterMmx, fromLow, getXmm, highOf, immediate, isMemory, join, lowOf, memoryAddress, regNumber, rmNumber, setMm, setXmm,
  source128, source32, source64, sourceMm, wide, xmmAt,
} from './operands';

export function arithmetic(operation: u32, prefix: u32): void {
  const at = xmmAt(regNumber);
  if (prefix == PF3) {
    const y = source32();
    startFloats();
    const r = arithmetic32(operation, load<u32>(at), y);
    finishFloats();
    store<u32>(at, r);
  } else if (prefix == PF2) {
    const y = source64();
    startFloats();
    const r = arithmetic64(operation, load<u64>(at), y);
    finishFloats();
    store<u64>(at, r);
  } else {
    v128.store(Y, source128(ARITHMETIC));
    startFloats();
    if (prefix == NP) for (let i: u32 = 0; i < 16; i += 4) store<u32>(Z + i, arithmetic32(operation, load<u32>(at + i), load<u32>(Y + i)));
    else for (let i: u32 = 0; i < 16; i += 8) store<u64>(Z + i, arithmetic64(operation, load<u64>(at + i), load<u64>(Y + i)));
    finishFloats();
    setXmm(regNumber, v128.load(Z));
  }
}
export function comparePacked(prefix: u32): void {
  const at = xmmAt(regNumber);
  const predicate = immediate & 7;
  if (prefix == PF3) {
    const y = source32();
    startFloats();
    const r = compare32(predicate, load<u32>(at), y);
    finishFloats();
    store<u32>(at, r);
  } else if (prefix == PF2) {
    const y = source64();
    startFloats();
    const r = compare64(predicate, load<u64>(at), y);
    finishFloats();
    store<u64>(at, r);
  } else {
    v128.store(Y, source128(ARITHMETIC));
    startFloats();
    if (prefix == NP) for (let i: u32 = 0; i < 16; i += 4) store<u32>(Z + i, compare32(predicate, load<u32>(at + i), load<u32>(Y + i)));
    else for (let i: u32 = 0; i < 16; i += 8) store<u64>(Z + i, compare64(predicate, load<u64>(at + i), load<u64>(Y + i)));
    finishFloats();
    setXmm(regNumber, v128.load(Z));
  }
}
export function compareScalar(prefix: u32, quiet: bool): void {
  const at = xmmAt(regNumber);
  let order: u32;
  if (prefix == NP) {
    const y = source32();
    startFloats();
    order = order32(quiet, load<u32>(at), y);
  } else {
    const y = source64();
    startFloats();
    order = order64(quiet, load<u64>(at), y);
  }
  finishFloats();
  setComparison(order);
}
export function approximate(prefix: u32, root: bool): void {
  const at = xmmAt(regNumber);
  if (prefix == PF3) {
    const y = source32();
    store<u32>(at, root ? reciprocalRoot(y) : reciprocal(y));
    return;
  }
  v128.store(Y, source128(ARITHMETIC));
  for (let i: u32 = 0; i < 16; i += 4) {
    const y = load<u32>(Y + i);
    store<u32>(at + i, root ? reciprocalRoot(y) : reciprocal(y));
  }
}
/** HADD, HSUB: neighbours of the destination, then of the source. */
export function horizontal(prefix: u32, operation: u32): void {
  v128.store(Y, source128(ARITHMETIC));
  v128.store(X, getXmm(regNumber));
  startFloats();
  if (prefix == P66) {
    store<u64>(Z, arithmetic64(operation, load<u64>(X), load<u64>(X, 8)));
    store<u64>(Z, arithmetic64(operation, load<u64>(Y), load<u64>(Y, 8)), 8);
  } else {
    // X and Y lie side by side
    for (let i: u32 = 0; i < 4; i++) store<u32>(Z + 4 * i, arithmetic32(operation, load<u32>(X + 8 * i), load<u32>(X + 8 * i, 4)));
  }
  finishFloats();
  setXmm(regNumber, v128.load(Z));
}
/** ADDSUB: subtract at even places, add at odd ones. */
export function alternate(prefix: u32): void {
  v128.store(Y, source128(ARITHMETIC));
  v128.store(X, getXmm(regNumber));
  startFloats();
  if (prefix == P66) {
    store<u64>(Z, arithmetic64(SUBTRACT, load<u64>(X), load<u64>(Y)));
    store<u64>(Z, arithmetic64(ADD, load<u64>(X, 8), load<u64>(Y, 8)), 8);
  } else {
    for (let i: u32 = 0; i < 16; i += 4) store<u32>(Z + i, arithmetic32(i & 4 ? ADD : SUBTRACT, load<u32>(X + i), load<u32>(Y + i)));
  }
  finishFloats();
  setXmm(regNumber, v128.load(Z));
}

// ---------------------------------------------------------------- conversions

/** CVTPI2PS, CVTPI2PD, CVTSI2SS, CVTSI2SD. */
export function fromIntegers(prefix: u32): void {
  const at = xmmAt(regNumber);
  if (prefix <= P66) {
    const b = sourceMm();
    if (!isMemory) enterMmx();
    startFloats();
    if (prefix == NP) {
      const low = singleOfInteger(i64(i32(b)));
      const high = singleOfInteger(i64(i32(b >> 32)));
      finishFloats();
      store<u64>(at, u64(low) | (u64(high) << 32));
    } else {
      setXmm(regNumber, join(doubleOfInteger(i64(i32(b))), doubleOfInteger(i64(i32(b >> 32)))));
    }
    return;
  }
  let value: i64;
  if (isMemory) value = wide ? loadAt<i64>(memoryAddress(8, false)) : i64(loadAt<i32>(memoryAddress(4, false)));
  else value = wide ? get<i64>(rmNumber << 3) : i64(get<i32>(rmNumber << 3));
  startFloats();
  if (prefix == PF3) {
    const r = singleOfInteger(value);
    finishFloats();
    store<u32>(at, r);
  } else {
    const r = doubleOfInteger(value);
    finishFloats();
    store<u64>(at, r);
  }
}
/** CVT(T)PS2PI, CVT(T)PD2PI, CVT(T)SS2SI, CVT(T)SD2SI. */
export function toIntegers(prefix: u32, truncate: bool): void {
  if (prefix <= P66) {
    let low: i64;
    let high: i64;
    if (prefix == NP) {
      const b = source64();
      // even if an exception follows
      enterMmx();
      startFloats();
      low = integerOfSingle(u32(b), 32, truncate);
      high = integerOfSingle(u32(b >> 32), 32, truncate);
    } else {
      const b = source128(ARITHMETIC);
      enterMmx();
      startFloats();
      low = integerOfDouble(lowOf(b), 32, truncate);
      high = integerOfDouble(highOf(b), 32, truncate);
    }
    finishFloats();
    setMm(regNumber, u64(u32(low)) | (u64(high) << 32));
    return;
  }
  let value: i64;
  const bits: u32 = wide ? 64 : 32;
  if (prefix == PF3) {
    const b = source32();
    startFloats();
    value = integerOfSingle(b, bits, truncate);
  } else {
    const b = source64();
    startFloats();
    value = integerOfDouble(b, bits, truncate);
  }
  finishFloats();
  if (wide) put<u64>(regNumber << 3, u64(value));
  else put<u32>(regNumber << 3, u32(value));
}
/** CVTPS2PD, CVTPD2PS, CVTSS2SD, CVTSD2SS. */
export function betweenFloats(prefix: u32): void {
  const at = xmmAt(regNumber);
  if (prefix == NP) {
    const b = source64();
    startFloats();
    const low = doubleOfSingle(u32(b));
    const high = doubleOfSingle(u32(b >> 32));
    finishFloats();
    setXmm(regNumber, join(low, high));
  } else if (prefix == P66) {
    const b = source128(ARITHMETIC);
    startFloats();
    const low = singleOfDouble(lowOf(b));
    const high = singleOfDouble(highOf(b));
    finishFloats();
    setXmm(regNumber, fromLow(u64(low) | (u64(high) << 32)));
  } else if (prefix == PF3) {
    const b = source32();
    startFloats();
    const r = doubleOfSingle(b);
    finishFloats();
    store<u64>(at, r);
  } else {
    const b = source64();
    startFloats();
    const r = singleOfDouble(b);
    finishFloats();
    store<u32>(at, r);
  }
}
/** CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ. */
export function betweenDwords(prefix: u32): void {
  v128.store(Y, source128(ARITHMETIC));
  startFloats();
  for (let i: u32 = 0; i < 16; i += 4) {
    if (prefix == NP) store<u32>(Z + i, singleOfInteger(i64(load<i32>(Y + i))));
    else store<u32>(Z + i, u32(integerOfSingle(load<u32>(Y + i), 32, prefix == PF3)));
  }
  finishFloats();
  setXmm(regNumber, v128.load(Z));
}
/** CVTTPD2DQ, CVTDQ2PD, CVTPD2DQ. */
export function doublesAndDwords(prefix: u32): void {
  if (prefix == PF3) {
    const b = source64();
    startFloats();
    setXmm(regNumber, join(doubleOfInteger(i64(i32(b))), doubleOfInteger(i64(i32(b >> 32)))));
    return;
  }
  const b = source128(ARITHMETIC);
  startFloats();
  const low = integerOfDouble(lowOf(b), 32, prefix == P66);
  const high = integerOfDouble(highOf(b), 32, prefix == P66);
  finishFloats();
  setXmm(regNumber, fromLow(u64(u32(low)) | (u64(high) << 32)));
}
