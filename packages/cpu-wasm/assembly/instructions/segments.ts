/** Instructions about segments, descriptors and system tables. */
import { CS, GDTR, IDTR, INTERRUPT_SHADOW, LDTR, MODE, SEG_BASE, SEG_LIMIT, SS, TR } from '../../src/layout';
import { gp, ud } from '../exceptions';
import { lazyFlags, setLazyFlags } from '../flags';
import { loadAt, operand16, operandAddress, storeAt } from '../memory';
import { leaveAfter } from '../position';
import { descriptorLimit, dplOf, fetchDescriptor, high, isNull, loadLdt, loadSegment, loadTaskRegister, low, typeOf } from '../segments';
import {
  CR4_UMIP, DESC_CE, DESC_CODE, DESC_RW, DESC_S, FLAG_ZF, cpl, cr4, get, is64, longMode, protectedMode, put, segment, selector, updateEvents,
} from '../state';

function privileged(): void {
  if (cpl()) gp(0);
}
/** SGDT, SIDT, SLDT, STR, SMSW with CR4.UMIP. */
export function userModePrevented(): void {
  if (cr4() & CR4_UMIP && cpl() == 3) gp(0);
}
function protectedOnly(): void {
  if (!protectedMode()) ud();
}
function setZero(zero: bool): void {
  setLazyFlags((lazyFlags() & ~FLAG_ZF) | (zero ? FLAG_ZF : 0));
}

export function segmentLoad(rec: u32): i32 {
  const index = load<u32>(rec, 12);
  if (index == CS) ud();
  const before = load<u32>(MODE);
  loadSegment(index, u32(get<u16>(load<u8>(rec, 2))));
  if (index == SS) {
    store<u32>(INTERRUPT_SHADOW, 2);
    updateEvents();
    return leaveAfter();
  }
  return load<u32>(MODE) != before ? leaveAfter() : 0;
}
export function segmentStore<T>(rec: u32): void {
  put<u64>(load<u8>(rec, 2), u64(selector(load<u32>(rec, 12))));
}
/** LES, LDS, LSS, LFS, LGS: segment in the immediate. */
export function loadFarPointer<T>(rec: u32): i32 {
  const n = sizeof<T>() as u32;
  const offset = loadAt<T>(operandAddress(rec, 0, n, false));
  const sel = u32(loadAt<u16>(operandAddress(rec, n, 2, false)));
  const index = load<u32>(rec, 12);
  const before = load<u32>(MODE);
  loadSegment(index, sel);
  put<T>(load<u8>(rec, 2), offset);
  return load<u32>(MODE) != before ? leaveAfter() : 0;
}

export function sldt(rec: u32): void {
  protectedOnly();
  userModePrevented();
  put<u64>(load<u8>(rec, 2), u64(selector(LDTR)));
}
export function str(rec: u32): void {
  protectedOnly();
  userModePrevented();
  put<u64>(load<u8>(rec, 2), u64(selector(TR)));
}
export function lldt(rec: u32): void {
  protectedOnly();
  privileged();
  loadLdt(operand16(rec));
}
export function ltr(rec: u32): void {
  protectedOnly();
  privileged();
  loadTaskRegister(operand16(rec));
}

