/**
 * Task switching, 16- and 32-bit TSS. SDM volume 3, chapter 8.
 *
 *     32-bit TSS  00 link  04 ESP0 08 SS0 0C ESP1 10 SS1 14 ESP2 18 SS2  1C CR3  20 EIP  24 EFLAGS  28 EAX … 44 EDI  48 ES CS SS DS FS GS 5C  60 LDT  64 T, I/O map
 *     16-bit TSS  00 link  02 SP0 04 SS0 06 SP1 08 SS1 0A SP2 0C SS2  0E IP  10 FLAGS  12 AX … 20 DI  22 ES CS SS DS 28  2A LDT
 */
import { CR0, CR3, CS, DS, ES, EVENT_STEP, FS, GDTR, GPR, GS, LDTR, SS, STEPPING, STEP_DR6, TR } from '../src/layout';
import { NP, SS_FAULT, TS, faultCode, gp } from './exceptions';
import { getFlags, setFlags } from './flags';
import { beginFrame, commitFrame, framePushSized } from './frames';
import { systemLoad, systemStore } from './memory';
import { leaveTo } from './position';
import {
  at, descriptorBase, descriptorLimit, dplOf, fetchDescriptor, high, isNull, loadCache, loadNull, loadVm86, low, markAccessed, typeOf,
} from './segments';
import {
  CR0_PG, CR0_TS, CR4_PAE, DESC_CE, DESC_CODE, DESC_P, DESC_RW, DESC_S, FLAG_NT, FLAG_VM, cr0, cr4, put, segmentBase, segmentFlags, segmentLimit,
  selector, setSegment, signal, updateEvents, updateMode,
} from './state';
import { flushTlb } from './tlb';
import { begin, commit } from './withheld';

export const TASK_JUMP: u32 = 0;
export const TASK_CALL: u32 = 1;
export const TASK_IRET: u32 = 2;
export const TASK_INTERRUPT: u32 = 3;

/**
 * Switches to the task whose TSS descriptor was fetched last (selector `sel`). `ext`: EXT bit for error codes; `back`: EIP to save;
 * an error code is pushed on the new stack if `hasCode`.
 */
