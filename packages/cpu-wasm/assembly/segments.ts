/**
 * Descriptors and segment registers. SDM volume 3, chapters 3 and 5. Faults do not return.
 */
import { GDTR, LDTR, SEG_BASE, SEG_SELECTOR, SS, TR } from '../src/layout';
import { NP, SS_FAULT, TS, faultCode, gp } from './exceptions';
import { systemLoad, systemStore } from './memory';
import {
  DESC_A, DESC_CE, DESC_CODE, DESC_P, DESC_RW, DESC_S, cpl, is64, longMode, protectedMode, segment, segmentBase, segmentLimit, setSegment,
  updateMode,
} from './state';

/** The descriptor last fetched: its two dwords, its address; of a 16-byte system descriptor the third dword. */
export let low: u32 = 0;
export let high: u32 = 0;
export let high2: u32 = 0;
export let at: u64 = 0;

@inline export function descriptorBase(l: u32, h: u32): u32 {
  return (l >> 16) | ((h & 0xff) << 16) | (h & 0xff000000);
}
export function descriptorLimit(l: u32, h: u32): u32 {
  const limit = (l & 0xffff) | (h & 0xf0000);
  return h & (1 << 23) ? (limit << 12) | 0xfff : limit;
}
@inline export function dplOf(h: u32): u32 { return (h >> 13) & 3; }
@inline export function typeOf(h: u32): u32 { return (h >> 8) & 15; }
@inline export function isNull(selector: u32): bool { return (selector & 0xfffc) == 0; }

/** Reads the descriptor of a selector into low, high, at; false if it lies outside its table. */
export function fetchDescriptor(selector: u32): bool {
  const table: u32 = selector & 4 ? LDTR : GDTR;
  if ((selector | 7) > segmentLimit(table) || (table == LDTR && isNull(load<u32>(segment(LDTR), SEG_SELECTOR)))) return false;
  at = segmentBase(table) + (selector & 0xfff8);
  low = systemLoad<u32>(at);
  high = systemLoad<u32>(at + 4);
  return true;
}
/** The upper half of a 16-byte system descriptor; call after fetchDescriptor. */
export function fetchUpper(selector: u32): bool {
  const table: u32 = selector & 4 ? LDTR : GDTR;
  if ((selector | 7) + 8 > segmentLimit(table)) return false;
  high2 = systemLoad<u32>(at + 8);
  return true;
}

/** Sets the accessed bit of the descriptor last fetched, in memory and in `high`. */
export function markAccessed(): void {
  if (high & DESC_A) return;
  high |= DESC_A;
  systemStore<u8>(at + 5, u8(high >> 8));
}

/** Puts the descriptor last fetched into a segment register. */
export function loadCache(index: u32, selector: u32): void {
  setSegment(index, selector, u64(descriptorBase(low, high)), descriptorLimit(low, high), high);
}
export function loadNull(index: u32, selector: u32): void {
  setSegment(index, selector, 0, 0, 0);
}
/** Real and virtual-8086 mode: base from the selector, limit and rights stay. */
export function loadReal(index: u32, selector: u32): void {
  store<u32>(segment(index), selector, SEG_SELECTOR);
  store<u64>(segment(index), u64(selector) << 4, SEG_BASE);
}
/** Virtual-8086 mode's fixed segment. */
export function loadVm86(index: u32, selector: u32): void {
  setSegment(index, selector, u64(selector) << 4, 0xffff, 0xf300);
}

/** MOV, POP, LDS … to a data segment register. */
export function loadSegment(index: u32, selector: u32): void {
  selector &= 0xffff;
  if (!protectedMode()) {
    loadReal(index, selector);
    updateMode();
    return;
  }
  const level = cpl();
  const rpl = selector & 3;
  if (isNull(selector)) {
    if (index == SS) {
      if (!is64() || level == 3 || rpl != level) gp(0);
      setSegment(SS, selector, 0, 0xffffffff, DESC_P | DESC_S | DESC_RW | DESC_A | (level << 13) | (1 << 22) | (1 << 23));
    } else {
      loadNull(index, selector);
    }
    updateMode();
    return;
  }
  const code = selector & 0xfffc;
  if (!fetchDescriptor(selector) || !(high & DESC_S)) gp(code);
  const dpl = dplOf(high);
  if (index == SS) {
    if (rpl != level || dpl != level || (high & (DESC_CODE | DESC_RW)) != DESC_RW) gp(code);
    if (!(high & DESC_P)) faultCode(SS_FAULT, code);
  } else {
    if ((high & (DESC_CODE | DESC_RW)) == DESC_CODE) gp(code); // execute-only
    if ((high & (DESC_CODE | DESC_CE)) != (DESC_CODE | DESC_CE) && (dpl < level || dpl < rpl)) gp(code);
    if (!(high & DESC_P)) faultCode(NP, code);
  }
  markAccessed();
  loadCache(index, selector);
  updateMode();
}

