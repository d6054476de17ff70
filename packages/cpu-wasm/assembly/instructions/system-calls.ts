/** SYSENTER, SYSEXIT, SYSCALL, SYSRET. SDM volume 3, chapter 5.8.7. */
import { CS, CSTAR, FMASK, LSTAR, SS, STAR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP } from '../../src/layout';
import { gp, ud } from '../exceptions';
import { getFlags, setFlags } from '../flags';
import { leaveTo, nextAddress } from '../position';
import { privileged } from '../privilege';
import {
  CR0_PE, DESC_A, DESC_B, DESC_CODE, DESC_G, DESC_L, DESC_P, DESC_RW, DESC_S, EFER_SCE, FLAG_IF, FLAG_RF, FLAG_VM, RCX, RDX, RSP, cpl, cr0, efer,
  get, is64, longMode, protectedMode, put, setSegment, updateEvents, updateMode,
} from '../state';
import { isIntel } from './identification';
import { isCanonical } from './msrs';

const FLAT_CODE: u32 = DESC_P | DESC_S | DESC_CODE | DESC_RW | DESC_A | DESC_G;
const FLAT_DATA: u32 = DESC_P | DESC_S | DESC_RW | DESC_A | DESC_G | DESC_B;

/** CS and SS flat at `level`; CS of 64 bits or of 32. */
function flatSegments(code: u32, stack: u32, level: u32, wide: bool): void {
  setSegment(CS, code | level, 0, 0xffffffff, FLAT_CODE | (level << 13) | (wide ? DESC_L : DESC_B));
  setSegment(SS, stack | level, 0, 0xffffffff, FLAT_DATA | (level << 13));
  updateMode();
}

/** In long mode only Intel's processors have SYSENTER and SYSEXIT, and outside of 64-bit code only AMD's have SYSCALL and SYSRET. */
function sysenterExists(): void {
  if (longMode() && !isIntel()) ud();
}
function syscallExists(): void {
  if (!(efer() & EFER_SCE) || !protectedMode() || (!is64() && isIntel())) ud();
}

export function sysenter(rec: u32): i32 {
  sysenterExists();
  const code = load<u32>(SYSENTER_CS) & 0xfffc;
  if (!protectedMode() && !(cr0() & CR0_PE)) gp(0);
  if (code == 0) gp(0);
  const wide = longMode();
  const target = wide ? load<u64>(SYSENTER_EIP) : u64(load<u32>(SYSENTER_EIP));
  const result = leaveTo(target);
  setFlags(getFlags() & ~(FLAG_VM | FLAG_IF | FLAG_RF));
  flatSegments(code, code + 8, 0, wide);
  put<u64>(RSP, wide ? load<u64>(SYSENTER_ESP) : u64(load<u32>(SYSENTER_ESP)));
  updateEvents();
  return result;
}
export function sysexit<T>(rec: u32): i32 {
  sysenterExists();
  const code = load<u32>(SYSENTER_CS) & 0xfffc;
  if (!protectedMode() || cpl() || code == 0) gp(0);
  if (sizeof<T>() == 8) {
    if (!isCanonical(get<u64>(RCX)) || !isCanonical(get<u64>(RDX))) gp(0);
    const result = leaveTo(get<u64>(RDX));
    put<u64>(RSP, get<u64>(RCX));
    flatSegments(code + 32, code + 40, 3, true);
    updateEvents();
    return result;
  }
  const result = leaveTo(u64(get<u32>(RDX)));
  put<u64>(RSP, u64(get<u32>(RCX)));
  flatSegments(code + 16, code + 24, 3, false);
  updateEvents();
  return result;
}

export function syscall(rec: u32): i32 {
  syscallExists();
  const star = load<u64>(STAR);
  const sel = u32(star >> 32) & 0xfffc;
  const back = nextAddress();
  if (longMode()) {
    const target = is64() ? load<u64>(LSTAR) : load<u64>(CSTAR);
    const result = leaveTo(target);
    put<u64>(RCX, back);
    put<u64>(88, u64(getFlags() & ~FLAG_RF));
    setFlags(getFlags() & ~load<u32>(FMASK) & ~FLAG_RF);
    flatSegments(sel, sel + 8, 0, true);
    updateEvents();
    return result;
  }
  const result = leaveTo(star & 0xffffffff);
  put<u32>(RCX, u32(back));
  setFlags(getFlags() & ~(FLAG_VM | FLAG_IF | FLAG_RF));
  flatSegments(sel, sel + 8, 0, false);
  updateEvents();
  return result;
}
export function sysret<T>(rec: u32): i32 {
  syscallExists();
  privileged();
  const sel = u32(load<u64>(STAR) >> 48) & 0xfffc;
  const wide = sizeof<T>() == 8;
  // AMD's processors go there first and fault in ring 3
  if (wide && !isCanonical(get<u64>(RCX)) && isIntel()) gp(0);
  const target = wide ? get<u64>(RCX) : u64(get<u32>(RCX));
  const result = leaveTo(target);
  if (longMode()) setFlags((get<u32>(88) & 0x3c7fd7) & ~FLAG_RF);
  else setFlags(getFlags() | FLAG_IF);
  setSegment(CS, (wide ? sel + 16 : sel) | 3, 0, 0xffffffff, FLAT_CODE | (3 << 13) | (wide ? DESC_L : DESC_B));
  setSegment(SS, (sel + 8) | 3, 0, 0xffffffff, FLAT_DATA | (3 << 13));
  updateMode();
  updateEvents();
  return result;
}
