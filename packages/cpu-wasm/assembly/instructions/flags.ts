/** Instructions about EFLAGS. */
import { EFLAGS, EVENTS, EVENT_EXIT, EVENT_HALT, FEATURE_80000001_ECX, FLAG_AUX, HALTED, INTERRUPT_SHADOW, PAUSE_EXITS } from '../../src/layout';
import { gp, ud } from '../exceptions';
import { getFlags, lazyFlags, setCarryOverflow, setFlags, setLazyFlags } from '../flags';
import { moveStack, popAt, pushAt } from '../memory';
import { leaveAfter } from '../position';
import {
  AH, CR4_PVI, CR4_VME, FLAGS_LAZY, FLAG_AC, FLAG_DF, FLAG_ID, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_OF, FLAG_RF, FLAG_TF, FLAG_VIF, FLAG_VIP, FLAG_VM,
  cpl, cr4, eflags, feature, get, iopl, is64, protectedMode, put, signal, updateEvents, updateMode, vm86,
} from '../state';

function overflowBit(): u32 {
  const aux = load<u32>(FLAG_AUX);
  return (aux ^ (aux << 1)) >> 31;
}
export function clc(rec: u32): void { setCarryOverflow(0, overflowBit()); }
export function stc(rec: u32): void { setCarryOverflow(1, overflowBit()); }
export function cmc(rec: u32): void { setCarryOverflow((load<u32>(FLAG_AUX) >> 31) ^ 1, overflowBit()); }
export function cld(rec: u32): void { store<u32>(EFLAGS, eflags() & ~FLAG_DF); }
export function std(rec: u32): void { store<u32>(EFLAGS, eflags() | FLAG_DF); }

export function lahf(rec: u32): void {
  if (is64() && !feature(FEATURE_80000001_ECX, 0)) ud();
  put<u8>(AH, u8(lazyFlags() & 0xd5) | 2);
}
export function sahf(rec: u32): void {
  if (is64() && !feature(FEATURE_80000001_ECX, 0)) ud();
  setLazyFlags((lazyFlags() & FLAG_OF) | (u32(get<u8>(AH)) & 0xd5));
}

/** AC, which opens the user's pages to the supervisor under CR4.SMAP; alignment is not checked at this level. */
function accessFlag(on: bool): void {
  if (cpl()) ud();
  store<u32>(EFLAGS, on ? eflags() | FLAG_AC : eflags() & ~FLAG_AC);
}
export function clac(rec: u32): void { accessFlag(false); }
export function stac(rec: u32): void { accessFlag(true); }

/** IOPL-sensitive: 0 = the real IF, 1 = the virtual one; #GP(0) where neither is allowed. */
function interruptFlag(): u32 {
  if (vm86()) {
    if (iopl() == 3) return 0;
    if (cr4() & CR4_VME) return 1;
    gp(0);
  } else if (protectedMode() && cpl() > iopl()) {
    if (cpl() == 3 && cr4() & CR4_PVI) return 1;
    gp(0);
  }
  return 0;
}
/** Back from a change of IF or TF: leave if something waits now. */
function onward(): i32 {
  updateEvents();
  return load<u32>(EVENTS) ? leaveAfter() : 0;
}
export function cli(rec: u32): i32 {
  const flag = interruptFlag() ? FLAG_VIF : FLAG_IF;
  store<u32>(EFLAGS, eflags() & ~flag);
  return onward();
}
export function sti(rec: u32): i32 {
  if (interruptFlag()) {
    if (eflags() & FLAG_VIP) gp(0);
    store<u32>(EFLAGS, eflags() | FLAG_VIF);
    return 0;
  }
  if (!(eflags() & FLAG_IF)) {
    store<u32>(EFLAGS, eflags() | FLAG_IF);
    store<u32>(INTERRUPT_SHADOW, 1);
  }
  return onward();
}
/** A hint that somebody is waited for: with several processors the next one goes on. */
export function pause(rec: u32): i32 {
  if (!load<u32>(PAUSE_EXITS)) return 0;
  const result = leaveAfter();
  signal(EVENT_EXIT);
  return result;
}
export function hlt(rec: u32): i32 {
  if (cpl()) gp(0);
  const result = leaveAfter();
  store<u32>(HALTED, 1);
  signal(EVENT_HALT);
  return result;
}

export function pushf<T>(rec: u32): void {
  let image = getFlags() & ~(FLAG_VM | FLAG_RF);
  if (vm86() && iopl() < 3) {
    if (!(cr4() & CR4_VME) || sizeof<T>() != 2) gp(0);
    image = (image & ~FLAG_IF) | FLAG_IOPL | (eflags() & FLAG_VIF ? FLAG_IF : 0);
  }
  pushAt<T>(-(sizeof<T>() as i32), image as T);
  moveStack(-(sizeof<T>() as i32));
}
export function popf<T>(rec: u32): i32 {
  const wide = sizeof<T>() != 2;
  let mask = FLAGS_LAZY | FLAG_TF | FLAG_DF | FLAG_NT;
  if (wide) mask |= FLAG_AC | FLAG_ID | FLAG_RF;
  let image: u32;
  if (vm86() && iopl() < 3) {
    if (!(cr4() & CR4_VME) || wide) gp(0);
    image = u32(popAt<T>(0));
    if ((image & FLAG_IF && eflags() & FLAG_VIP) || image & FLAG_TF) gp(0);
    image = (image & ~FLAG_VIF) | (image & FLAG_IF ? FLAG_VIF : 0);
    mask |= FLAG_VIF;
  } else {
    image = u32(popAt<T>(0));
    if (!protectedMode() && !vm86()) mask |= FLAG_IOPL | FLAG_IF;
    else {
      if (cpl() == 0) mask |= FLAG_IOPL;
      if (cpl() <= iopl()) mask |= FLAG_IF;
    }
  }
  const before = eflags();
  moveStack(sizeof<T>() as i32);
  setFlags((getFlags() & ~mask) | (image & mask & ~FLAG_RF));
  if ((eflags() ^ before) & FLAG_AC) updateMode();
  return onward();
}
