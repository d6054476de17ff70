/** Invalid opcodes, WAIT, system management. */
import { DS, EVENT_HALT, HALTED } from '../../src/layout';
import { bt, btc, btr, bts } from '../alu';
import { GP, NM, fault, faultCode, ud } from '../exceptions';
import { signExtend } from '../flags';
import { address, loadAt, offsetOf, probeWrite, segmentOf, storeAt } from '../memory';
import { leaveAfter } from '../position';
import { CR0_MP, CR0_TS, RAX, RCX, cpl, cr0, get, is64, signal } from '../state';
import { checkPending } from '../x87/escape';

export function invalid(rec: u32): void {
  ud();
}
/** More than 15 bytes. */
export function tooLong(rec: u32): void {
  faultCode(GP, 0);
}
export function wait(rec: u32): void {
  if ((cr0() & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) fault(NM);
  checkPending();
}
/** MONITOR: checks its operands and forgets them; MWAIT then waits like HLT. Both only for the supervisor. */
export function monitor(rec: u32): void {
  if (cpl()) ud();
  if (get<u32>(RCX)) faultCode(GP, 0);
  const mask: u64 = is64() ? u64.MAX_VALUE : 0xffffffff;
  loadAt<u8>(address(DS, get<u64>(RAX) & mask, 1, false));
}
/** Of its extensions only "interrupts break it though masked" (ECX bit 0) is known, and not wanted by anybody. */
export function mwait(rec: u32): i32 {
  if (cpl()) ud();
  if (get<u32>(RCX) & ~1) faultCode(GP, 0);
  const result = leaveAfter();
  store<u32>(HALTED, 1);
  signal(EVENT_HALT);
  return result;
}

/** BT, BTS, BTR, BTC with memory and a register: the bit number is signed and reaches beyond the operand. */
export function bitString<T>(rec: u32): void {
  const n = sizeof<T>() as u32;
  const number = signExtend<T>(get<T>(load<u8>(rec, 3)));
  const what = load<u32>(rec, 12);
  // whole operands away from the address, rounded down
  const shift: i64 = sizeof<T>() == 2 ? 4 : sizeof<T>() == 4 ? 5 : 6;
  const width: u32 = load<u8>(rec, 6) >> 6;
  const mask: u64 = width == 0 ? u64.MAX_VALUE : width == 1 ? 0xffffffff : 0xffff;
  const flat = ((load<u8>(rec, 6) >> 2) & 15) == 0;
  const offset = (offsetOf(rec) + u64((number >> shift) * n)) & (flat ? 0xffffffff : mask);
  const linear = flat ? offset : address(segmentOf(rec), offset, n, what != 0);
  const bit = u32(number) & (n * 8 - 1);
  if (what == 0) {
    bt<T>(loadAt<T>(linear), bit);
    return;
  }
  probeWrite(linear, n);
  const value = loadAt<T>(linear);
  storeAt<T>(linear, what == 1 ? bts<T>(value, bit) : what == 2 ? btr<T>(value, bit) : btc<T>(value, bit));
}
