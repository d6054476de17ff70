/**
 * Moves architectural state between {@link CpuState} (wire form) and the state block in the CPU's WebAssembly memory.
 * What the CPU does not use (registers of KVM, Hyper-V and of extensions it lacks) stays in the CpuState and goes back on the wire as it came.
 */
import { StateError } from '@pagurus/vmstate';
import { CR0, CR4, EFER, EFLAGS, HFLAGS, HFLAGS2, INTERRUPT_REQUEST, SEGMENT } from './flags.js';
import * as layout from './layout.js';
import type { CpuCommonState, CpuState, Segment, Word } from './state.js';

/** What is needed of a CPU: its memory, and the exports that translate lazy and derived state. */
export interface CpuAccess {
  readonly memory: WebAssembly.Memory;
  /** The whole EFLAGS register. */
  getFlags(): number;
  setFlags(value: number): void;
  /** Recomputes everything derived from architectural state. */
  refresh(): void;
}

const XCR0_YMM = 6n;

/**
 * The bits of hflags that follow from other registers, or that repeat bits of EFLAGS (TF IOPL RF VM AC): KVM sends those, TCG never does, and
 * stale ones would harm the receiver.
 */
const COMPUTED_HFLAGS =
  HFLAGS.CPL |
  HFLAGS.INHIBIT_IRQ |
  HFLAGS.CS32 |
  HFLAGS.SS32 |
  HFLAGS.ADDSEG |
  HFLAGS.PE |
  HFLAGS.TF |
  HFLAGS.MP |
  HFLAGS.EM |
  HFLAGS.TS |
  HFLAGS.IOPL |
  HFLAGS.LMA |
  HFLAGS.CS64 |
  HFLAGS.RF |
  HFLAGS.VM |
  HFLAGS.AC |
  HFLAGS.SMM |
  HFLAGS.SVME |
  HFLAGS.OSFXSR |
  HFLAGS.SMAP |
  HFLAGS.UMIP |
  HFLAGS.AVX_EN;

/**
 * QEMU's mode bits from the registers of `state`. Interrupt shadow, SMM and bits of unknown meaning are taken over from `state.hflags`.
 */
export function computeHflags(state: CpuState): number {
  const [cr0, cr4, efer, eflags] = [Number(state.cr0), Number(state.cr4), Number(state.efer), Number(state.eflags)];
  const [es, cs, ss, ds] = state.segments as [Segment, Segment, Segment, Segment];
  const protectedMode = (cr0 & CR0.PE) !== 0;
  const vm86 = (eflags & EFLAGS.VM) !== 0;
  const longMode = (efer & EFER.LMA) !== 0;
  const code64 = longMode && (cs.flags & SEGMENT.L) !== 0;
  const on = (condition: boolean | number, bit: number): number => (condition ? bit : 0);
  // Real mode: caches may hold any DPL, the CPU runs at 0.
  let hflags = protectedMode ? (ss.flags >> SEGMENT.DPL_SHIFT) & 3 : 0;
  hflags |= state.hflags & ~COMPUTED_HFLAGS;
  hflags |= state.hflags & (HFLAGS.INHIBIT_IRQ | HFLAGS.SMM);
  hflags |= on(protectedMode, HFLAGS.PE);
  hflags |= (cr0 & (CR0.MP | CR0.EM | CR0.TS)) << 8;
  hflags |= on(cr4 & CR4.OSFXSR, HFLAGS.OSFXSR) | on(cr4 & CR4.SMAP, HFLAGS.SMAP) | on(cr4 & CR4.UMIP, HFLAGS.UMIP);
  hflags |= on(longMode, HFLAGS.LMA) | on(efer & EFER.SVME, HFLAGS.SVME);
  hflags |= on(cr4 & CR4.OSXSAVE && (state.xcr0 & XCR0_YMM) === XCR0_YMM, HFLAGS.AVX_EN);
  if (code64) return hflags | HFLAGS.CS32 | HFLAGS.SS32 | HFLAGS.CS64;
  hflags |= on(cs.flags & SEGMENT.B, HFLAGS.CS32) | on(ss.flags & SEGMENT.B, HFLAGS.SS32);
  const flat = protectedMode && !vm86 && (hflags & HFLAGS.CS32) !== 0;
  return hflags | on(!flat || [ds, es, ss].some(({ base }) => BigInt(base) !== 0n), HFLAGS.ADDSEG);
}

