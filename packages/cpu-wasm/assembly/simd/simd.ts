/** MMX to SSE4.2, AES, PCLMULQDQ: which operands an opcode has and what is done with them. Rows: generate/simd.mjs. */
import {
  FPU_CONTROL, FPU_CS, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, FS, GS, MODE, MODE_64, MODE_SIZE_MASK, MXCSR, SEG_BASE, TSC_AUX,
} from '../../src/layout';
import { fault, faultCode, GP, NM, ud } from '../exceptions';
import { setLazyFlags } from '../flags';
import { loadAt, probeWrite, storeAt } from '../memory';
import { cr0, CR0_EM, CR0_TS, cr4, CR4_FSGSBASE, CR4_OSFXSR, get, is64, put, RAX, RCX, RDX, segment } from '../state';
import { setTags, setTop, signExponent, significand, st, status, summarize, setStatus, tags, top } from '../x87/stack';
import { aes, carryless, keyAssist } from './crypto';
import {
  ADD, arithmetic32, arithmetic64, compare32, compare64, doubleOfInteger, doubleOfSingle, finishFloats, integerOfDouble, integerOfSingle, MAXIMUM, MINIMUM, MULTIPLY, order32,
  order64, reciprocal, reciprocalRoot, ROOT, round32, round64, setComparison, singleOfDouble, singleOfInteger, startFloats, SUBTRACT,
} from './floats';
import { addWithFlag, crc32, moveSwapped } from './general';
import {
  align, alignMm, blend, blendByMask, packed, packed38, packed41, shiftImmediate, shuffleDwords, shuffleWords, sumsOfFour, widen,
} from './integer';
import {
  ALIGNED, ARITHMETIC, enterMmx, fromLow, getMm, getXmm, highOf, immediate, isMemory, join, key, load128, lowOf, memoryAddress, mmxAvailable, mxcsrBits, regNumber, rmNumber, setMm, setXmm, source128,
  source16, source32, source64, sourceMm, sseAvailable, store128, takeRecord, UNALIGNED, wide, xmmAt,
} from './operands';
import { xgetbv, xrstor, xsave, xsetbv } from './extended-state';
import { vex } from './vex';
import { compareStrings, indexOf, maskOf } from './strings';

/** Prefix of an instruction in {@link key}. */
const NP: u32 = 0;
const P66: u32 = 1;
const PF3: u32 = 2;
const PF2: u32 = 3;

/** Two operands and a result, for instructions that work element by element. */
const X: u32 = memory.data(48, 16) as u32;
const Y: u32 = X + 16;
const Z: u32 = X + 32;

export function simd(rec: u32): void {
  takeRecord(rec);
  const map = key >> 10;
  const prefix = (key >> 8) & 3;
  const opcode = key & 0xff;
  if (map == 1) {
    if (opcode == 0xae) {
      if (prefix == PF3) segmentBases();
      else stateInstruction(rec);
      return;
    }
    if (opcode == 0x01) {
      if (rmNumber & 1) xsetbv();
      else xgetbv();
      return;
    }
    if (opcode == 0xc7) {
      // RDPID
      if (wide || is64()) put<u64>(rmNumber << 3, load<u64>(TSC_AUX));
      else put<u32>(rmNumber << 3, load<u32>(TSC_AUX));
      return;
    }
    if (isMmx(opcode, prefix)) mmxAvailable();
    else sseAvailable();
    map0f(rec, opcode, prefix);
  } else if (map >= 4) {
    vex();
  } else if (map == 2 && opcode >= 0xf0) {
    if (opcode == 0xf6) addWithFlag(prefix == P66 ? 1 : 0x800);
    else if (prefix == PF2) crc32(opcode == 0xf0);
    else moveSwapped(opcode == 0xf1);
  } else {
    if (prefix == NP) mmxAvailable();
    else sseAvailable();
    if (map == 2) map0f38(opcode, prefix);
    else map0f3a(opcode, prefix);
  }
}

/** RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE. */
function segmentBases(): void {
  if (!(cr4() & CR4_FSGSBASE)) ud();
  const at = segment(regNumber & 1 ? GS : FS) + SEG_BASE;
  if (!(regNumber & 2)) {
    if (wide) put<u64>(rmNumber << 3, load<u64>(at));
    else put<u32>(rmNumber << 3, load<u32>(at));
    return;
  }
  const value = wide ? get<u64>(rmNumber << 3) : u64(get<u32>(rmNumber << 3));
  if (i64(value) << 16 >> 16 != i64(value)) faultCode(GP, 0);
  store<u64>(at, value);
}

/** Does the instruction touch MMX registers? */
function isMmx(opcode: u32, prefix: u32): bool {
  if (opcode == 0xd6) return prefix == PF3 || prefix == PF2;
  if (prefix == NP) {
    if (opcode >= 0x60 && opcode <= 0x7f) return opcode != 0x7c && opcode != 0x7d;
    if (opcode >= 0xd0) return true;
    if (opcode == 0xc4 || opcode == 0xc5) return true;
  }
  // integers from memory leave the x87 registers alone
  if (opcode == 0x2a && isMemory) return false;
  return (opcode == 0x2a || opcode == 0x2c || opcode == 0x2d) && prefix <= P66;
}

// ---------------------------------------------------------------- map 0F