/** Checks the stack segment of an inner or outer level (`vector` #TS or #GP by who asks; `ext` in the code) and leaves its descriptor in low, high. */
export function checkStackSegment(selector: u32, level: u32, vector: u32, ext: u32): void {
  const code = (selector & 0xfffc) | ext;
  if (isNull(selector)) faultCode(vector, ext);
  if ((selector & 3) != level || !fetchDescriptor(selector)) faultCode(vector, code);
  if ((high & (DESC_S | DESC_CODE | DESC_RW)) != (DESC_S | DESC_RW) || dplOf(high) != level) faultCode(vector, code);
  if (!(high & DESC_P)) faultCode(SS_FAULT, code);
}

/** After a change to an outer level: data segments that it may not use become null. */
export function dropInnerSegment(index: u32, level: u32): void {
  // a null selector stays as it is: FS and GS may have a base by MSR
  if (isNull(load<u32>(segment(index), SEG_SELECTOR))) return;
  const flags = load<u32>(segment(index), 16);
  if (flags & DESC_S && (flags & (DESC_CODE | DESC_CE)) == (DESC_CODE | DESC_CE)) return;
  if (dplOf(flags) < level) loadNull(index, 0);
}

// ---------------------------------------------------------------- LDT and task register

export function loadLdt(selector: u32): void {
  selector &= 0xffff;
  if (isNull(selector)) {
    setSegment(LDTR, selector, 0, 0, 0);
    return;
  }
  const code = selector & 0xfffc;
  if (selector & 4 || !fetchDescriptor(selector) || high & DESC_S || typeOf(high) != 2) gp(code);
  if (longMode() && !fetchUpper(selector)) gp(code);
  if (!(high & DESC_P)) faultCode(NP, code);
  loadSystem(LDTR, selector);
}
export function loadSystem(index: u32, selector: u32): void {
  let base = u64(descriptorBase(low, high));
  if (longMode()) base |= u64(high2) << 32;
  setSegment(index, selector, base, descriptorLimit(low, high), high);
}
export function loadTaskRegister(selector: u32): void {
  selector &= 0xffff;
  const code = selector & 0xfffc;
  if (isNull(selector)) gp(0);
  if (selector & 4 || !fetchDescriptor(selector) || high & DESC_S) gp(code);
  const type = typeOf(high);
  if (type != 9 && (type != 1 || longMode())) gp(code);
  if (longMode() && !fetchUpper(selector)) gp(code);
  if (!(high & DESC_P)) faultCode(NP, code);
  systemStore<u32>(at + 4, high | 0x200); // busy in memory; the cached type stays "available", as QEMU sends it and insists on it
  loadSystem(TR, selector);
}

/** SS:ESP for an inner level from the TSS; into tssStack, tssSelector. `ext` in the code of #TS. */
export let tssStack: u64 = 0;
export let tssSelector: u32 = 0;
export function stackFromTss(level: u32, ext: u32): void {
  const base = segmentBase(TR);
  const limit = segmentLimit(TR);
  const flags = load<u32>(segment(TR), 16);
  const code = (load<u32>(segment(TR), SEG_SELECTOR) & 0xfffc) | ext;
  if (flags & 0x800) {
    const offset: u32 = 4 + level * 8;
    if (offset + 5 > limit) faultCode(TS, code);
    tssStack = u64(systemLoad<u32>(base + offset));
    tssSelector = u32(systemLoad<u16>(base + offset + 4));
  } else {
    const offset: u32 = 2 + level * 4;
    if (offset + 3 > limit) faultCode(TS, code);
    tssStack = u64(systemLoad<u16>(base + offset));
    tssSelector = u32(systemLoad<u16>(base + offset + 2));
  }
}
/** RSPn (1…3 = levels 0…2) or ISTn (index 4 + n) of a 64-bit TSS, at 4 + 8 × index. */
export function stackFromTss64(offset: u32, ext: u32): u64 {
  if (offset + 7 > segmentLimit(TR)) faultCode(TS, (load<u32>(segment(TR), SEG_SELECTOR) & 0xfffc) | ext);
  return systemLoad<u64>(segmentBase(TR) + offset);
}
