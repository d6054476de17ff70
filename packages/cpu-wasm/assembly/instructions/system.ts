/** Control and debug registers, TLB, CPUID, time, MSRs, fast system calls. */
import {
  APIC_BASE, BREAKPOINTS, CPUID_COUNT, CPUID_OVERFLOW, CPUID_STRIDE, CPUID_TABLE, CR0, CR2, CR3, CR4, CR8, CS, CSTAR, DR, EFER, EVENTS, EXCEPTION_DR6, FEATURE_1_ECX, FEATURE_1_EDX, FEATURE_7_EBX,
  FEATURE_7_ECX, FEATURE_80000001_EDX, FEATURE_CONTROL, FMASK, FS, GS, HOST_SLOT, KERNEL_GS_BASE, LSTAR, MCE_BANKS, MCG_CAP, MCG_CTL, MCG_STATUS, MISC_ENABLE, MTRR_DEFTYPE, MTRR_FIXED,
  MTRR_VARIABLE, PAT, PDPTE, PHYSICAL_RESERVED, SEG_BASE, SMBASE, SS, STAR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, TSC_ADJUST, TSC_AUX, TSC_DEADLINE, TSC_OFFSET, MODE,
} from '../../src/layout';
import { leaveAfter, leaveTo, nextAddress } from '../blocks';
import { notify, random32, timestamp, unwind } from '../bus';
import { DB, gp, raise, ud } from '../exceptions';
import { getFlags, setFlags, setResult } from '../flags';
import { operand16, operandAddress, offsetOf, segmentOf } from '../memory';
import { gate, readPhysical } from '../physical';
import {
  CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR0_AM, CR4_DE, CR4_FSGSBASE, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_OSXSAVE, CR4_PAE, CR4_PCE, CR4_PCIDE,
  CR4_PGE, CR4_PSE, CR4_PVI, CR4_SMAP, CR4_SMEP, CR4_TSD, CR4_UMIP, CR4_VME, DESC_A, DESC_B, DESC_CODE, DESC_G, DESC_L, DESC_P, DESC_RW, DESC_S, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE,
  FLAG_IF, FLAG_RF, FLAG_VM, RAX, RBX, RCX, RDX, RSP, cpl, cr0, cr4, efer, feature, get, is64, longMode, protectedMode, put, segment, setSegment, updateEvents, updateMode, updateSegment, segmentBase,
  FLAGS_LAZY,
} from '../state';
import { flushPage, flushTlb } from '../tlb';
import { userModePrevented } from './segments';

@inline function privileged(): void {
  if (cpl()) gp(0);
}

// ---------------------------------------------------------------- control registers

/** Everything that follows a change of CR0. */
function changeCr0(value: u32): void {
  const before = cr0();
  value |= CR0_ET;
  const changed = value ^ before;
  if (changed & CR0_PG) {
    if (value & CR0_PG) {
      if (efer() & EFER_LME) {
        if (!(cr4() & CR4_PAE) || load<u32>(segment(CS), 16) & DESC_L) gp(0);
        store<u64>(EFER, load<u64>(EFER) | EFER_LMA);
      } else if (cr4() & CR4_PAE) {
        loadPdptes(load<u64>(CR3));
      }
    } else {
      if (is64()) gp(0);
      store<u64>(EFER, load<u64>(EFER) & ~u64(EFER_LMA));
    }
  }
  store<u64>(CR0, u64(value));
  if (changed & (CR0_PG | CR0_WP | CR0_PE)) flushTlb(false);
  if (changed & CR0_PE) for (let i: u32 = 0; i < 6; i++) updateSegment(i);
  updateMode();
}
function loadPdptes(value: u64): void {
  const base = value & 0xffffffe0;
  for (let i: u32 = 0; i < 4; i++) {
    const entry = readPhysical(gate(base + i * 8), 8);
    if (entry & 1 && entry & (load<u64>(PHYSICAL_RESERVED) | 0x80000000000001e6)) gp(0);
    store<u64>(i << 3, entry, PDPTE_LOADING);
  }
  memory.copy(PDPTE, PDPTE_LOADING, 32);
}
const PDPTE_LOADING: u32 = memory.data(32) as u32;

