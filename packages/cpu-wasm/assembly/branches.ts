/** Near branches: checks, and the chaining of blocks inside a page. */
import {
  CODE_PAGES, CURRENT_BLOCK, FETCH_LIMIT, GPR, MODE, MODE_FULL_FETCH, MODE_KEY, MODE_SIZE_MASK, PSEUDO_RIP, RIP, SCRATCH_BLOCK,
} from '../src/layout';
import { slotOf } from './code-pages';
import { GP, raise } from './exceptions';
import { zero } from './flags';
import { END } from './generated/ops';
import { RCX, get, is64, put } from './state';

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
