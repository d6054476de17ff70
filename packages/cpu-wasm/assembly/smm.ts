/**
 * System management mode: the save area at SMBASE + 0xFE00 in its two forms, entry and RSM. Processors with long mode use AMD64's form,
 * others that of the P6. [APM] volume 2, 10.2; [SDM] volume 3, 31.4
 */
import {
  CR0, CR3, CR4, CS, DR, EFER, EVENT_HALT, FEATURE_80000001_EDX, GDTR, GPR, HALTED, IDTR, INTERRUPT_SHADOW, LDTR, NMI_BLOCKED, PDPTE, RIP, SEG_BASE,
  SEG_FLAGS, SEG_LIMIT, SEG_SELECTOR, SMBASE, SMI_COUNT, SMI_PENDING, SMM, TR,
} from '../src/layout';
import { notify } from './bus';
import { ud } from './exceptions';
import { getFlags, setFlags } from './flags';
import { updateBreakpoints } from './instructions/debug-registers';
import { gate, readPhysical, writePhysical } from './physical';
import { leaveTo } from './position';
import {
  CR0_EM, CR0_PE, CR0_PG, CR0_TS, CR4_PAE, DESC_A, DESC_CODE, DESC_G, DESC_P, DESC_RW, DESC_S, EFER_LMA, cr0, cr4, efer, feature, segment, setSegment, signal, unsignal,
  updateEvents, updateMode, updateSegment,
} from './state';
import { flushTlb } from './tlb';
import { begin, commit } from './withheld';

/** Told to the host after SMM went on or off: the machine shows or hides SMRAM. */
export const NOTIFY_SMM: u32 = 5;

/** {@link SMM}: in the mode; an NMI handler was interrupted, so that NMIs stay blocked behind RSM. */
const ACTIVE: u32 = 1;
const INSIDE_NMI: u32 = 2;

/** Revision identifiers: SMBASE can be moved; AMD64's form has bit 6…5 set. */
const REVISION_32: u32 = 0x20000;
const REVISION_64: u32 = 0x20064;
const CAN_MOVE: u32 = 0x20000;

let area: u64 = 0;
@inline function put(offset: u32, n: u32, value: u64): void {
  writePhysical(gate(area + offset), n, value);
}
@inline function get(offset: u32, n: u32): u64 {
  return readPhysical(gate(area + offset), n);
}

/** Derives what the mode switch changed. */
function derive(): void {
  for (let i: u32 = 0; i < 6; i++) updateSegment(i);
  updateMode();
  updateBreakpoints();
  flushTlb(false);
  updateEvents();
}
/** PDPTEs of the page tables in use, if they are in use. */
export function reloadPdptes(): void {
  if (!(cr0() & CR0_PG) || !(cr4() & CR4_PAE) || efer() & EFER_LMA) return;
  const base = load<u64>(CR3) & 0xffffffe0;
  for (let i: u32 = 0; i < 4; i++) store<u64>(i << 3, readPhysical(gate(base + i * 8), 8), PDPTE);
}

// ---------------------------------------------------------------- AMD64's form

/** ES CS SS DS FS GS GDTR LDTR IDTR TR. */
function place64(index: u32): u32 {
  if (index < 6) return 0x7e00 + index * 16;
  return index == GDTR ? 0x7e60 : index == LDTR ? 0x7e70 : index == IDTR ? 0x7e80 : 0x7e90;
}
/** General registers go downwards from RAX at 7FF8, in encoding order. */
@inline function register64(i: u32): u32 {
  return 0x7ff8 - i * 8;
}

