/**
 * Memory as instructions see it: segmentation, then the TLB's slow path. Two families:
 * functions for micro-operations leave an exception pending and return (the caller looks at `faulted()`); functions for helpers
 * (`loadAt`, `storeAt`, `address` …) do not return from a fault.
 */
import {
  CODE_PAGES, CURRENT_RECORD, FETCH_BASE, FETCH_MASK, FS, GPR, MODE_STACK32, PSEUDO_ZERO, SEGMENTS, SEGMENT_STRIDE, SEG_BASE, SEG_READ_HIGH, SEG_READ_LOW, SEG_WRITE_HIGH,
  SEG_WRITE_LOW, SS, TLB, TLB_ENTRIES, TLB_READ, TLB_SET, TLB_SET_STRIDE, TLB_WRITE,
} from '../src/layout';
import { unwind } from './bus';
import { AC, GP, SS_FAULT, raise } from './exceptions';
import { KERNEL_SET, NO_ADDRESS, PROBE, READ, USER_SET, WRITE, lastWalkFlags, walk } from './paging';
import { hostOf, readPhysical, touch, writableHostOf, writePhysical } from './physical';
import { instructionAddress } from './position';
import { RBP, RSP, faulted, get, is64, mode, put, segment } from './state';
import { ENTRY_ONCE, fill } from './tlb';
import { watch, watchedPage, watchingData } from './watchpoints';

/** The set that stays empty: alignment is checked. */
const CHECKING_SET: u32 = TLB + 2 * TLB_SET_STRIDE;

// ---------------------------------------------------------------- addresses

/** Offset of a record's memory operand in its segment, cut to the address size. */
export function offsetOf(rec: u32): u64 {
  const kind: u32 = load<u8>(rec, 6);
  const offset = load<u64>(load<u8>(rec, 4), GPR) + (load<u64>(load<u8>(rec, 5), GPR) << (kind & 3)) + i64(load<i32>(rec, 8));
  const width = kind >> 6;
  return width == 0 ? offset : width == 1 ? offset & 0xffffffff : offset & 0xffff;
}

/** Segment number of a record's memory operand; flat kinds have none and answer DS or SS. */
export function segmentOf(rec: u32): u32 {
  const space: u32 = (load<u8>(rec, 6) >> 2) & 15;
  return space >= 3 ? space - 3 : space == 2 ? 2 : 3;
}

@inline export function inBounds(s: u32, offset: u32, n: u32, write: u32): bool {
  const low = write ? load<u32>(s, SEG_WRITE_LOW) : load<u32>(s, SEG_READ_LOW);
  const high = write ? load<u32>(s, SEG_WRITE_HIGH) : load<u32>(s, SEG_READ_HIGH);
  return offset >= low && u64(offset) + n - 1 <= u64(high);
}

/** Linear address of the operand of a record whose address kind is a segment's; a violation is left pending. */
export function segmentedAddress(rec: u32, n: u32, write: u32): u64 {
  const offset = offsetOf(rec);
  const index = segmentOf(rec);
  const s = segment(index);
  if (is64()) return index >= u32(FS) ? load<u64>(s, SEG_BASE) + offset : offset;
  if (!inBounds(s, u32(offset), n, write)) {
    raise(index == SS ? SS_FAULT : GP, true, 0);
    return 0;
  }
  return (load<u64>(s, SEG_BASE) + offset) & 0xffffffff;
}

/** Mask of the stack pointer. */
@inline export function stackMask(): u64 {
  const m = mode();
  return (m & 3) == 2 ? u64.MAX_VALUE : m & MODE_STACK32 ? 0xffffffff : 0xffff;
}

/** Linear address `offset` bytes from the top of the stack; a violation is left pending. */
export function stackAddress(offset: i32, n: u32, write: u32): u64 {
  const mask = stackMask();
  const pointer = (get<u64>(RSP) + i64(offset)) & mask;
  if (is64()) return pointer;
  const s = segment(SS);
  if (!inBounds(s, u32(pointer), n, write)) {
    raise(SS_FAULT, true, 0);
    return 0;
  }
  return (load<u64>(s, SEG_BASE) + pointer) & 0xffffffff;
}

/** Adds to the stack pointer in its size. */
export function moveStack(by: i32): void {
  const m = mode();
  if ((m & 3) == 2) put<u64>(RSP, get<u64>(RSP) + i64(by));
  else if (m & MODE_STACK32) put<u32>(RSP, get<u32>(RSP) + u32(by));
  else put<u16>(RSP, u16(get<u16>(RSP) + u16(by)));
}