export function taskSwitch(sel: u32, how: u32, ext: u32, back: u64, hasCode: bool, errorCode: u32): i32 {
  begin();
  const result = exchange(sel, how, ext, back, hasCode, errorCode);
  commit();
  return result;
}
function exchange(sel: u32, how: u32, ext: u32, back: u64, hasCode: bool, errorCode: u32): i32 {
  const code = (sel & 0xfffc) | ext;
  const type = typeOf(high);
  const wide = (type & 8) != 0;
  // busy for IRET, available for the others
  if (how == TASK_IRET ? (type & 2) == 0 : (type & 2) != 0) {
    if (how == TASK_IRET) faultCode(TS, code);
    gp(code);
  }
  const newAt = at;
  const newLow = low;
  const newHigh = high;
  const newBase = u64(descriptorBase(low, high));
  const newLimit = descriptorLimit(low, high);
  const least: u32 = wide ? 103 : 43;
  if (newLimit < least) faultCode(TS, code);

  // read the new task
  let newCr3: u32 = 0;
  let newEip: u32;
  let newFlags: u32;
  let newLdt: u32;
  let trap = false;
  const registers: u32 = TASK_REGISTERS;
  const segments: u32 = TASK_SEGMENTS;
  if (wide) {
    newCr3 = systemLoad<u32>(newBase + 0x1c);
    newEip = systemLoad<u32>(newBase + 0x20);
    newFlags = systemLoad<u32>(newBase + 0x24);
    for (let i: u32 = 0; i < 8; i++) store<u32>(registers + i * 4, systemLoad<u32>(newBase + 0x28 + i * 4));
    for (let i: u32 = 0; i < 6; i++) store<u32>(segments + i * 4, systemLoad<u16>(newBase + 0x48 + i * 4));
    newLdt = systemLoad<u16>(newBase + 0x60);
    trap = (systemLoad<u16>(newBase + 0x64) & 1) != 0;
  } else {
    newEip = systemLoad<u16>(newBase + 0x0e);
    newFlags = systemLoad<u16>(newBase + 0x10);
    for (let i: u32 = 0; i < 8; i++) store<u32>(registers + i * 4, 0xffff0000 | u32(systemLoad<u16>(newBase + 0x12 + i * 2)));
    for (let i: u32 = 0; i < 4; i++) store<u32>(segments + i * 4, systemLoad<u16>(newBase + 0x22 + i * 2));
    store<u32>(segments + 16, 0);
    store<u32>(segments + 20, 0);
    newLdt = systemLoad<u16>(newBase + 0x2a);
  }

  // save the old task
  const oldSelector = selector(TR);
  const oldBase = segmentBase(TR);
  const oldWide = (segmentFlags(TR) & 0x800) != 0;
  let flags = getFlags();
  if (how == TASK_IRET) flags &= ~FLAG_NT;
  if (oldWide) {
    systemStore<u32>(oldBase + 0x20, u32(back));
    systemStore<u32>(oldBase + 0x24, flags);
    for (let i: u32 = 0; i < 8; i++) systemStore<u32>(oldBase + 0x28 + i * 4, load<u32>(GPR + i * 8));
    for (let i: u32 = 0; i < 6; i++) systemStore<u16>(oldBase + 0x48 + i * 4, u16(selector(i)));
  } else {
    systemStore<u16>(oldBase + 0x0e, u16(back));
    systemStore<u16>(oldBase + 0x10, u16(flags));
    for (let i: u32 = 0; i < 8; i++) systemStore<u16>(oldBase + 0x12 + i * 2, load<u16>(GPR + i * 8));
    for (let i: u32 = 0; i < 4; i++) systemStore<u16>(oldBase + 0x22 + i * 2, u16(selector(i)));
  }

  // busy bits and link
  if (how == TASK_JUMP || how == TASK_IRET) {
    const entry = segmentBase(GDTR) + (oldSelector & 0xfff8) + 4;
    systemStore<u32>(entry, systemLoad<u32>(entry) & ~0x200);
  }
  if (how == TASK_CALL || how == TASK_INTERRUPT) {
    systemStore<u16>(newBase, u16(oldSelector));
    newFlags |= FLAG_NT;
  }
  if (how != TASK_IRET) systemStore<u32>(newAt + 4, newHigh | 0x200);

  // the switch: from here on faults happen in the new task
  leaveTo(u64(newEip));
  // cached as available, see loadTaskRegister
  setSegment(TR, sel, newBase, newLimit, newHigh & ~0x200);
  store<u64>(CR0, load<u64>(CR0) | CR0_TS);
  if (wide && cr0() & CR0_PG && !(cr4() & CR4_PAE)) {
    store<u64>(CR3, u64(newCr3));
    flushTlb(true);
  }
  for (let i: u32 = 0; i < 8; i++) {
    const value = load<u32>(registers + i * 4);
    if (wide) put<u32>(i * 8, value);
    else put<u16>(i * 8, u16(value));
  }
  if (!wide) newFlags = (getFlags() & 0xffff0000 & ~FLAG_VM) | (newFlags & 0xffff);
  setFlags(newFlags & 0x003f7fd7);
  setSegment(LDTR, newLdt, 0, 0, 0);
  // selectors first, unusable until loaded
  if (newFlags & FLAG_VM) {
    for (let i: u32 = 0; i < 6; i++) loadVm86(i, load<u32>(segments + i * 4));
    updateMode();
  } else {
    const level = load<u32>(segments + CS * 4) & 3;
    for (let i: u32 = 0; i < 6; i++) setSegment(i, load<u32>(segments + i * 4), 0, 0, i == SS ? level << 13 : 0);
    updateMode();
  }
  // LDT
  const ldtCode = (newLdt & 0xfffc) | ext;
  if (newLdt & 4) faultCode(TS, ldtCode);
  if (!isNull(newLdt)) {
    if (!fetchDescriptor(newLdt) || high & DESC_S || typeOf(high) != 2 || !(high & DESC_P)) faultCode(TS, ldtCode);
    loadCache(LDTR, newLdt);
  }
  if (!(newFlags & FLAG_VM)) {
    const cs = load<u32>(segments + CS * 4);
    const level = cs & 3;
    loadTaskCode(cs, ext);
    loadTaskStack(load<u32>(segments + SS * 4), level, ext);
    updateMode();
    loadTaskData(ES, load<u32>(segments + ES * 4), level, ext);
    loadTaskData(DS, load<u32>(segments + DS * 4), level, ext);
    loadTaskData(FS, load<u32>(segments + FS * 4), level, ext);
    loadTaskData(GS, load<u32>(segments + GS * 4), level, ext);
    updateMode();
  }
  if (u64(newEip) > u64(segmentLimit(CS))) gp(0);
  if (hasCode) {
    beginFrame();
    framePushSized(u64(errorCode), wide ? 4 : 2);
    commitFrame();
  }
  updateEvents();
  if (trap) {
    store<u32>(STEPPING, 1);
    store<u32>(STEP_DR6, 0x8000);
    signal(EVENT_STEP);
  }
  return 1;
}

const TASK_REGISTERS: u32 = memory.data(32) as u32;
const TASK_SEGMENTS: u32 = memory.data(24) as u32;

function loadTaskCode(sel: u32, ext: u32): void {
  const code = (sel & 0xfffc) | ext;
  if (isNull(sel) || !fetchDescriptor(sel)) faultCode(TS, code);
  if ((high & (DESC_S | DESC_CODE)) != (DESC_S | DESC_CODE)) faultCode(TS, code);
  if (high & DESC_CE ? dplOf(high) > (sel & 3) : dplOf(high) != (sel & 3)) faultCode(TS, code);
  if (!(high & DESC_P)) faultCode(NP, code);
  markAccessed();
  loadCache(CS, sel);
}
function loadTaskStack(sel: u32, level: u32, ext: u32): void {
  const code = (sel & 0xfffc) | ext;
  if (isNull(sel) || !fetchDescriptor(sel)) faultCode(TS, code);
  if ((high & (DESC_S | DESC_CODE | DESC_RW)) != (DESC_S | DESC_RW)) faultCode(TS, code);
  if (dplOf(high) != level || (sel & 3) != level) faultCode(TS, code);
  if (!(high & DESC_P)) faultCode(SS_FAULT, code);
  markAccessed();
  loadCache(SS, sel);
}
function loadTaskData(index: u32, sel: u32, level: u32, ext: u32): void {
  if (isNull(sel)) {
    loadNull(index, sel);
    return;
  }
  const code = (sel & 0xfffc) | ext;
  if (!fetchDescriptor(sel) || !(high & DESC_S) || (high & (DESC_CODE | DESC_RW)) == DESC_CODE) faultCode(TS, code);
  if ((high & (DESC_CODE | DESC_CE)) != (DESC_CODE | DESC_CE) && (dplOf(high) < level || dplOf(high) < (sel & 3))) faultCode(TS, code);
  if (!(high & DESC_P)) faultCode(NP, code);
  markAccessed();
  loadCache(index, sel);
}
