/**
 * Decoded blocks: found by the address in this memory of their first byte (which names a physical byte, whatever it is mapped at) and the
 * mode bits that decoding depends on; dropped page by page when their code is written.
 *
 *     block   0       4       8      12      16      20      24      28      32
 *             +-------+-------+------+-------+-------+-------+-------+-------+----------
 *             | count | host  | key  | next  | bytes | end   | heat  | spare | records …
 *             +-------+-------+------+-------+-------+-------+-------+-------+----------
 *
 * count = instructions, next = next block of the page, end = address behind the last record.
 * A page that holds decoded code has a page record { map u64, first block u32 }: one bit of the map for each 64 bytes, so that data beside code can be
 * written without dropping anything. Blocks never cross a page; an instruction that does is decoded each time into the scratch block.
 * Branches inside a page are chained block to block; as a page's blocks die together, no chain outlives its target.
 */
import {
  BLOCK_HASH, BLOCK_HASH_ENTRIES, CODE_PAGES, CURRENT_BLOCK, CURRENT_RECORD, EVENT_LIMIT, EVENT_PATCHED, FETCH_BASE, FETCH_LIMIT, FETCH_MASK, GPR,
  INSTRUCTIONS, LIMIT, MODE, MODE_FULL_FETCH, MODE_KEY, MODE_SIZE_MASK, PATCHED_OP, PATCHED_RECORD, POOL, POOL_END, POOL_NEXT, PSEUDO_RIP, PSEUDO_ZERO, RIP,
  SCRATCH_BLOCK, SCRATCH_BYTES, STAT_BLOCKS, STAT_DECODED, STAT_DROPPED, STOP, TLB_ENTRIES, TLB_EXECUTE, TLB_SET,
} from '../src/layout';
import { DECODED_STOP, DECODED_TRUNCATED, decode, decodedLength, decodedNext, emitEnd } from './decoder';
import { GP, raise, rewind } from './exceptions';
import { zero } from './flags';
import { FLAG_USE, FUSED, FUSED_ROW, QUIET } from './generated/block-tables';
import { BREAK, END, FIRST_HELPER, JCC0, SAR64, SAR64_I, SAR32, SAR32_I, SHL32, SHL32_I, SHL64, SHL64_I, SHR32, SHR32_I, SHR64, SHR64_I } from './generated/ops';
import { EXECUTE, KERNEL_SET, NO_ADDRESS, lastWalkFlags, walk } from './paging';
import { hostOf, readPhysical } from './physical';
import { RCX, get, is64, put, signal } from './state';
import { fill, protectPages } from './tlb';

export const BLOCK_HEADER: u32 = 32;
const MAX_INSTRUCTIONS: u32 = 64;
/** Room for the largest block: 64 instructions of at most 6 records, and the end. */
const MAX_BLOCK: u32 = 32 + 64 * 6 * 16 + 64;

@inline function slotOf(host: u32): u32 {
  return BLOCK_HASH + (((host * 0x9e3779b1) >> 17) << 4);
}

// ---------------------------------------------------------------- finding

/** Steps into the block at RIP: its first record, or 0 when something is to be looked at first (an event is then pending). */
export function enter(): u32 {
  const rip = load<u64>(RIP);
  const linear = (rip + load<u64>(FETCH_BASE)) & load<u64>(FETCH_MASK);
  const e: u32 = load<u32>(TLB_SET) + ((u32(linear >> 12) & (TLB_ENTRIES - 1)) << 4);
  let host: u32;
  if (load<u64>(e, TLB_EXECUTE) == (linear & ~(<u64>0xfff))) {
    host = u32(linear) + load<u32>(e, TLB_EXECUTE + 8);
  } else {
    host = fetchPage(linear, rip);
    if (!host) return codeOutsideRam ? enterAlone() : 0;
  }
  const key = load<u32>(MODE) & MODE_KEY;
  const slot = slotOf(host);
  let block: u32;
  if (load<u32>(slot) == host && load<u32>(slot, 4) == key) block = load<u32>(slot, 8);
  else {
    block = find(host, key);
    if (!block) return enterAlone();
  }
  if (rip + u64(load<u32>(block, 16)) - 1 > load<u64>(FETCH_LIMIT)) return enterAlone();
  const count: i64 = load<i64>(INSTRUCTIONS) + i64(load<u32>(block));
  if (count > load<i64>(STOP)) return enterAlone();
  store<i64>(INSTRUCTIONS, count);
  store<u32>(CURRENT_BLOCK, block);
  store<u64>(GPR, rip, PSEUDO_RIP);
  return block + BLOCK_HEADER;
}

