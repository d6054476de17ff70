/**
 * Far jumps, calls and returns, and IRET: real, virtual-8086, protected and long mode. SDM volume 1, chapter 6; volume 2, CALL, JMP, RET, IRET.
 */
import { CS, DS, ES, FS, GS, NMI_BLOCKED, SEG_SELECTOR, SS, TR } from '../src/layout';
import { NP, SS_FAULT, TS, faultCode, gp } from './exceptions';
import { getFlags, setFlags } from './flags';
import { beginFrame, beginFrame64, beginFrameOn, commitFrame, framePushSized, reserveFrame } from './frames';
import { loadAt, moveStack, popAt, stackMask, systemLoad } from './memory';
import { leaveTo, nextAddress } from './position';
import {
  checkStackSegment, descriptorLimit, dplOf, dropInnerSegment, fetchDescriptor, fetchUpper, high, high2, isNull, loadCache, loadVm86, low,
  markAccessed, stackFromTss, stackFromTss64, tssSelector, tssStack, typeOf,
} from './segments';
import {
  CR4_VME, DESC_A, DESC_B, DESC_CE, DESC_CODE, DESC_G, DESC_L, DESC_P, DESC_RW, DESC_S, FLAGS_LAZY, FLAG_AC, FLAG_DF, FLAG_ID, FLAG_IF, FLAG_IOPL,
  FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VIF, FLAG_VIP, FLAG_VM, RSP, cpl, cr4, eflags, get, iopl, is64, longMode, protectedMode, put, segment,
  segmentBase, segmentLimit, selector, setSegment, updateEvents, updateMode, vm86,
} from './state';
import { TASK_CALL, TASK_IRET, TASK_JUMP, taskSwitch } from './tasks';

const ADDRESS_MASK: u64 = 0xffffffff;

/** CS in real and virtual-8086 mode: base from the selector, limit and rights stay. */
function loadCodeReal(sel: u32): void {
  store<u32>(segment(CS), sel, SEG_SELECTOR);
  store<u64>(segment(CS), u64(sel) << 4, 8);
}

/** Checks a code segment descriptor (in low, high) as the target of a direct far jump or call. */
function checkCode(sel: u32, level: u32): void {
  const code = sel & 0xfffc;
  if (!(high & DESC_CODE)) gp(code);
  if (high & DESC_CE) {
    if (dplOf(high) > level) gp(code);
  } else if ((sel & 3) > level || dplOf(high) != level) gp(code);
  if (longMode() && high & DESC_L && high & DESC_B) gp(code);
  if (!(high & DESC_P)) faultCode(NP, code);
}
/** Is `rip` inside the code segment in low, high? #GP(0) if not. */
function checkTarget(rip: u64): void {
  if (longMode() && high & DESC_L) {
    if (i64(rip) << 16 >> 16 != i64(rip)) gp(0);
  } else if (rip > u64(descriptorLimit(low, high))) gp(0);
}
function loadCode(sel: u32, level: u32): void {
  markAccessed();
  loadCache(CS, (sel & 0xfffc) | level);
}

// ---------------------------------------------------------------- JMP, CALL

