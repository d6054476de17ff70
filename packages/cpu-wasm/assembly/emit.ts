/**
 * From a decoded instruction to its records. Memory operands of the common operations are part of their record; for all others a value
 * is brought into a pseudo register, and a read-modify-write is a LOCKED … STORE pair around the register form.
 */
import { CS, DS, FEATURE_7_EBX, FEATURE_80000001_ECX, MODE, MODE_64, MODE_STACK32, PSEUDO_T0, PSEUDO_T1, PSEUDO_ZERO } from '../src/layout';
import {
  OPERAND_E, OPERAND_G, OPERAND_I, OPERAND_NONE, addressSize, codeSize, decodedLength, emitEnd, immediate, immediate2, immediateHigh, implicitKind,
  isMemory, kind0, kind1, kind2, mandatoryPrefix, memoryBase, memoryDisplacement, memoryIndex, memoryKind, modrm, opcodeByte, opcodeMap,
  operandSize, register0, register1, register2, repeat, rex, size0, size1, stackKind, startOffset, thirdRegister,
} from './decoder';
import { feature } from './state';
import * as Op from './generated/ops';
import * as T from './generated/tables';

// ---------------------------------------------------------------- records

function record(rec: u32, op: u32, dst: u32, src: u32, imm: u32): u32 {
  store<u16>(rec, u16(op));
  store<u8>(rec, u8(dst), 2);
  store<u8>(rec, u8(src), 3);
  store<u8>(rec, u8(PSEUDO_ZERO), 4);
  store<u8>(rec, u8(PSEUDO_ZERO), 5);
  store<u16>(rec, 0, 6);
  store<u32>(rec, 0, 8);
  store<u32>(rec, imm, 12);
  return rec + 16;
}
function memoryRecord(rec: u32, op: u32, dst: u32, src: u32, imm: u32): u32 {
  record(rec, op, dst, src, imm);
  store<u8>(rec, u8(memoryBase), 4);
  store<u8>(rec, u8(memoryIndex), 5);
  store<u8>(rec, u8(memoryKind), 6);
  store<u32>(rec, memoryDisplacement, 8);
  return rec + 16;
}
/** 0…3 for 1, 2, 4, 8 bytes. */
@inline function sizeIndex(size: u32): u32 {
  return u32(ctz<u32>(size));
}
@inline function stack(): u32 {
  return stackKind((load<u32>(MODE) & MODE_STACK32) != 0);
}
@inline function nextOffset(): u32 {
  return startOffset + decodedLength();
}
/** Width code of a branch target (0 = 64, 1 = 32, 2 = 16 bits). */
@inline function targetWidth(size: u32): u32 {
  return size == 8 ? 0 : size == 4 ? 1 : 2;
}
function branchRecord(rec: u32, op: u32, size: u32): u32 {
  record(rec, op, 0, 0, 0);
  store<u8>(rec, u8(targetWidth(size)), 4);
  store<u32>(rec, nextOffset() + immediate, 8);
  return rec + 16;
}

export function emitInvalid(rec: u32): u32 {
  return record(rec, Op.H_INVALID, 0, 0, 0);
}
export function emitTooLong(rec: u32): u32 {
  return record(rec, Op.H_TOO_LONG, 0, 0, 0);
}

/** 64-bit absolute offset (MOV AL,Ob …): the address is too wide for a record and goes through a pseudo register. */
function wideOffset(rec: u32): u32 {
  if (immediateHigh == 0 && i32(memoryDisplacement) >= 0) return rec;
  record(rec, Op.MOV64_RI64, PSEUDO_T1, 0, immediateHigh);
  store<u32>(rec, memoryDisplacement, 8);
  return rec + 16;
}

// ---------------------------------------------------------------- classes

/** RR RI RM MR MI families: ALU and MOV. */
function emitTwo(rec: u32, base: u32): u32 {
  const op = base + sizeIndex(size0);
  if (kind0 == OPERAND_E) {
    if (kind1 == OPERAND_I) return memoryRecord(rec, op + 16, 0, 0, immediate);
    return memoryRecord(rec, op + 12, 0, register1, 0);
  }
  if (kind1 == OPERAND_I) return record(rec, op + 4, register0, 0, immediate);
  if (kind1 == OPERAND_E) return memoryRecord(rec, op + 8, register0, 0, 0);
  return record(rec, op, register0, register1, 0);
}