let codeOutsideRam: bool = false;

/** Translates the page of the next instruction. 0: a fault is pending, or (codeOutsideRam) the code is not in RAM. */
function fetchPage(linear: u64, rip: u64): u32 {
  store<u32>(CURRENT_BLOCK, 0);
  codeOutsideRam = false;
  if (rip > load<u64>(FETCH_LIMIT) || !canonicalTarget(rip)) {
    raise(GP, true, 0);
    return 0;
  }
  const set = load<u32>(TLB_SET);
  const physical = walk(linear, EXECUTE, set != KERNEL_SET);
  if (physical == NO_ADDRESS) return 0;
  const host = hostOf(physical);
  if (!host) {
    codeOutsideRam = true;
    return 0;
  }
  fill(set, TLB_EXECUTE, linear, host, lastWalkFlags());
  return host;
}

/** The block from its page's list, or decoded now; 0 if not even one instruction lies wholly in the page. */
function find(host: u32, key: u32): u32 {
  const slot = slotOf(host);
  const page = load<u32>((host >> 12) << 2, CODE_PAGES);
  let block: u32 = page ? load<u32>(page, 8) : 0;
  while (block && !(load<u32>(block, 4) == host && load<u32>(block, 8) == key)) block = load<u32>(block, 12);
  if (!block) {
    block = build(host, key);
    if (!block) return 0;
  }
  store<u32>(slot, host);
  store<u32>(slot, key, 4);
  store<u32>(slot, block, 8);
  return block;
}

function build(host: u32, key: u32): u32 {
  store<u32>(CURRENT_BLOCK, 0);
  if (load<u32>(POOL_NEXT) + MAX_BLOCK + 16 > u32(POOL_END)) dropAll();
  const block = load<u32>(POOL_NEXT);
  const end = (host | 0xfff) + 1;
  let cursor = host;
  let rec = block + BLOCK_HEADER;
  let count: u32 = 0;
  let stopped = false;
  while (cursor < end && count < MAX_INSTRUCTIONS) {
    const status = decode(cursor, end, rec, cursor - host);
    if (status == DECODED_TRUNCATED) break;
    rec = decodedNext();
    cursor += decodedLength();
    count++;
    if (status == DECODED_STOP) {
      stopped = true;
      break;
    }
  }
  if (count == 0) return 0;
  if (!stopped) rec = emitEnd(rec, cursor - host);
  improve(block + BLOCK_HEADER, rec);
  store<u32>(block, count);
  store<u32>(block, host, 4);
  store<u32>(block, key, 8);
  store<u32>(block, cursor - host, 16);
  store<u32>(block, rec, 20);
  store<u32>(block, 0, 24);
  store<u32>(POOL_NEXT, rec);
  register(block, host, cursor - host);
  store<u64>(STAT_BLOCKS, load<u64>(STAT_BLOCKS) + 1);
  store<u64>(STAT_DECODED, load<u64>(STAT_DECODED) + count);
  return block;
}

/**
 * One pass backwards over the records of a finished block, without a change of what they do: shifts by constants, operations whose flags are
 * overwritten before anything can see them, comparisons joined with the jump behind them.
 */