function save64(halted: u32): void {
  for (let index: u32 = 0; index < 10; index++) {
    const s = segment(index);
    const at = place64(index);
    put(at, 2, load<u32>(s, SEG_SELECTOR));
    put(at + 2, 2, (load<u32>(s, SEG_FLAGS) >> 8) & 0xf0ff);
    put(at + 4, 4, load<u32>(s, SEG_LIMIT));
    put(at + 8, 8, load<u64>(s, SEG_BASE));
  }
  put(0x7ec9, 1, halted);
  put(0x7ed0, 8, load<u64>(EFER));
  for (let i: u32 = 0; i < 16; i++) put(register64(i), 8, load<u64>(GPR + i * 8));
  put(0x7f78, 8, load<u64>(RIP));
  put(0x7f70, 4, getFlags());
  put(0x7f68, 4, load<u32>(DR + 48));
  put(0x7f60, 4, load<u32>(DR + 56));
  put(0x7f48, 4, load<u32>(CR4));
  put(0x7f50, 8, load<u64>(CR3));
  put(0x7f58, 4, load<u32>(CR0));
  put(0x7efc, 4, REVISION_64);
  put(0x7f00, 4, load<u32>(SMBASE));
}
function restore64(): u32 {
  store<u64>(EFER, get(0x7ed0, 8));
  for (let i: u32 = 0; i < 16; i++) store<u64>(GPR + i * 8, get(register64(i), 8));
  store<u64>(DR + 48, get(0x7f68, 4));
  store<u64>(DR + 56, get(0x7f60, 4));
  store<u64>(CR4, get(0x7f48, 4));
  store<u64>(CR3, get(0x7f50, 8));
  store<u64>(CR0, get(0x7f58, 4));
  setFlags(u32(get(0x7f70, 4)));
  for (let index: u32 = 0; index < 10; index++) {
    const at = place64(index);
    setSegment(index, u32(get(at, 2)), get(at + 8, 8), u32(get(at + 4, 4)), (u32(get(at + 2, 2)) & 0xf0ff) << 8);
  }
  if (u32(get(0x7efc, 4)) & CAN_MOVE) store<u32>(SMBASE, u32(get(0x7f00, 4)));
  store<u64>(RIP, get(0x7f78, 8));
  return u32(get(0x7ec9, 1));
}

// ---------------------------------------------------------------- the P6's form

/** Base, limit and flags of the six segments; flags first. */
function place32(index: u32): u32 {
  return index < 3 ? 0x7f84 + index * 12 : 0x7f2c + (index - 3) * 12;
}
/** General registers go upwards from EAX at 7FD0, in encoding order. */
@inline function register32(i: u32): u32 {
  return 0x7fd0 + i * 4;
}
function putSystem(index: u32, selectorAt: u32, at: u32): void {
  const s = segment(index);
  put(selectorAt, 4, load<u32>(s, SEG_SELECTOR));
  put(at + 8, 4, u64(load<u32>(s, SEG_BASE)));
  put(at + 4, 4, load<u32>(s, SEG_LIMIT));
  put(at, 4, (load<u32>(s, SEG_FLAGS) >> 8) & 0xf0ff);
}
function getSystem(index: u32, selectorAt: u32, at: u32): void {
  setSegment(index, u32(get(selectorAt, 4)) & 0xffff, get(at + 8, 4), u32(get(at + 4, 4)), (u32(get(at, 4)) & 0xf0ff) << 8);
}

