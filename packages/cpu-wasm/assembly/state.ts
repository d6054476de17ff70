/**
 * Access to the CPU state block by name. Everything is at fixed addresses (src/layout.ts), so each of these is one load or store.
 */
import {
  BREAKPOINTS, BREAK_CODE, CPL, CR0, CR3, CR4, CS, DS, EFER, EFLAGS, ES, EVENTS, EVENT_EXCEPTION, EVENT_INTR, EVENT_NMI, EVENT_SMI, EVENT_STEP, FETCH_BASE, FETCH_LIMIT,
  FETCH_MASK, GPR, INTERRUPT_SHADOW, INTR_LINE, LIMIT, MODE, MODE_16, MODE_32, MODE_64, MODE_FLAT, MODE_FULL_FETCH, MODE_PROTECTED, MODE_SIZE_MASK,
  MODE_STACK32, MODE_USER, MODE_VM86, NMI_BLOCKED, NMI_PENDING, SEGMENTS, SEGMENT_STRIDE, SEG_BASE, SEG_FLAGS, SEG_LIMIT, SEG_READ_HIGH,
  SEG_READ_LOW, SEG_SELECTOR, SEG_WRITE_HIGH, SEG_WRITE_LOW, SMI_PENDING, SMM, SS, STOP, TLB, TLB_SET, TLB_SET_STRIDE,
} from '../src/layout';

// ---------------------------------------------------------------- EFLAGS, CR0, CR4, EFER

export const FLAG_CF: u32 = 1;
export const FLAG_PF: u32 = 4;
export const FLAG_AF: u32 = 0x10;
export const FLAG_ZF: u32 = 0x40;
export const FLAG_SF: u32 = 0x80;
export const FLAG_TF: u32 = 0x100;
export const FLAG_IF: u32 = 0x200;
export const FLAG_DF: u32 = 0x400;
export const FLAG_OF: u32 = 0x800;
export const FLAG_IOPL: u32 = 0x3000;
export const FLAG_NT: u32 = 0x4000;
export const FLAG_RF: u32 = 0x10000;
export const FLAG_VM: u32 = 0x20000;
export const FLAG_AC: u32 = 0x40000;
export const FLAG_VIF: u32 = 0x80000;
export const FLAG_VIP: u32 = 0x100000;
export const FLAG_ID: u32 = 0x200000;
export const FLAGS_LAZY: u32 = 0x8d5;

export const CR0_PE: u32 = 1;
export const CR0_MP: u32 = 2;
export const CR0_EM: u32 = 4;
export const CR0_TS: u32 = 8;
export const CR0_ET: u32 = 0x10;
export const CR0_NE: u32 = 0x20;
export const CR0_WP: u32 = 0x10000;
export const CR0_AM: u32 = 0x40000;
export const CR0_NW: u32 = 0x20000000;
export const CR0_CD: u32 = 0x40000000;
export const CR0_PG: u32 = 0x80000000;

export const CR4_VME: u32 = 1;
export const CR4_PVI: u32 = 2;
export const CR4_TSD: u32 = 4;
export const CR4_DE: u32 = 8;
export const CR4_PSE: u32 = 0x10;
export const CR4_PAE: u32 = 0x20;
export const CR4_PGE: u32 = 0x80;
export const CR4_PCE: u32 = 0x100;
export const CR4_OSFXSR: u32 = 0x200;
export const CR4_OSXMMEXCPT: u32 = 0x400;
export const CR4_UMIP: u32 = 0x800;
export const CR4_FSGSBASE: u32 = 0x10000;
export const CR4_PCIDE: u32 = 0x20000;
export const CR4_OSXSAVE: u32 = 0x40000;
export const CR4_SMEP: u32 = 0x100000;
export const CR4_SMAP: u32 = 0x200000;

export const EFER_SCE: u32 = 1;
export const EFER_LME: u32 = 0x100;
export const EFER_LMA: u32 = 0x400;
export const EFER_NXE: u32 = 0x800;

// ---------------------------------------------------------------- registers

export const RAX: u32 = 0;
export const RCX: u32 = 8;
export const RDX: u32 = 16;
export const RBX: u32 = 24;
export const RSP: u32 = 32;
export const RBP: u32 = 40;
export const RSI: u32 = 48;
export const RDI: u32 = 56;
export const AH: u32 = 1;

