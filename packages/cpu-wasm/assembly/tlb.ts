/**
 * The software TLB: tagged, direct-mapped, read, write and execute apart, one set for the supervisor and one for the user.
 *
 *     entry   0          8        12       16
 *             +----------+--------+--------+     tag: linear page address; all ones = empty
 *             | tag      | addend | flags  |     linear + addend = address in this memory
 *             +----------+--------+--------+
 *
 * An access of n bytes hits if (linear + n - 1) with the page offset cleared equals the tag: the one compare covers presence, permission,
 * RAM and page crossing. A write entry exists only for a page that is dirty for all clients and holds no decoded code.
 */
import {
  STAT_TLB_FILLS, STAT_TLB_FLUSHES, TLB, TLB_ENTRIES, TLB_LARGE, TLB_SET_STRIDE, TLB_USED, TLB_USED_CAPACITY, TLB_USED_COUNT, TLB_WRITE,
} from '../src/layout';

export const ENTRY_LARGE: u32 = 1;
export const ENTRY_GLOBAL: u32 = 2;
/** Not to be kept at all. */
export const ENTRY_ONCE: u32 = 4;

const EMPTY: u64 = u64.MAX_VALUE;

/** All sets empty; also at creation. */
export function clearTlb(): void {
  memory.fill(TLB, 0xff, 3 * TLB_SET_STRIDE);
  store<u32>(TLB_USED_COUNT, 0);
  store<u32>(TLB_LARGE, 0);
}

/** `kind` = TLB_READ, TLB_WRITE or TLB_EXECUTE; `set` = address of a set. */
export function fill(set: u32, kind: u32, linear: u64, host: u32, flags: u32): void {
  const page = linear & ~(<u64>0xfff);
  const e = set + kind + ((u32(linear >> 12) & (TLB_ENTRIES - 1)) << 4);
  if (load<u64>(e) == EMPTY) {
    const count = load<u32>(TLB_USED_COUNT);
    if (count == TLB_USED_CAPACITY) {
      clearTlb();
      fill(set, kind, linear, host, flags);
      return;
    }
    store<u32>(count << 2, e, TLB_USED);
    store<u32>(TLB_USED_COUNT, count + 1);
  }
  if (flags & ENTRY_LARGE) store<u32>(TLB_LARGE, 1);
  store<u64>(e, page);
  store<u32>(e, (host & ~(<u32>0xfff)) - u32(page), 8);
  store<u32>(e, flags, 12);
  store<u64>(STAT_TLB_FILLS, load<u64>(STAT_TLB_FILLS) + 1);
}

/** Forgets all, or all but global entries. */
export function flushTlb(keepGlobal: bool): void {
  store<u64>(STAT_TLB_FLUSHES, load<u64>(STAT_TLB_FLUSHES) + 1);
  const count = load<u32>(TLB_USED_COUNT);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const e = load<u32>(i << 2, TLB_USED);
    if (keepGlobal && load<u32>(e, 12) & ENTRY_GLOBAL && load<u64>(e) != EMPTY) {
      store<u32>(kept << 2, e, TLB_USED);
      kept++;
    } else {
      store<u64>(e, EMPTY);
    }
  }
  store<u32>(TLB_USED_COUNT, kept);
  if (!kept) store<u32>(TLB_LARGE, 0);
}

/** INVLPG: the page, or the whole large page around it. */
export function flushPage(linear: u64): void {
  const page = linear & ~(<u64>0xfff);
  const large = load<u32>(TLB_LARGE) != 0;
  const count = load<u32>(TLB_USED_COUNT);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const e = load<u32>(i << 2, TLB_USED);
    const tag = load<u64>(e);
    if (tag == page || (large && load<u32>(e, 12) & ENTRY_LARGE && (tag ^ page) >> 22 == 0)) {
      store<u64>(e, EMPTY);
    } else {
      store<u32>(kept << 2, e, TLB_USED);
      kept++;
    }
  }
  store<u32>(TLB_USED_COUNT, kept);
}

/**
 * Takes away write entries onto host pages from `first` up to `end` (addresses), so that the next write to each is seen:
 * dirty logging armed, or code decoded there.
 */
export function protectPages(first: u32, end: u32): void {
  const count = load<u32>(TLB_USED_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const e = load<u32>(i << 2, TLB_USED);
    const offset = i32(e - TLB) % TLB_SET_STRIDE;
    if (offset < TLB_WRITE || offset >= 2 * TLB_WRITE || load<u64>(e) == EMPTY) continue;
    const host = u32(load<u64>(e)) + load<u32>(e, 8);
    if (host >= first && host < end) store<u64>(e, EMPTY - 1);
  }
}
