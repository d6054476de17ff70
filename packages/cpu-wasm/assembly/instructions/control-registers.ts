/** CR0 to CR8, LMSW and SMSW, INVLPG, caches. SDM volume 3, chapter 2.5. */
import {
  CR0, CR2, CR3, CR4, CR8, CS, EFER, FEATURE_1_ECX, FEATURE_1_EDX, FEATURE_7_EBX, FEATURE_7_ECX, FS, PDPTE, PHYSICAL_RESERVED,
} from '../../src/layout';
import { notify } from '../bus';
import { gp, ud } from '../exceptions';
import { loadAt, offsetOf, operand16, operandAddress, probeRead, segmentOf } from '../memory';
import { gate, readPhysical } from '../physical';
import { leaveAfter } from '../position';
import { privileged } from '../privilege';
import {
  CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_DE, CR4_FSGSBASE, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_OSXSAVE, CR4_PAE,
  CR4_PCE, CR4_PCIDE, CR4_PGE, CR4_PSE, CR4_PVI, CR4_SMAP, CR4_SMEP, CR4_TSD, CR4_UMIP, CR4_VME, DESC_L, EFER_LMA, EFER_LME, cr0, cr4, efer,
  feature, get, is64, longMode, put, segment, segmentBase, updateMode, updateSegment,
} from '../state';
import { flushPage, flushTlb } from '../tlb';
import { userModePrevented } from './segments';

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
      if (is64() || cr4() & CR4_PCIDE) gp(0);
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
        // bit 63 only asks to keep what the TLB holds of this context
        const reserved = load<u64>(PHYSICAL_RESERVED) | 0xfff0000000000000;
        if (value & (cr4() & CR4_PCIDE ? reserved & ~(<u64>1 << 63) : reserved)) gp(0);
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
/** Without tags in the TLB a process-context identifier invalidates everything but global pages, which is allowed. [SDM 2A, INVPCID] */
export function invpcid(rec: u32): i32 {
  privileged();
  const type = is64() ? get<u64>(load<u8>(rec, 2)) : u64(get<u32>(load<u8>(rec, 2)));
  const context = loadAt<u64>(operandAddress(rec, 0, 8, false));
  const linear = loadAt<u64>(operandAddress(rec, 8, 8, false));
  if (type > 3 || context >> 12) gp(0);
  if (type < 2 && context && !(cr4() & CR4_PCIDE)) gp(0);
  if (type == 0 && i64(linear) << 16 >> 16 != i64(linear)) gp(0);
  if (type == 0) flushPage(linear);
  else flushTlb(type != 2);
  return leaveAfter();
}
export function cacheControl(rec: u32): void {
  privileged();
}
/** Asks for the rights of a load, and loads nothing. */
export function clflush(rec: u32): void {
  probeRead(operandAddress(rec, 0, 1, false));
}
