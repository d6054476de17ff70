/**
 * The decoder: prefixes, opcode maps, modrm and immediates, all by the tables that assembly/generate makes from isa.mjs. What a
 * mnemonic becomes is decided in emit.ts.
 */
import { CS, DS, ES, FS, GS, MODE, MODE_32, MODE_64, MODE_FLAT, MODE_PROTECTED, MODE_SIZE_MASK, PSEUDO_RIP, PSEUDO_ZERO, SS } from '../src/layout';
import { emit, emitInvalid, emitTooLong } from './emit';
import { END } from './generated/ops';
import { ENTRIES, FORMS, SEMANTICS, featureBit, featureWord } from './generated/tables';
import { feature } from './state';

export const DECODED_ON: u32 = 0;
export const DECODED_STOP: u32 = 1;
/** The bytes end inside the instruction. */
export const DECODED_TRUNCATED: u32 = 2;

// operand kinds, in the order of KINDS in generate/main.mjs
export const OPERAND_NONE: u32 = 0;
export const OPERAND_E: u32 = 1;
export const OPERAND_G: u32 = 2;
export const OPERAND_M: u32 = 3;
export const OPERAND_R: u32 = 4;
export const OPERAND_Z: u32 = 5;
export const OPERAND_I: u32 = 6;
export const OPERAND_J: u32 = 7;
export const OPERAND_O: u32 = 8;
export const OPERAND_S: u32 = 9;
export const OPERAND_C: u32 = 10;
export const OPERAND_D: u32 = 11;
export const OPERAND_A: u32 = 12;
export const OPERAND_FIXED: u32 = 13;
export const OPERAND_ONE: u32 = 14;

const FLAG_LOCK: u32 = 1;
const FLAG_NOT64: u32 = 2;
const FLAG_ONLY64: u32 = 4;
const FLAG_DEFAULT64: u32 = 8;
const FLAG_FORCE64: u32 = 16;
const FLAG_MODRM: u32 = 32;

// ---------------------------------------------------------------- what emit.ts reads

/** Size of code: MODE_16, MODE_32, MODE_64. */
export let codeSize: u32 = 0;
/** Operand and address size in bytes. */
export let operandSize: u32 = 0;
export let addressSize: u32 = 0;
/** 0, 0xf2 or 0xf3. */
export let repeat: u32 = 0;
export let lock: bool = false;
/** Segment override or -1; in 64-bit mode FS and GS only, the other prefixes leave even those in force. */
export let segmentOverride: i32 = -1;
export let flatMode: bool = false;
/** Offset of the instruction from the block's start, and of the one behind. */
export let startOffset: u32 = 0;
/** Is the r/m operand memory? Its record fields. */
export let isMemory: bool = false;
export let memoryBase: u32 = 0;
export let memoryIndex: u32 = 0;
export let memoryKind: u32 = 0;
export let memoryDisplacement: u32 = 0;
/** High half of a 64-bit immediate or offset. */
export let immediateHigh: u32 = 0;
/** Operands: kind (OPERAND_E with isMemory false becomes OPERAND_G), size in bytes, register offset, immediate. */
export let kind0: u32 = 0;
export let size0: u32 = 0;
export let register0: u32 = 0;
export let kind1: u32 = 0;
export let size1: u32 = 0;
export let register1: u32 = 0;
export let kind2: u32 = 0;
export let size2: u32 = 0;
export let register2: u32 = 0;
/** The immediate, sign- or zero-extended to 32 bits; a second one (ENTER); a far pointer's selector. */
export let immediate: u32 = 0;
export let immediate2: u32 = 0;
/** Second opcode byte etc. for instructions that look at them (x87): opcode byte and modrm. */
export let opcodeByte: u32 = 0;
export let modrm: u32 = 0;
export let rex: u32 = 0;
/** Opcode map, and the mandatory prefix: 0 none, 1 = 66, 2 = F3, 3 = F2. */
export let opcodeMap: u32 = 0;
export let mandatoryPrefix: u32 = 0;
/** VEX.vvvv, not inverted. */
export let thirdRegister: u32 = 0;
/** Index of the decode table's entry, and whether the instruction is one: for the disassembler (listing.ts). */
export let entryIndex: u32 = 0;
export let sibByte: u32 = 0;
export let valid: bool = true;
/** It would be one but for LOCK. */
export let named: bool = true;

