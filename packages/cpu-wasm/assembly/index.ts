/** What the host sees of the module. Values wider than 32 bits go through the state block or as f64. */
import {
  A20_MASK, CODE_PAGES, DELIVERING, DIRTY_DISPLAY, DIRTY_MIGRATION, EVENTS, EVENT_EXCEPTION, EVENT_EXIT, EVENT_HALT, EVENT_PATCHED,
  EXCEPTION_VECTOR, GPR, HALTED, INSTRUCTIONS, INTR_LINE, LAST_DELIVERY, LIMIT, NMI_PENDING, POOL, POOL_NEXT, PSEUDO_ZERO, SMI_PENDING,
} from '../src/layout';
import { breakBlock, dropAll, dropPage } from './code-pages';
import { rewind } from './exceptions';
import { getFlags as flags, setFlags as putFlags } from './flags';
import { interpret } from './generated/interpreter';
import { updateBreakpoints } from './instructions/debug-registers';
import { NO_ADDRESS, PROBE, walk } from './paging';
import { afterCallback, forgetRange, hostOf, markDirty } from './physical';
import { instructionAddress, instructionsLeft } from './position';
import { reloadPdptes } from './smm';
import { signal, unsignal, updateEvents, updateMode, updateSegment, updateStop } from './state';
import { clearTlb, flushTlb, protectPages } from './tlb';
import { look } from './withheld';

export { withhold } from './withheld';

/** Once, after the memory is there. */
export function initialize(): void {
  clearTlb();
  store<u32>(POOL_NEXT, POOL);
  store<i32>(EXCEPTION_VECTOR, -1);
  store<i32>(DELIVERING, -1);
  store<u32>(A20_MASK, 0xffffffff);
  store<i64>(LAST_DELIVERY, -1);
}

/** Runs until `instructions >= limit` or another exit; answers RUN_*. */
export function run(limit: f64): i32 {
  store<i64>(LIMIT, i64(limit));
  updateStop();
  return interpret();
}
/** Goes on after an unwinding. */
export function resume(): i32 {
  return interpret();
}
/** After an error of the host's in a callback: as before the instruction that met it. */
export function abandon(): void {
  rewind();
  signal(EVENT_PATCHED);
}
export function setLimit(limit: f64): void {
  store<i64>(LIMIT, i64(limit));
  updateStop();
  afterCallback();
}
export function requestExit(): void {
  signal(EVENT_EXIT);
  breakBlock();
}
/** Instructions retired; inside a callback without the current one. */
export function retired(): f64 {
  return f64(load<i64>(INSTRUCTIONS) - i64(instructionsLeft()));
}
export function setRetired(count: f64): void {
  store<i64>(INSTRUCTIONS, i64(count));
}
/** RIP of the instruction that executes (or is next) into the low and high half. */
export function ripLow(): u32 { return u32(instructionAddress()); }
export function ripHigh(): u32 { return u32(instructionAddress() >> 32); }

export function setInterrupt(level: bool): void {
  store<u32>(INTR_LINE, u32(level));
  updateEvents();
  afterCallback();
}
export function raiseNmi(): void {
  store<u32>(NMI_PENDING, 1);
  updateEvents();
  afterCallback();
}
export function raiseSmi(): void {
  store<u32>(SMI_PENDING, 1);
  updateEvents();
  afterCallback();
}
export function setA20(on: bool): void {
  const mask: u32 = on ? 0xffffffff : 0xffefffff;
  if (load<u32>(A20_MASK) == mask) return;
  store<u32>(A20_MASK, mask);
  flushTlb(false);
  // code of the running block may now lie elsewhere
  breakBlock();
}
/** After the map in memory has changed. */
export function mapChanged(): void {
  forgetRange();
  flushTlb(false);
  breakBlock();
}
/** After the state block of another processor was put in place. */
export function switched(): void {
  flushTlb(false);
  updateEvents();
}
/** Derives everything derived from the architectural state; TLB and pending events included. */
export function refresh(): void {
  store<u64>(GPR, 0, PSEUDO_ZERO);
  for (let i: u32 = 0; i < 6; i++) updateSegment(i);
  updateMode();
  updateBreakpoints();
  reloadPdptes();
  flushTlb(false);
  const halted = load<u32>(HALTED);
  if (halted) signal(EVENT_HALT);
  else unsignal(EVENT_HALT);
  if (load<i32>(EXCEPTION_VECTOR) >= 0) signal(EVENT_EXCEPTION);
  else unsignal(EVENT_EXCEPTION);
  updateEvents();
}
export function getFlags(): u32 { return flags(); }
export function setFlags(value: u32): void { putFlags(value); }
export function flushAll(): void {
  flushTlb(false);
}
export function dropCode(): void {
  dropAll();
}

// ---------------------------------------------------------------- guest RAM from outside

/** The host is about to write (or has written) these bytes: dirty, and decoded code is dropped. */
export function hostWrote(host: u32, n: u32): void {
  const end = host + n;
  for (let page = host >> 12; page <= (end - 1) >> 12; page++) {
    markDirty(page << 12);
    if (load<u32>(page << 2, CODE_PAGES)) dropPage(page);
  }
}
/** Copies `words` u32 of a dirty bitmap (`client` 0 migration, 1 display) that begin at page `first` to `target` and clears them; arms the pages again. Returns how many bits were set. */
export function takeDirty(client: u32, first: u32, words: u32, target: u32): u32 {
  const bitmap: u32 = client ? DIRTY_DISPLAY : DIRTY_MIGRATION;
  let count: u32 = 0;
  for (let i: u32 = 0; i < words; i++) {
    const at = bitmap + ((first >> 5) + i) * 4;
    const bits = load<u32>(at);
    store<u32>(target + i * 4, bits);
    store<u32>(at, 0);
    count += popcnt<u32>(bits);
  }
  if (count) protectPages(first << 12, (first + words * 32) << 12);
  return count;
}
/** All pages of the block dirty. */
export function setDirty(client: u32, first: u32, pages: u32): void {
  const bitmap: u32 = client ? DIRTY_DISPLAY : DIRTY_MIGRATION;
  for (let i: u32 = first; i < first + pages; i++) {
    const at = bitmap + (i >> 3);
    store<u8>(at, u8(u32(load<u8>(at)) | (<u32>1 << (i & 7))));
  }
}
/** Is every byte of the page this one? */
export function pageIs(host: u32, byte: u32): bool {
  const wanted = v128.splat<u8>(u8(byte));
  for (let i: u32 = 0; i < 4096; i += 64) {
    const a = v128.or(v128.xor(v128.load(host + i), wanted), v128.xor(v128.load(host + i, 16), wanted));
    const b = v128.or(v128.xor(v128.load(host + i, 32), wanted), v128.xor(v128.load(host + i, 48), wanted));
    if (v128.any_true(v128.or(a, b))) return false;
  }
  return true;
}
export function fillPage(host: u32, byte: u32): void {
  if (pageIs(host, byte)) return;
  hostWrote(host, 4096);
  memory.fill(host, u8(byte), 4096);
}

// ---------------------------------------------------------------- for debuggers

export { blockLength } from './blocks';
export { list } from './listing';

/** Host address of a linear address that is present, or 0. Changes nothing. */
export function translate(low: u32, high: u32): u32 {
  const linear = u64(low) | (u64(high) << 32);
  look(true);
  const physical = walk(linear, PROBE, false);
  const host = physical == NO_ADDRESS ? 0 : hostOf(physical);
  look(false);
  return host;
}
