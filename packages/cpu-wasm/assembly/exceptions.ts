/**
 * Raising exceptions. `raise` puts the instruction pointer back to the instruction that executes, leaves the exception pending and returns;
 * the interpreter delivers it at the next boundary. `fault` does the same from inside a helper and does not return: the host unwinds the stack
 * and enters `run` again.
 */
import {
  CURRENT_BLOCK, EVENT_EXCEPTION, EXCEPTION_CODE, EXCEPTION_DR6, EXCEPTION_HAS_CODE, EXCEPTION_KIND, EXCEPTION_VECTOR, INSTRUCTIONS, RIP,
} from '../src/layout';
import { unwind } from './bus';
import { instructionAddress, instructionsLeft } from './position';
import { signal } from './state';
import { commit } from './withheld';

export const KIND_FAULT: u32 = 0;
export const KIND_TRAP: u32 = 1;
export const KIND_SOFTWARE: u32 = 2;
export const KIND_INT3: u32 = 3;
export const KIND_EXTERNAL: u32 = 4;

export const DE: u32 = 0;
export const DB: u32 = 1;
export const BP: u32 = 3;
export const OF: u32 = 4;
export const BR: u32 = 5;
export const UD: u32 = 6;
export const NM: u32 = 7;
export const DF: u32 = 8;
export const TS: u32 = 10;
export const NP: u32 = 11;
export const SS_FAULT: u32 = 12;
export const GP: u32 = 13;
export const PF: u32 = 14;
export const MF: u32 = 16;
export const AC: u32 = 17;
export const XM: u32 = 19;

/** Abandons the block before the current instruction: RIP and the instruction count as if it had not begun. */
export function rewind(): void {
  if (!load<u32>(CURRENT_BLOCK)) return;
  store<u64>(RIP, instructionAddress());
  store<i64>(INSTRUCTIONS, load<i64>(INSTRUCTIONS) - i64(instructionsLeft()));
  store<u32>(CURRENT_BLOCK, 0);
}

export function raise(vector: u32, hasCode: bool, code: u32): void {
  commit();
  rewind();
  store<i32>(EXCEPTION_VECTOR, i32(vector));
  store<u32>(EXCEPTION_HAS_CODE, u32(hasCode));
  store<u32>(EXCEPTION_CODE, code);
  store<u32>(EXCEPTION_KIND, KIND_FAULT);
  store<u64>(EXCEPTION_DR6, 0);
  signal(EVENT_EXCEPTION);
}

export function fault(vector: u32): void {
  raise(vector, false, 0);
  unwind();
  unreachable();
}
export function faultCode(vector: u32, code: u32): void {
  raise(vector, true, code);
  unwind();
  unreachable();
}
/** #GP with the given selector (or other) code. */
export function gp(code: u32): void {
  faultCode(GP, code);
}
export function ud(): void {
  fault(UD);
}