export function farJumpTo(sel: u32, offset: u64, size: u32): i32 {
  sel &= 0xffff;
  if (!protectedMode()) {
    if (offset > u64(segmentLimit(CS))) gp(0);
    loadCodeReal(sel);
    updateMode();
    return leaveTo(offset);
  }
  if (isNull(sel)) gp(0);
  const level = cpl();
  const code = sel & 0xfffc;
  if (!fetchDescriptor(sel)) gp(code);
  if (high & DESC_S) {
    checkCode(sel, level);
    checkTarget(offset);
    loadCode(sel, level);
    updateMode();
    return leaveTo(offset);
  }
  const type = typeOf(high);
  if (dplOf(high) < level || dplOf(high) < (sel & 3)) gp(code);
  if (!longMode() && (type == 1 || type == 9)) {
    if (!(high & DESC_P)) faultCode(NP, code);
    return taskSwitch(sel, TASK_JUMP, 0, nextAddress(), false, 0);
  }
  if (!longMode() && type == 5) {
    if (!(high & DESC_P)) faultCode(NP, code);
    const task = low >> 16;
    taskGateTarget(task, 0);
    return taskSwitch(task, TASK_JUMP, 0, nextAddress(), false, 0);
  }
  if (type == 12 || (type == 4 && !longMode())) {
    gateTarget(sel, type);
    const target = gateSelector;
    if (high & DESC_CE ? dplOf(high) > level : dplOf(high) != level) gp(target & 0xfffc);
    if (!(high & DESC_P)) faultCode(NP, target & 0xfffc);
    checkTarget(gateOffset);
    loadCode(target, level);
    updateMode();
    return leaveTo(gateOffset);
  }
  gp(code);
  return 1;
}

/** Checks the TSS selector in a task gate and leaves its descriptor in low, high. */
export function taskGateTarget(task: u32, ext: u32): void {
  const code = (task & 0xfffc) | ext;
  if (task & 4 || !fetchDescriptor(task)) gp(code);
  if (high & DESC_S || (typeOf(high) != 1 && typeOf(high) != 9)) gp(code);
  if (!(high & DESC_P)) faultCode(NP, code);
}

let gateSelector: u32 = 0;
let gateOffset: u64 = 0;
let gateCount: u32 = 0;
/** Reads a call gate (its descriptor is in low, high) and fetches the code descriptor behind it. */
function gateTarget(sel: u32, type: u32): void {
  const code = sel & 0xfffc;
  if (!(high & DESC_P)) faultCode(NP, code);
  gateSelector = low >> 16;
  gateCount = high & 31;
  gateOffset = type == 4 ? u64(low & 0xffff) : u64((low & 0xffff) | (high & 0xffff0000));
  if (longMode()) {
    if (!fetchUpper(sel)) gp(code);
    gateOffset |= u64(high2) << 32;
  }
  if (isNull(gateSelector)) gp(0);
  if (!fetchDescriptor(gateSelector) || (high & (DESC_S | DESC_CODE)) != (DESC_S | DESC_CODE)) gp(gateSelector & 0xfffc);
  if (longMode() && (!(high & DESC_L) || high & DESC_B)) gp(gateSelector & 0xfffc);
}