/** May this selector be seen at all (LAR, LSL, VERR, VERW)? Its descriptor is then in low, high. */
function visible(sel: u32): bool {
  if (isNull(sel) || !fetchDescriptor(sel)) return false;
  if (high & DESC_S && (high & (DESC_CODE | DESC_CE)) == (DESC_CODE | DESC_CE)) return true;
  return dplOf(high) >= cpl() && dplOf(high) >= (sel & 3);
}
export function verr(rec: u32): void {
  protectedOnly();
  const sel = u32(get<u16>(load<u8>(rec, 2)));
  setZero(visible(sel) && (high & DESC_S) != 0 && (high & (DESC_CODE | DESC_RW)) != DESC_CODE);
}
export function verw(rec: u32): void {
  protectedOnly();
  const sel = u32(get<u16>(load<u8>(rec, 2)));
  setZero(visible(sel) && (high & (DESC_S | DESC_CODE | DESC_RW)) == (DESC_S | DESC_RW));
}
/** System types that LAR knows: TSS, LDT, call and task gates; LSL: those with a limit. */
const LAR_TYPES: u32 = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 9) | (1 << 11) | (1 << 12);
const LSL_TYPES: u32 = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 9) | (1 << 11);
const LONG_TYPES: u32 = (1 << 2) | (1 << 9) | (1 << 11) | (1 << 12);
export function lar<T>(rec: u32): void {
  protectedOnly();
  const sel = u32(get<u16>(load<u8>(rec, 3)));
  let types = LAR_TYPES;
  if (longMode()) types &= LONG_TYPES;
  const ok = visible(sel) && (high & DESC_S || (types >> typeOf(high)) & 1);
  if (ok) put<T>(load<u8>(rec, 2), (high & 0x00ffff00) as T);
  setZero(ok as bool);
}
export function lsl<T>(rec: u32): void {
  protectedOnly();
  const sel = u32(get<u16>(load<u8>(rec, 3)));
  let types = LSL_TYPES;
  if (longMode()) types &= LONG_TYPES;
  const ok = visible(sel) && (high & DESC_S || (types >> typeOf(high)) & 1);
  if (ok) put<T>(load<u8>(rec, 2), descriptorLimit(low, high) as T);
  setZero(ok as bool);
}
export function arpl(rec: u32): void {
  protectedOnly();
  const modrm = (load<u32>(rec, 12) >> 8) & 0xff;
  const rpl = get<u16>(modrm & 0x38) & 3;
  if (modrm >= 0xc0) {
    const at = (modrm & 7) << 3;
    const sel = get<u16>(at);
    if ((sel & 3) < rpl) put<u16>(at, (sel & ~3) | rpl);
    setZero((sel & 3) < rpl);
    return;
  }
  const sel = loadAt<u16>(operandAddress(rec, 0, 2, false));
  const lower = (sel & 3) < rpl;
  // written only if it changes
  if (lower) storeAt<u16>(operandAddress(rec, 0, 2, true), (sel & ~3) | rpl);
  setZero(lower);
}

/** SGDT, SIDT: limit, then base of 32 bits (64 in 64-bit mode; 16-bit operands store all 32, as all processors since the 386 do). */
function storeTable(rec: u32, table: u32): void {
  userModePrevented();
  const s = segment(table);
  storeAt<u16>(operandAddress(rec, 0, 2, true), u16(load<u32>(s, SEG_LIMIT)));
  if (is64()) storeAt<u64>(operandAddress(rec, 2, 8, true), load<u64>(s, SEG_BASE));
  else storeAt<u32>(operandAddress(rec, 2, 4, true), load<u32>(s, SEG_BASE));
}
export function sgdt(rec: u32): void { storeTable(rec, GDTR); }
export function sidt(rec: u32): void { storeTable(rec, IDTR); }
function loadTable(rec: u32, table: u32): void {
  privileged();
  const s = segment(table);
  const limit = u32(loadAt<u16>(operandAddress(rec, 0, 2, false)));
  let base: u64;
  if (is64()) {
    base = loadAt<u64>(operandAddress(rec, 2, 8, false));
    if (i64(base) << 16 >> 16 != i64(base)) gp(0);
  } else {
    base = u64(loadAt<u32>(operandAddress(rec, 2, 4, false)));
    if (load<u8>(rec, 12) == 2) base &= 0xffffff;
  }
  store<u32>(s, limit, SEG_LIMIT);
  store<u64>(s, base, SEG_BASE);
}
export function lgdt(rec: u32): void { loadTable(rec, GDTR); }
export function lidt(rec: u32): void { loadTable(rec, IDTR); }
