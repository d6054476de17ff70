/** Opcode map 0F 3A: everything with an immediate. */
import { loadAt, storeAt } from '../memory';
import { get, put, RAX, RCX, RDX } from '../state';
import { carryless, keyAssist } from './crypto';
import { ADD, arithmetic32, arithmetic64, finishFloats, MULTIPLY, round32, round64, startFloats } from './floats';
import { NP, X, Y, Z } from './forms';
import { align, alignMm, blend, sumsOfFour } from './integer';
import { toGeneral } from './moves';
import {
  ARITHMETIC, enterMmx, getMm, getXmm, immediate, isMemory, memoryAddress, regNumber, rmNumber, setMm, setXmm, source128, source32,
  source64, sourceMm, UNALIGNED, wide, xmmAt,
} from './operands';
import { compareStrings, indexOf, maskOf } from './strings';

export function map0f3a(opcode: u32, prefix: u32): void {
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
