/** Operands of MMX and SSE instructions: registers, memory with its alignment rules, and whether the instruction may run at all. [SDM 1:9, 1:10, 2A:2.4] */
import { FEATURE_80000001_ECX, FPU_REGISTERS, MXCSR, SEG_BASE, XMM } from '../../src/layout';
import { fault, faultCode, GP, NM, ud } from '../exceptions';
import { loadAt, offsetOf, operandAddress, probeWrite, segmentOf, storeAt, wraps } from '../memory';
import { cr0, CR0_EM, CR0_TS, cr4, CR4_OSFXSR, feature, segment } from '../state';
import { checkPending } from '../x87/escape';
import { setTags, setTop } from '../x87/stack';

/** The instruction in the record's immediate: immediate byte, memory, operand sizes, and in the upper half map, prefix and opcode. */
export let key: u32 = 0;
export let immediate: u32 = 0;
export let isMemory: bool = false;
export let wide: bool = false;
export let size16: bool = false;
/** There was a REX prefix: byte registers 4…7 are SPL…DIL. */
export let anyRex: bool = false;
export let regNumber: u32 = 0;
export let rmNumber: u32 = 0;
/** VEX.vvvv. */
export let thirdNumber: u32 = 0;
let record: u32 = 0;

export const WORD_MEMORY: u32 = 0x100;
export const WORD_WIDE: u32 = 0x200;
export const WORD_16: u32 = 0x400;
export const WORD_REX: u32 = 0x800;

export function takeRecord(rec: u32): void {
  const word = load<u32>(rec, 12);
  record = rec;
  key = word >> 16;
  immediate = word & 0xff;
  isMemory = (word & WORD_MEMORY) != 0;
  wide = (word & WORD_WIDE) != 0;
  size16 = (word & WORD_16) != 0;
  anyRex = (word & WORD_REX) != 0;
  thirdNumber = (word >> 12) & 15;
  regNumber = load<u8>(rec, 2);
  rmNumber = load<u8>(rec, 3);
}

/** SSE: the system must have asked for it. */
export function sseAvailable(): void {
  if (cr0() & CR0_EM || !(cr4() & CR4_OSFXSR)) ud();
  if (cr0() & CR0_TS) fault(NM);
}
/** MMX: as the coprocessor, and a pending x87 exception comes first. */
export function mmxAvailable(): void {
  if (cr0() & CR0_EM) ud();
  if (cr0() & CR0_TS) fault(NM);
  checkPending();
}
/** The x87 registers become MMX registers: all in use, top at 0. */
export function enterMmx(): void {
  setTop(0);
  setTags(0xff);
}

// ---------------------------------------------------------------- registers

@inline export function xmmAt(n: u32): u32 { return XMM + (n << 4); }
@inline export function mmAt(n: u32): u32 { return FPU_REGISTERS + ((n & 7) << 4); }
@inline export function getXmm(n: u32): v128 { return v128.load(xmmAt(n)); }
@inline export function setXmm(n: u32, value: v128): void { v128.store(xmmAt(n), value); }
@inline export function getMm(n: u32): u64 { return load<u64>(mmAt(n)); }
/** Sign and exponent become all ones. */
export function setMm(n: u32, value: u64): void {
  store<u64>(mmAt(n), value);
  store<u16>(mmAt(n), 0xffff, 8);
}
@inline export function fromLow(value: u64): v128 { return i64x2.replace_lane(i64x2.splat(0), 0, value); }
@inline export function lowOf(value: v128): u64 { return i64x2.extract_lane(value, 0); }
@inline export function highOf(value: v128): u64 { return i64x2.extract_lane(value, 1); }
@inline export function join(low: u64, high: u64): v128 { return i64x2.replace_lane(i64x2.splat(low), 1, high); }

// ---------------------------------------------------------------- memory

export function memoryAddress(n: u32, write: bool): u64 {
  return operandAddress(record, 0, n, write);
}
/** Address of the 8 bytes at `offset` of an operand that wraps in its segment between its halves. */
export function halfAddress(offset: u32): u64 {
  return operandAddress(record, offset, 8, true);
}
export function memoryWraps(n: u32): bool {
  return wraps(record, n);
}
/** Alignment to `mask` + 1 bytes counts before the segment's limit. */
export function checkAlignment(mask: u32 = 15): void {
  if ((u32(offsetOf(record)) + load<u32>(segment(segmentOf(record)), SEG_BASE)) & mask) faultCode(GP, 0);
}
/** Operands of arithmetic need no alignment where MXCSR.MM (AMD's misaligned mode) is set; moves always do. */
export const UNALIGNED: u32 = 0;
export const ALIGNED: u32 = 1;
export const ARITHMETIC: u32 = 2;
const MISALIGNED_MODE: u32 = 0x20000;

/** Bits that MXCSR has. */
export function mxcsrBits(): u32 {
  return feature(FEATURE_80000001_ECX, 7) ? 0xffff | MISALIGNED_MODE : 0xffff;
}

export function load128(alignment: u32): v128 {
  if (alignment == ALIGNED || (alignment == ARITHMETIC && !(load<u32>(MXCSR) & MISALIGNED_MODE))) checkAlignment();
  const at = memoryAddress(16, false);
  const low = loadAt<u64>(at);
  return join(low, loadAt<u64>(at + 8));
}
export function store128(value: v128, aligned: bool): void {
  if (aligned) checkAlignment();
  const at = memoryAddress(16, true);
  if ((u32(at) & 0xfff) > 0xff0) probeWrite(at, 16);
  storeAt<u64>(at, lowOf(value));
  storeAt<u64>(at + 8, highOf(value));
}

/** The r/m operand as an XMM register or memory of 16, 8, 4 bytes; the rest is zero for memory. */
export function source128(alignment: u32): v128 {
  return isMemory ? load128(alignment) : getXmm(rmNumber);
}
export function source64(): u64 {
  return isMemory ? loadAt<u64>(memoryAddress(8, false)) : lowOf(getXmm(rmNumber));
}
export function source32(): u32 {
  return isMemory ? loadAt<u32>(memoryAddress(4, false)) : i32x4.extract_lane(getXmm(rmNumber), 0);
}
export function source16(): u32 {
  return isMemory ? u32(loadAt<u16>(memoryAddress(2, false))) : i16x8.extract_lane_u(getXmm(rmNumber), 0);
}
/** The same as an MMX register. */
export function sourceMm(): u64 {
  return isMemory ? loadAt<u64>(memoryAddress(8, false)) : getMm(rmNumber);
}
