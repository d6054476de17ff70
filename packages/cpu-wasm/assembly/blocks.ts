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
  CODE_PAGES, CURRENT_BLOCK, EVENT_LIMIT, FETCH_BASE, FETCH_LIMIT, FETCH_MASK, GPR, INSTRUCTIONS, LIMIT, MODE, MODE_KEY, OBSERVED, OBSERVE_DECODING, POOL_END, POOL_NEXT,
  PSEUDO_RIP, RIP, SCRATCH_BLOCK, SCRATCH_BYTES, STAT_BLOCKS, STAT_DECODED, STOP, TLB_ENTRIES, TLB_EXECUTE, TLB_SET,
} from '../src/layout';
import { improve } from './block-pass';
import { canonicalTarget } from './branches';
import { decoded } from './bus';
import { dropAll, register, slotOf } from './code-pages';
import { DECODED_STOP, DECODED_TRUNCATED, decode, decodedLength, decodedNext, emitEnd } from './decoder';
import { GP, raise } from './exceptions';
import { EXECUTE, KERNEL_SET, NO_ADDRESS, PROBE, lastWalkFlags, walk } from './paging';
import { hostOf, readPhysical } from './physical';
import { signal } from './state';
import { fill } from './tlb';

export const BLOCK_HEADER: u32 = 32;
const MAX_INSTRUCTIONS: u32 = 64;
/** Room for the largest block: 64 instructions of at most 6 records, and the end. */
const MAX_BLOCK: u32 = 32 + 64 * 6 * 16 + 64;


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
  if (load<u32>(OBSERVED) & OBSERVE_DECODING) decoded(host, cursor - host, false);
  return block;
}

/** Instructions that go together from RIP on, as far as that can be seen without changing anything: for observers. */
export function blockLength(): u32 {
  const linear = (load<u64>(RIP) + load<u64>(FETCH_BASE)) & load<u64>(FETCH_MASK);
  const physical = walk(linear, PROBE, false);
  const host = physical == NO_ADDRESS ? 0 : hostOf(physical);
  const block = host ? find(host, load<u32>(MODE) & MODE_KEY) : 0;
  return block ? load<u32>(block) : 1;
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
  if (load<u32>(OBSERVED) & OBSERVE_DECODING) decoded(SCRATCH_BYTES, decodedLength(), true);
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
