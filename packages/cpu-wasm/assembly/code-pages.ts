/** Which pages hold decoded code, and what happens when they are written: see blocks.ts for the page record. */
import {
  BLOCK_HASH, BLOCK_HASH_ENTRIES, CODE_PAGES, CURRENT_BLOCK, CURRENT_RECORD, EVENT_PATCHED, PATCHED_OP, PATCHED_RECORD, POOL, POOL_NEXT,
  STAT_DROPPED,
} from '../src/layout';
import { BREAK } from './generated/ops';
import { signal } from './state';
import { fill, protectPages } from './tlb';

@inline export function slotOf(host: u32): u32 {
  return BLOCK_HASH + (((host * 0x9e3779b1) >> 17) << 4);
}


/** Bits of a code page's map that `n` bytes at `host` touch. */
@inline function mapBits(host: u32, n: u32): u64 {
  const first = (host & 0xfff) >> 6;
  const last = ((host & 0xfff) + n - 1) >> 6;
  const width = last - first + 1;
  return (width >= 64 ? u64.MAX_VALUE : (<u64>1 << width) - 1) << first;
}

export function register(block: u32, host: u32, bytes: u32): void {
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
