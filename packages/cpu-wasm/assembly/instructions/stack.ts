/** Stack frames and the pushes and pops that are more than one. */
import { INTERRUPT_SHADOW, MODE, SS } from '../../src/layout';
import { loadAt, moveStack, operandAddress, popAt, probeWrite, pushAt, stackAt, stackMask, storeAt } from '../memory';
import { leaveAfter } from '../position';
import { loadSegment } from '../segments';
import { RAX, RBP, RSP, get, put, selector, updateEvents } from '../state';

export function popMemory<T>(rec: u32): void {
  const value = popAt<T>(0);
  // an address based on the stack pointer is formed with the pointer already moved
  const moved: u32 = load<u8>(rec, 4) == u8(RSP) ? sizeof<T>() as u32 : 0;
  storeAt<T>(operandAddress(rec, moved, sizeof<T>() as u32, true), value);
  moveStack(sizeof<T>() as i32);
}

export function enter<T>(rec: u32): void {
  const size = sizeof<T>() as i32;
  const bytes = i32(load<u16>(rec, 12));
  const level = i32(load<u32>(rec, 8) & 31);
  const mask = stackMask();
  pushAt<T>(-size, get<T>(RBP));
  let offset = -size;
  const frame = (get<u64>(RSP) + i64(offset)) & mask;
  if (level > 0) {
    for (let i = 1; i < level; i++) {
      // previous frame pointers lie below BP
      const pointer = (get<u64>(RBP) - i64(i * size)) & mask;
      const value = loadAt<T>(stackAt(pointer, size, 0));
      offset -= size;
      pushAt<T>(offset, value);
    }
    offset -= size;
    pushAt<T>(offset, frame as T);
  }
  // the new top must be writable, too
  probeWrite(stackAt((get<u64>(RSP) + i64(offset - bytes)) & mask, size, 1), size);
  moveStack(offset - bytes);
  put<T>(RBP, frame as T);
}
/** LEAVE: SP from BP, then pop BP; nothing changes if the pop faults. */
export function leaveFrame<T>(rec: u32): void {
  const mask = stackMask();
  const old = get<u64>(RSP);
  const pointer = (old & ~mask) | (get<u64>(RBP) & mask);
  const value = loadAt<T>(stackAt(pointer & mask, sizeof<T>() as u32, 0));
  if (mask == 0xffffffff) put<u32>(RSP, u32(pointer));
  else put<u64>(RSP, pointer);
  moveStack(sizeof<T>() as i32);
  put<T>(RBP, value);
}

export function pusha<T>(rec: u32): void {
  const size = sizeof<T>() as i32;
  for (let i = 0; i < 8; i++) pushAt<T>(-size * (i + 1), get<T>(i * 8));
  moveStack(-8 * size);
}
export function popa<T>(rec: u32): void {
  const size = sizeof<T>() as i32;
  const last = popAt<T>(7 * size);
  for (let i = 0; i < 7; i++) {
    // EDI ESI EBP (ESP dropped) EBX EDX ECX, and EAX read first for its fault
    const value = popAt<T>(i * size);
    store<T>(i * 8, value, POPPED);
  }
  for (let i = 0; i < 7; i++) if (i != 3) put<T>((7 - i) * 8, load<T>(i * 8, POPPED));
  put<T>(RAX, last);
  moveStack(8 * size);
}
const POPPED: u32 = memory.data(64) as u32;

export function pushSegment<T>(rec: u32): void {
  const size = sizeof<T>() as i32;
  pushAt<T>(-size, selector(load<u32>(rec, 12)) as T);
  moveStack(-size);
}
export function popSegment<T>(rec: u32): i32 {
  const index = load<u32>(rec, 12);
  const before = load<u32>(MODE);
  const value = u32(popAt<u16>(0));
  const old = get<u64>(RSP);
  const mask = stackMask();
  loadSegment(index, value);
  // the pointer moves in the size of the stack it was popped from
  if (mask == 0xffff) put<u16>(RSP, u16(old + sizeof<T>()));
  else if (mask == 0xffffffff) put<u32>(RSP, u32(old + sizeof<T>()));
  else put<u64>(RSP, old + sizeof<T>());
  if (index == SS) {
    store<u32>(INTERRUPT_SHADOW, 2);
    updateEvents();
    return leaveAfter();
  }
  return load<u32>(MODE) != before ? leaveAfter() : 0;
}