/** CR4 bits that this model has. */
function cr4Allowed(): u32 {
  let bits: u32 = 0;
  if (feature(FEATURE_1_EDX, 1)) bits |= CR4_VME | CR4_PVI;
  if (feature(FEATURE_1_EDX, 4)) bits |= CR4_TSD;
  if (feature(FEATURE_1_EDX, 2)) bits |= CR4_DE;
  if (feature(FEATURE_1_EDX, 3)) bits |= CR4_PSE;
  if (feature(FEATURE_1_EDX, 6)) bits |= CR4_PAE;
  if (feature(FEATURE_1_EDX, 7)) bits |= 0x40;
  if (feature(FEATURE_1_EDX, 13)) bits |= CR4_PGE;
  bits |= CR4_PCE;
  if (feature(FEATURE_1_EDX, 24)) bits |= CR4_OSFXSR;
  if (feature(FEATURE_1_EDX, 25)) bits |= CR4_OSXMMEXCPT;
  if (feature(FEATURE_7_ECX, 2)) bits |= CR4_UMIP;
  if (feature(FEATURE_7_EBX, 0)) bits |= CR4_FSGSBASE;
  if (feature(FEATURE_1_ECX, 17)) bits |= CR4_PCIDE;
  if (feature(FEATURE_1_ECX, 26)) bits |= CR4_OSXSAVE;
  if (feature(FEATURE_7_EBX, 7)) bits |= CR4_SMEP;
  if (feature(FEATURE_7_EBX, 20)) bits |= CR4_SMAP;
  return bits;
}

export function controlRead(rec: u32): void {
  privileged();
  let value: u64;
  switch (load<u32>(rec, 12)) {
    case 0: value = load<u64>(CR0); break;
    case 2: value = load<u64>(CR2); break;
    case 3: value = load<u64>(CR3); break;
    case 4: value = load<u64>(CR4); break;
    case 8: value = load<u64>(CR8); break;
    default: ud(); return;
  }
  if (is64()) put<u64>(load<u8>(rec, 2), value);
  else put<u32>(load<u8>(rec, 2), u32(value));
}

export function controlWrite(rec: u32): i32 {
  const number = load<u32>(rec, 12);
  if (number != 0 && number != 2 && number != 3 && number != 4 && number != 8) ud();
  privileged();
  const value = is64() ? get<u64>(load<u8>(rec, 2)) : u64(get<u32>(load<u8>(rec, 2)));
  switch (number) {
    case 0: {
      if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD))) gp(0);
      if (!(value & CR0_WP) && cr4() & 0x800000) gp(0);
      changeCr0(u32(value));
      return leaveAfter();
    }
    case 2: store<u64>(CR2, value); return 0;
    case 3: {
      if (longMode()) {
        const noFlush = cr4() & CR4_PCIDE && value >> 63;
        if (value & load<u64>(PHYSICAL_RESERVED) & ~(<u64>1 << 63)) gp(0);
        store<u64>(CR3, value & ~(<u64>1 << 63));
        flushTlb(true);
      } else {
        if (cr0() & CR0_PG && cr4() & CR4_PAE) loadPdptes(value);
        store<u64>(CR3, value);
        flushTlb(true);
      }
      return leaveAfter();
    }
    case 4: {
      const next = u32(value);
      if (value >> 32 || next & ~cr4Allowed()) gp(0);
      if (longMode() && !(next & CR4_PAE)) gp(0);
      if (next & CR4_PCIDE && !(cr4() & CR4_PCIDE) && (!longMode() || load<u32>(CR3) & 0xfff)) gp(0);
      const changed = next ^ cr4();
      if (cr0() & CR0_PG && !longMode() && next & CR4_PAE && changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) loadPdptes(load<u64>(CR3));
      store<u64>(CR4, value);
      if (changed & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP | CR4_PCIDE)) flushTlb(false);
      updateMode();
      return leaveAfter();
    }
    default: {
      if (!is64() || value & ~(<u64>15)) gp(0);
      store<u64>(CR8, value);
      notify(8);
      return leaveAfter();
    }
  }
}