export function farCallTo(sel: u32, offset: u64, size: u32): i32 {
  sel &= 0xffff;
  const back = nextAddress();
  const from = u64(selector(CS));
  if (!protectedMode()) {
    if (offset > u64(segmentLimit(CS))) gp(0);
    beginFrame();
    reserveFrame(2 * size, size);
    framePushSized(from, size);
    framePushSized(back, size);
    const result = leaveTo(offset);
    commitFrame();
    loadCodeReal(sel);
    updateMode();
    return result;
  }
  if (isNull(sel)) gp(0);
  const level = cpl();
  const code = sel & 0xfffc;
  if (!fetchDescriptor(sel)) gp(code);
  if (high & DESC_S) {
    checkCode(sel, level);
    const l = low;
    const h = high;
    checkTarget(offset);
    beginFrame();
    reserveFrame(2 * size, size);
    framePushSized(from, size);
    framePushSized(back, size);
    if (!fetchDescriptor(sel)) gp(code);
    loadCode(sel, level);
    commitFrame();
    const result = leaveTo(offset);
    updateMode();
    return result;
  }
  const type = typeOf(high);
  if (dplOf(high) < level || dplOf(high) < (sel & 3)) gp(code);
  if (!longMode() && (type == 1 || type == 9)) {
    if (!(high & DESC_P)) faultCode(NP, code);
    return taskSwitch(sel, TASK_CALL, 0, back, false, 0);
  }
  if (!longMode() && type == 5) {
    if (!(high & DESC_P)) faultCode(NP, code);
    const task = low >> 16;
    taskGateTarget(task, 0);
    return taskSwitch(task, TASK_CALL, 0, back, false, 0);
  }
  if (type != 12 && (type != 4 || longMode())) gp(code);
  gateTarget(sel, type);
  const target = gateSelector;
  const targetCode = target & 0xfffc;
  const dpl = dplOf(high);
  if (dpl > level) gp(targetCode);
  if (!(high & DESC_P)) faultCode(NP, targetCode);
  const wide: u32 = longMode() ? 8 : type == 12 ? 4 : 2;
  checkTarget(gateOffset);
  if (high & DESC_CE || dpl == level) {
    beginFrame();
    reserveFrame(2 * wide, wide);
    framePushSized(from, wide);
    framePushSized(back, wide);
    if (!fetchDescriptor(target)) gp(targetCode);
    loadCode(target, level);
    commitFrame();
    const result = leaveTo(gateOffset);
    updateMode();
    return result;
  }
  // to an inner level
  const oldStack = u64(selector(SS));
  const oldPointer = get<u64>(RSP) & stackMask();
  const oldMask = stackMask();
  const oldBase = is64() ? 0 : segmentBase(SS);
  if (longMode()) {
    const top = stackFromTss64(4 + dpl * 8, 0);
    beginFrame64(top, dpl);
    reserveFrame(32, 8);
    framePushSized(oldStack, 8);
    framePushSized(oldPointer, 8);
    framePushSized(from, 8);
    framePushSized(back, 8);
    if (!fetchDescriptor(target)) gp(targetCode);
    const result = leaveTo(gateOffset);
    loadCode(target, dpl);
    setSegment(SS, dpl, 0, 0xffffffff, DESC_P | DESC_S | DESC_RW | DESC_A | DESC_B | DESC_G | (dpl << 13));
    updateMode();
    commitFrame();
    return result;
  }
  stackFromTss(dpl, 0);
  const stackSelector = tssSelector;
  checkStackSegment(stackSelector, dpl, TS, 0);
  const stackLow = low;
  const stackHigh = high;
  beginFrameOn(stackLow, stackHigh, tssStack, dpl, stackSelector & 0xfffc);
  reserveFrame((4 + gateCount) * wide, wide);
  framePushSized(oldStack, wide);
  framePushSized(oldPointer, wide);
  for (let i: i32 = i32(gateCount) - 1; i >= 0; i--) {
    const offsetOfParameter = (oldPointer + i * wide) & oldMask;
    const linear = (oldBase + offsetOfParameter) & ADDRESS_MASK;
    framePushSized(wide == 4 ? u64(loadAt<u32>(linear)) : u64(loadAt<u16>(linear)), wide);
  }
  framePushSized(from, wide);
  framePushSized(back, wide);
  const result = leaveTo(gateOffset);
  fetchDescriptor(stackSelector);
  markAccessed();
  loadCache(SS, (stackSelector & 0xfffc) | dpl);
  fetchDescriptor(target);
  loadCode(target, dpl);
  updateMode();
  commitFrame();
  return result;
}

// ---------------------------------------------------------------- RET

function popSized(offset: i32, size: u32): u64 {
  if (size == 2) return u64(popAt<u16>(offset));
  if (size == 4) return u64(popAt<u32>(offset));
  return popAt<u64>(offset);
}

/** RETF: `extra` bytes of parameters are dropped from both stacks. */
export function farReturnTo(size: u32, extra: u32): i32 {
  const s = i32(size);
  const rip = popSized(0, size);
  const sel = u32(popSized(s, size)) & 0xffff;
  if (!protectedMode()) {
    if (rip > u64(segmentLimit(CS))) gp(0);
    moveStack(2 * s + i32(extra));
    loadCodeReal(sel);
    const result = leaveTo(rip);
    updateMode();
    return result;
  }
  return returnTo(rip, sel, size, 2 * s, extra, 0, false);
}