/** Register at a byte offset in the register file (AH is 1). */
@inline export function get<T>(offset: u32): T {
  return load<T>(offset, GPR);
}
/** Writes a register; 32-bit writes clear the upper half. */
@inline export function put<T>(offset: u32, value: T): void {
  if (sizeof<T>() == 4) store<u64>(offset, u64(value), GPR);
  else store<T>(offset, value, GPR);
}

@inline export function cr0(): u32 { return load<u32>(CR0); }
@inline export function cr3(): u64 { return load<u64>(CR3); }
@inline export function cr4(): u32 { return load<u32>(CR4); }
@inline export function efer(): u32 { return load<u32>(EFER); }
@inline export function eflags(): u32 { return load<u32>(EFLAGS); }
@inline export function cpl(): u32 { return load<u32>(CPL); }
@inline export function iopl(): u32 { return (load<u32>(EFLAGS) >> 12) & 3; }
@inline export function mode(): u32 { return load<u32>(MODE); }
@inline export function is64(): bool { return (load<u32>(MODE) & MODE_SIZE_MASK) == MODE_64; }
/** Long mode active: 64-bit or compatibility mode. */
@inline export function longMode(): bool { return (load<u32>(EFER) & EFER_LMA) != 0; }
@inline export function protectedMode(): bool { return (load<u32>(MODE) & MODE_PROTECTED) != 0; }
@inline export function vm86(): bool { return (load<u32>(MODE) & MODE_VM86) != 0; }
/** Has the CPU this feature? `word` is one of FEATURE_*. */
@inline export function feature(word: u32, bit: u32): bool { return ((load<u32>(word) >> bit) & 1) != 0; }

// ---------------------------------------------------------------- segments

@inline export function segment(index: u32): u32 { return SEGMENTS + index * SEGMENT_STRIDE; }
@inline export function selector(index: u32): u32 { return load<u32>(segment(index), SEG_SELECTOR); }
@inline export function segmentBase(index: u32): u64 { return load<u64>(segment(index), SEG_BASE); }
@inline export function segmentLimit(index: u32): u32 { return load<u32>(segment(index), SEG_LIMIT); }
@inline export function segmentFlags(index: u32): u32 { return load<u32>(segment(index), SEG_FLAGS); }

/** Bits of a descriptor's high dword, as in the cached flags. */
export const DESC_A: u32 = 1 << 8;
/** Readable (code), writable (data). */
export const DESC_RW: u32 = 1 << 9;
/** Conforming (code), expand-down (data). */
export const DESC_CE: u32 = 1 << 10;
export const DESC_CODE: u32 = 1 << 11;
export const DESC_S: u32 = 1 << 12;
export const DESC_P: u32 = 1 << 15;
export const DESC_L: u32 = 1 << 21;
export const DESC_B: u32 = 1 << 22;
export const DESC_G: u32 = 1 << 23;

export function setSegment(index: u32, sel: u32, base: u64, limit: u32, flags: u32): void {
  const s = segment(index);
  store<u32>(s, sel, SEG_SELECTOR);
  store<u32>(s, limit, SEG_LIMIT);
  store<u64>(s, base, SEG_BASE);
  store<u32>(s, flags, SEG_FLAGS);
  updateSegment(index);
}

/** Derives the bounds that data accesses compare with. */
export function updateSegment(index: u32): void {
  const s = segment(index);
  const flags = load<u32>(s, SEG_FLAGS);
  const limit = load<u32>(s, SEG_LIMIT);
  let low: u32 = 0;
  let high = limit;
  let readable = (flags & (DESC_P | DESC_S)) == (DESC_P | DESC_S);
  let writable = readable;
  if (!(load<u32>(CR0) & CR0_PE) || load<u32>(EFLAGS) & FLAG_VM) {
    readable = writable = true; // real and virtual-8086 mode look at base and limit only
    if (flags & DESC_CODE) writable = true;
    else if (flags & DESC_CE) low = limit == 0xffffffff ? 0xffffffff : limit + 1, high = flags & DESC_B ? 0xffffffff : 0xffff;
  } else if (flags & DESC_CODE) {
    readable = readable && (flags & DESC_RW) != 0;
    writable = false;
  } else {
    writable = writable && (flags & DESC_RW) != 0;
    if (flags & DESC_CE) {
      high = flags & DESC_B ? 0xffffffff : 0xffff;
      if (limit >= high) readable = writable = false;
      low = limit + 1;
    }
  }
  store<u32>(s, readable ? low : 1, SEG_READ_LOW);
  store<u32>(s, readable ? high : 0, SEG_READ_HIGH);
  store<u32>(s, writable ? low : 1, SEG_WRITE_LOW);
  store<u32>(s, writable ? high : 0, SEG_WRITE_HIGH);
}