// ---------------------------------------------------------------- slow paths, exceptions pending

/**
 * 64-bit mode: bits 63…47 alike? If not: #SS(0) through the stack segment, else #GP(0). In flat segments nothing else looks at the limit,
 * which an operand across the end of the 4 GiB violates.
 */
function canonical(linear: u64, n: u32): bool {
  // system tables may lie anywhere in compatibility mode
  if (!is64()) return linear >> 32 != 0 || linear + n <= 0x100000000 || !flatOverflow();
  const last = linear + n - 1;
  if (i64(linear) << 16 >> 16 == i64(linear) && i64(last) << 16 >> 16 == i64(last)) return true;
  const rec = load<u32>(CURRENT_RECORD);
  const stack = rec != 0 && ((load<u8>(rec, 6) >> 2) & 15) == 2;
  raise(stack ? SS_FAULT : GP, true, 0);
  return false;
}

/** The segment prefix of the instruction that executes, which records of flat segments do not keep; 0 = none. */
function segmentOverride(): u32 {
  let last: u32 = 0;
  for (let i: u64 = 0; i < 14; i++) {
    const physical = walk((instructionAddress() + load<u64>(FETCH_BASE) + i) & load<u64>(FETCH_MASK), PROBE, false);
    const host = physical == NO_ADDRESS ? 0 : hostOf(physical);
    if (!host) break;
    const byte: u32 = load<u8>(host);
    if ((byte & 0xe7) == 0x26) last = byte;
    else if ((byte < 0x64 || byte > 0x67) && byte < 0xf0) break;
    else if (byte > 0xf3 || byte == 0xf1) break;
  }
  return last;
}

function flatOverflow(): bool {
  const rec = load<u32>(CURRENT_RECORD);
  if (!rec || load<u8>(rec, 6) >= 4) return false;
  const chosen = segmentOverride();
  // no operand of its own: a push or pop
  const base: u32 = load<u8>(rec, 4);
  const stack = base == RSP || base == RBP || (base == PSEUDO_ZERO && load<u8>(rec, 5) == PSEUDO_ZERO && load<u32>(rec, 8) == 0);
  raise(chosen == 0x36 || (!chosen && stack) ? SS_FAULT : GP, true, 0);
  return true;
}

/** #AC if alignment is checked and this is not aligned. */
function aligned(linear: u64, n: u32, set: u32): bool {
  if (set != CHECKING_SET || !(u32(linear) & (n - 1))) return true;
  raise(AC, true, 0);
  return false;
}

@inline function crosses(linear: u64, n: u32): bool {
  return (u32(linear) & 0xfff) + n > 0x1000;
}
/** First address of the next page; wraps at 4 GiB outside 64-bit mode. */
@inline function nextPage(linear: u64): u64 {
  const next = (linear | 0xfff) + 1;
  return is64() ? next : next & 0xffffffff;
}

function walkAndFill(linear: u64, access: u32, set: u32, implicit: bool): u64 {
  const physical = walk(linear, access, set != KERNEL_SET, implicit);
  if (physical == NO_ADDRESS || set == CHECKING_SET || (watchingData() && watchedPage(linear))) return physical;
  if (access == READ) {
    const host = hostOf(physical);
    if (host && !(lastWalkFlags() & ENTRY_ONCE)) fill(set, TLB_READ, linear, host, lastWalkFlags());
  } else {
    const host = writableHostOf(physical);
    if (host && !(lastWalkFlags() & ENTRY_ONCE) && !load<u32>((host >> 12) << 2, CODE_PAGES)) {
      touch(host, 1);
      fill(set, TLB_WRITE, linear, host, lastWalkFlags());
    }
  }
  return physical;
}

function readAs(linear: u64, n: u32, set: u32, implicit: bool): u64 {
  if (!canonical(linear, n) || !aligned(linear, n, set)) return 0;
  const physical = walkAndFill(linear, READ, set, implicit);
  if (physical == NO_ADDRESS) return 0;
  if (watchingData() && !implicit) watch(linear, n, false);
  if (!crosses(linear, n)) return readPhysical(physical, n);
  const second = walkAndFill(nextPage(linear), READ, set, implicit);
  if (second == NO_ADDRESS) return 0;
  return readSplit(physical, second, n);
}