/** The common part of RETF and IRET to protected mode: CS:RIP popped, `used` bytes of the stack read. */
function returnTo(rip: u64, sel: u32, size: u32, used: i32, extra: u32, flags: u32, iret: bool): i32 {
  const code = sel & 0xfffc;
  const level = cpl();
  const rpl = sel & 3;
  if (isNull(sel)) gp(0);
  if (!fetchDescriptor(sel)) gp(code);
  if ((high & (DESC_S | DESC_CODE)) != (DESC_S | DESC_CODE) || rpl < level) gp(code);
  if (high & DESC_CE ? dplOf(high) > rpl : dplOf(high) != rpl) gp(code);
  if (longMode() && high & DESC_L && high & DESC_B) gp(code);
  if (!(high & DESC_P)) faultCode(NP, code);
  const to64 = longMode() && (high & DESC_L) != 0;
  const oldLevel = level;
  const oldIopl = iopl();
  if (rpl == level && !(iret && is64())) {
    checkTarget(rip);
    const result = leaveTo(rip);
    moveStack(used + i32(extra));
    loadCode(sel, rpl);
    if (iret) returnFlags(flags, size, oldLevel, oldIopl);
    updateMode();
    if (iret) updateEvents();
    return result;
  }
  // to an outer level, or IRETQ, which always pops SS:RSP
  const pointer = popSized(used + i32(extra), size);
  const stack = u32(popSized(used + i32(extra) + i32(size), size)) & 0xffff;
  checkTarget(rip);
  let nullStack = false;
  if (longMode() && isNull(stack)) {
    if (!to64 || rpl == 3 || (stack & 3) != rpl) gp(0);
    nullStack = true;
  } else {
    const stackCode = stack & 0xfffc;
    if (isNull(stack)) gp(0);
    if (!fetchDescriptor(stack) || (stack & 3) != rpl) gp(stackCode);
    if ((high & (DESC_S | DESC_CODE | DESC_RW)) != (DESC_S | DESC_RW) || dplOf(high) != rpl) gp(stackCode);
    if (!(high & DESC_P)) faultCode(SS_FAULT, stackCode);
    markAccessed();
  }
  fetchDescriptor(sel);
  const result = leaveTo(rip);
  loadCode(sel, rpl);
  if (nullStack) setSegment(SS, stack, 0, 0xffffffff, DESC_P | DESC_S | DESC_RW | DESC_A | DESC_B | DESC_G | (rpl << 13));
  else {
    fetchDescriptor(stack);
    loadCache(SS, stack);
  }
  if (iret) returnFlags(flags, size, oldLevel, oldIopl);
  updateMode();
  put<u64>(RSP, to64 ? pointer : is64OrWide() ? u64(u32(pointer)) : (get<u64>(RSP) & ~(<u64>0xffff)) | (pointer & 0xffff));
  if (extra) moveStack(i32(extra));
  if (rpl != oldLevel) {
    dropInnerSegment(ES, rpl);
    dropInnerSegment(DS, rpl);
    dropInnerSegment(FS, rpl);
    dropInnerSegment(GS, rpl);
    updateMode();
  }
  if (iret) updateEvents();
  return result;
}
/** Is the (new) stack pointer ESP or RSP? */
@inline function is64OrWide(): bool {
  return stackMask() != 0xffff;
}

/** EFLAGS from an IRET's image: what `level` (CPL before) and IOPL before allow. */
function returnFlags(image: u32, size: u32, level: u32, oldIopl: u32): void {
  let mask = FLAGS_LAZY | FLAG_TF | FLAG_DF | FLAG_NT;
  if (size != 2) mask |= FLAG_RF | FLAG_AC | FLAG_ID;
  if (level == 0) {
    mask |= FLAG_IOPL;
    if (size != 2) mask |= FLAG_VIF | FLAG_VIP;
  }
  if (level <= oldIopl) mask |= FLAG_IF;
  setFlags((getFlags() & ~mask) | (image & mask));
}

// ---------------------------------------------------------------- IRET