function emitMov(rec: u32): u32 {
  if (immediateHigh && kind1 == OPERAND_I) {
    record(rec, Op.MOV64_RI64, register0, 0, immediateHigh);
    store<u32>(rec, immediate, 8);
    return rec + 16;
  }
  if (kind1 == OPERAND_I && kind0 == OPERAND_G && size0 == 8 && opcodeByte != 0xc7) return record(rec, Op.MOV32_RI, register0, 0, immediate);
  return emitTwo(rec, Op.MOV8_RR);
}
/** Absolute offsets: kinds are OPERAND_O here. */
function emitOffsetMove(rec: u32, toMemory: bool): u32 {
  const size = size0;
  let at = rec;
  let base: u32 = PSEUDO_ZERO;
  let displacement = memoryDisplacement;
  if (addressSize == 8) {
    at = wideOffset(rec);
    if (at != rec) {
      base = PSEUDO_T1;
      displacement = 0;
    }
  }
  const op = Op.MOV8_RR + (toMemory ? 12 : 8) + sizeIndex(size);
  record(at, op, toMemory ? 0 : register0, toMemory ? register1 : 0, 0);
  store<u8>(at, u8(base), 4);
  store<u8>(at, u8(memoryKind), 6);
  store<u32>(at, displacement, 8);
  return at + 16;
}

/**
 * Any operation on registers: dst, src and index are the three operands, an immediate stays in the record with the zero register in its place.
 * `extra` goes to the immediate if no operand is one.
 */
function emitRegisters(rec: u32, op: u32, access: u32, extra: u32): u32 {
  let at = rec;
  let dst = kind0 == OPERAND_NONE || kind0 == OPERAND_I ? PSEUDO_ZERO : register0;
  let src: u32 = kind1 == OPERAND_G ? register1 : PSEUDO_ZERO;
  const index: u32 = kind2 == OPERAND_G ? register2 : PSEUDO_ZERO;
  if (kind0 == OPERAND_E) {
    dst = PSEUDO_T0;
    if (access == 2) at = memoryRecord(at, Op.LOCKED8 + sizeIndex(size0), PSEUDO_T0, 0, 0);
    else if (access == 0) at = memoryRecord(at, Op.MOV8_RM + sizeIndex(size0), PSEUDO_T0, 0, 0);
  }
  if (kind1 == OPERAND_E) {
    const value: u32 = kind0 == OPERAND_G || kind0 == OPERAND_E ? PSEUDO_T1 : PSEUDO_T0;
    at = memoryRecord(at, Op.MOV8_RM + sizeIndex(size1), value, 0, 0);
    src = value;
    if (kind0 != OPERAND_G) dst = value;
  } else if (kind0 != OPERAND_G && kind0 != OPERAND_E && kind1 == OPERAND_G) {
    dst = register1;
  }
  record(at, op, dst, src, immediate | extra);
  store<u8>(at, u8(index), 5);
  store<u32>(at, immediate2, 8);
  at += 16;
  if (kind0 == OPERAND_E) {
    if (access == 2) at = record(at, Op.STORE8 + sizeIndex(size0), PSEUDO_T0, 0, 0);
    else if (access == 1) at = memoryRecord(at, Op.MOV8_MR + sizeIndex(size0), 0, PSEUDO_T0, 0);
  }
  return at;
}

function emitWiden(rec: u32, base: u32): u32 {
  let index: u32;
  if (size0 <= size1) return emitTwo(rec, Op.MOV8_RR); // MOVSXD and MOVZX without widening
  if (size1 == 1) index = size0 == 2 ? 0 : size0 == 4 ? 1 : 2;
  else if (size1 == 2) index = size0 == 4 ? 4 : 5;
  else index = 7;
  const op = base + index * 2;
  if (kind1 == OPERAND_E) return memoryRecord(rec, op + 1, register0, 0, 0);
  return record(rec, op, register0, register1, 0);
}

function emitExchange(rec: u32): u32 {
  if (kind0 == OPERAND_E) return memoryRecord(rec, Op.XCHG8_MR + sizeIndex(size0), 0, register1, 0);
  if (register0 == register1 && opcodeByte == 0x90) return record(rec, Op.NOP, 0, 0, 0);
  return record(rec, Op.XCHG8_RR + sizeIndex(size0), register0, register1, 0);
}

function emitLea(rec: u32): u32 {
  if (operandSize == 4 && addressSize == 4 && codeSize != MODE_64) {
    memoryRecord(rec, Op.LEA32_FLAT, register0, 0, 0);
    store<u8>(rec, u8(memoryKind & 3), 6);
    return rec + 16;
  }
  memoryRecord(rec, Op.LEA16 + sizeIndex(operandSize) - 1, register0, 0, 0);
  const width: u32 = addressSize == 8 ? 0 : addressSize == 4 ? 0x40 : 0x80;
  store<u8>(rec, u8((memoryKind & 0x3f) | width), 6);
  return rec + 16;
}