function map0f(rec: u32, opcode: u32, prefix: u32): void {
  switch (opcode) {
    case 0x10: moveIn(prefix); return;
    case 0x11: moveOut(prefix); return;
    case 0x12:
    case 0x16: moveHalf(opcode, prefix); return;
    case 0x13: storeAt<u64>(memoryAddress(8, true), lowOf(getXmm(regNumber))); return;
    case 0x17: storeAt<u64>(memoryAddress(8, true), highOf(getXmm(regNumber))); return;
    case 0x14:
    case 0x15: unpackFloats(opcode, prefix); return;
    case 0x28: setXmm(regNumber, source128(ALIGNED)); return;
    case 0x29:
      if (isMemory) store128(getXmm(regNumber), true);
      else setXmm(rmNumber, getXmm(regNumber));
      return;
    case 0x2a: fromIntegers(prefix); return;
    case 0x2b: store128(getXmm(regNumber), true); return;
    case 0x2c:
    case 0x2d: toIntegers(prefix, opcode == 0x2c); return;
    case 0x2e:
    case 0x2f: compareScalar(prefix, opcode == 0x2e); return;
    case 0x50: put<u32>(regNumber << 3, prefix == NP ? u32(i32x4.bitmask(getXmm(rmNumber))) : u32(i64x2.bitmask(getXmm(rmNumber)))); return;
    case 0x52:
    case 0x53: approximate(prefix, opcode == 0x52); return;
    case 0x54: setXmm(regNumber, v128.and(getXmm(regNumber), source128(ARITHMETIC))); return;
    case 0x55: {
      const b = source128(ARITHMETIC);
      setXmm(regNumber, v128.andnot(b, getXmm(regNumber)));
      return;
    }
    case 0x56: setXmm(regNumber, v128.or(getXmm(regNumber), source128(ARITHMETIC))); return;
    case 0x57: setXmm(regNumber, v128.xor(getXmm(regNumber), source128(ARITHMETIC))); return;
    case 0x51:
    case 0x58:
    case 0x59:
    case 0x5c:
    case 0x5d:
    case 0x5e:
    case 0x5f: arithmetic(opcode, prefix); return;
    case 0x5a: betweenFloats(prefix); return;
    case 0x5b: betweenDwords(prefix); return;
    case 0x6e: moveFromGeneral(prefix); return;
    case 0x7e:
      if (prefix == PF3) setXmm(regNumber, fromLow(source64()));
      else moveToGeneral(prefix);
      return;
    case 0x6f:
      if (prefix == NP) {
        const value = sourceMm();
        enterMmx();
        setMm(regNumber, value);
      } else setXmm(regNumber, source128(prefix == P66 ? ALIGNED : UNALIGNED));
      return;
    case 0x7f: storeWhole(prefix); return;
    case 0x70: shuffle(prefix); return;
    case 0x71:
    case 0x72:
    case 0x73: {
      if (prefix == NP) {
        enterMmx();
        setMm(rmNumber, lowOf(shiftImmediate(opcode, regNumber & 7, fromLow(getMm(rmNumber)), immediate)));
      } else setXmm(rmNumber, shiftImmediate(opcode, regNumber & 7, getXmm(rmNumber), immediate));
      return;
    }
    case 0x77: setTags(0); setTop(0); return;
    case 0x7c:
    case 0x7d: horizontal(prefix, opcode == 0x7c ? ADD : SUBTRACT); return;
    case 0xc2: comparePacked(prefix); return;
    case 0xc4: insertWord(prefix); return;
    case 0xc5: extractWord(prefix); return;
    case 0xc6: shuffleFloats(prefix); return;
    case 0xd0: alternate(prefix); return;
    case 0xd6: moveQuad(prefix); return;
    case 0xd7:
      if (prefix == NP) {
        enterMmx();
        put<u32>(regNumber << 3, u32(i8x16.bitmask(fromLow(getMm(rmNumber)))));
      } else put<u32>(regNumber << 3, u32(i8x16.bitmask(getXmm(rmNumber))));
      return;
    case 0xe6: doublesAndDwords(prefix); return;
    case 0xe7:
      if (prefix == NP) {
        storeAt<u64>(memoryAddress(8, true), getMm(regNumber));
        enterMmx();
      } else store128(getXmm(regNumber), true);
      return;
    case 0xf0: setXmm(regNumber, load128(UNALIGNED)); return;
    case 0xf7: storeMasked(prefix); return;
    default:
      if (prefix == NP) {
        // the low-half unpacking ones read 32 bits of memory
        const b = fromLow(isMemory && opcode < 0x63 ? u64(loadAt<u32>(memoryAddress(4, false))) : sourceMm());
        enterMmx();
        setMm(regNumber, lowOf(packed(opcode, fromLow(getMm(regNumber)), b, true)));
      } else {
        const b = source128(ARITHMETIC);
        setXmm(regNumber, packed(opcode, getXmm(regNumber), b, false));
      }
  }
}

// ---------------------------------------------------------------- moves