export function smsw(rec: u32): void {
  userModePrevented();
  put<u64>(load<u8>(rec, 2), load<u64>(CR0));
}
/** LMSW sets PE but never clears it. */
export function lmsw(rec: u32): i32 {
  privileged();
  const value = operand16(rec);
  changeCr0((cr0() & ~(CR0_MP | CR0_EM | CR0_TS)) | (value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)));
  return leaveAfter();
}
export function clts(rec: u32): void {
  privileged();
  store<u64>(CR0, load<u64>(CR0) & ~u64(CR0_TS));
}
export function invlpg(rec: u32): i32 {
  privileged();
  const offset = offsetOf(rec);
  const index = segmentOf(rec);
  const space: u32 = (load<u8>(rec, 6) >> 2) & 15;
  let linear: u64;
  if (is64()) linear = index >= u32(FS) ? segmentBase(index) + offset : offset;
  else linear = ((space < 3 ? 0 : segmentBase(index)) + offset) & 0xffffffff;
  flushPage(linear);
  return leaveAfter();
}
export function cacheControl(rec: u32): void {
  privileged();
}
export function clflush(rec: u32): void {
  operandAddress(rec, 0, 1, false);
}

// ---------------------------------------------------------------- debug registers

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE. With DR7.GD any access is #DB. */
function debugNumber(rec: u32): u32 {
  let number = load<u32>(rec, 12);
  if (number > 7) ud();
  if (number == 4 || number == 5) {
    if (cr4() & CR4_DE) ud();
    number += 2;
  }
  privileged();
  if (load<u32>(DR + 56) & 0x2000) {
    raise(DB, false, 0);
    store<u64>(EXCEPTION_DR6, 0x2000);
    unwindNow();
  }
  return number;
}
export function debugRead(rec: u32): void {
  const value = load<u64>((debugNumber(rec) << 3), DR);
  if (is64()) put<u64>(load<u8>(rec, 2), value);
  else put<u32>(load<u8>(rec, 2), u32(value));
}
export function debugWrite(rec: u32): i32 {
  const number = debugNumber(rec);
  let value = is64() ? get<u64>(load<u8>(rec, 2)) : u64(get<u32>(load<u8>(rec, 2)));
  if (number >= 6 && value >> 32) gp(0);
  if (number == 6) value = (value & 0xe00f) | 0xffff0ff0;
  if (number == 7) value = (value & ~(<u64>0xd000)) | 0x400;
  store<u64>(number << 3, value, DR);
  updateBreakpoints();
  updateEvents();
  return load<u32>(EVENTS) ? leaveAfter() : 0;
}
/** BREAKPOINTS from DR7: instruction breakpoints make each instruction run alone. */
export function updateBreakpoints(): void {
  const control = load<u32>(DR + 56);
  let armed: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) if ((control >> (i * 2)) & 3 && !((control >> (16 + i * 4)) & 3)) armed = 1;
  store<u32>(BREAKPOINTS, armed);
}

// ---------------------------------------------------------------- CPUID, time, random

export function cpuid(rec: u32): void {
  const leaf = get<u32>(RAX);
  const sub = get<u32>(RCX);
  let entry = findLeaf(leaf, sub);
  if (!entry) {
    let highest: u32 = 0;
    const basic = findLeaf(0, 0);
    if (basic) highest = load<u32>(basic, 8);
    // leaves above the highest answer like the highest basic one; gaps answer zeros
    const extended = findLeaf(0x80000000, 0);
    const limit = leaf >= 0x80000000 ? (extended ? load<u32>(extended, 8) : 0) : highest;
    if (leaf > limit && !load<u32>(CPUID_OVERFLOW)) entry = findLeaf(highest, sub);
  }
  if (!entry) {
    put<u32>(RAX, 0);
    put<u32>(RBX, 0);
    put<u32>(RCX, 0);
    put<u32>(RDX, 0);
    return;
  }
  let c = load<u32>(entry, 16);
  let d = load<u32>(entry, 20);
  if (leaf == 1) {
    c = (c & ~(1 << 27)) | (cr4() & CR4_OSXSAVE ? 1 << 27 : 0);
    if (!(load<u32>(APIC_BASE) & 0x800)) d &= ~(1 << 9);
  }
  put<u32>(RAX, load<u32>(entry, 8));
  put<u32>(RBX, load<u32>(entry, 12));
  put<u32>(RCX, c);
  put<u32>(RDX, d);
}
function findLeaf(leaf: u32, sub: u32): u32 {
  const count = load<u32>(CPUID_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const entry = CPUID_TABLE + i * CPUID_STRIDE;
    if (load<u32>(entry) == leaf && (load<u32>(entry, 4) == 0xffffffff || load<u32>(entry, 4) == sub)) return entry;
  }
  return 0;
}