let next: u32 = 0;
let length: u32 = 0;
export function decodedNext(): u32 { return next; }
export function decodedLength(): u32 { return length; }

// ---------------------------------------------------------------- bytes

let cursor: u32 = 0;
let begin: u32 = 0;
let end: u32 = 0;
let truncated: bool = false;

@inline function fetch8(): u32 {
  if (cursor >= end) {
    truncated = true;
    return 0;
  }
  return load<u8>(cursor++);
}
function fetch16(): u32 {
  const low = fetch8();
  return low | (fetch8() << 8);
}
function fetch32(): u32 {
  if (cursor + 4 > end) {
    truncated = true;
    return 0;
  }
  const value = load<u32>(cursor);
  cursor += 4;
  return value;
}
@inline function fetchSigned8(): u32 {
  return u32(i32(i8(fetch8())));
}

let modrmFetched: bool = false;
function needModrm(): void {
  if (modrmFetched) return;
  modrm = fetch8();
  modrmFetched = true;
}

// ---------------------------------------------------------------- registers and addresses

/** Byte offset in the register file of general register `n` as an operand of `size` bytes. */
function registerOffset(n: u32, size: u32): u32 {
  if (size == 1 && !rex && n >= 4) return ((n - 4) << 3) + 1;
  return n << 3;
}

/** kind byte of an address in segment `index`. */
function spaceOf(index: u32, size: u32): u32 {
  const width: u32 = size == 8 ? 0 : size == 4 ? 0x40 : 0x80;
  if (codeSize == MODE_64) {
    if (index >= u32(FS) || size != 8) return width | ((3 + index) << 2);
    return index == SS ? 8 : 4;
  }
  if (flatMode && size == 4 && (index == DS || index == SS || index == ES)) return 0;
  return width | ((3 + index) << 2);
}
/** The same for the stack. */
export function stackKind(stack32: bool): u32 {
  if (codeSize == MODE_64) return 8;
  return spaceOf(SS, stack32 ? 4 : 2);
}

@inline function segmentFor(standard: u32): u32 {
  return segmentOverride < 0 ? standard : u32(segmentOverride);
}
/** Kind byte for implicit operands (string instructions, XLAT): always by segment. */
export function implicitKind(standard: u32): u32 {
  const width: u32 = addressSize == 8 ? 0 : addressSize == 4 ? 0x40 : 0x80;
  return width | ((3 + segmentFor(standard)) << 2);
}

function decodeMemory(): void {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  memoryBase = PSEUDO_ZERO;
  memoryIndex = PSEUDO_ZERO;
  memoryDisplacement = 0;
  let scale: u32 = 0;
  let standard: u32 = DS;
  let relative = false;
  if (addressSize == 2) {
    // BX+SI BX+DI BP+SI BP+DI SI DI BP BX
    switch (rm) {
      case 0: memoryBase = 24; memoryIndex = 48; break;
      case 1: memoryBase = 24; memoryIndex = 56; break;
      case 2: memoryBase = 40; memoryIndex = 48; standard = SS; break;
      case 3: memoryBase = 40; memoryIndex = 56; standard = SS; break;
      case 4: memoryBase = 48; break;
      case 5: memoryBase = 56; break;
      case 6: if (mod != 0) { memoryBase = 40; standard = SS; } break;
      default: memoryBase = 24; break;
    }
    if (mod == 1) memoryDisplacement = fetchSigned8();
    else if (mod == 2 || (mod == 0 && rm == 6)) memoryDisplacement = fetch16();
  } else {
    let base = rm;
    let noBase = false;
    if (rm == 4) {
      const sib = sibByte = fetch8();
      base = sib & 7;
      const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index != 4) {
        memoryIndex = index << 3;
        scale = sib >> 6;
      }
      noBase = base == 5 && mod == 0;
    } else if (rm == 5 && mod == 0) {
      noBase = true;
      relative = codeSize == MODE_64;
    }
    if (!noBase) {
      memoryBase = (base | ((rex & 1) << 3)) << 3;
      if (memoryBase == 32 || memoryBase == 40) standard = SS;
    }
    if (mod == 1) memoryDisplacement = fetchSigned8();
    else if (mod == 2 || noBase) memoryDisplacement = fetch32();
  }
  if (relative) memoryBase = PSEUDO_RIP; // the displacement is completed when the length is known
  memoryKind = spaceOf(segmentFor(standard), addressSize) | scale;
}