function moveIn(prefix: u32): void {
  if (prefix <= P66) setXmm(regNumber, source128(UNALIGNED));
  else if (prefix == PF3) {
    const value = source32();
    if (isMemory) setXmm(regNumber, fromLow(value));
    else store<u32>(xmmAt(regNumber), value);
  } else {
    const value = source64();
    if (isMemory) setXmm(regNumber, fromLow(value));
    else store<u64>(xmmAt(regNumber), value);
  }
}
function moveOut(prefix: u32): void {
  const value = getXmm(regNumber);
  if (prefix <= P66) {
    if (isMemory) store128(value, false);
    else setXmm(rmNumber, value);
  } else if (prefix == PF3) {
    if (isMemory) storeAt<u32>(memoryAddress(4, true), i32x4.extract_lane(value, 0));
    else store<u32>(xmmAt(rmNumber), i32x4.extract_lane(value, 0));
  } else if (isMemory) storeAt<u64>(memoryAddress(8, true), lowOf(value));
  else store<u64>(xmmAt(rmNumber), lowOf(value));
}
/** MOVLP, MOVHP, MOVHLPS, MOVLHPS and the duplicating moves. */
function moveHalf(opcode: u32, prefix: u32): void {
  const at = xmmAt(regNumber);
  if (prefix == PF3) {
    const b = source128(ARITHMETIC);
    if (opcode == 0x12) setXmm(regNumber, i8x16.shuffle(b, b, 0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11));
    else setXmm(regNumber, i8x16.shuffle(b, b, 4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15));
  } else if (prefix == PF2) {
    setXmm(regNumber, i64x2.splat(source64()));
  } else if (opcode == 0x12) {
    store<u64>(at, isMemory ? source64() : highOf(getXmm(rmNumber)));
  } else store<u64>(at, source64(), 8);
}
function unpackFloats(opcode: u32, prefix: u32): void {
  const b = source128(ARITHMETIC);
  const a = getXmm(regNumber);
  if (prefix == P66) setXmm(regNumber, opcode == 0x14 ? join(lowOf(a), lowOf(b)) : join(highOf(a), highOf(b)));
  else setXmm(regNumber, packed(opcode == 0x14 ? 0x62 : 0x6a, a, b, false));
}
function moveFromGeneral(prefix: u32): void {
  let value: u64;
  if (isMemory) value = wide ? loadAt<u64>(memoryAddress(8, false)) : u64(loadAt<u32>(memoryAddress(4, false)));
  else value = wide ? get<u64>(rmNumber << 3) : u64(get<u32>(rmNumber << 3));
  if (prefix == NP) {
    enterMmx();
    setMm(regNumber, value);
  } else setXmm(regNumber, fromLow(value));
}
function moveToGeneral(prefix: u32): void {
  const value = prefix == NP ? getMm(regNumber) : lowOf(getXmm(regNumber));
  toGeneral(value);
  if (prefix == NP) enterMmx();
}
/** To a general register or memory of 4 or 8 bytes. */
function toGeneral(value: u64): void {
  if (isMemory) {
    if (wide) storeAt<u64>(memoryAddress(8, true), value);
    else storeAt<u32>(memoryAddress(4, true), u32(value));
  } else if (wide) put<u64>(rmNumber << 3, value);
  else put<u32>(rmNumber << 3, u32(value));
}
function storeWhole(prefix: u32): void {
  if (prefix == NP) {
    const value = getMm(regNumber);
    if (isMemory) storeAt<u64>(memoryAddress(8, true), value);
    enterMmx();
    if (!isMemory) setMm(rmNumber, value);
  } else if (isMemory) store128(getXmm(regNumber), prefix == P66);
  else setXmm(rmNumber, getXmm(regNumber));
}
function moveQuad(prefix: u32): void {
  if (prefix == P66) {
    const value = lowOf(getXmm(regNumber));
    if (isMemory) storeAt<u64>(memoryAddress(8, true), value);
    else setXmm(rmNumber, fromLow(value));
  } else if (prefix == PF3) {
    enterMmx();
    setXmm(regNumber, fromLow(getMm(rmNumber)));
  } else {
    enterMmx();
    setMm(regNumber, lowOf(getXmm(rmNumber)));
  }
}
/** MASKMOVQ, MASKMOVDQU: bytes of the first register whose mask byte has its top bit set, to DS:rDI. */
function storeMasked(prefix: u32): void {
  const n: u32 = prefix == NP ? 8 : 16;
  v128.store(X, prefix == NP ? fromLow(getMm(regNumber)) : getXmm(regNumber));
  v128.store(Y, prefix == NP ? fromLow(getMm(rmNumber)) : getXmm(rmNumber));
  if (prefix == NP) enterMmx();
  const at = memoryAddress(n, true);
  probeWrite(at, n);
  for (let i: u32 = 0; i < n; i++) if (load<u8>(Y + i) & 0x80) storeAt<u8>(at + i, load<u8>(X + i));
}

// ---------------------------------------------------------------- shuffles

