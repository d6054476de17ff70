/**
 * String instructions, with and without repeat. A repeated one runs in chunks: up to the end of a page on either side (one element for ports and while
 * single-stepping), then it leaves the block to itself, so that interrupts are looked at; each chunk counts as one instruction. The chunk's
 * size depends on addresses only, never on what the TLB happens to hold. The registers are exact at each fault.
 */
import {
  ES, INSTRUCTIONS, SEG_BASE, SEG_READ_HIGH, SEG_READ_LOW, SEG_WRITE_HIGH, SEG_WRITE_LOW, STOP, TLB_ENTRIES, TLB_READ, TLB_SET, TLB_WRITE,
} from '../../src/layout';
import { sub } from '../alu';
import { zero } from '../flags';
import { address, loadAt, probeWrite, segmentOf, storeAt } from '../memory';
import { instructionAddress, leaveTo } from '../position';
import { FLAG_DF, FLAG_TF, RAX, RCX, RDI, RDX, RSI, eflags, get, is64, put, segment } from '../state';
import { checkPort, readPort, writePort } from './ports';
import { watchingData } from '../watchpoints';
import { anyWithheld } from '../withheld';

/** Width mask of the address size in a record's kind. */
@inline function maskOf(rec: u32): u64 {
  const width: u32 = load<u8>(rec, 6) >> 6;
  return width == 0 ? u64.MAX_VALUE : width == 1 ? 0xffffffff : 0xffff;
}
/** Writes an index or count register in the address size. */
@inline function putMasked(register: u32, value: u64, mask: u64): void {
  if (mask == 0xffff) put<u16>(register, u16(value));
  else if (mask == 0xffffffff) put<u32>(register, u32(value));
  else put<u64>(register, value);
}
@inline function step<T>(): i64 {
  return eflags() & FLAG_DF ? -(sizeof<T>() as i64) : sizeof<T>() as i64;
}

/** Single step and breakpoints on data trap behind each element. */
@inline function oneByOne(): bool {
  return (eflags() & FLAG_TF) != 0 || watchingData();
}
/** Elements from `offset` to the end of its page in the direction of travel, at least 1. */
@inline function elementsInPage<T>(linear: u64): u64 {
  const inPage = u32(linear) & 0xfff;
  const n: u32 = eflags() & FLAG_DF ? inPage / (sizeof<T>() as u32) + 1 : (0x1000 - inPage) / (sizeof<T>() as u32);
  return n == 0 ? 1 : u64(n);
}
@inline function baseOf(index: u32): u64 {
  return is64() && index < 4 ? 0 : load<u64>(segment(index), SEG_BASE);
}

/** Host address if `bytes` from `offset` in the segment are one TLB hit, else 0. */
function readable(index: u32, offset: u64, bytes: u32, mask: u64): u32 {
  if (offset + bytes - 1 > mask) return 0;
  const s = segment(index);
  let linear: u64;
  if (is64()) linear = baseOf(index) + offset;
  else {
    if (offset < u64(load<u32>(s, SEG_READ_LOW)) || offset + bytes - 1 > u64(load<u32>(s, SEG_READ_HIGH))) return 0;
    linear = (load<u64>(s, SEG_BASE) + offset) & 0xffffffff;
  }
  const e: u32 = load<u32>(TLB_SET) + ((u32(linear >> 12) & (TLB_ENTRIES - 1)) << 4);
  if (load<u64>(e, TLB_READ) != ((linear + bytes - 1) & ~(<u64>0xfff))) return 0;
  return u32(linear) + load<u32>(e, TLB_READ + 8);
}
function writable(index: u32, offset: u64, bytes: u32, mask: u64): u32 {
  if (offset + bytes - 1 > mask) return 0;
  const s = segment(index);
  let linear: u64;
  if (is64()) linear = offset;
  else {
    if (offset < u64(load<u32>(s, SEG_WRITE_LOW)) || offset + bytes - 1 > u64(load<u32>(s, SEG_WRITE_HIGH))) return 0;
    linear = (load<u64>(s, SEG_BASE) + offset) & 0xffffffff;
  }
  const e: u32 = load<u32>(TLB_SET) + ((u32(linear >> 12) & (TLB_ENTRIES - 1)) << 4);
  if (load<u64>(e, TLB_WRITE) != ((linear + bytes - 1) & ~(<u64>0xfff))) return 0;
  return u32(linear) + load<u32>(e, TLB_WRITE + 8);
}