@inline function flat(index: u32, write: bool): bool {
  const s = segment(index);
  if (load<u64>(s, SEG_BASE) != 0) return false;
  if (write) return load<u32>(s, SEG_WRITE_LOW) == 0 && load<u32>(s, SEG_WRITE_HIGH) == 0xffffffff;
  return load<u32>(s, SEG_READ_LOW) == 0 && load<u32>(s, SEG_READ_HIGH) == 0xffffffff;
}

/** Derives MODE, CPL, fetch base and limit, TLB set. Call after a change of CS, SS, DS, ES, CR0, EFER or EFLAGS.VM/AC. */
export function updateMode(): void {
  const flags = load<u32>(EFLAGS);
  const control = load<u32>(CR0);
  const cs = segment(CS);
  const csFlags = load<u32>(cs, SEG_FLAGS);
  let mode: u32 = 0;
  let level: u32 = 0;
  if (control & CR0_PE) {
    if (flags & FLAG_VM) {
      mode = MODE_VM86;
      level = 3;
    } else {
      mode = MODE_PROTECTED;
      level = (load<u32>(segment(SS), SEG_FLAGS) >> 13) & 3;
    }
  }
  if ((load<u32>(EFER) & EFER_LMA) && csFlags & DESC_L) {
    mode |= MODE_64 | MODE_FLAT | MODE_STACK32 | MODE_FULL_FETCH;
    store<u64>(FETCH_BASE, 0);
    store<u64>(FETCH_MASK, u64.MAX_VALUE);
    store<u64>(FETCH_LIMIT, u64.MAX_VALUE);
  } else {
    mode |= csFlags & DESC_B ? MODE_32 : MODE_16;
    if (load<u32>(segment(SS), SEG_FLAGS) & DESC_B) mode |= MODE_STACK32;
    if (csFlags & DESC_B && load<u32>(cs, SEG_LIMIT) == 0xffffffff) mode |= MODE_FULL_FETCH;
    if (flat(SS, true) && flat(DS, true) && flat(ES, true)) mode |= MODE_FLAT;
    store<u64>(FETCH_BASE, load<u64>(cs, SEG_BASE));
    store<u64>(FETCH_MASK, 0xffffffff);
    store<u64>(FETCH_LIMIT, load<u32>(cs, SEG_LIMIT));
  }
  if (level == 3) mode |= MODE_USER;
  store<u32>(MODE, mode);
  store<u32>(CPL, level);
  const set: u32 = level != 3 ? 0 : control & CR0_AM && flags & FLAG_AC ? 2 : 1;
  store<u32>(TLB_SET, TLB + set * TLB_SET_STRIDE);
}

// ---------------------------------------------------------------- events

@inline export function faulted(): bool { return (load<u32>(EVENTS) & EVENT_EXCEPTION) != 0; }

@inline export function updateStop(): void {
  store<i64>(STOP, load<u32>(EVENTS) ? -1 : load<i64>(LIMIT));
}
@inline export function signal(event: u32): void {
  store<u32>(EVENTS, load<u32>(EVENTS) | event);
  store<i64>(STOP, -1);
}
@inline export function unsignal(event: u32): void {
  store<u32>(EVENTS, load<u32>(EVENTS) & ~event);
  updateStop();
}
/** Derives the INTR, NMI, SMI and STEP events. Call after a change of IF, TF, the interrupt shadow, the pins or DR7. */
export function updateEvents(): void {
  let events = load<u32>(EVENTS) & ~(EVENT_INTR | EVENT_STEP | EVENT_NMI | EVENT_SMI);
  const flags = load<u32>(EFLAGS);
  if (load<u32>(INTR_LINE) && flags & FLAG_IF) events |= EVENT_INTR;
  if (load<u32>(NMI_PENDING) && !load<u32>(NMI_BLOCKED)) events |= EVENT_NMI;
  if (load<u32>(SMI_PENDING) && !load<u32>(SMM)) events |= EVENT_SMI;
  if (flags & FLAG_TF || load<u32>(INTERRUPT_SHADOW) || load<u32>(BREAKPOINTS) & BREAK_CODE) events |= EVENT_STEP;
  store<u32>(EVENTS, events);
  updateStop();
}