function shuffle(prefix: u32): void {
  if (prefix == NP) {
    const b = sourceMm();
    enterMmx();
    setMm(regNumber, shuffleWords(b, immediate));
    return;
  }
  const b = source128(ARITHMETIC);
  if (prefix == P66) setXmm(regNumber, shuffleDwords(b, immediate));
  else if (prefix == PF3) setXmm(regNumber, join(lowOf(b), shuffleWords(highOf(b), immediate)));
  else setXmm(regNumber, join(shuffleWords(lowOf(b), immediate), highOf(b)));
}
function shuffleFloats(prefix: u32): void {
  const b = source128(ARITHMETIC);
  const a = getXmm(regNumber);
  if (prefix == P66) {
    setXmm(regNumber, join(immediate & 1 ? highOf(a) : lowOf(a), immediate & 2 ? highOf(b) : lowOf(b)));
    return;
  }
  const low = shuffleDwords(a, immediate);
  const high = shuffleDwords(b, immediate);
  setXmm(regNumber, join(lowOf(low), highOf(high)));
}
function insertWord(prefix: u32): void {
  const value = isMemory ? loadAt<u16>(memoryAddress(2, false)) : get<u16>(rmNumber << 3);
  if (prefix == NP) {
    enterMmx();
    const shift = u64(immediate & 3) << 4;
    setMm(regNumber, (getMm(regNumber) & ~(<u64>0xffff << shift)) | (u64(value) << shift));
  } else store<u16>(xmmAt(regNumber) + ((immediate & 7) << 1), value);
}
function extractWord(prefix: u32): void {
  let value: u32;
  if (prefix == NP) {
    enterMmx();
    value = u32(getMm(rmNumber) >> (u64(immediate & 3) << 4)) & 0xffff;
  } else value = load<u16>(xmmAt(rmNumber) + ((immediate & 7) << 1));
  put<u32>(regNumber << 3, value);
}

// ---------------------------------------------------------------- arithmetic of floats

