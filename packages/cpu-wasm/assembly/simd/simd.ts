/** MMX to SSE4.2, AES, PCLMULQDQ: which operands an opcode has and what is done with them. Rows: generate/simd.mjs. */
import { FS, GS, SEG_BASE, TSC_AUX } from '../../src/layout';
import { faultCode, GP, ud } from '../exceptions';
import { loadAt, storeAt } from '../memory';
import { cr4, CR4_FSGSBASE, get, is64, put, segment } from '../state';
import { setTags, setTop } from '../x87/stack';
import { xgetbv, xsetbv } from './extended-state';
import {
  alternate, approximate, arithmetic, betweenDwords, betweenFloats, comparePacked, compareScalar, doublesAndDwords, fromIntegers,
  horizontal, toIntegers,
} from './float-forms';
import { ADD, SUBTRACT } from './floats';
import { NP, P66, PF2, PF3 } from './forms';
import { addWithFlag, crc32, moveSwapped } from './general';
import { packed, shiftImmediate } from './integer';
import { map0f38 } from './map38';
import { map0f3a } from './map3a';
import {
  extractWord, insertWord, moveFromGeneral, moveHalf, moveIn, moveOut, moveQuad, moveToGeneral, shuffle, shuffleFloats, storeMasked,
  storeWhole, unpackFloats,
} from './moves';
import {
  ALIGNED, ARITHMETIC, enterMmx, fromLow, getMm, getXmm, highOf, immediate, isMemory, key, load128, lowOf, memoryAddress, mmxAvailable,
  regNumber, rmNumber, setMm, setXmm, source128, source64, sourceMm, sseAvailable, store128, takeRecord, UNALIGNED, wide,
} from './operands';
import { stateInstruction } from './state-image';
import { vex } from './vex';

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