function save32(halted: u32): void {
  put(0x7ffc, 4, load<u32>(CR0));
  put(0x7ff8, 4, load<u32>(CR3));
  put(0x7ff4, 4, getFlags());
  put(0x7ff0, 4, load<u32>(RIP));
  for (let i: u32 = 0; i < 8; i++) put(register32(i), 4, load<u32>(GPR + i * 8));
  put(0x7fcc, 4, load<u32>(DR + 48));
  put(0x7fc8, 4, load<u32>(DR + 56));
  putSystem(TR, 0x7fc4, 0x7f5c);
  putSystem(LDTR, 0x7fc0, 0x7f78);
  put(0x7f74, 4, load<u32>(segment(GDTR), SEG_BASE));
  put(0x7f70, 4, load<u32>(segment(GDTR), SEG_LIMIT));
  put(0x7f58, 4, load<u32>(segment(IDTR), SEG_BASE));
  put(0x7f54, 4, load<u32>(segment(IDTR), SEG_LIMIT));
  for (let index: u32 = 0; index < 6; index++) putSystem(index, 0x7fa8 + index * 4, place32(index));
  put(0x7f14, 4, load<u32>(CR4));
  put(0x7f02, 1, halted);
  put(0x7efc, 4, REVISION_32);
  put(0x7ef8, 4, load<u32>(SMBASE));
}
function restore32(): u32 {
  store<u64>(CR0, get(0x7ffc, 4));
  store<u64>(CR3, get(0x7ff8, 4));
  store<u64>(CR4, get(0x7f14, 4));
  for (let i: u32 = 0; i < 8; i++) store<u64>(GPR + i * 8, get(register32(i), 4));
  store<u64>(DR + 48, get(0x7fcc, 4));
  store<u64>(DR + 56, get(0x7fc8, 4));
  setFlags(u32(get(0x7ff4, 4)));
  getSystem(TR, 0x7fc4, 0x7f5c);
  getSystem(LDTR, 0x7fc0, 0x7f78);
  setSegment(GDTR, 0, get(0x7f74, 4), u32(get(0x7f70, 4)), 0);
  setSegment(IDTR, 0, get(0x7f58, 4), u32(get(0x7f54, 4)), 0);
  for (let index: u32 = 0; index < 6; index++) getSystem(index, 0x7fa8 + index * 4, place32(index));
  if (u32(get(0x7efc, 4)) & CAN_MOVE) store<u32>(SMBASE, u32(get(0x7ef8, 4)));
  store<u64>(RIP, get(0x7ff0, 4));
  return u32(get(0x7f02, 1));
}

// ---------------------------------------------------------------- entry, RSM

@inline function longForm(): bool {
  return feature(FEATURE_80000001_EDX, 29);
}

/** Takes a pending SMI, between instructions. */
export function enterSmm(): void {
  const halted = load<u32>(HALTED);
  store<u32>(HALTED, 0);
  unsignal(EVENT_HALT);
  store<u32>(SMI_PENDING, 0);
  store<u32>(SMI_COUNT, load<u32>(SMI_COUNT) + 1);
  store<u32>(SMM, ACTIVE | (load<u32>(NMI_BLOCKED) ? INSIDE_NMI : 0));
  store<u32>(NMI_BLOCKED, 1);
  store<u32>(INTERRUPT_SHADOW, 0);
  notify(NOTIFY_SMM);
  const base = load<u32>(SMBASE);
  area = u64(base) + 0x8000;
  if (longForm()) save64(halted);
  else save32(halted);
  store<u64>(EFER, 0);
  store<u64>(CR0, load<u64>(CR0) & ~u64(CR0_PE | CR0_EM | CR0_TS | CR0_PG));
  store<u64>(CR4, 0);
  store<u64>(DR + 56, 0x400);
  setFlags(2);
  store<u64>(RIP, 0x8000);
  const data = DESC_P | DESC_S | DESC_RW | DESC_A | DESC_G;
  for (let index: u32 = 0; index < 6; index++) setSegment(index, 0, 0, 0xffffffff, data);
  setSegment(CS, (base >> 4) & 0xffff, u64(base), 0xffffffff, data | DESC_CODE);
  derive();
}

export function rsm(rec: u32): i32 {
  const smm = load<u32>(SMM);
  if (!smm) ud();
  begin();
  // the instruction retires before its registers are replaced
  leaveTo(0);
  area = u64(load<u32>(SMBASE)) + 0x8000;
  const halted = longForm() ? restore64() : restore32();
  store<u32>(SMM, 0);
  if (!(smm & INSIDE_NMI)) store<u32>(NMI_BLOCKED, 0);
  if (halted & 1) {
    store<u32>(HALTED, 1);
    signal(EVENT_HALT);
  }
  notify(NOTIFY_SMM);
  reloadPdptes();
  derive();
  commit();
  return 1;
}