function arithmetic(operation: u32, prefix: u32): void {
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
function comparePacked(prefix: u32): void {
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
function compareScalar(prefix: u32, quiet: bool): void {
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
function approximate(prefix: u32, root: bool): void {
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
function horizontal(prefix: u32, operation: u32): void {
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
function alternate(prefix: u32): void {
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
function fromIntegers(prefix: u32): void {
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
function toIntegers(prefix: u32, truncate: bool): void {
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
function betweenFloats(prefix: u32): void {
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
function betweenDwords(prefix: u32): void {
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
function doublesAndDwords(prefix: u32): void {
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

// ---------------------------------------------------------------- map 0F 38

function map0f38(opcode: u32, prefix: u32): void {
  if (opcode < 0x10 || (opcode >= 0x1c && opcode < 0x20)) {
    if (prefix == NP) {
      const b = fromLow(sourceMm());
      enterMmx();
      setMm(regNumber, lowOf(packed38(opcode, fromLow(getMm(regNumber)), b, true)));
    } else {
      const b = source128(ARITHMETIC);
      setXmm(regNumber, packed38(opcode, getXmm(regNumber), b, false));
    }
    return;
  }
  if ((opcode & 0xef) >= 0x20 && (opcode & 0xef) <= 0x25) {
    const part = opcode & 7;
    const b = part == 0 || part == 3 || part == 5 ? fromLow(source64()) : part == 2 ? fromLow(source16()) : fromLow(source32());
    setXmm(regNumber, widen(opcode, b));
    return;
  }
  const b = source128(ARITHMETIC);
  const a = getXmm(regNumber);
  switch (opcode) {
    case 0x10:
    case 0x14:
    case 0x15: setXmm(regNumber, blendByMask(opcode, a, b, getXmm(0))); break;
    case 0x17:
      setLazyFlags((v128.any_true(v128.and(a, b)) ? 0 : 0x40) | (v128.any_true(v128.andnot(b, a)) ? 0 : 1));
      break;
    case 0x2a: setXmm(regNumber, b); break;
    case 0xdb:
    case 0xdc:
    case 0xdd:
    case 0xde:
    case 0xdf: setXmm(regNumber, aes(opcode, a, b)); break;
    default: setXmm(regNumber, packed41(opcode, a, b)); break;
  }
}

// ---------------------------------------------------------------- map 0F 3A

function map0f3a(opcode: u32, prefix: u32): void {
  const imm = immediate;
  switch (opcode) {
    case 0x08:
    case 0x09: {
      v128.store(Y, source128(ARITHMETIC));
      startFloats();
      if (opcode == 8) for (let i: u32 = 0; i < 16; i += 4) store<u32>(Z + i, round32(load<u32>(Y + i), imm));
      else for (let i: u32 = 0; i < 16; i += 8) store<u64>(Z + i, round64(load<u64>(Y + i), imm));
      finishFloats();
      setXmm(regNumber, v128.load(Z));
      return;
    }
    case 0x0a: {
      const b = source32();
      startFloats();
      const r = round32(b, imm);
      finishFloats();
      store<u32>(xmmAt(regNumber), r);
      return;
    }
    case 0x0b: {
      const b = source64();
      startFloats();
      const r = round64(b, imm);
      finishFloats();
      store<u64>(xmmAt(regNumber), r);
      return;
    }
    case 0x0c:
    case 0x0d:
    case 0x0e: {
      const b = source128(ARITHMETIC);
      setXmm(regNumber, blend(getXmm(regNumber), b, imm, opcode == 0x0c ? 2 : opcode == 0x0d ? 3 : 1));
      return;
    }
    case 0x0f:
      if (prefix == NP) {
        const b = sourceMm();
        enterMmx();
        setMm(regNumber, alignMm(getMm(regNumber), b, imm));
      } else {
        const b = source128(ARITHMETIC);
        setXmm(regNumber, align(getXmm(regNumber), b, imm));
      }
      return;
    case 0x14: {
      const value = load<u8>(xmmAt(regNumber) + (imm & 15));
      if (isMemory) storeAt<u8>(memoryAddress(1, true), value);
      else put<u32>(rmNumber << 3, value);
      return;
    }
    case 0x15: {
      const value = load<u16>(xmmAt(regNumber) + ((imm & 7) << 1));
      if (isMemory) storeAt<u16>(memoryAddress(2, true), value);
      else put<u32>(rmNumber << 3, value);
      return;
    }
    case 0x16:
      toGeneral(wide ? load<u64>(xmmAt(regNumber) + ((imm & 1) << 3)) : u64(load<u32>(xmmAt(regNumber) + ((imm & 3) << 2))));
      return;
    case 0x17: {
      const value = load<u32>(xmmAt(regNumber) + ((imm & 3) << 2));
      if (isMemory) storeAt<u32>(memoryAddress(4, true), value);
      else put<u32>(rmNumber << 3, value);
      return;
    }
    case 0x20: {
      const value = isMemory ? loadAt<u8>(memoryAddress(1, false)) : get<u8>(rmNumber << 3);
      store<u8>(xmmAt(regNumber) + (imm & 15), value);
      return;
    }
    case 0x21: insertSingle(imm); return;
    case 0x22:
      if (wide) store<u64>(xmmAt(regNumber) + ((imm & 1) << 3), isMemory ? loadAt<u64>(memoryAddress(8, false)) : get<u64>(rmNumber << 3));
      else store<u32>(xmmAt(regNumber) + ((imm & 3) << 2), isMemory ? loadAt<u32>(memoryAddress(4, false)) : get<u32>(rmNumber << 3));
      return;
    case 0x40: dotProduct32(imm); return;
    case 0x41: dotProduct64(imm); return;
    case 0x42: {
      const b = source128(ARITHMETIC);
      setXmm(regNumber, sumsOfFour(getXmm(regNumber), b, imm));
      return;
    }
    case 0x44: {
      const b = source128(ARITHMETIC);
      setXmm(regNumber, carryless(getXmm(regNumber), b, imm));
      return;
    }
    case 0xdf: setXmm(regNumber, keyAssist(source128(ARITHMETIC), imm)); return;
    default: stringCompare(opcode, imm); return;
  }
}
function insertSingle(imm: u32): void {
  const at = xmmAt(regNumber);
  const value = isMemory ? source32() : load<u32>(xmmAt(rmNumber) + ((imm >> 6) << 2));
  store<u32>(at + (((imm >> 4) & 3) << 2), value);
  for (let i: u32 = 0; i < 4; i++) if ((imm >> i) & 1) store<u32>(at + 4 * i, 0);
}
/** Products where bits 4…7 of `imm` say so, summed in pairs, to the places of bits 0…3. */
function dotProduct32(imm: u32): void {
  v128.store(Y, source128(ARITHMETIC));
  v128.store(X, getXmm(regNumber));
  startFloats();
  for (let i: u32 = 0; i < 4; i++) store<u32>(Z + 4 * i, (imm >> (4 + i)) & 1 ? arithmetic32(MULTIPLY, load<u32>(X + 4 * i), load<u32>(Y + 4 * i)) : 0);
  finishFloats();
  startFloats();
  const low = arithmetic32(ADD, load<u32>(Z), load<u32>(Z, 4));
  const high = arithmetic32(ADD, load<u32>(Z, 8), load<u32>(Z, 12));
  finishFloats();
  startFloats();
  const sum = arithmetic32(ADD, low, high);
  finishFloats();
  for (let i: u32 = 0; i < 4; i++) store<u32>(Z + 4 * i, (imm >> i) & 1 ? sum : 0);
  setXmm(regNumber, v128.load(Z));
}
function dotProduct64(imm: u32): void {
  v128.store(Y, source128(ARITHMETIC));
  v128.store(X, getXmm(regNumber));
  startFloats();
  for (let i: u32 = 0; i < 2; i++) store<u64>(Z + 8 * i, (imm >> (4 + i)) & 1 ? arithmetic64(MULTIPLY, load<u64>(X + 8 * i), load<u64>(Y + 8 * i)) : 0);
  finishFloats();
  startFloats();
  const sum = arithmetic64(ADD, load<u64>(Z), load<u64>(Z, 8));
  finishFloats();
  for (let i: u32 = 0; i < 2; i++) store<u64>(Z + 8 * i, (imm >> i) & 1 ? sum : 0);
  setXmm(regNumber, v128.load(Z));
}
function stringCompare(opcode: u32, imm: u32): void {
  const b = source128(UNALIGNED);
  const explicit_ = opcode < 0x62;
  const la = wide ? get<i64>(RAX) : i64(get<i32>(RAX));
  const lb = wide ? get<i64>(RDX) : i64(get<i32>(RDX));
  const bits = compareStrings(getXmm(regNumber), b, imm, explicit_, la, lb);
  if (opcode & 1) put<u32>(RCX, indexOf(bits, imm));
  else setXmm(0, maskOf(bits, imm));
}

// ---------------------------------------------------------------- FXSAVE, FXRSTOR, LDMXCSR, STMXCSR

function stateInstruction(rec: u32): void {
  const which = regNumber & 7;
  if (which >= 4) {
    if (which == 5) xrstor();
    else xsave();
    return;
  }
  if (which >= 2) {
    sseAvailable();
    if (which == 2) {
      const value = loadAt<u32>(memoryAddress(4, false));
      if (value & ~mxcsrBits()) faultCode(GP, 0);
      store<u32>(MXCSR, value);
    } else storeAt<u32>(memoryAddress(4, true), load<u32>(MXCSR));
    return;
  }
  if (cr0() & (CR0_EM | CR0_TS)) fault(NM);
  const at = memoryAddress(512, which == 0);
  if (u32(at) & 15) faultCode(GP, 0);
  if (which == 0) saveImage(at);
  else restoreImage(at);
}
function vectorRegisters(): u32 {
  return (load<u32>(MODE) & MODE_SIZE_MASK) == MODE_64 ? 16 : 8;
}
function saveImage(at: u64): void {
  probeWrite(at, 512);
  saveX87(at);
  storeAt<u32>(at + 24, load<u32>(MXCSR));
  storeAt<u32>(at + 28, mxcsrBits());
  if (cr4() & CR4_OSFXSR) saveXmm(at);
}
function restoreImage(at: u64): void {
  loadAt<u8>(at + 511);
  const mxcsr = loadAt<u32>(at + 24);
  if (cr4() & CR4_OSFXSR && mxcsr & ~mxcsrBits()) faultCode(GP, 0);
  restoreX87(at);
  if (!(cr4() & CR4_OSFXSR)) return;
  store<u32>(MXCSR, mxcsr);
  restoreXmm(at);
}

/** The x87 part of an FXSAVE image. */
export function saveX87(at: u64): void {
  storeAt<u16>(at, load<u16>(FPU_CONTROL));
  storeAt<u16>(at + 2, u16((status() & ~0x3800) | (top() << 11)));
  storeAt<u16>(at + 4, u16(tags()));
  storeAt<u16>(at + 6, u16(load<u32>(FPU_OPCODE)));
  if (wide) {
    storeAt<u64>(at + 8, load<u64>(FPU_IP));
    storeAt<u64>(at + 16, load<u64>(FPU_DP));
  } else {
    storeAt<u32>(at + 8, load<u32>(FPU_IP));
    storeAt<u32>(at + 12, u32(load<u16>(FPU_CS)));
    storeAt<u32>(at + 16, load<u32>(FPU_DP));
    storeAt<u32>(at + 20, u32(load<u16>(FPU_DS)));
  }
  for (let i: u32 = 0; i < 8; i++) {
    storeAt<u64>(at + 32 + 16 * i, significand(st(i)));
    storeAt<u64>(at + 40 + 16 * i, u64(signExponent(st(i))));
  }
}
export function restoreX87(at: u64): void {
  const statusWord: u32 = loadAt<u16>(at + 2);
  store<u16>(FPU_CONTROL, u16((u32(loadAt<u16>(at)) & 0x1f3f) | 0x40));
  setTop((statusWord >> 11) & 7);
  setTags(loadAt<u8>(at + 4));
  store<u32>(FPU_OPCODE, u32(loadAt<u16>(at + 6)) & 0x7ff);
  setStatus(summarize(statusWord & ~0x3800));
  if (wide) {
    store<u64>(FPU_IP, loadAt<u64>(at + 8));
    store<u64>(FPU_DP, loadAt<u64>(at + 16));
  } else {
    store<u64>(FPU_IP, u64(loadAt<u32>(at + 8)));
    store<u16>(FPU_CS, loadAt<u16>(at + 12));
    store<u64>(FPU_DP, u64(loadAt<u32>(at + 16)));
    store<u16>(FPU_DS, loadAt<u16>(at + 20));
  }
  for (let i: u32 = 0; i < 8; i++) {
    store<u64>(st(i), loadAt<u64>(at + 32 + 16 * i));
    store<u16>(st(i), loadAt<u16>(at + 40 + 16 * i), 8);
  }
}
/** The XMM registers of the mode. */
export function saveXmm(at: u64): void {
  for (let i: u32 = 0; i < vectorRegisters(); i++) {
    const value = getXmm(i);
    storeAt<u64>(at + 160 + 16 * i, lowOf(value));
    storeAt<u64>(at + 168 + 16 * i, highOf(value));
  }
}
export function restoreXmm(at: u64): void {
  for (let i: u32 = 0; i < vectorRegisters(); i++) setXmm(i, join(loadAt<u64>(at + 160 + 16 * i), loadAt<u64>(at + 168 + 16 * i)));
}
