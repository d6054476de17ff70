/** What is done to the records of a block once it is complete. */
import { PSEUDO_ZERO } from '../src/layout';
import { FLAG_USE, FUSED, FUSED_ROW, QUIET } from './generated/block-tables';
import { FIRST_HELPER, JCC0, SAR32, SAR32_I, SAR64, SAR64_I, SHL32, SHL32_I, SHL64, SHL64_I, SHR32, SHR32_I, SHR64, SHR64_I } from './generated/ops';

/**
 * One pass backwards over the records of a finished block, without a change of what they do: shifts by constants, operations whose flags are
 * overwritten before anything can see them, comparisons joined with the jump behind them.
 */
export function improve(first: u32, end: u32): void {
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
