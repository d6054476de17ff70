/**
 * A stack in the making: pushes of far calls and interrupts onto a stack that is not (yet) SS:ESP, with all checks of its segment. Nothing of
 * the CPU's state changes until the caller commits.
 */
import { SEG_BASE, SEG_FLAGS, SEG_LIMIT, SS } from '../src/layout';
import { SS_FAULT, faultCode } from './exceptions';
import { probeWriteAs, stackMask, storeAs } from './memory';
import { descriptorBase, descriptorLimit } from './segments';
import { DESC_B, DESC_CE, RSP, cpl, get, is64, put, segment } from './state';

let base: u64 = 0;
let mask: u64 = 0;
let pointer: u64 = 0;
let limit: u32 = 0;
let flags: u32 = 0;
let user: bool = false;
let code: u32 = 0;

/** The stack in use. */
export function beginFrame(): void {
  const s = segment(SS);
  base = is64() ? 0 : load<u64>(s, SEG_BASE);
  limit = load<u32>(s, SEG_LIMIT);
  flags = load<u32>(s, SEG_FLAGS);
  mask = stackMask();
  pointer = get<u64>(RSP);
  user = cpl() == 3;
  code = 0;
}
/** A stack by its descriptor; `errorCode` is that of a #SS for it. */
export function beginFrameOn(low: u32, high: u32, top: u64, level: u32, errorCode: u32): void {
  base = u64(descriptorBase(low, high));
  limit = descriptorLimit(low, high);
  flags = high;
  mask = high & DESC_B ? 0xffffffff : 0xffff;
  pointer = top;
  user = level == 3;
  code = errorCode;
}
/** A 64-bit stack: flat. */
export function beginFrame64(top: u64, level: u32): void {
  base = 0;
  limit = 0xffffffff;
  flags = 0;
  mask = u64.MAX_VALUE;
  pointer = top;
  user = level == 3;
  code = 0;
}

function check(offset: u64, n: u32): void {
  if (mask == u64.MAX_VALUE) {
    if (i64(offset) << 16 >> 16 != i64(offset)) faultCode(SS_FAULT, code);
    return;
  }
  const last = offset + n - 1;
  const top: u64 = flags & DESC_B ? 0xffffffff : 0xffff;
  if (flags & DESC_CE && !(flags & 0x800) ? offset <= u64(limit) || last > top : last > u64(limit)) faultCode(SS_FAULT, code);
}
@inline function linear(offset: u64): u64 {
  return mask == u64.MAX_VALUE ? offset : (base + offset) & 0xffffffff;
}

/** Fails now if pushing `bytes` would. */
export function reserveFrame(bytes: u32, step: u32): void {
  for (let n = step; n <= bytes; n += step) {
    const offset = (pointer - n) & mask;
    check(offset, step);
    if (n == step || n == bytes || (u32(offset) & 0xfff) > 0x1000 - step) probeWriteAs(linear(offset), step, user);
  }
}
export function framePush<T>(value: T): void {
  const next = (pointer - sizeof<T>()) & mask;
  check(next, sizeof<T>() as u32);
  storeAs<T>(linear(next), value, user);
  pointer = (pointer & ~mask) | next;
}
/** `size` = 2, 4 or 8 bytes. */
export function framePushSized(value: u64, size: u32): void {
  if (size == 2) framePush<u16>(u16(value));
  else if (size == 4) framePush<u32>(u32(value));
  else framePush<u64>(value);
}
/** Makes it the stack: the pointer in its size. */
export function commitFrame(): void {
  if (mask == 0xffff) put<u16>(RSP, u16(pointer));
  else if (mask == 0xffffffff) put<u32>(RSP, u32(pointer));
  else put<u64>(RSP, pointer);
}
export function framePointer(): u64 {
  return pointer;
}
