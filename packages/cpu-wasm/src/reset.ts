/** What RESET leaves behind. [SDM] volume 3, table 9-1; where it leaves a choice, the values that QEMU 7.2 shows. */
import * as layout from './layout.js';

const SEGMENT_RESET: readonly (readonly [index: number, selector: number, base: bigint, limit: number, flags: number])[] = [
  [layout.ES, 0, 0n, 0xffff, 0x9300],
  [layout.CS, 0xf000, 0xffff0000n, 0xffff, 0x9b00],
  [layout.SS, 0, 0n, 0xffff, 0x9300],
  [layout.DS, 0, 0n, 0xffff, 0x9300],
  [layout.FS, 0, 0n, 0xffff, 0x9300],
  [layout.GS, 0, 0n, 0xffff, 0x9300],
  [layout.LDTR, 0, 0n, 0xffff, 0x8200],
  [layout.TR, 0, 0n, 0xffff, 0x8b00],
  [layout.GDTR, 0, 0n, 0xffff, 0],
  [layout.IDTR, 0, 0n, 0xffff, 0],
];

const WORDS: readonly (readonly [address: number, value: bigint])[] = [
  [layout.RIP, 0xfff0n],
  [layout.CR0, 0x60000010n],
  [layout.DR + 6 * 8, 0xffff0ff0n],
  [layout.DR + 7 * 8, 0x400n],
  [layout.APIC_BASE, 0xfee00900n],
  [layout.PAT, 0x0007040600070406n],
  [layout.MISC_ENABLE, 1n],
  [layout.XCR0, 1n],
];

/** Machine check of QEMU's CPUs: 10 banks, MCG_CTL present, software error recovery. */
const MCG_CAPABILITIES = 0x0100010an;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/**
 * What INIT leaves alone: x87 and SSE registers, the time-stamp counter, machine check, MTRRs, PAT, SMBASE, and the caches' bits of CR0.
 * [SDM] volume 3, table 9-1.
 */
const KEPT_BY_INIT: readonly (readonly [address: number, bytes: number])[] = [
  [layout.PAT, layout.XCR0 - layout.PAT],
  [layout.SMBASE, 8],
  [layout.SPEC_CTRL, 8],
  [layout.MTRR_FIXED, layout.CPL - layout.MTRR_FIXED],
];
const CACHE_BITS = 0x6000_0000;

/** Takes a copy of what an INIT keeps. */
export class InitState {
  private readonly parts: readonly (readonly [address: number, bytes: Uint8Array])[];
  private readonly cacheBits: number;

  constructor(view: DataView) {
    this.parts = KEPT_BY_INIT.map(([at, length]) => [at, new Uint8Array(view.buffer, at, length).slice()] as const);
    this.cacheBits = view.getUint32(layout.CR0, true) & CACHE_BITS;
  }

  restore(view: DataView): void {
    for (const [at, bytes] of this.parts) new Uint8Array(view.buffer, at, bytes.length).set(bytes);
    const others = view.getUint32(layout.CR0, true) & ~CACHE_BITS;
    view.setUint32(layout.CR0, (others | this.cacheBits) >>> 0, true);
  }
}

/** Writes the state block; `edx` is the processor's signature, `machineCheck` whether CPUID has MCE and MCA. The caller derives the rest. */
export function writeResetState(view: DataView, edx: number, machineCheck: boolean): void {
  const kept = [layout.A20_MASK, layout.INTR_LINE, layout.DIRTY_LOGGING].map((at) => [at, view.getUint32(at, true)] as const);
  for (let at = layout.GPR; at < layout.CPL; at += 4) view.setUint32(at, 0, true);
  for (const at of [layout.EVENTS, layout.HALTED, layout.NMI_PENDING, layout.NMI_BLOCKED, layout.INTERRUPT_SHADOW, layout.SMM])
    view.setUint32(at, 0, true);
  for (const at of [
    layout.SMI_PENDING,
    layout.SHUTDOWN,
    layout.STEPPING,
    layout.STEP_DR6,
    layout.IGNNE,
    layout.CURRENT_BLOCK,
    layout.PATCHED_RECORD,
  ])
    view.setUint32(at, 0, true);
  for (const at of [layout.EXCEPTION_VECTOR, layout.DELIVERING, layout.INTERRUPT_INJECTED]) view.setInt32(at, -1, true);
  for (const [at, value] of kept) view.setUint32(at, value, true);
  for (const [at, value] of WORDS) view.setBigUint64(at, value, true);
  for (const [index, selector, base, limit, flags] of SEGMENT_RESET) {
    const at = layout.SEGMENTS + index * layout.SEGMENT_STRIDE;
    view.setUint32(at + layout.SEG_SELECTOR, selector, true);
    view.setBigUint64(at + layout.SEG_BASE, base, true);
    view.setUint32(at + layout.SEG_LIMIT, limit, true);
    view.setUint32(at + layout.SEG_FLAGS, flags, true);
  }
  view.setUint32(layout.GPR + 2 * layout.GPR_STRIDE, edx, true);
  view.setUint32(layout.SMBASE, 0x30000, true);
  view.setUint16(layout.FPU_CONTROL, 0x37f, true);
  view.setUint32(layout.MXCSR, 0x1f80, true);
  if (machineCheck) {
    view.setBigUint64(layout.MCG_CAP, MCG_CAPABILITIES, true);
    view.setBigUint64(layout.MCG_CTL, ALL_ONES, true);
    for (let bank = 0; bank < 10; bank++) view.setBigUint64(layout.MCE_BANKS + bank * 32, ALL_ONES, true);
  }
}
