/** Where execution is inside a block: instruction pointer and count from the record that executes, and ways to leave. */
import { CURRENT_BLOCK, CURRENT_RECORD, GPR, INSTRUCTIONS, PSEUDO_RIP, RIP } from '../src/layout';
import { BLOCK_HEADER } from './blocks';
import { rewind } from './exceptions';
import { is64 } from './state';

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
