/** DR0 to DR7. SDM volume 3, chapter 17.2. */
import { BREAKPOINTS, BREAK_CODE, BREAK_DATA, BREAK_IO, DR, EVENTS, EXCEPTION_DR6 } from '../../src/layout';
import { unwind } from '../bus';
import { DB, gp, raise, ud } from '../exceptions';
import { leaveAfter } from '../position';
import { privileged } from '../privilege';
import { flushTlb } from '../tlb';
import { CR4_DE, cr4, get, is64, put, updateEvents } from '../state';

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE. With DR7.GD any access is #DB. */
function debugNumber(rec: u32): u32 {
  let number = load<u32>(rec, 12);
  if (number > 7) ud();
  if (number == 4 || number == 5) {
    if (cr4() & CR4_DE) ud();
    number += 2;
  }
  privileged();
  if (load<u32>(DR + 56) & 0x2000) {
    raise(DB, false, 0);
    store<u64>(EXCEPTION_DR6, 0x2000);
    unwindNow();
  }
  return number;
}
export function debugRead(rec: u32): void {
  const value = load<u64>((debugNumber(rec) << 3), DR);
  if (is64()) put<u64>(load<u8>(rec, 2), value);
  else put<u32>(load<u8>(rec, 2), u32(value));
}
export function debugWrite(rec: u32): i32 {
  const number = debugNumber(rec);
  let value = is64() ? get<u64>(load<u8>(rec, 2)) : u64(get<u32>(load<u8>(rec, 2)));
  if (number >= 6 && value >> 32) gp(0);
  if (number == 6) value = (value & 0xe00f) | 0xffff0ff0;
  if (number == 7) value = (value & ~(<u64>0xd000)) | 0x400;
  store<u64>(number << 3, value, DR);
  updateBreakpoints();
  updateEvents();
  return load<u32>(EVENTS) ? leaveAfter() : 0;
}
/** BREAKPOINTS from DR7: those on instructions make each instruction run alone, those on data keep their pages out of the TLB. */
export function updateBreakpoints(): void {
  const control = load<u32>(DR + 56);
  const before = load<u32>(BREAKPOINTS);
  let armed: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (!((control >> (i * 2)) & 3)) continue;
    const kind = (control >> (16 + i * 4)) & 3;
    armed |= kind == 0 ? BREAK_CODE : kind == 2 ? BREAK_IO : BREAK_DATA;
  }
  store<u32>(BREAKPOINTS, armed);
  if ((before | armed) & BREAK_DATA) flushTlb(false);
}

function unwindNow(): void {
  unwind();
  unreachable();
}