function improve(first: u32, end: u32): void {
  let dead = false;
  for (let rec = end - 16; rec >= first; rec -= 16) {
    let op: u32 = load<u16>(rec);
    const constant = constantShift(op);
    if (constant && load<u8>(rec, 3) == u8(PSEUDO_ZERO)) {
      const count = load<u32>(rec, 12) & (op == SHL64 || op == SHR64 || op == SAR64 ? 63 : 31);
      if (count) {
        op = constant;
        store<u16>(rec, u16(op));
        store<u32>(rec, count, 12);
      }
    }
    if (op >= FIRST_HELPER) {
      dead = false;
      continue;
    }
    if (dead) {
      const without = load<u16>(op << 1, QUIET);
      if (without) {
        store<u16>(rec, without);
        continue; // flags are as dead before it
      }
    } else {
      const row: u32 = load<u8>(op, FUSED_ROW);
      const next = rec + 16;
      if (row && next < end && load<u8>(next, 7)) {
        const code = u32(load<u16>(next)) - JCC0;
        const both: u32 = code < 16 ? load<u16>(((row - 1) * 16 + code) << 1, FUSED) : 0;
        if (both) store<u16>(rec, u16(both));
      }
    }
    const use: u32 = load<u8>(op, FLAG_USE);
    if (use == 1) dead = true;
    else if (use == 0) dead = false;
  }
}
function constantShift(op: u32): u32 {
  switch (op) {
    case SHL32: return SHL32_I;
    case SHL64: return SHL64_I;
    case SHR32: return SHR32_I;
    case SHR64: return SHR64_I;
    case SAR32: return SAR32_I;
    case SAR64: return SAR64_I;
    default: return 0;
  }
}

/** Bits of a code page's map that `n` bytes at `host` touch. */
@inline function mapBits(host: u32, n: u32): u64 {
  const first = (host & 0xfff) >> 6;
  const last = ((host & 0xfff) + n - 1) >> 6;
  const width = last - first + 1;
  return (width >= 64 ? u64.MAX_VALUE : (<u64>1 << width) - 1) << first;
}

function register(block: u32, host: u32, bytes: u32): void {
  const at = (host >> 12) << 2;
  let page = load<u32>(at, CODE_PAGES);
  if (!page) {
    page = (load<u32>(POOL_NEXT) + 7) & ~7;
    store<u32>(POOL_NEXT, page + 16);
    store<u64>(page, 0);
    store<u32>(page, 0, 8);
    store<u32>(at, page, CODE_PAGES);
    protectPages(host & ~0xfff, (host | 0xfff) + 1);
  }
  store<u64>(page, load<u64>(page) | mapBits(host, bytes));
  store<u32>(block, load<u32>(page, 8), 12);
  store<u32>(page, block, 8);
}

// ---------------------------------------------------------------- one instruction alone

/**
 * Decodes the instruction at RIP into the scratch block and steps into it: near the limit of a run or of a segment, while stepping, across pages, and for
 * code outside RAM.
 */
export function enterAlone(): u32 {
  store<u32>(CURRENT_BLOCK, 0);
  if (load<i64>(INSTRUCTIONS) >= load<i64>(LIMIT)) {
    signal(EVENT_LIMIT);
    return 0;
  }
  const rip = load<u64>(RIP);
  const limit = load<u64>(FETCH_LIMIT);
  if (rip > limit || !canonicalTarget(rip)) {
    raise(GP, true, 0);
    return 0;
  }
  const user = load<u32>(TLB_SET) != KERNEL_SET;
  const linear = (rip + load<u64>(FETCH_BASE)) & load<u64>(FETCH_MASK);
  const room = 0x1000 - (u32(linear) & 0xfff);
  const allowed = limit - rip >= 15 ? 15 : u32(limit - rip) + 1;
  const first = min(allowed, room);
  const physical = walk(linear, EXECUTE, user);
  if (physical == NO_ADDRESS) return 0;
  copyCode(SCRATCH_BYTES, physical, first);
  let status = decode(SCRATCH_BYTES, SCRATCH_BYTES + first, SCRATCH_BLOCK + BLOCK_HEADER, 0);
  if (status == DECODED_TRUNCATED && first < allowed) {
    const second = walk((linear + first) & load<u64>(FETCH_MASK), EXECUTE, user);
    if (second == NO_ADDRESS) return 0;
    copyCode(SCRATCH_BYTES + first, second, allowed - first);
    status = decode(SCRATCH_BYTES, SCRATCH_BYTES + allowed, SCRATCH_BLOCK + BLOCK_HEADER, 0);
  }
  if (status == DECODED_TRUNCATED) {
    raise(GP, true, 0);
    return 0;
  }
  let rec = decodedNext();
  if (status != DECODED_STOP) rec = emitEnd(rec, decodedLength());
  store<u32>(SCRATCH_BLOCK, 1);
  store<u32>(SCRATCH_BLOCK, 0, 4);
  store<u32>(SCRATCH_BLOCK, decodedLength(), 16);
  store<u32>(SCRATCH_BLOCK, rec, 20);
  store<i64>(INSTRUCTIONS, load<i64>(INSTRUCTIONS) + 1);
  store<u32>(CURRENT_BLOCK, SCRATCH_BLOCK);
  store<u64>(GPR, rip, PSEUDO_RIP);
  return SCRATCH_BLOCK + BLOCK_HEADER;
}