/** The scalar registers that lie 1:1 in the state block, by width. */
const QUADS = [
  ['efer', layout.EFER],
  ['star', layout.STAR],
  ['lstar', layout.LSTAR],
  ['cstar', layout.CSTAR],
  ['fmask', layout.FMASK],
  ['kernelGsBase', layout.KERNEL_GS_BASE],
  ['pat', layout.PAT],
  ['tscAux', layout.TSC_AUX],
  ['tscAdjust', layout.TSC_ADJUST],
  ['tscDeadline', layout.TSC_DEADLINE],
  ['tscOffset', layout.TSC_OFFSET],
  ['miscEnable', layout.MISC_ENABLE],
  ['featureControl', layout.FEATURE_CONTROL],
  ['mcgCap', layout.MCG_CAP],
  ['mcgStatus', layout.MCG_STATUS],
  ['mcgControl', layout.MCG_CTL],
  ['mtrrDefaultType', layout.MTRR_DEFTYPE],
  ['xcr0', layout.XCR0],
  ['xss', layout.XSS],
  ['specCtrl', layout.SPEC_CTRL],
  ['xstateBv', layout.XSTATE_BV],
  ['fpuInstructionPointer', layout.FPU_IP],
  ['fpuDataPointer', layout.FPU_DP],
] as const satisfies readonly (readonly [keyof CpuState, number])[];

const WORDS = [
  ['eip', layout.RIP],
  ['cr0', layout.CR0],
  ['cr2', layout.CR2],
  ['cr3', layout.CR3],
  ['cr4', layout.CR4],
  ['sysenterEsp', layout.SYSENTER_ESP],
  ['sysenterEip', layout.SYSENTER_EIP],
] as const satisfies readonly (readonly [keyof CpuState, number])[];

const segmentsOf = (state: CpuState): Segment[] => [...state.segments, state.ldt, state.tr, state.gdt, state.idt];