function readSplit(first: u64, second: u64, n: u32): u64 {
  const room: u32 = 0x1000 - (u32(first) & 0xfff);
  let value: u64 = 0;
  for (let i: u32 = 0; i < n; i++) {
    value |= readPhysical(i < room ? first + i : second + (i - room), 1) << (i << 3);
  }
  return value;
}

function writeAs(linear: u64, n: u32, value: u64, set: u32, implicit: bool): void {
  if (!canonical(linear, n) || !aligned(linear, n, set)) return;
  const physical = walkAndFill(linear, WRITE, set, implicit);
  if (physical == NO_ADDRESS) return;
  if (watchingData() && !implicit) watch(linear, n, true);
  if (!crosses(linear, n)) {
    writePhysical(physical, n, value);
    return;
  }
  const second = walkAndFill(nextPage(linear), WRITE, set, implicit);
  if (second == NO_ADDRESS) return;
  const room: u32 = 0x1000 - (u32(physical) & 0xfff);
  for (let i: u32 = 0; i < n; i++) {
    writePhysical(i < room ? physical + i : second + (i - room), 1, (value >> (i << 3)) & 0xff);
  }
}

export function readSlow(linear: u64, n: u32): u64 {
  return readAs(linear, n, load<u32>(TLB_SET), false);
}
export function writeSlow(linear: u64, n: u32, value: u64): void {
  writeAs(linear, n, value, load<u32>(TLB_SET), false);
}
/** Reads what will be written back: every check of the write is made here, so that the write cannot fault. */
export function readForWriteSlow(linear: u64, n: u32): u64 {
  const set = load<u32>(TLB_SET);
  if (!canonical(linear, n) || !aligned(linear, n, set)) return 0;
  const physical = walkAndFill(linear, WRITE, set, false);
  if (physical == NO_ADDRESS) return 0;
  if (watchingData()) watch(linear, n, false);
  if (!crosses(linear, n)) return readPhysical(physical, n);
  const second = walkAndFill(nextPage(linear), WRITE, set, false);
  if (second == NO_ADDRESS) return 0;
  return readSplit(physical, second, n);
}

// ---------------------------------------------------------------- for helpers: no return from a fault

@inline function entryOf(linear: u64): u32 {
  return load<u32>(TLB_SET) + ((u32(linear >> 12) & (TLB_ENTRIES - 1)) << 4);
}

export function loadAt<T>(linear: u64): T {
  const e = entryOf(linear);
  if (load<u64>(e, TLB_READ) == ((linear + sizeof<T>() - 1) & ~(<u64>0xfff))) return load<T>(u32(linear) + load<u32>(e, TLB_READ + 8));
  const value = readSlow(linear, sizeof<T>() as u32);
  if (faulted()) unwind();
  return value as T;
}
export function storeAt<T>(linear: u64, value: T): void {
  const e = entryOf(linear);
  if (load<u64>(e, TLB_WRITE) == ((linear + sizeof<T>() - 1) & ~(<u64>0xfff))) {
    store<T>(u32(linear) + load<u32>(e, TLB_WRITE + 8), value);
    return;
  }
  writeSlow(linear, sizeof<T>() as u32, u64(value));
  if (faulted()) unwind();
}
/** Fails now if a write of `n` bytes would fail later. */
export function probeWrite(linear: u64, n: u32): void {
  readForWriteCheck(linear, n, load<u32>(TLB_SET));
}
/** Fails now if a read of a byte would fail later. */
export function probeRead(linear: u64): void {
  if (canonical(linear, 1)) walkAndFill(linear, READ, load<u32>(TLB_SET), false);
  if (faulted()) unwind();
}
function readForWriteCheck(linear: u64, n: u32, set: u32): void {
  if (canonical(linear, n) && aligned(linear, n, set)) {
    if (walkAndFill(linear, WRITE, set, false) != NO_ADDRESS && crosses(linear, n)) walkAndFill(nextPage(linear), WRITE, set, false);
  }
  if (faulted()) unwind();
}
/** Reads and writes of system tables and of stacks of other privilege: always the supervisor's rights. */
export function systemLoad<T>(linear: u64): T {
  const e = KERNEL_SET + ((u32(linear >> 12) & (TLB_ENTRIES - 1)) << 4);
  if (load<u64>(e, TLB_READ) == ((linear + sizeof<T>() - 1) & ~(<u64>0xfff))) {
    return load<T>(u32(linear) + load<u32>(e, TLB_READ + 8));
  }
  const value = readAs(linear, sizeof<T>() as u32, KERNEL_SET, true);
  if (faulted()) unwind();
  return value as T;
}
export function systemStore<T>(linear: u64, value: T): void {
  writeAs(linear, sizeof<T>() as u32, u64(value), KERNEL_SET, true);
  if (faulted()) unwind();
}
/** As `privilege` 3 or not, whatever CPL is. */
export function storeAs<T>(linear: u64, value: T, user: bool): void {
  writeAs(linear, sizeof<T>() as u32, u64(value), user ? USER_SET : KERNEL_SET, false);
  if (faulted()) unwind();
}
export function probeWriteAs(linear: u64, n: u32, user: bool): void {
  readForWriteCheck(linear, n, user ? USER_SET : KERNEL_SET);
}