/** The end of a chunk: all done, or once more. */
function chunkDone(rec: u32, more: bool): i32 {
  if (!more) return 0;
  return leaveTo(instructionAddress());
}
/** Something waits: a chunk ends early. */
@inline function disturbed(): bool {
  return load<i64>(INSTRUCTIONS) > load<i64>(STOP);
}
@inline function chunkLimit(count: u64): u64 {
  return oneByOne() ? 1 : count;
}

function move<T>(rec: u32, source: u32, mask: u64): void {
  // a source with side effects is read once, though the target may be missing
  if (anyWithheld()) probeWrite(address(ES, get<u64>(RDI) & mask, sizeof<T>() as u32, true), sizeof<T>() as u32);
  const value = loadAt<T>(address(source, get<u64>(RSI) & mask, sizeof<T>() as u32, false));
  storeAt<T>(address(ES, get<u64>(RDI) & mask, sizeof<T>() as u32, true), value);
}
export function movs<T>(rec: u32): i32 {
  const mask = maskOf(rec);
  const source = segmentOf(rec);
  const by = step<T>();
  if (!load<u32>(rec, 12)) {
    move<T>(rec, source, mask);
    putMasked(RSI, get<u64>(RSI) + by, mask);
    putMasked(RDI, get<u64>(RDI) + by, mask);
    return 0;
  }
  const count = get<u64>(RCX) & mask;
  if (count == 0) return 0;
  let n = min(count, elementsInPage<T>(baseOf(source) + (get<u64>(RSI) & mask)));
  n = chunkLimit(min(n, elementsInPage<T>(baseOf(ES) + (get<u64>(RDI) & mask))));
  while (n) {
    let k: u64 = 1;
    const bytes = u32(n) * (sizeof<T>() as u32);
    let from: u32 = 0;
    let to: u32 = 0;
    if (by > 0 && n > 1) {
      from = readable(source, get<u64>(RSI) & mask, bytes, mask);
      if (from) to = writable(ES, get<u64>(RDI) & mask, bytes, mask);
    }
    if (to) {
      if (to > from && to < from + bytes) for (let i: u32 = 0; i < bytes; i += sizeof<T>() as u32) store<T>(to + i, load<T>(from + i));
      else memory.copy(to, from, bytes);
      k = n;
    } else {
      move<T>(rec, source, mask);
    }
    putMasked(RSI, get<u64>(RSI) + by * k, mask);
    putMasked(RDI, get<u64>(RDI) + by * k, mask);
    putMasked(RCX, (get<u64>(RCX) & mask) - k, mask);
    n -= k;
    if (disturbed()) break;
  }
  return chunkDone(rec, (get<u64>(RCX) & mask) != 0);
}

export function stos<T>(rec: u32): i32 {
  const mask = maskOf(rec);
  const by = step<T>();
  const value = get<T>(RAX);
  if (!load<u32>(rec, 12)) {
    storeAt<T>(address(ES, get<u64>(RDI) & mask, sizeof<T>() as u32, true), value);
    putMasked(RDI, get<u64>(RDI) + by, mask);
    return 0;
  }
  const count = get<u64>(RCX) & mask;
  if (count == 0) return 0;
  let n = chunkLimit(min(count, elementsInPage<T>(baseOf(ES) + (get<u64>(RDI) & mask))));
  while (n) {
    let k: u64 = 1;
    const bytes = u32(n) * (sizeof<T>() as u32);
    const to = by > 0 && n > 1 ? writable(ES, get<u64>(RDI) & mask, bytes, mask) : 0;
    if (to) {
      if (sizeof<T>() == 1) memory.fill(to, u8(value), bytes);
      else for (let i: u32 = 0; i < bytes; i += sizeof<T>() as u32) store<T>(to + i, value);
      k = n;
    } else {
      storeAt<T>(address(ES, get<u64>(RDI) & mask, sizeof<T>() as u32, true), value);
    }
    putMasked(RDI, get<u64>(RDI) + by * k, mask);
    putMasked(RCX, (get<u64>(RCX) & mask) - k, mask);
    n -= k;
    if (disturbed()) break;
  }
  return chunkDone(rec, (get<u64>(RCX) & mask) != 0);
}

export function lods<T>(rec: u32): i32 {
  const mask = maskOf(rec);
  const source = segmentOf(rec);
  const by = step<T>();
  const repeated = load<u32>(rec, 12) != 0;
  let n: u64 = 1;
  if (repeated) {
    const count = get<u64>(RCX) & mask;
    if (count == 0) return 0;
    n = chunkLimit(min(count, elementsInPage<T>(baseOf(source) + (get<u64>(RSI) & mask))));
  }
  while (n--) {
    put<T>(RAX, loadAt<T>(address(source, get<u64>(RSI) & mask, sizeof<T>() as u32, false)));
    putMasked(RSI, get<u64>(RSI) + by, mask);
    if (!repeated) return 0;
    putMasked(RCX, (get<u64>(RCX) & mask) - 1, mask);
    if (disturbed()) break;
  }
  return chunkDone(rec, (get<u64>(RCX) & mask) != 0);
}