/** Size in bytes of an operand by its size code (OPERAND_SIZES in generate/main.mjs). */
function sizeOf(code: u32): u32 {
  switch (code) {
    case 1: return 1; // b
    case 2: return 2; // w
    case 3: return 4; // d
    case 4: return 8; // q
    case 6: return operandSize == 2 ? 2 : 4; // z
    case 7: return operandSize == 8 ? 8 : 4; // y
    default: return operandSize; // v, s, p, none
  }
}

let memoryDecoded: bool = false;

/** Decodes operand `n` of the entry; leaves its parts in `outKind` … */
let outKind: u32 = 0;
let outSize: u32 = 0;
let outRegister: u32 = 0;
function decodeOperand(form: u32, opcode: u32): void {
  const at = FORMS + (form << 2);
  let kind: u32 = load<u8>(at);
  const size = sizeOf(load<u8>(at, 1));
  let register: u32 = 0;
  switch (kind) {
    case OPERAND_NONE: break;
    case OPERAND_E:
    case OPERAND_M: {
      if (modrm >> 6 == 3) {
        if (kind == OPERAND_M) valid = false;
        kind = OPERAND_G;
        register = registerOffset((modrm & 7) | ((rex & 1) << 3), size);
      } else {
        isMemory = true;
        if (!memoryDecoded) {
          memoryDecoded = true;
          decodeMemory();
        }
        kind = OPERAND_E;
      }
      break;
    }
    case OPERAND_G: register = registerOffset(((modrm >> 3) & 7) | ((rex & 4) << 1), size); break;
    case OPERAND_R: register = registerOffset((modrm & 7) | ((rex & 1) << 3), size); kind = OPERAND_G; break;
    case OPERAND_Z: register = registerOffset((opcode & 7) | ((rex & 1) << 3), size); kind = OPERAND_G; break;
    case OPERAND_FIXED: register = <u32>load<u8>(at, 2) << 3; kind = OPERAND_G; break;
    case OPERAND_S: immediate = (modrm >> 3) & 7; if (immediate > 5) valid = false; break;
    case OPERAND_C:
    case OPERAND_D: immediate = ((modrm >> 3) & 7) | ((rex & 4) << 1); break;
    case OPERAND_ONE: immediate = 1; kind = OPERAND_I; break;
    case OPERAND_I: decodeImmediate(load<u8>(at, 1)); break;
    case OPERAND_J:
      if (load<u8>(at, 1) == 1) immediate = fetchSigned8();
      else immediate = operandSize == 2 ? u32(i32(i16(fetch16()))) : fetch32();
      break;
    case OPERAND_O:
      isMemory = true;
      memoryBase = memoryIndex = PSEUDO_ZERO;
      memoryDisplacement = addressSize == 2 ? fetch16() : fetch32();
      if (addressSize == 8) immediateHigh = fetch32();
      memoryKind = spaceOf(segmentFor(DS), addressSize);
      break;
    case OPERAND_A:
      immediate = operandSize == 2 ? fetch16() : fetch32();
      immediate2 = fetch16();
      break;
  }
  outKind = kind;
  outSize = size;
  outRegister = register;
}

let immediates: u32 = 0;
function decodeImmediate(sizeCode: u32): void {
  let value: u32;
  switch (sizeCode) {
    case 1: value = fetch8(); break;
    case 2: value = fetch16(); break;
    case 8: value = fetchSigned8(); break;
    default: // z, v
      if (operandSize == 2) value = fetch16();
      else value = fetch32();
      if (sizeCode == 5 && operandSize == 8) immediateHigh = fetch32();
      break;
  }
  if (immediates++) immediate2 = value;
  else immediate = value;
}