/** Linear address of `offset` in segment `index`, checked for `n` bytes. */
export function address(index: u32, offset: u64, n: u32, write: bool): u64 {
  const s = SEGMENTS + index * SEGMENT_STRIDE;
  if (is64()) return index >= u32(FS) ? load<u64>(s, SEG_BASE) + offset : offset;
  if (!inBounds(s, u32(offset), n, u32(write))) {
    raise(index == SS ? SS_FAULT : GP, true, 0);
    unwind();
  }
  return (load<u64>(s, SEG_BASE) + u64(u32(offset))) & 0xffffffff;
}

/** Linear address of a record's memory operand, for `n` bytes that begin `plus` bytes behind it. */
export function operandAddress(rec: u32, plus: u32, n: u32, write: bool): u64 {
  const width: u32 = load<u8>(rec, 6) >> 6;
  const mask: u64 = width == 0 ? u64.MAX_VALUE : width == 1 ? 0xffffffff : 0xffff;
  const space: u32 = (load<u8>(rec, 6) >> 2) & 15;
  if (space == 0) return (offsetOf(rec) + plus) & 0xffffffff;
  return address(segmentOf(rec), (offsetOf(rec) + plus) & mask, n, write);
}

/** Do `n` bytes at a record's operand reach beyond the address size, so that their parts wrap one by one? */
export function wraps(rec: u32, n: u32): bool {
  const width: u32 = load<u8>(rec, 6) >> 6;
  return width != 0 && offsetOf(rec) + n - 1 > (width == 1 ? <u64>0xffffffff : 0xffff);
}

/** The 16-bit operand of a record that decodes its modrm itself: for instructions that look at other things before memory. */
export function operand16(rec: u32): u32 {
  const modrm = (load<u32>(rec, 12) >> 8) & 0xff;
  return modrm >= 0xc0 ? get<u16>(load<u8>(rec, 2)) : loadAt<u16>(operandAddress(rec, 0, 2, false));
}

/** Linear address of an absolute stack pointer (already cut to the stack's size). */
export function stackAt(pointer: u64, n: u32, write: u32): u64 {
  if (is64()) {
    canonicalStack(pointer, n);
    return pointer;
  }
  const s = segment(SS);
  if (!inBounds(s, u32(pointer), n, write)) {
    raise(SS_FAULT, true, 0);
    unwind();
  }
  return (load<u64>(s, SEG_BASE) + pointer) & 0xffffffff;
}

/** #SS(0) for a stack pointer that is not canonical (64-bit mode). */
function canonicalStack(linear: u64, n: u32): void {
  const last = linear + n - 1;
  if (i64(linear) << 16 >> 16 == i64(linear) && i64(last) << 16 >> 16 == i64(last)) return;
  raise(SS_FAULT, true, 0);
  unwind();
}

/** Pushes of helpers: write first, then move the stack pointer with `moveStack`. */
export function pushAt<T>(offset: i32, value: T): void {
  const linear = stackAddress(offset, sizeof<T>() as u32, 1);
  if (faulted()) unwind();
  if (is64()) canonicalStack(linear, sizeof<T>() as u32);
  storeAt<T>(linear, value);
}
export function popAt<T>(offset: i32): T {
  const linear = stackAddress(offset, sizeof<T>() as u32, 0);
  if (faulted()) unwind();
  if (is64()) canonicalStack(linear, sizeof<T>() as u32);
  return loadAt<T>(linear);
}
