/** Moves between registers, memory and general registers; shuffles, insertion, extraction. */
import { loadAt, probeWrite, storeAt } from '../memory';
import { get, put } from '../state';
import { NP, P66, PF2, PF3, X, Y } from './forms';
import { packed, shuffleDwords, shuffleWords } from './integer';
import {
  halfAddress, memoryWraps, ARITHMETIC, enterMmx, fromLow, getMm, getXmm, highOf, immediate, isMemory, join, lowOf, memoryAddress, regNumber, rmNumber, setMm, setXmm,
  source128, source32, source64, sourceMm, store128, UNALIGNED, wide, xmmAt,
} from './operands';

export function moveIn(prefix: u32): void {
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
export function moveOut(prefix: u32): void {
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
export function moveHalf(opcode: u32, prefix: u32): void {
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
export function unpackFloats(opcode: u32, prefix: u32): void {
  const b = source128(ARITHMETIC);
  const a = getXmm(regNumber);
  if (prefix == P66) setXmm(regNumber, opcode == 0x14 ? join(lowOf(a), lowOf(b)) : join(highOf(a), highOf(b)));
  else setXmm(regNumber, packed(opcode == 0x14 ? 0x62 : 0x6a, a, b, false));
}
export function moveFromGeneral(prefix: u32): void {
  let value: u64;
  if (isMemory) value = wide ? loadAt<u64>(memoryAddress(8, false)) : u64(loadAt<u32>(memoryAddress(4, false)));
  else value = wide ? get<u64>(rmNumber << 3) : u64(get<u32>(rmNumber << 3));
  if (prefix == NP) {
    enterMmx();
    setMm(regNumber, value);
  } else setXmm(regNumber, fromLow(value));
}
export function moveToGeneral(prefix: u32): void {
  const value = prefix == NP ? getMm(regNumber) : lowOf(getXmm(regNumber));
  toGeneral(value);
  if (prefix == NP) enterMmx();
}
/** To a general register or memory of 4 or 8 bytes. */
export function toGeneral(value: u64): void {
  if (isMemory) {
    if (wide) storeAt<u64>(memoryAddress(8, true), value);
    else storeAt<u32>(memoryAddress(4, true), u32(value));
  } else if (wide) put<u64>(rmNumber << 3, value);
  else put<u32>(rmNumber << 3, u32(value));
}
export function storeWhole(prefix: u32): void {
  if (prefix == NP) {
    const value = getMm(regNumber);
    if (isMemory) storeAt<u64>(memoryAddress(8, true), value);
    enterMmx();
    if (!isMemory) setMm(rmNumber, value);
  } else if (isMemory) store128(getXmm(regNumber), prefix == P66);
  else setXmm(rmNumber, getXmm(regNumber));
}
export function moveQuad(prefix: u32): void {
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
export function storeMasked(prefix: u32): void {
  const n: u32 = prefix == NP ? 8 : 16;
  v128.store(X, prefix == NP ? fromLow(getMm(regNumber)) : getXmm(regNumber));
  v128.store(Y, prefix == NP ? fromLow(getMm(rmNumber)) : getXmm(rmNumber));
  if (prefix == NP) enterMmx();
  if (memoryWraps(n)) {
    const low = halfAddress(0);
    const high = n == 8 ? low : halfAddress(8);
    probeWrite(low, 8);
    probeWrite(high, 8);
    for (let i: u32 = 0; i < n; i++) if (load<u8>(Y + i) & 0x80) storeAt<u8>(i < 8 ? low + i : high + i - 8, load<u8>(X + i));
    return;
  }
  const at = memoryAddress(n, true);
  probeWrite(at, n);
  for (let i: u32 = 0; i < n; i++) if (load<u8>(Y + i) & 0x80) storeAt<u8>(at + i, load<u8>(X + i));
}

// ---------------------------------------------------------------- shuffles

export function shuffle(prefix: u32): void {
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
export function shuffleFloats(prefix: u32): void {
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
export function insertWord(prefix: u32): void {
  const value = isMemory ? loadAt<u16>(memoryAddress(2, false)) : get<u16>(rmNumber << 3);
  if (prefix == NP) {
    enterMmx();
    const shift = u64(immediate & 3) << 4;
    setMm(regNumber, (getMm(regNumber) & ~(<u64>0xffff << shift)) | (u64(value) << shift));
  } else store<u16>(xmmAt(regNumber) + ((immediate & 7) << 1), value);
}
export function extractWord(prefix: u32): void {
  let value: u32;
  if (prefix == NP) {
    enterMmx();
    value = u32(getMm(rmNumber) >> (u64(immediate & 3) << 4)) & 0xffff;
  } else value = load<u16>(xmmAt(rmNumber) + ((immediate & 7) << 1));
  put<u32>(regNumber << 3, value);
}