function copyCode(to: u32, physical: u64, n: u32): void {
  const host = hostOf(physical);
  if (host) memory.copy(to, host, n);
  else for (let i: u32 = 0; i < n; i++) store<u8>(to + i, u8(readPhysical(physical + i, 1)));
}

// ---------------------------------------------------------------- dropping

export function dropAll(): void {
  const blocks = load<u32>(POOL_NEXT);
  if (blocks > u32(POOL)) {
    memory.fill(CODE_PAGES, 0, 0x400000);
    memory.fill(BLOCK_HASH, 0, BLOCK_HASH_ENTRIES << 4);
  }
  store<u32>(POOL_NEXT, POOL);
  breakBlock();
}

/** `n` bytes in one page that holds decoded code are written. */
export function codeWritten(host: u32, n: u32): void {
  const page = load<u32>((host >> 12) << 2, CODE_PAGES);
  if (load<u64>(page) & mapBits(host, n)) dropPage(host >> 12);
}

/** Forgets all blocks of a page of this memory. */
export function dropPage(number: u32): void {
  const page = load<u32>(number << 2, CODE_PAGES);
  if (!page) return;
  store<u32>(number << 2, 0, CODE_PAGES);
  for (let block = load<u32>(page, 8); block; block = load<u32>(block, 12)) {
    const slot = slotOf(load<u32>(block, 4));
    if (load<u32>(slot, 8) == block) {
      store<u32>(slot, 0);
      store<u32>(slot, 0, 8);
    }
    store<u64>(STAT_DROPPED, load<u64>(STAT_DROPPED) + 1);
  }
  const current = load<u32>(CURRENT_BLOCK);
  if (current && load<u32>(current, 4) >> 12 == number) breakBlock();
}

/** The block that executes ends behind the current instruction. */
export function breakBlock(): void {
  const block = load<u32>(CURRENT_BLOCK);
  if (!block || load<u32>(PATCHED_RECORD)) return;
  const end = load<u32>(block, 20);
  let rec = load<u32>(CURRENT_RECORD) + 16;
  while (rec < end && !load<u8>(rec, 7)) rec += 16;
  if (rec >= end) {
    // only ends of blocks follow: they look at STOP, and a dead block's chains are dead too
    signal(EVENT_PATCHED);
    return;
  }
  store<u32>(PATCHED_RECORD, rec);
  store<u32>(PATCHED_OP, load<u16>(rec));
  store<u16>(rec, u16(BREAK));
  signal(EVENT_PATCHED);
}

// ---------------------------------------------------------------- where we are