export function cmps<T>(rec: u32): i32 {
  const mask = maskOf(rec);
  const source = segmentOf(rec);
  const by = step<T>();
  const repeat = load<u32>(rec, 12);
  let n: u64 = 1;
  if (repeat) {
    const count = get<u64>(RCX) & mask;
    if (count == 0) return 0;
    n = min(count, elementsInPage<T>(baseOf(source) + (get<u64>(RSI) & mask)));
    n = chunkLimit(min(n, elementsInPage<T>(baseOf(ES) + (get<u64>(RDI) & mask))));
  }
  while (n--) {
    // which of two operands that fault is reported differs from processor to processor, and from run to run
    const b = loadAt<T>(address(ES, get<u64>(RDI) & mask, sizeof<T>() as u32, false));
    const a = loadAt<T>(address(source, get<u64>(RSI) & mask, sizeof<T>() as u32, false));
    sub<T>(a, b);
    putMasked(RSI, get<u64>(RSI) + by, mask);
    putMasked(RDI, get<u64>(RDI) + by, mask);
    if (!repeat) return 0;
    putMasked(RCX, (get<u64>(RCX) & mask) - 1, mask);
    if (zero() != (repeat == 0xf3)) return 0;
    if (disturbed()) break;
  }
  return chunkDone(rec, (get<u64>(RCX) & mask) != 0);
}
export function scas<T>(rec: u32): i32 {
  const mask = maskOf(rec);
  const by = step<T>();
  const repeat = load<u32>(rec, 12);
  let n: u64 = 1;
  if (repeat) {
    const count = get<u64>(RCX) & mask;
    if (count == 0) return 0;
    n = chunkLimit(min(count, elementsInPage<T>(baseOf(ES) + (get<u64>(RDI) & mask))));
  }
  while (n--) {
    sub<T>(get<T>(RAX), loadAt<T>(address(ES, get<u64>(RDI) & mask, sizeof<T>() as u32, false)));
    putMasked(RDI, get<u64>(RDI) + by, mask);
    if (!repeat) return 0;
    putMasked(RCX, (get<u64>(RCX) & mask) - 1, mask);
    if (zero() != (repeat == 0xf3)) return 0;
    if (disturbed()) break;
  }
  return chunkDone(rec, (get<u64>(RCX) & mask) != 0);
}

export function ins<T>(rec: u32): i32 {
  const mask = maskOf(rec);
  const repeated = load<u32>(rec, 12) != 0;
  const port = u32(get<u16>(RDX));
  checkPort(port, sizeof<T>() as u32);
  if (repeated && (get<u64>(RCX) & mask) == 0) return 0;
  const to = address(ES, get<u64>(RDI) & mask, sizeof<T>() as u32, true);
  probeWrite(to, sizeof<T>() as u32);
  storeAt<T>(to, readPort(port, sizeof<T>() as u32) as T);
  putMasked(RDI, get<u64>(RDI) + step<T>(), mask);
  if (!repeated) return 0;
  putMasked(RCX, (get<u64>(RCX) & mask) - 1, mask);
  return chunkDone(rec, (get<u64>(RCX) & mask) != 0);
}
export function outs<T>(rec: u32): i32 {
  const mask = maskOf(rec);
  const repeated = load<u32>(rec, 12) != 0;
  const port = u32(get<u16>(RDX));
  checkPort(port, sizeof<T>() as u32);
  if (repeated && (get<u64>(RCX) & mask) == 0) return 0;
  const value = loadAt<T>(address(segmentOf(rec), get<u64>(RSI) & mask, sizeof<T>() as u32, false));
  writePort(port, u32(value), sizeof<T>() as u32);
  putMasked(RSI, get<u64>(RSI) + step<T>(), mask);
  if (!repeated) return 0;
  putMasked(RCX, (get<u64>(RCX) & mask) - 1, mask);
  return chunkDone(rec, (get<u64>(RCX) & mask) != 0);
}

export function xlat(rec: u32): void {
  const offset = (get<u64>(24) + u64(get<u8>(RAX))) & maskOf(rec);
  put<u8>(RAX, loadAt<u8>(address(segmentOf(rec), offset, 1, false)));
}
