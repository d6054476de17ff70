/**
 * Delivery of interrupts and exceptions through the interrupt table or the IDT. SDM volume 3, chapter 6; virtual-8086 extensions, chapter 20.
 */
import { CS, DS, ES, FS, GS, IDTR, OBSERVED, OBSERVE_DELIVERY, SEG_SELECTOR, SS, STEPPING, STEP_DR6, TR } from '../src/layout';
import { delivering } from './bus';
import { KIND_FAULT, KIND_INT3, KIND_SOFTWARE, NP, TS, faultCode, gp } from './exceptions';
import { getFlags, setFlags } from './flags';
import { beginFrame, beginFrame64, beginFrameOn, commitFrame, framePush, framePushSized, reserveFrame } from './frames';
import { systemLoad } from './memory';
import { leaveTo } from './position';
import {
  checkStackSegment, descriptorLimit, dplOf, fetchDescriptor, high, isNull, loadCache, loadNull, low, markAccessed, stackFromTss, stackFromTss64,
  tssSelector, tssStack,
} from './segments';
import {
  CR4_VME, DESC_A, DESC_B, DESC_CE, DESC_CODE, DESC_G, DESC_L, DESC_P, DESC_RW, DESC_S, FLAG_AC, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_RF, FLAG_TF,
  FLAG_VIF, FLAG_VM, RSP, cpl, cr4, eflags, get, iopl, longMode, protectedMode, segment, segmentBase, segmentLimit, selector, setSegment,
  updateEvents, updateMode, vm86,
} from './state';
import { TASK_INTERRUPT, taskSwitch } from './tasks';
import { taskGateTarget } from './transfers';

/** EXT bit of error codes raised while this delivery goes on. */
let ext: u32 = 0;

/**
 * Delivers `vector`; execution goes on at the handler. `back` = RIP to save. Software interrupts (`kind`) are checked against the gate's DPL.
 * A fault on the way does not return.
 */