function tsc(): u64 {
  timestamp();
  return load<u64>(HOST_SLOT) + load<u64>(TSC_OFFSET);
}
function timeAllowed(): void {
  if (cr4() & CR4_TSD && cpl()) gp(0);
}
export function rdtsc(rec: u32): void {
  timeAllowed();
  const value = tsc();
  put<u32>(RAX, u32(value));
  put<u32>(RDX, u32(value >> 32));
}
export function rdtscp(rec: u32): void {
  rdtsc(rec);
  put<u32>(RCX, load<u32>(TSC_AUX));
}
/** No counters: #GP(0), as for an index that does not exist. */
export function rdpmc(rec: u32): void {
  gp(0);
}
export function random<T>(rec: u32): void {
  let value = u64(random32());
  if (sizeof<T>() == 8) value |= u64(random32()) << 32;
  put<T>(load<u8>(rec, 2), value as T);
  setResult<u8>(1, 1, 0);
}

// ---------------------------------------------------------------- MSRs

/** Address of a plain u64 MSR, or 0. */
function plainMsr(index: u32): u32 {
  switch (index) {
    case 0x3a: return FEATURE_CONTROL;
    case 0x3b: return TSC_ADJUST;
    case 0x174: return SYSENTER_CS;
    case 0x175: return SYSENTER_ESP;
    case 0x176: return SYSENTER_EIP;
    case 0x17a: return MCG_STATUS;
    case 0x1a0: return MISC_ENABLE;
    case 0x277: return PAT;
    case 0x2ff: return MTRR_DEFTYPE;
    case 0x250: return MTRR_FIXED;
    case 0x258: return MTRR_FIXED + 8;
    case 0x259: return MTRR_FIXED + 16;
    case 0x6e0: return TSC_DEADLINE;
    case 0xc0000081: return STAR;
  }
  if (index >= 0x200 && index < 0x210) return MTRR_VARIABLE + (index - 0x200) * 8;
  if (index >= 0x268 && index < 0x270) return MTRR_FIXED + 24 + (index - 0x268) * 8;
  if (index >= 0x400 && index < 0x428 && index - 0x400 < (load<u32>(MCG_CAP) & 0xff) * 4) return MCE_BANKS + (index - 0x400) * 8;
  if (feature(FEATURE_80000001_EDX, 29)) {
    switch (index) {
      case 0xc0000082: return LSTAR;
      case 0xc0000083: return CSTAR;
      case 0xc0000084: return FMASK;
      case 0xc0000100: return segment(FS) + SEG_BASE;
      case 0xc0000101: return segment(GS) + SEG_BASE;
      case 0xc0000102: return KERNEL_GS_BASE;
    }
  }
  return 0;
}
function eferExists(): bool {
  return (load<u32>(FEATURE_80000001_EDX) & ((1 << 29) | (1 << 20) | (1 << 11))) != 0;
}

export function rdmsr(rec: u32): void {
  privileged();
  const index = get<u32>(RCX);
  let value: u64 = 0;
  const plain = plainMsr(index);
  if (plain) value = load<u64>(plain);
  else {
    switch (index) {
      case 0x10: value = tsc(); break;
      case 0x17: break; // platform id
      case 0x1b: value = load<u64>(APIC_BASE); break;
      case 0x8b: value = 0x100000000; break; // microcode revision 1
      case 0xfe: value = 0x508; break; // 8 variable ranges, fixed ranges, write-combining
      case 0x179: value = load<u64>(MCG_CAP); break;
      case 0x17b: value = load<u64>(MCG_CTL); break;
      case 0xc0000080: if (!eferExists()) gp(0); value = load<u64>(EFER); break;
      case 0xc0000103: if (!feature(FEATURE_80000001_EDX, 27)) gp(0); value = load<u64>(TSC_AUX); break;
      default: gp(0);
    }
  }
  put<u32>(RAX, u32(value));
  put<u32>(RDX, u32(value >> 32));
}

