/**
 * Pages that the host withholds because they have not arrived yet (postcopy). An access to one abandons the instruction as if it had not begun
 * and leaves `run` with RUN_MISSING; when the page is there, `run` does it again. What is more than an instruction, and not the same when done
 * twice (deliveries, task switches, entering SMM), is a transaction: its writes and registers are taken back first.
 */
import {
  CODE_PAGES, CPL, CURRENT_RECORD, EFLAGS, EVENTS, EVENT_MISSING, EVENT_PATCHED, EXCEPTION_VECTOR, FETCH_BASE, GPR, HALTED, INSTRUCTIONS, INTERRUPT_SHADOW, LAST_DELIVERY, MISSING_PAGE, NMI_PENDING,
  PATCHED_RECORD, SHUTDOWN, SMM, STEPPING, STEP_DR6, TLB_SET, WITHHELD, WITHHELD_COUNT,
} from '../src/layout';
import { notify, unwind } from './bus';
import { dropPage } from './code-pages';
import { rewind } from './exceptions';
import { NOTIFY_SMM } from './smm';
import { FLAG_RF, signal, updateEvents } from './state';
import { clearTlb } from './tlb';

/** A debugger looks: it sees what is there. */
let looking: bool = false;
export function look(on: bool): void { looking = on; }

@inline export function anyWithheld(): bool { return load<u32>(WITHHELD_COUNT) != 0; }
function isWithheld(page: u32): bool { return (load<u8>(page >> 3, WITHHELD) & (1 << (page & 7))) != 0; }

/** An access to this memory's address is about to be made. Does not return if the page is not there. */
export function demand(host: u32): void {
  const page = host >> 12;
  if (looking || !isWithheld(page)) return;
  store<u32>(MISSING_PAGE, page + 1);
  if (active) rollBack();
  else {
    // breakpoints that the abandoned instruction has hit will be hit again
    store<u32>(STEPPING, 0);
    store<u32>(STEP_DR6, 0);
  }
  rewind();
  restoreAlone();
  signal(EVENT_MISSING);
  unwind();
  unreachable();
}

/** What the boundary took from the instruction that it lets run alone: given back if that one is abandoned. */
let aloneCount: i64 = -1;
let aloneShadow: u32 = 0;
let aloneResume: u32 = 0;
let aloneBits: u32 = 0;
export function rememberAlone(): void {
  aloneCount = load<i64>(INSTRUCTIONS);
  aloneShadow = load<u32>(INTERRUPT_SHADOW);
  aloneResume = load<u32>(EFLAGS) & FLAG_RF;
  aloneBits = load<u32>(STEP_DR6);
}
function restoreAlone(): void {
  if (aloneCount != load<i64>(INSTRUCTIONS)) return;
  aloneCount = -1;
  store<u32>(INTERRUPT_SHADOW, aloneShadow);
  store<u64>(EFLAGS, load<u64>(EFLAGS) | u64(aloneResume));
  store<u32>(STEP_DR6, aloneBits);
  store<u32>(STEPPING, u32(aloneBits != 0));
  updateEvents();
}

/** From outside: pages of this memory are withheld, or have arrived. */
export function withhold(first: u32, count: u32, on: bool): void {
  let total = load<u32>(WITHHELD_COUNT);
  for (let page = first; page < first + count; page++) {
    const was = isWithheld(page);
    if (was == on) continue;
    if (on && load<u32>(page << 2, CODE_PAGES)) dropPage(page);
    const byte = load<u8>(page >> 3, WITHHELD);
    store<u8>(page >> 3, u8(u32(byte) ^ (1 << (page & 7))), WITHHELD);
    total += on ? 1 : -1;
  }
  store<u32>(WITHHELD_COUNT, total);
  clearTlb();
}

// ---------------------------------------------------------------- transactions

/** Pieces of the state block that come back: [begin, end) each. What the TLB, the pool and the host keep stays. */
const PIECES: u32 = memory.data<u32>([
  GPR, CPL, CPL, TLB_SET + 4, HALTED, HALTED + 4, NMI_PENDING, SHUTDOWN + 4, INSTRUCTIONS, INSTRUCTIONS + 8, EXCEPTION_VECTOR, CURRENT_RECORD + 4,
  FETCH_BASE, LAST_DELIVERY + 8, EVENTS, EVENTS + 4,
]) as u32;
const PIECE_COUNT: u32 = 8;
const COPY: u32 = memory.data(0xc00, 8) as u32;
/** Old bytes of memory that was written: host address u32, length u32, value u64. Long enough for the longest transaction (SMM's save area). */
const LOG: u32 = memory.data(512 * 16, 8) as u32;
const LOG_CAPACITY: u32 = 512;
let logged: u32 = 0;
let active: bool = false;

export function begin(): void {
  if (active || !anyWithheld()) return;
  active = true;
  logged = 0;
  let to = COPY;
  for (let i: u32 = 0; i < PIECE_COUNT; i++) {
    const from = load<u32>(PIECES + i * 8);
    const length = load<u32>(PIECES + i * 8, 4) - from;
    memory.copy(to, from, length);
    to += length;
  }
}
export function commit(): void {
  active = false;
}
/** RAM is about to be written. */
export function remember(host: u32, n: u32): void {
  if (!active || logged == LOG_CAPACITY) return;
  const at = LOG + logged * 16;
  store<u32>(at, host);
  store<u32>(at, n, 4);
  memory.copy(at + 8, host, n);
  logged++;
}
function rollBack(): void {
  active = false;
  while (logged) {
    logged--;
    const at = LOG + logged * 16;
    memory.copy(load<u32>(at), at + 8, load<u32>(at, 4));
  }
  const smm = load<u32>(SMM);
  let from = COPY;
  for (let i: u32 = 0; i < PIECE_COUNT; i++) {
    const to = load<u32>(PIECES + i * 8);
    const length = load<u32>(PIECES + i * 8, 4) - to;
    memory.copy(to, from, length);
    from += length;
  }
  clearTlb();
  if (load<u32>(SMM) != smm) notify(NOTIFY_SMM);
  if (load<u32>(PATCHED_RECORD) || load<u32>(STEPPING)) signal(EVENT_PATCHED);
}