/** Copies the CPU's state into `state` and `common`. */
export function syncFromCpu(cpu: CpuAccess, state: CpuState, common: CpuCommonState): void {
  const view = new DataView(cpu.memory.buffer);
  const quad = (at: number) => view.getBigUint64(at, true);
  const word = (at: number): Word => (state.target === 'i386' ? view.getUint32(at, true) : quad(at));
  state.regs.forEach((_, i) => {
    state.regs[i] = word(layout.GPR + i * layout.GPR_STRIDE);
  });
  for (const [key, at] of WORDS) state[key] = word(at);
  for (const [key, at] of QUADS) state[key] = quad(at);
  state.eflags = state.target === 'i386' ? cpu.getFlags() >>> 0 : BigInt(cpu.getFlags() >>> 0);
  segmentsOf(state).forEach((segment, i) => {
    const at = layout.SEGMENTS + i * layout.SEGMENT_STRIDE;
    segment.selector = view.getUint32(at + layout.SEG_SELECTOR, true);
    segment.base = word(at + layout.SEG_BASE);
    segment.limit = view.getUint32(at + layout.SEG_LIMIT, true);
    segment.flags = view.getUint32(at + layout.SEG_FLAGS, true);
  });
  state.dr.forEach((_, i) => {
    state.dr[i] = word(layout.DR + i * 8);
  });
  state.sysenterCs = view.getUint32(layout.SYSENTER_CS, true);
  state.a20Mask = view.getInt32(layout.A20_MASK, true);
  state.smbase = view.getUint32(layout.SMBASE, true);
  state.smiCount = BigInt(view.getUint32(layout.SMI_COUNT, true));
  state.pkru = view.getUint32(layout.PKRU, true);
  const tpr = view.getUint32(layout.CR8, true) & 15;
  state.virtualTpr = tpr;
  state.svmInterruptControl = ((state.svmInterruptControl & ~15) | tpr) >>> 0;

  state.fpuControl = view.getUint16(layout.FPU_CONTROL, true);
  state.fpuStatus = (view.getUint16(layout.FPU_STATUS, true) & ~0x3800) | ((view.getUint32(layout.FPU_TOP, true) & 7) << 11);
  state.fpuTag = view.getUint8(layout.FPU_TAG);
  state.fpuOpcode = view.getUint16(layout.FPU_OPCODE, true);
  state.fpu.forEach((register, i) => {
    register.mantissa = quad(layout.FPU_REGISTERS + i * 16);
    register.exponent = view.getUint16(layout.FPU_REGISTERS + i * 16 + 8, true);
  });
  state.mxcsr = view.getUint32(layout.MXCSR, true);
  state.vector.forEach((register, i) => {
    register.q0 = quad(layout.XMM + i * 16);
    register.q1 = quad(layout.XMM + i * 16 + 8);
    register.q2 = quad(layout.YMM_HIGH + i * 16);
    register.q3 = quad(layout.YMM_HIGH + i * 16 + 8);
  });
  for (let i = 0; i < 11; i++) state.mtrrFixed[i] = quad(layout.MTRR_FIXED + i * 8);
  state.mtrrVariable.forEach((range, i) => {
    range.base = quad(layout.MTRR_VARIABLE + i * 16);
    range.mask = quad(layout.MTRR_VARIABLE + i * 16 + 8);
  });
  for (let i = 0; i < 40; i++) state.mceBanks[i] = quad(layout.MCE_BANKS + i * 8);

  const flag = (at: number, bit: number): number => (view.getUint32(at, true) ? bit : 0);
  state.hflags =
    (state.hflags & ~COMPUTED_HFLAGS) | flag(layout.INTERRUPT_SHADOW, HFLAGS.INHIBIT_IRQ) | flag(layout.SMM, HFLAGS.SMM);
  state.hflags = computeHflags(state) >>> 0;
  const insideNmi = view.getUint32(layout.SMM, true) & 2 ? HFLAGS2.SMM_INSIDE_NMI : 0;
  state.hflags2 =
    ((state.hflags2 & ~(HFLAGS2.NMI | HFLAGS2.SMM_INSIDE_NMI | HFLAGS2.IGNNE)) |
      flag(layout.NMI_BLOCKED, HFLAGS2.NMI) |
      flag(layout.IGNNE, HFLAGS2.IGNNE) |
      insideNmi) >>>
    0;
  state.interruptInjected = view.getInt32(layout.INTERRUPT_INJECTED, true);
  common.halted = flag(layout.HALTED, 1);
  common.interruptRequest =
    flag(layout.INTR_LINE, INTERRUPT_REQUEST.HARD) |
    flag(layout.NMI_PENDING, INTERRUPT_REQUEST.NMI) |
    flag(layout.SMI_PENDING, INTERRUPT_REQUEST.SMI);
}

/**
 * Puts a loaded state into the CPU.
 *
 * A pending exception of KVM (`exception_nr`) is not injected: EIP still points at the instruction that raised it, which raises it again.
 *
 * @throws {StateError} (`invalid`) for a state that this CPU cannot run: inside a nested guest.
 */