export function interrupt(vector: u32, kind: u32, hasCode: bool, code: u32, back: u64): i32 {
  if (load<u32>(OBSERVED) & OBSERVE_DELIVERY) delivering(vector, kind, hasCode, code, u32(back), u32(back >> 32));
  const software = kind == KIND_SOFTWARE || kind == KIND_INT3;
  ext = software ? 0 : 1;
  // no single-step trap behind INT n: the handler begins with TF clear
  store<u32>(STEP_DR6, load<u32>(STEP_DR6) & ~0x4000);
  if (!load<u32>(STEP_DR6)) store<u32>(STEPPING, 0);
  let image = getFlags();
  if (kind == KIND_FAULT && vector != 1 && vector != 8 && vector != 18) image |= FLAG_RF;
  if (vm86()) {
    if (kind == KIND_SOFTWARE && softwareInVm86(vector, back)) return 1;
  } else if (!protectedMode()) {
    return realInterrupt(vector, image, back);
  }
  if (longMode()) return longInterrupt(vector, software, hasCode, code, back, image);

  const selfCode = (vector << 3) | 2 | ext;
  if ((vector << 3) + 7 > segmentLimit(IDTR)) gp(selfCode);
  const gateAt = segmentBase(IDTR) + (vector << 3);
  const gateLow = systemLoad<u32>(gateAt);
  const gateHigh = systemLoad<u32>(gateAt + 4);
  const type = (gateHigh >> 8) & 31;
  if (type != 5 && type != 6 && type != 7 && type != 14 && type != 15) gp(selfCode);
  if (software && dplOf(gateHigh) < cpl()) gp(selfCode);
  if (!(gateHigh & DESC_P)) faultCode(NP, selfCode);
  const sel = gateLow >> 16;
  if (type == 5) {
    taskGateTarget(sel, ext);
    return taskSwitch(sel, TASK_INTERRUPT, ext, back, hasCode, code);
  }
  const wide: u32 = type & 8 ? 4 : 2;
  const target = type & 8 ? (gateLow & 0xffff) | (gateHigh & 0xffff0000) : gateLow & 0xffff;
  const targetCode = (sel & 0xfffc) | ext;
  if (isNull(sel)) gp(ext);
  if (!fetchDescriptor(sel)) gp(targetCode);
  const level = cpl();
  const dpl = dplOf(high);
  if ((high & (DESC_S | DESC_CODE)) != (DESC_S | DESC_CODE) || dpl > level) gp(targetCode);
  if (!(high & DESC_P)) faultCode(NP, targetCode);
  const inner = !(high & DESC_CE) && dpl < level;
  if (!inner && vm86()) gp(targetCode);
  if (inner && vm86() && dpl != 0) gp(targetCode);
  if (target > descriptorLimit(low, high)) gp(ext);
  const newLevel = inner ? dpl : level;
  const wasVm86 = vm86();
  let stackSelector: u32 = 0;
  if (inner) {
    stackFromTss(dpl, ext);
    stackSelector = tssSelector;
    checkStackSegment(stackSelector, dpl, TS, ext);
    beginFrameOn(low, high, tssStack, dpl, (stackSelector & 0xfffc) | ext);
    reserveFrame(((wasVm86 ? 9 : 5) + u32(hasCode)) * wide, wide);
    if (wasVm86) {
      framePushSized(u64(selector(GS)), wide);
      framePushSized(u64(selector(FS)), wide);
      framePushSized(u64(selector(DS)), wide);
      framePushSized(u64(selector(ES)), wide);
    }
    framePushSized(u64(selector(SS)), wide);
    framePushSized(get<u64>(RSP), wide);
  } else {
    beginFrame();
    reserveFrame((3 + u32(hasCode)) * wide, wide);
  }
  framePushSized(u64(image), wide);
  framePushSized(u64(selector(CS)), wide);
  framePushSized(back, wide);
  if (hasCode) framePushSized(u64(code), wide);

  const result = leaveTo(u64(target));
  if (wasVm86) {
    setFlags(getFlags() & ~FLAG_VM);
    loadNull(ES, 0);
    loadNull(DS, 0);
    loadNull(FS, 0);
    loadNull(GS, 0);
  }
  if (inner) {
    fetchDescriptor(stackSelector);
    markAccessed();
    loadCache(SS, (stackSelector & 0xfffc) | dpl);
  }
  fetchDescriptor(sel);
  markAccessed();
  loadCache(CS, (sel & 0xfffc) | newLevel);
  let cleared = FLAG_TF | FLAG_VM | FLAG_RF | FLAG_NT;
  if (!(type & 1)) cleared |= FLAG_IF;
  setFlags(getFlags() & ~cleared);
  updateMode();
  commitFrame();
  updateEvents();
  return result;
}

/** Real mode: the table of far pointers at IDTR.base. */
function realInterrupt(vector: u32, image: u32, back: u64): i32 {
  if ((vector << 2) + 3 > segmentLimit(IDTR)) gp((vector << 3) | 2 | ext);
  const pointer = systemLoad<u32>(segmentBase(IDTR) + (vector << 2));
  return enterReal(pointer, image & 0xffff, back);
}
function enterReal(pointer: u32, image: u32, back: u64): i32 {
  beginFrame();
  reserveFrame(6, 2);
  framePush<u16>(u16(image));
  framePush<u16>(u16(selector(CS)));
  framePush<u16>(u16(back));
  const result = leaveTo(u64(pointer & 0xffff));
  commitFrame();
  store<u32>(segment(CS), pointer >> 16, SEG_SELECTOR);
  store<u64>(segment(CS), u64(pointer >> 16) << 4, 8);
  setFlags(getFlags() & ~(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF));
  updateMode();
  updateEvents();
  return result;
}

