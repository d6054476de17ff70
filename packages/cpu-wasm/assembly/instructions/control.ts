/** Far transfers, interrupts by instruction, BOUND. */
import { BP, BR, DB, KIND_INT3, KIND_SOFTWARE, KIND_TRAP, OF, fault } from '../exceptions';
import { overflow } from '../flags';
import { interrupt } from '../interrupts';
import { loadAt, operandAddress } from '../memory';
import { nextAddress } from '../position';
import { get } from '../state';
import { farCallTo, farJumpTo, farReturnTo, iret } from '../transfers';

export function farJump<T>(rec: u32): i32 {
  return farJumpTo(load<u32>(rec, 12), u64(load<u32>(rec, 8)), sizeof<T>() as u32);
}
export function farCall<T>(rec: u32): i32 {
  return farCallTo(load<u32>(rec, 12), u64(load<u32>(rec, 8)), sizeof<T>() as u32);
}
export function farJumpMemory<T>(rec: u32): i32 {
  const n = sizeof<T>() as u32;
  const offset = u64(loadAt<T>(operandAddress(rec, 0, n, false)));
  const sel = u32(loadAt<u16>(operandAddress(rec, n, 2, false)));
  return farJumpTo(sel, offset, n);
}
export function farCallMemory<T>(rec: u32): i32 {
  const n = sizeof<T>() as u32;
  const offset = u64(loadAt<T>(operandAddress(rec, 0, n, false)));
  const sel = u32(loadAt<u16>(operandAddress(rec, n, 2, false)));
  return farCallTo(sel, offset, n);
}
export function farReturn<T>(rec: u32): i32 {
  return farReturnTo(sizeof<T>() as u32, load<u32>(rec, 12));
}
export function interruptReturn<T>(rec: u32): i32 {
  return iret(sizeof<T>() as u32);
}

export function interruptN(rec: u32): i32 {
  return interrupt(load<u32>(rec, 12) & 0xff, KIND_SOFTWARE, false, 0, nextAddress());
}
export function int3(rec: u32): i32 {
  return interrupt(BP, KIND_INT3, false, 0, nextAddress());
}
export function into(rec: u32): i32 {
  if (!overflow()) return 0;
  return interrupt(OF, KIND_INT3, false, 0, nextAddress());
}
/** INT1 (ICEBP): #DB without the gate's DPL check. */
export function int1(rec: u32): i32 {
  return interrupt(DB, KIND_TRAP, false, 0, nextAddress());
}

export function bound<T>(rec: u32): void {
  const n = sizeof<T>() as u32;
  let value: i64;
  let low: i64;
  let high: i64;
  if (sizeof<T>() == 2) {
    value = i64(get<i16>(load<u8>(rec, 2)));
    low = i64(loadAt<i16>(operandAddress(rec, 0, 2, false)));
    high = i64(loadAt<i16>(operandAddress(rec, 2, 2, false)));
  } else {
    value = i64(get<i32>(load<u8>(rec, 2)));
    low = i64(loadAt<i32>(operandAddress(rec, 0, 4, false)));
    high = i64(loadAt<i32>(operandAddress(rec, 4, 4, false)));
  }
  if (value < low || value > high) fault(BR);
}