function isCanonical(value: u64): bool {
  return i64(value) << 16 >> 16 == i64(value);
}
export function wrmsr(rec: u32): i32 {
  privileged();
  const index = get<u32>(RCX);
  const value = (u64(get<u32>(RDX)) << 32) | u64(get<u32>(RAX));
  const plain = plainMsr(index);
  if (plain) {
    switch (index) {
      case 0x174: if (value >> 32) gp(0); break;
      case 0x175:
      case 0x176:
      case 0xc0000082:
      case 0xc0000083:
      case 0xc0000100:
      case 0xc0000101:
      case 0xc0000102: if (!isCanonical(value)) gp(0); break;
      case 0x277:
        for (let i: u32 = 0; i < 8; i++) {
          const type = u32(value >> (i * 8)) & 0xff;
          if (type > 7 || type == 2 || type == 3) gp(0);
        }
        break;
    }
    store<u64>(plain, value);
    return 0;
  }
  switch (index) {
    case 0x10:
      timestamp();
      store<u64>(TSC_OFFSET, value - load<u64>(HOST_SLOT));
      return 0;
    case 0x1b:
      store<u64>(APIC_BASE, value);
      notify(0x1b);
      return leaveAfter();
    case 0x17: gp(0); return 0;
    case 0x8b:
    case 0x79: return 0;
    case 0x17b:
      // all banks or none
      if (value == 0 || value == u64.MAX_VALUE) store<u64>(MCG_CTL, value);
      return 0;
    case 0xc0000080: {
      if (!eferExists()) gp(0);
      let allowed: u64 = 0;
      if (feature(FEATURE_80000001_EDX, 11)) allowed |= EFER_SCE;
      if (feature(FEATURE_80000001_EDX, 20)) allowed |= EFER_NXE;
      if (feature(FEATURE_80000001_EDX, 29)) allowed |= EFER_LME;
      if (feature(FEATURE_80000001_EDX, 25)) allowed |= 0x4000; // FFXSR
      if (value & ~(allowed | EFER_LMA)) gp(0);
      const before = load<u64>(EFER);
      if ((value ^ before) & EFER_LME && cr0() & CR0_PG) gp(0);
      store<u64>(EFER, (value & allowed) | (before & EFER_LMA));
      flushTlb(false);
      updateMode();
      return leaveAfter();
    }
    case 0xc0000103:
      if (!feature(FEATURE_80000001_EDX, 27)) gp(0);
      store<u64>(TSC_AUX, value & 0xffffffff);
      return 0;
    default: gp(0); return 0;
  }
}
export function swapgs(rec: u32): void {
  privileged();
  const base = segmentBase(GS);
  store<u64>(segment(GS), load<u64>(KERNEL_GS_BASE), SEG_BASE);
  store<u64>(KERNEL_GS_BASE, base);
}

// ---------------------------------------------------------------- fast system calls

const FLAT_CODE: u32 = DESC_P | DESC_S | DESC_CODE | DESC_RW | DESC_A | DESC_G;
const FLAT_DATA: u32 = DESC_P | DESC_S | DESC_RW | DESC_A | DESC_G | DESC_B;

/** CS and SS flat at `level`; CS of 64 bits or of 32. */
function flatSegments(code: u32, stack: u32, level: u32, wide: bool): void {
  setSegment(CS, code | level, 0, 0xffffffff, FLAT_CODE | (level << 13) | (wide ? DESC_L : DESC_B));
  setSegment(SS, stack | level, 0, 0xffffffff, FLAT_DATA | (level << 13));
  updateMode();
}

/** By CPUID's vendor string: the fast system calls differ. */
function isIntel(): bool {
  const entry = findLeaf(0, 0);
  return entry != 0 && load<u32>(entry, 12) == 0x756e6547;
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

function unwindNow(): void {
  unwind();
  unreachable();
}