// ---------------------------------------------------------------- one instruction

/**
 * Decodes the instruction at `from` (bytes up to `to`) into records at `rec`; `offset` is its distance from the block's start.
 * decodedNext() is then the address behind the records, decodedLength() the instruction's length.
 */
export function decode(from: u32, to: u32, rec: u32, offset: u32): u32 {
  begin = cursor = from;
  end = min(to, from + 15);
  truncated = false;
  startOffset = offset;
  const m = load<u32>(MODE);
  codeSize = m & MODE_SIZE_MASK;
  flatMode = (m & MODE_FLAT) != 0;
  repeat = 0;
  lock = false;
  segmentOverride = -1;
  rex = 0;
  let prefix66 = false;
  let prefix67 = false;
  let byte: u32;
  for (;;) {
    byte = fetch8();
    if (truncated) return tooShort(rec, to);
    if (codeSize == MODE_64 && (byte & 0xf0) == 0x40) {
      rex = byte;
      continue;
    }
    let prefix = true;
    switch (byte) {
      case 0x26: if (codeSize != MODE_64) segmentOverride = ES; break;
      case 0x2e: if (codeSize != MODE_64) segmentOverride = CS; break;
      case 0x36: if (codeSize != MODE_64) segmentOverride = SS; break;
      case 0x3e: if (codeSize != MODE_64) segmentOverride = DS; break;
      case 0x64: segmentOverride = FS; break;
      case 0x65: segmentOverride = GS; break;
      case 0x66: prefix66 = true; break;
      case 0x67: prefix67 = true; break;
      case 0xf0: lock = true; break;
      case 0xf2:
      case 0xf3: repeat = byte; break;
      default: prefix = false;
    }
    if (!prefix) break;
    rex = 0; // only directly before the opcode
  }

  if (codeSize == MODE_64) {
    operandSize = rex & 8 ? 8 : prefix66 ? 2 : 4;
    addressSize = prefix67 ? 4 : 8;
  } else {
    operandSize = (codeSize == MODE_32) != prefix66 ? 4 : 2;
    addressSize = (codeSize == MODE_32) != prefix67 ? 4 : 2;
  }

  let map: u32 = 0;
  if (byte == 0x0f) {
    byte = fetch8();
    map = 1;
    if (byte == 0x38) {
      byte = fetch8();
      map = 2;
    } else if (byte == 0x3a) {
      byte = fetch8();
      map = 3;
    }
  }
  mandatoryPrefix = repeat == 0xf3 ? 2 : repeat == 0xf2 ? 3 : prefix66 ? 1 : 0;
  if (map == 0 && byte == 0x90 && rex & 1) mandatoryPrefix = 0; // XCHG with R8 is no PAUSE
  thirdRegister = 0;
  let vexValid = true;
  if (map == 0 && (byte == 0xc4 || byte == 0xc5) && m & MODE_PROTECTED && cursor < end && (codeSize == MODE_64 || load<u8>(cursor) >= 0xc0)) {
    // C5: R vvvv L pp. C4: R X B map, W vvvv L pp. R, X, B and vvvv inverted
    vexValid = !(mandatoryPrefix || rex || lock);
    const first = fetch8();
    let second = first;
    map = 1;
    rex = first & 0x80 ? 0 : 4;
    if (byte == 0xc4) {
      second = fetch8();
      rex |= (first & 0x40 ? 0 : 2) | (first & 0x20 ? 0 : 1) | (second & 0x80 ? 8 : 0);
      map = first & 31;
    }
    if (codeSize != MODE_64) rex = 0;
    operandSize = rex & 8 ? 8 : 4;
    thirdRegister = ((second >> 3) & 15) ^ 15;
    if (codeSize != MODE_64) thirdRegister &= 7;
    mandatoryPrefix = second & 3;
    // only scalars of maps 0F 38 and 0F 3A are there
    const known = map == 2 || map == 3;
    if (second & 4 || !known) vexValid = false;
    map = known ? map + 2 : 1;
    byte = known ? fetch8() : 0x04;
  }
  // F3 with REX.B is no PAUSE but the exchange with R8
  if (byte == 0x90 && !map && rex & 1) mandatoryPrefix = 0;
  opcodeByte = byte;
  opcodeMap = map;
  modrmFetched = false;
  let at: u32 = ENTRIES + ((map << 8) + byte) * 8;
  for (;;) {
    const what: u32 = load<u8>(at);
    if (what < 2) break;
    let choice: u32 = 0;
    switch (what) {
      case 2: needModrm(); choice = (modrm >> 3) & 7; break;
      case 3: needModrm(); choice = modrm >> 6 == 3 ? 1 : 0; break;
      case 4: choice = mandatoryPrefix; break;
      case 5: needModrm(); choice = modrm & 7; break;
      default: choice = codeSize == MODE_64 ? 1 : 0; break;
    }
    at = ENTRIES + (u32(load<u16>(at, 4)) + choice) * 8;
  }
  entryIndex = (at - ENTRIES) >> 3;
  const flags: u32 = load<u8>(at, 6);
  if (flags & FLAG_MODRM) needModrm();

  isMemory = false;
  memoryDecoded = false;
  memoryBase = memoryIndex = PSEUDO_ZERO;
  memoryKind = memoryDisplacement = 0;
  immediate = immediate2 = immediateHigh = immediates = 0;
  valid = load<u8>(at) == 1;
  if (codeSize == MODE_64) {
    if (flags & FLAG_NOT64) valid = false;
    // AMD honours an operand size prefix before near branches, Intel does not
    if (flags & FLAG_FORCE64) operandSize = operandSize == 2 ? 2 : 8;
    else if (flags & FLAG_DEFAULT64 && operandSize == 4) operandSize = 8;
  } else if (flags & FLAG_ONLY64) {
    valid = false;
  }
  const needs: u32 = load<u8>(at, 7);
  if (needs && !feature(featureWord(needs), featureBit(needs))) valid = false;

  if (load<u8>(at) == 1) {
    // also for what is invalid in this mode: its bytes are fetched
    const opcode = byte;
    decodeOperand(load<u8>(at, 1), opcode);
    kind0 = outKind;
    size0 = outSize;
    register0 = outRegister;
    decodeOperand(load<u8>(at, 2), opcode);
    kind1 = outKind;
    size1 = outSize;
    register1 = outRegister;
    decodeOperand(load<u8>(at, 3), opcode);
    kind2 = outKind;
    size2 = outSize;
    register2 = outRegister;
  }
  if (truncated) return tooShort(rec, to);
  length = cursor - begin;
  valid = valid && vexValid;
  named = valid;
  if (lock && !(flags & FLAG_LOCK && kind0 == OPERAND_E)) valid = false;
  if (memoryBase == PSEUDO_RIP) memoryDisplacement += offset + length;
  if (!valid) {
    next = emitInvalid(rec);
    store<u8>(rec, u8(length), 7);
    return DECODED_STOP;
  }
  const semantic = SEMANTICS + (u32(load<u16>(at, 4)) << 3);
  next = emit(semantic, rec);
  store<u8>(rec, u8(length), 7);
  return load<u8>(semantic, 2) ? DECODED_STOP : DECODED_ON;
}

/** The bytes ran out: at 15 bytes the instruction is too long, else more are wanted. */
function tooShort(rec: u32, to: u32): u32 {
  if (to - begin < 15 && end == to) return DECODED_TRUNCATED;
  length = 15;
  named = false;
  next = emitTooLong(rec);
  store<u8>(rec, 15, 7);
  return DECODED_STOP;
}

/** The record behind the last instruction of a block that just ends. */
export function emitEnd(rec: u32, offset: u32): u32 {
  store<u64>(rec, END);
  store<u8>(rec, codeSize == MODE_64 ? 0 : 1, 4); // EIP itself does not wrap at 64 KiB
  store<u32>(rec, offset, 8);
  store<u32>(rec, 0, 12);
  return rec + 16;
}