/** The value pushed or jumped to: a register as it is, memory by way of T0. */
let valueRegister: u32 = 0;
function emitValue(rec: u32): u32 {
  if (kind0 != OPERAND_E) {
    valueRegister = register0;
    return rec;
  }
  valueRegister = PSEUDO_T0;
  return memoryRecord(rec, Op.MOV8_RM + sizeIndex(operandSize), PSEUDO_T0, 0, 0);
}
function withStack(rec: u32): u32 {
  store<u8>(rec, u8(stack()), 6);
  return rec + 16;
}

function emitPush(rec: u32): u32 {
  const index = sizeIndex(operandSize) - 1;
  if (kind0 == OPERAND_I) {
    record(rec, Op.PUSH16_I + index, 0, 0, immediate);
    return withStack(rec);
  }
  const at = emitValue(rec);
  record(at, Op.PUSH16_R + index, 0, valueRegister, 0);
  return withStack(at);
}
function emitPop(rec: u32): u32 {
  if (kind0 == OPERAND_E) return memoryRecord(rec, Op.H_POP_MEMORY8 + sizeIndex(operandSize), 0, 0, 0);
  record(rec, Op.POP16_R + sizeIndex(operandSize) - 1, register0, 0, 0);
  return withStack(rec);
}
function emitCall(rec: u32): u32 {
  const index = sizeIndex(operandSize) - 1;
  let at = rec;
  if (kind0 == OPERAND_G || kind0 == OPERAND_E) {
    at = emitValue(rec);
    record(at, Op.CALL16_R + index, 0, valueRegister, 0);
    at = withStack(at);
  } else {
    branchRecord(at, Op.CALL16 + index, operandSize);
    at = withStack(at);
  }
  return emitEnd(at, nextOffset());
}
function emitJump(rec: u32): u32 {
  if (kind0 == OPERAND_G || kind0 == OPERAND_E) {
    const at = emitValue(rec);
    return record(at, Op.JMP16_R + sizeIndex(operandSize) - 1, 0, valueRegister, 0);
  }
  return branchRecord(rec, Op.JMP, operandSize);
}
function emitLoop(rec: u32, what: u32): u32 {
  branchRecord(rec, Op.LOOP, operandSize);
  store<u8>(rec, u8(addressSize), 3);
  store<u8>(rec, u8(what), 5);
  return emitEnd(rec + 16, nextOffset());
}

/** String instructions: kind = address width and source segment; immediate = repeat prefix. */
function emitString(rec: u32, op: u32, isXlat: bool): u32 {
  const bytes: bool = (opcodeByte & 1) == 0;
  let size: u32 = bytes ? 1 : operandSize;
  if (opcodeByte >= 0x6c && opcodeByte <= 0x6f && size == 8) size = 4;
  record(rec, isXlat ? op : op + sizeIndex(size), 0, 0, repeat);
  store<u8>(rec, u8(implicitKind(DS)), 6);
  return rec + 16;
}

/** IN, OUT: dst = data register, port = register src + immediate. */
function emitPort(rec: u32, op: u32): u32 {
  const bytes: bool = (opcodeByte & 1) == 0;
  const size: u32 = bytes ? 1 : min(operandSize, 4);
  const port: u32 = opcodeByte < 0xec ? PSEUDO_ZERO : 16;
  return record(rec, op + sizeIndex(size), 0, port, immediate);
}

/** A 16-bit system value: to memory 16 bits, to a register in operand size. */
function emitSystemRegister(rec: u32, op: u32): u32 {
  let at = record(rec, op, PSEUDO_T0, 0, immediate);
  if (kind0 == OPERAND_E) return memoryRecord(at, Op.MOV16_MR, 0, PSEUDO_T0, 0);
  return record(at, Op.MOV8_RR + sizeIndex(operandSize), register0, PSEUDO_T0, 0);
}

/** Bit tests: with memory and a register, the register reaches beyond the operand. */
function emitBit(rec: u32, op: u32, access: u32): u32 {
  if (kind0 == OPERAND_E && kind1 == OPERAND_G) {
    // what: 0 BT, 1 BTS, 2 BTR, 3 BTC
    return memoryRecord(rec, Op.H_BIT_STRING8 + sizeIndex(operandSize), 0, register1, (op - Op.BT8) >> 2);
  }
  return emitRegisters(rec, op + sizeIndex(size0), access, 0);
}

function emitFar(rec: u32, op: u32, memoryOp: u32): u32 {
  const index = sizeIndex(operandSize);
  if (kind0 == OPERAND_E) {
    memoryRecord(rec, memoryOp + index, 0, 0, 0);
    return emitEnd(rec + 16, nextOffset());
  }
  record(rec, op + index, 0, 0, immediate2);
  store<u32>(rec, immediate, 8);
  return emitEnd(rec + 16, nextOffset());
}

