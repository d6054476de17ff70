/**
 * Linear to physical: no paging, 2-level with PSE and PSE-36, PAE, 4-level. Sets accessed and dirty bits, checks rights, raises #PF.
 * SDM volume 3, chapter 4.
 */
import { CR2, FEATURE_80000001_EDX, PDPTE, PHYSICAL_RESERVED, TLB, TLB_SET_STRIDE } from '../src/layout';
import { raise } from './exceptions';
import { gate, readPhysical, writePhysical } from './physical';
import {
  CR0_PG, CR0_WP, CR4_PAE, CR4_PGE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_LMA, EFER_NXE, FLAG_AC, cr0, cr3, cr4, efer, eflags, feature,
} from './state';
import { ENTRY_GLOBAL, ENTRY_LARGE, ENTRY_ONCE } from './tlb';

export const READ: u32 = 0;
export const WRITE: u32 = 1;
export const EXECUTE: u32 = 2;
/** A debugger looks: no rights are checked, nothing changes. */
export const PROBE: u32 = 3;

const P: u64 = 1;
const W: u64 = 2;
const U: u64 = 4;
const A: u64 = 0x20;
const D: u64 = 0x40;
const PS: u64 = 0x80;
const G: u64 = 0x100;
const NX: u64 = 1 << 63;
const FRAME: u64 = 0x000ffffffffff000;

/** Answer of a failed walk; the exception is pending. */
export const NO_ADDRESS: u64 = u64.MAX_VALUE;

/** Of the last walk that succeeded: flags for its TLB entry. */
let walkFlags: u32 = 0;
export function lastWalkFlags(): u32 { return walkFlags; }

export const KERNEL_SET: u32 = TLB;
export const USER_SET: u32 = TLB + TLB_SET_STRIDE;

function pageFault(linear: u64, access: u32, user: bool, code: u32): u64 {
  if (access == PROBE) return NO_ADDRESS;
  store<u64>(CR2, linear);
  if (access == WRITE) code |= 2;
  if (user) code |= 4;
  if (access == EXECUTE && ((efer() & EFER_NXE && cr4() & CR4_PAE) || cr4() & CR4_SMEP)) code |= 16;
  raise(14, true, code);
  return NO_ADDRESS;
}

/** May the access go through, with U, W, NX as accumulated over the levels? */
@inline function allowed(rights: u64, access: u32, user: bool, implicit: bool): bool {
  if (access == PROBE) return true;
  if (access == EXECUTE && rights & NX) return false;
  if (user) return (rights & U) != 0 && (access != WRITE || (rights & W) != 0);
  if (rights & U) {
    if (access == EXECUTE) {
      if (cr4() & CR4_SMEP) return false;
    } else if (cr4() & CR4_SMAP && (implicit || !(eflags() & FLAG_AC))) {
      return false;
    }
  }
  return access != WRITE || (rights & W) != 0 || (cr0() & CR0_WP) == 0;
}

/** Flags of a TLB entry for these rights. What CR4.SMAP guards is not kept: EFLAGS.AC would have to flush it. */
@inline function entryFlags(rights: u64, access: u32, user: bool): u32 {
  if (!user && access != EXECUTE && rights & U && cr4() & CR4_SMAP) return ENTRY_ONCE;
  return rights & G && cr4() & CR4_PGE ? ENTRY_GLOBAL : 0;
}

/** Physical address (after the A20 gate) of a linear one, or NO_ADDRESS with #PF pending. `implicit`: a supervisor access to a system table. */
export function walk(linear: u64, access: u32, user: bool, implicit: bool = false): u64 {
  const control = cr0();
  if (!(control & CR0_PG)) {
    walkFlags = 0;
    return gate(linear);
  }
  if (!(cr4() & CR4_PAE)) return walk32(u32(linear), access, user, implicit);
  return walk64(linear, access, user, implicit);
}

function walk32(linear: u32, access: u32, user: bool, implicit: bool): u64 {
  const directory = gate((cr3() & 0xfffff000) + ((linear >> 22) << 2));
  const pde = readPhysical(directory, 4);
  if (!(pde & P)) return pageFault(linear, access, user, 0);
  if (pde & PS && cr4() & CR4_PSE) {
    if (pde & (1 << 21)) return pageFault(linear, access, user, 9);
    if (!allowed(pde, access, user, implicit)) return pageFault(linear, access, user, 1);
    const wanted = pde | A | (access == WRITE ? D : 0);
    if (wanted != pde && access != PROBE) writePhysical(directory, 4, wanted);
    walkFlags = ENTRY_LARGE | entryFlags(pde, access, user);
    return gate((pde & 0xffc00000) | ((pde & 0x1fe000) << 19) | (linear & 0x3fffff));
  }
  if (!(pde & A) && access != PROBE) writePhysical(directory, 4, pde | A);
  const table = gate((pde & 0xfffff000) + ((linear >> 10) & 0xffc));
  const pte = readPhysical(table, 4);
  if (!(pte & P)) return pageFault(linear, access, user, 0);
  if (!allowed(pde & pte, access, user, implicit)) return pageFault(linear, access, user, 1);
  const wanted = pte | A | (access == WRITE ? D : 0);
  if (wanted != pte && access != PROBE) writePhysical(table, 4, wanted);
  walkFlags = entryFlags(pte & (pde | ~U), access, user);
  return gate((pte & 0xfffff000) | (linear & 0xfff));
}

function walk64(linear: u64, access: u32, user: bool, implicit: bool): u64 {
  const nxe = (efer() & EFER_NXE) != 0;
  const reserved = load<u64>(PHYSICAL_RESERVED) | (nxe ? 0 : NX);
  // W and U: all levels must have them; NX: any level; kept inverted so that AND accumulates
  let rights: u64 = W | U | NX;
  let entry: u64;
  let at: u64;
  let base: u64;
  let level: u32;
  if (efer() & EFER_LMA) {
    base = cr3() & FRAME;
    level = 4;
  } else {
    entry = load<u64>((u32(linear >> 30) & 3) << 3, PDPTE);
    if (!(entry & P)) return pageFault(linear, access, user, 0);
    base = entry & FRAME;
    level = 2;
  }
  for (;;) {
    at = gate(base + ((linear >> (9 * level)) & 0xff8));
    entry = readPhysical(at, 8);
    if (!(entry & P)) return pageFault(linear, access, user, 0);
    if (entry & reserved) return pageFault(linear, access, user, 9);
    rights &= entry ^ NX;
    if (level == 1) break;
    if (entry & PS) {
      if (level == 2) break;
      if (level == 3 && feature(FEATURE_80000001_EDX, 26)) break;
      return pageFault(linear, access, user, 9);
    }
    if (!(entry & A) && access != PROBE) writePhysical(at, 8, entry | A);
    base = entry & FRAME;
    level--;
  }
  const offset: u64 = (<u64>1 << (3 + 9 * level)) - 1;
  if (level > 1 && entry & FRAME & offset & ~(<u64>0x1000)) return pageFault(linear, access, user, 9); // bit 12 = PAT
  if (!allowed(rights ^ NX, access, user, implicit)) return pageFault(linear, access, user, 1);
  const wanted = entry | A | (access == WRITE ? D : 0);
  if (wanted != entry && access != PROBE) writePhysical(at, 8, wanted);
  walkFlags = (level > 1 ? ENTRY_LARGE : 0) | entryFlags(entry & (rights | ~U), access, user);
  return gate((entry & FRAME & ~offset) | (linear & offset));
}