export function iret(size: u32): i32 {
  const s = i32(size);
  if (!protectedMode()) {
    if (vm86() && iopl() != 3) return iretVme(size);
    const rip = popSized(0, size);
    const sel = u32(popSized(s, size)) & 0xffff;
    const image = u32(popSized(2 * s, size));
    if (rip > u64(segmentLimit(CS))) gp(0);
    const result = leaveTo(rip);
    moveStack(3 * s);
    loadCodeReal(sel);
    let mask = FLAGS_LAZY | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_NT;
    if (!vm86()) mask |= FLAG_IOPL;
    if (size != 2) mask |= FLAG_RF | FLAG_AC | FLAG_ID;
    setFlags((getFlags() & ~mask) | (image & mask));
    store<u32>(NMI_BLOCKED, 0);
    updateMode();
    updateEvents();
    return result;
  }
  if (eflags() & FLAG_NT) {
    if (longMode()) gp(0);
    const link = u32(systemLoad<u16>(segmentBase(TR)));
    if (link & 4 || !fetchDescriptor(link)) faultCode(TS, link & 0xfffc);
    if (high & DESC_S || (typeOf(high) != 3 && typeOf(high) != 11)) faultCode(TS, link & 0xfffc);
    if (!(high & DESC_P)) faultCode(NP, link & 0xfffc);
    store<u32>(NMI_BLOCKED, 0);
    return taskSwitch(link, TASK_IRET, 0, nextAddress(), false, 0);
  }
  const rip = popSized(0, size);
  const sel = u32(popSized(s, size)) & 0xffff;
  const image = u32(popSized(2 * s, size));
  if (size == 4 && image & FLAG_VM && cpl() == 0 && !longMode()) return iretToVm86(rip, sel, image);
  const result = returnTo(rip, sel, size, 3 * s, 0, image, true);
  store<u32>(NMI_BLOCKED, 0);
  updateEvents();
  return result;
}

function iretToVm86(rip: u64, sel: u32, image: u32): i32 {
  const pointer = popAt<u32>(12);
  const stack = popAt<u32>(16) & 0xffff;
  const es = popAt<u32>(20) & 0xffff;
  const ds = popAt<u32>(24) & 0xffff;
  const fs = popAt<u32>(28) & 0xffff;
  const gs = popAt<u32>(32) & 0xffff;
  const result = leaveTo(rip & 0xffff);
  const mask = FLAGS_LAZY | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_NT | FLAG_IOPL | FLAG_RF | FLAG_AC | FLAG_ID | FLAG_VIF | FLAG_VIP | FLAG_VM;
  setFlags((getFlags() & ~mask) | (image & mask));
  loadVm86(CS, sel);
  loadVm86(SS, stack);
  loadVm86(ES, es);
  loadVm86(DS, ds);
  loadVm86(FS, fs);
  loadVm86(GS, gs);
  put<u32>(RSP, pointer);
  store<u32>(NMI_BLOCKED, 0);
  updateMode();
  updateEvents();
  return result;
}

/** IRET in virtual-8086 mode with IOPL < 3: by the virtual interrupt flag if there is one. */
function iretVme(size: u32): i32 {
  if (!(cr4() & CR4_VME) || size != 2) gp(0);
  const rip = u64(popAt<u16>(0));
  const sel = u32(popAt<u16>(2));
  const image = u32(popAt<u16>(4));
  if ((image & FLAG_IF && eflags() & FLAG_VIP) || image & FLAG_TF) gp(0);
  if (rip > u64(segmentLimit(CS))) gp(0);
  const result = leaveTo(rip);
  moveStack(6);
  loadCodeReal(sel);
  const mask = FLAGS_LAZY | FLAG_DF | FLAG_NT | FLAG_TF;
  setFlags((getFlags() & ~(mask | FLAG_VIF)) | (image & mask) | (image & FLAG_IF ? FLAG_VIF : 0));
  store<u32>(NMI_BLOCKED, 0);
  updateMode();
  updateEvents();
  return result;
}