/** MMX, SSE: register numbers, immediate byte, and which instruction it is; see assembly/simd/operands.ts. */
function emitSimd(rec: u32, op: u32): u32 {
  const which = (opcodeMap << 10) | (mandatoryPrefix << 8) | opcodeByte;
  const flags: u32 = (isMemory ? 0x100 : 0) | (operandSize == 8 ? 0x200 : 0) | (operandSize == 2 ? 0x400 : 0) | (rex ? 0x800 : 0) | (thirdRegister << 12);
  memoryRecord(rec, op, ((modrm >> 3) & 7) | ((rex & 4) << 1), (modrm & 7) | ((rex & 1) << 3), (immediate & 0xff) | flags | (which << 16));
  if (opcodeMap == 1 && opcodeByte == 0xf7) {
    // MASKMOV stores at DS:rDI
    store<u8>(rec, 56, 4);
    store<u8>(rec, u8(implicitKind(DS)), 6);
  }
  return rec + 16;
}

export function emit(semantic: u32, rec: u32): u32 {
  const access: u32 = load<u8>(semantic, 1);
  const extra: u32 = load<u8>(semantic, 3);
  let op: u32 = load<u16>(semantic, 4);
  switch (<u32>load<u8>(semantic)) {
    case T.EMIT_ALU: return emitTwo(rec, op);
    case T.EMIT_MOV:
      if (opcodeByte >= 0xa0 && opcodeByte <= 0xa3) return emitOffsetMove(rec, opcodeByte >= 0xa2);
      return emitMov(rec);
    case T.EMIT_INCDEC:
      if (kind0 == OPERAND_E) return memoryRecord(rec, op + 4 + sizeIndex(size0), 0, 0, 0);
      return record(rec, op + sizeIndex(size0), register0, 0, 0);
    case T.EMIT_REG:
      // without the extension the prefix means nothing
      if (op == Op.TZCNT8 && !feature(FEATURE_7_EBX, 3)) op = Op.BSF8;
      else if (op == Op.LZCNT8 && !feature(FEATURE_80000001_ECX, 5)) op = Op.BSR8;
      return emitRegisters(rec, op + sizeIndex(kind0 == OPERAND_NONE || kind0 == OPERAND_I ? operandSize : size0), access, extra);
    case T.EMIT_PLAIN:
      // MOV to CS is invalid before its operand is looked at
      if (op == Op.H_SEGMENT_LOAD && ((modrm >> 3) & 7) == CS) return memoryRecord(rec, Op.H_INVALID, 0, 0, 0);
      return emitRegisters(rec, op, access, extra);
    case T.EMIT_RAW: return memoryRecord(rec, op + sizeIndex(operandSize), kind0 == OPERAND_G ? register0 : 0, 0, extra);
    case T.EMIT_RAW_PLAIN: return memoryRecord(rec, op, kind0 == OPERAND_G ? register0 : 0, 0, operandSize | (modrm << 8) | (opcodeByte << 16));
    case T.EMIT_PUSH: return emitPush(rec);
    case T.EMIT_POP: return emitPop(rec);
    case T.EMIT_CALL: return emitCall(rec);
    case T.EMIT_JMP: return emitJump(rec);
    case T.EMIT_JCC: {
      const at = branchRecord(rec, op, operandSize);
      return emitEnd(at, nextOffset());
    }
    case T.EMIT_RET:
      record(rec, op + sizeIndex(operandSize) - 1, 0, 0, immediate);
      return withStack(rec);
    case T.EMIT_LOOP: return emitLoop(rec, extra);
    case T.EMIT_WIDEN: return emitWiden(rec, op);
    case T.EMIT_XCHG: return emitExchange(rec);
    case T.EMIT_LEA: return emitLea(rec);
    case T.EMIT_STRING: return emitString(rec, op, op == Op.H_XLAT);
    case T.EMIT_PORT: return emitPort(rec, op);
    case T.EMIT_SYSREG: return emitSystemRegister(rec, op);
    case T.EMIT_BIT: return emitBit(rec, op, access);
    case T.EMIT_FAR: return op == Op.H_FAR_CALL8 ? emitFar(rec, op, Op.H_FAR_CALL_MEMORY8) : emitFar(rec, op, Op.H_FAR_JUMP_MEMORY8);
    case T.EMIT_BY_SIZE: return record(rec, op + sizeIndex(operandSize) - 1, kind0 == OPERAND_G ? register0 : 0, 0, 0);
    case T.EMIT_SIMD: return emitSimd(rec, op);
    case T.EMIT_NOP: return record(rec, Op.NOP, 0, 0, 0);
    default: break;
  }
  unreachable();
  return rec;
}
