/** Model specific registers. SDM volume 4. */
import {
  APIC_BASE, CSTAR, EFER, FEATURE_1_ECX, FEATURE_80000001_EDX, FEATURE_CONTROL, FMASK, FS, GS, HOST_SLOT, KERNEL_GS_BASE, LSTAR, MCE_BANKS, MCG_CAP, MCG_CTL,
  MCG_STATUS, MISC_ENABLE, MTRR_DEFTYPE, MTRR_FIXED, MTRR_VARIABLE, PAT, SEG_BASE, STAR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, TSC_ADJUST,
  TSC_AUX, TSC_DEADLINE, TSC_OFFSET,
} from '../../src/layout';
import { notify, timestamp } from '../bus';
import { gp } from '../exceptions';
import { leaveAfter } from '../position';
import { privileged } from '../privilege';
import { CR0_PG, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, RAX, RCX, RDX, cr0, feature, get, put, segment, segmentBase, updateMode } from '../state';
import { flushTlb } from '../tlb';
import { isIntel, tsc } from './identification';

export function isCanonical(value: u64): bool {
  return i64(value) << 16 >> 16 == i64(value);
}

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
/** IA32_TSC_DEADLINE is there. SDM volume 3, 10.5.4.1 */
function deadlineExists(): bool {
  return feature(FEATURE_1_ECX, 24);
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
      case 0x8b: value = isIntel() ? 0x100000000 : 0x01000065; break; // microcode: revision 1 (high half), AMD patch level
      case 0x6e0:
        // the machine empties it once the local APIC has fired, or left that mode
        if (!deadlineExists()) gp(0);
        notify(0x10);
        value = load<u64>(TSC_DEADLINE);
        break;
      case 0xfe: value = 0x508; break; // 8 variable ranges, fixed ranges, write-combining
      case 0x179: value = load<u64>(MCG_CAP); break;
      case 0x17b: value = load<u64>(MCG_CTL); break;
      // AMD, BIOS and Kernel Developer's Guide: SYSCFG, HWCR, NB_CFG, interrupt pending message, DE_CFG; nothing is switched on
      case 0xc0010010:
      case 0xc0010015:
      case 0xc001001f:
      case 0xc0010055:
      case 0xc0011029: if (isIntel()) gp(0); break;
      case 0xc0000080: if (!eferExists()) gp(0); value = load<u64>(EFER); break;
      case 0xc0000103: if (!feature(FEATURE_80000001_EDX, 27)) gp(0); value = load<u64>(TSC_AUX); break;
      default: gp(0);
    }
  }
  put<u32>(RAX, u32(value));
  put<u32>(RDX, u32(value >> 32));
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
      notify(0x10);
      return leaveAfter();
    case 0x6e0:
      if (!deadlineExists()) gp(0);
      store<u64>(TSC_DEADLINE, value);
      notify(0x6e0);
      return leaveAfter();
    case 0x1b:
      store<u64>(APIC_BASE, value);
      notify(0x1b);
      return leaveAfter();
    case 0x17: gp(0); return 0;
    case 0xc0010010:
    case 0xc0010015:
    case 0xc001001f:
    case 0xc0010055:
    case 0xc0011029: if (isIntel() || value) gp(0); return 0;
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