/** INT n in virtual-8086 mode. True: done through the 8086 table (VME); else it goes on through the IDT. */
function softwareInVm86(vector: u32, back: u64): bool {
  if (cr4() & CR4_VME) {
    const base = segmentBase(TR);
    const limit = segmentLimit(TR);
    if (limit < 103) gp(0);
    const map = u32(systemLoad<u16>(base + 0x66));
    // the redirection map lies in the 32 bytes before the I/O map
    const at = map - 32 + (vector >> 3);
    if (at > limit) gp(0);
    if (!((u32(systemLoad<u8>(base + at)) >> (vector & 7)) & 1)) {
      let image = getFlags() & 0xffff;
      if (iopl() < 3) image = (image & ~FLAG_IF) | FLAG_IOPL | (eflags() & FLAG_VIF ? FLAG_IF : 0);
      const low = iopl() < 3;
      const keptIf = eflags() & FLAG_IF;
      const pointer = systemLoad<u32>(vector << 2);
      enterReal(pointer, image, back);
      if (low) {
        setFlags((getFlags() & ~FLAG_VIF) | keptIf);
        updateEvents();
      }
      return true;
    }
  }
  if (iopl() < 3) gp(0);
  return false;
}

/** Long mode: 16-byte gates, aligned stack, always SS:RSP. */
function longInterrupt(vector: u32, software: bool, hasCode: bool, code: u32, back: u64, image: u32): i32 {
  const selfCode = (vector << 3) | 2 | ext;
  if ((vector << 4) + 15 > segmentLimit(IDTR)) gp(selfCode);
  const gateAt = segmentBase(IDTR) + (vector << 4);
  const gateLow = systemLoad<u32>(gateAt);
  const gateHigh = systemLoad<u32>(gateAt + 4);
  const type = (gateHigh >> 8) & 31;
  if (type != 14 && type != 15) gp(selfCode);
  if (software && dplOf(gateHigh) < cpl()) gp(selfCode);
  if (!(gateHigh & DESC_P)) faultCode(NP, selfCode);
  const target = u64((gateLow & 0xffff) | (gateHigh & 0xffff0000)) | (u64(systemLoad<u32>(gateAt + 8)) << 32);
  const sel = gateLow >> 16;
  const targetCode = (sel & 0xfffc) | ext;
  if (isNull(sel)) gp(ext);
  if (!fetchDescriptor(sel)) gp(targetCode);
  const level = cpl();
  const dpl = dplOf(high);
  if ((high & (DESC_S | DESC_CODE)) != (DESC_S | DESC_CODE) || dpl > level || (high & (DESC_L | DESC_B)) != DESC_L) gp(targetCode);
  if (!(high & DESC_P)) faultCode(NP, targetCode);
  const inner = !(high & DESC_CE) && dpl < level;
  const newLevel = inner ? dpl : level;
  const ist = gateHigh & 7;
  let top: u64;
  if (ist) top = stackFromTss64(0x1c + ist * 8, ext);
  else if (inner) top = stackFromTss64(4 + dpl * 8, ext);
  else top = get<u64>(RSP);
  if (i64(target) << 16 >> 16 != i64(target)) gp(ext);
  beginFrame64(top & ~(<u64>15), newLevel);
  reserveFrame((5 + u32(hasCode)) * 8, 8);
  framePush<u64>(u64(selector(SS)));
  framePush<u64>(get<u64>(RSP));
  framePush<u64>(u64(image));
  framePush<u64>(u64(selector(CS)));
  framePush<u64>(back);
  if (hasCode) framePush<u64>(u64(code));
  const result = leaveTo(target);
  fetchDescriptor(sel);
  markAccessed();
  loadCache(CS, (sel & 0xfffc) | newLevel);
  if (inner) setSegment(SS, newLevel, 0, 0xffffffff, DESC_P | DESC_S | DESC_RW | DESC_A | DESC_B | DESC_G | (newLevel << 13));
  let cleared = FLAG_TF | FLAG_VM | FLAG_RF | FLAG_NT;
  if (!(type & 1)) cleared |= FLAG_IF;
  setFlags(getFlags() & ~cleared);
  updateMode();
  commitFrame();
  updateEvents();
  return result;
}