export function syncToCpu(cpu: CpuAccess, state: CpuState, common: CpuCommonState): void {
  if (state.hflags & HFLAGS.GUEST)
    throw new StateError('invalid', 'cpu.env.hflags', -1, 'the CPU is inside a nested SVM guest, which is not implemented');
  if (state.featureSections.has('nested_state') && state.nested.parts.size > 0)
    throw new StateError('invalid', 'cpu.env.nested_state', -1, 'the CPU runs a nested guest, which is not implemented');
  const view = new DataView(cpu.memory.buffer);
  const quad = (at: number, value: Word) => view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  for (let i = 0; i < 16; i++) quad(layout.GPR + i * layout.GPR_STRIDE, state.regs[i] ?? 0n);
  for (const [key, at] of WORDS) quad(at, state[key]);
  for (const [key, at] of QUADS) quad(at, state[key]);
  const realMode = (Number(state.cr0) & CR0.PE) === 0;
  segmentsOf(state).forEach((segment, i) => {
    const at = layout.SEGMENTS + i * layout.SEGMENT_STRIDE;
    view.setUint32(at + layout.SEG_SELECTOR, segment.selector, true);
    quad(at + layout.SEG_BASE, segment.base);
    view.setUint32(at + layout.SEG_LIMIT, segment.limit, true);
    // KVM may leave privilege levels in the caches of real mode.
    view.setUint32(at + layout.SEG_FLAGS, realMode && i < 6 ? segment.flags & ~SEGMENT.DPL : segment.flags, true);
  });
  state.dr.forEach((value, i) => {
    quad(layout.DR + i * 8, value);
  });
  quad(layout.SYSENTER_CS, state.sysenterCs);
  view.setInt32(layout.A20_MASK, state.a20Mask, true);
  view.setUint32(layout.SMBASE, state.smbase, true);
  view.setUint32(layout.SMI_COUNT, Number(state.smiCount & 0xffffffffn), true);
  view.setUint32(layout.PKRU, state.pkru, true);
  quad(layout.CR8, state.virtualTpr & 15);

  view.setUint16(layout.FPU_CONTROL, state.fpuControl, true);
  view.setUint16(layout.FPU_STATUS, state.fpuStatus & ~0x3800, true);
  view.setUint32(layout.FPU_TOP, (state.fpuStatus >> 11) & 7, true);
  view.setUint8(layout.FPU_TAG, state.fpuTag);
  view.setUint32(layout.FPU_OPCODE, state.fpuOpcode, true);
  state.fpu.forEach((register, i) => {
    quad(layout.FPU_REGISTERS + i * 16, register.mantissa);
    view.setUint16(layout.FPU_REGISTERS + i * 16 + 8, register.exponent, true);
  });
  view.setUint32(layout.MXCSR, state.mxcsr, true);
  for (let i = 0; i < 16; i++) {
    const register = state.vector[i];
    quad(layout.XMM + i * 16, register?.q0 ?? 0n);
    quad(layout.XMM + i * 16 + 8, register?.q1 ?? 0n);
    quad(layout.YMM_HIGH + i * 16, register?.q2 ?? 0n);
    quad(layout.YMM_HIGH + i * 16 + 8, register?.q3 ?? 0n);
  }
  state.mtrrFixed.forEach((value, i) => {
    quad(layout.MTRR_FIXED + i * 8, value);
  });
  state.mtrrVariable.forEach(({ base, mask }, i) => {
    quad(layout.MTRR_VARIABLE + i * 16, base);
    quad(layout.MTRR_VARIABLE + i * 16 + 8, mask);
  });
  state.mceBanks.forEach((value, i) => {
    quad(layout.MCE_BANKS + i * 8, value);
  });

  const flag = (at: number, on: number | boolean) => view.setUint32(at, on ? 1 : 0, true);
  flag(layout.INTERRUPT_SHADOW, state.hflags & HFLAGS.INHIBIT_IRQ);
  view.setUint32(layout.SMM, state.hflags & HFLAGS.SMM ? (state.hflags2 & HFLAGS2.SMM_INSIDE_NMI ? 3 : 1) : 0, true);
  flag(layout.NMI_BLOCKED, state.hflags2 & HFLAGS2.NMI);
  flag(layout.IGNNE, state.hflags2 & HFLAGS2.IGNNE);
  flag(layout.NMI_PENDING, state.nmiPending || common.interruptRequest & INTERRUPT_REQUEST.NMI);
  flag(layout.SMI_PENDING, common.interruptRequest & INTERRUPT_REQUEST.SMI);
  flag(layout.INTR_LINE, common.interruptRequest & INTERRUPT_REQUEST.HARD);
  flag(layout.HALTED, common.halted);
  flag(layout.SHUTDOWN, false);
  view.setInt32(layout.DELIVERING, -1, true);
  // An external interrupt that KVM had accepted from the controller is delivered first; TCG sends −1.
  view.setInt32(layout.INTERRUPT_INJECTED, state.interruptInjected, true);
  const external = state.interruptInjected >= 0 && !state.softInterrupt;
  view.setInt32(layout.EXCEPTION_VECTOR, state.nmiInjected ? 2 : external ? state.interruptInjected : -1, true);
  view.setUint32(layout.EXCEPTION_HAS_CODE, 0, true);
  view.setUint32(layout.EXCEPTION_KIND, 4, true);
  cpu.setFlags(Number(state.eflags));
  cpu.refresh();
}
