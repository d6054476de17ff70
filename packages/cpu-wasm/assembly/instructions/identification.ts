/** CPUID, time-stamp, random numbers. */
import { APIC_BASE, CPUID_COUNT, CPUID_OVERFLOW, CPUID_STRIDE, CPUID_TABLE, HOST_SLOT, TSC_AUX, TSC_OFFSET } from '../../src/layout';
import { random32, timestamp } from '../bus';
import { gp } from '../exceptions';
import { setResult } from '../flags';
import { CR4_OSXSAVE, CR4_TSD, RAX, RBX, RCX, RDX, cpl, cr4, get, put } from '../state';

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

export function tsc(): u64 {
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

/** By CPUID's vendor string: the fast system calls differ. */
export function isIntel(): bool {
  const entry = findLeaf(0, 0);
  return entry != 0 && load<u32>(entry, 12) == 0x756e6547;
}