let walkedOffset: u32 = 0;
let walkedIndex: u32 = 0;
let walkedLength: u32 = 0;
/** Finds the instruction of CURRENT_RECORD in CURRENT_BLOCK: its offset from the block's start, its number (from 1), its length. */
function locate(): void {
  const last = load<u32>(CURRENT_RECORD);
  let offset: u32 = 0;
  let length: u32 = 0;
  let index: u32 = 0;
  for (let rec = load<u32>(CURRENT_BLOCK) + BLOCK_HEADER; rec <= last; rec += 16) {
    const n: u32 = load<u8>(rec, 7);
    if (n) {
      offset += length;
      length = n;
      index++;
    }
  }
  walkedOffset = offset;
  walkedIndex = index;
  walkedLength = length;
}
@inline function wrap(rip: u64): u64 {
  return is64() ? rip : rip & 0xffffffff;
}
/** RIP of the instruction that executes. */
export function instructionAddress(): u64 {
  if (!load<u32>(CURRENT_BLOCK)) return load<u64>(RIP);
  locate();
  return wrap(load<u64>(GPR, PSEUDO_RIP) + walkedOffset);
}
/** RIP of the instruction behind it. */
export function nextAddress(): u64 {
  if (!load<u32>(CURRENT_BLOCK)) return load<u64>(RIP);
  locate();
  return wrap(load<u64>(GPR, PSEUDO_RIP) + walkedOffset + walkedLength);
}
/** Instructions of the block that have not retired, the current one included. */
export function instructionsLeft(): u32 {
  const block = load<u32>(CURRENT_BLOCK);
  if (!block) return 0;
  locate();
  return load<u32>(block) - walkedIndex + 1;
}
/** Leaves the block behind the current instruction, which retires; execution goes on at `rip`. */
export function leaveTo(rip: u64): i32 {
  const left = instructionsLeft();
  if (left) store<i64>(INSTRUCTIONS, load<i64>(INSTRUCTIONS) - i64(left - 1));
  store<u64>(RIP, rip);
  store<u32>(CURRENT_BLOCK, 0);
  return 1;
}
export function leaveAfter(): i32 {
  return leaveTo(nextAddress());
}
/** Leaves before the instruction that begins at `rec`. */
export function stopAt(rec: u32): void {
  store<u32>(CURRENT_RECORD, rec);
  rewind();
}
/** The end of a block whose successor is looked up anew. */
export function leave(rec: u32): void {
  store<u64>(RIP, wrap(load<u64>(GPR, PSEUDO_RIP) + i64(load<i32>(rec, 8))));
  store<u32>(CURRENT_BLOCK, 0);
}

// ---------------------------------------------------------------- branches

export function canonicalTarget(rip: u64): bool {
  return !is64() || i64(rip) << 16 >> 16 == i64(rip);
}

/** May a near branch go there? Else #GP(0) is left pending. */
export function targetAllowed(target: u64): bool {
  if (target <= load<u64>(FETCH_LIMIT) && canonicalTarget(target)) return true;
  raise(GP, true, 0);
  return false;
}

/** Where a branch record goes; the width of the target is in `base` (0 = 64, 1 = 32, 2 = 16 bits). */
@inline function targetOf(rec: u32): u64 {
  const target = load<u64>(GPR, PSEUDO_RIP) + i64(load<i32>(rec, 8));
  const width: u32 = load<u8>(rec, 4);
  return width == 0 ? target : width == 1 ? target & 0xffffffff : target & 0xffff;
}

/** CALL's check before it pushes. */
export function branchAllowed(rec: u32): bool {
  return targetAllowed(targetOf(rec));
}

/** Takes the branch of a record and chains it to its target where both lie in one page. */
export function branch(rec: u32): void {
  const op: u32 = load<u16>(rec);
  const width: u32 = load<u8>(rec, 4);
  const target = targetOf(rec);
  if (op != END && !targetAllowed(target)) return;
  store<u64>(RIP, target);
  const block = load<u32>(CURRENT_BLOCK);
  const key = load<u32>(MODE) & MODE_KEY;
  // the flags that make a jump's displacement mean the same wherever the page is mapped
  if (block == SCRATCH_BLOCK || !(key & MODE_FULL_FETCH) || width + (key & MODE_SIZE_MASK) != 2) return;
  const from = load<u32>(block, 4);
  const to = from + load<u32>(rec, 8);
  if ((from ^ to) >> 12 || load<u32>(block, 8) != key || !load<u32>((from >> 12) << 2, CODE_PAGES)) return;
  const slot = slotOf(to);
  if (load<u32>(slot) == to && load<u32>(slot, 4) == key) store<u32>(rec, load<u32>(slot, 8), 12);
}

/** LOOP (2), LOOPE (1), LOOPNE (0), JCXZ (3) in `index`; bytes of the counter in `src`. */
export function loopTaken(rec: u32): bool {
  const what: u32 = load<u8>(rec, 5);
  const size: u32 = load<u8>(rec, 3);
  let count: u64;
  if (size == 8) count = get<u64>(RCX);
  else if (size == 4) count = u64(get<u32>(RCX));
  else count = u64(get<u16>(RCX));
  if (what == 3) return count == 0;
  count--;
  const taken = what == 2 || zero() == (what == 1);
  if (size == 8) put<u64>(RCX, count);
  else if (size == 4) {
    put<u32>(RCX, u32(count));
    count &= 0xffffffff;
  } else {
    put<u16>(RCX, u16(count));
    count &= 0xffff;
  }
  return taken && count != 0;
}
