/**
 * What a processor remembers, as QEMU's sections `cpu` (version 12, 11 accepted) and `cpu_common` carry it. Plain data in wire form;
 * `state-sync.ts` moves it into and out of the running CPU.
 */
import { type Description, type Field, fieldsOf, StateError, vmstate } from '@pagurus/vmstate';
import { cpuSubsections } from './state-subsections.js';

/** Which QEMU binary the section is for: its registers have 4 or 8 bytes, and there are 8 or 16 of them. */
export type Target = 'i386' | 'x86_64';

/** A register of the target's width: number on i386, bigint on x86_64. */
export type Word = number | bigint;

/** A segment register with its descriptor cache. */
export class Segment<W extends Word = Word> {
  selector = 0;
  /** Bytes. */
  limit: number;
  /**
   * High dword of the descriptor:
   *
   *     23 22 21 20  19..16  15 14..13 12 11..8  7..0
   *     G  B  L  AVL 0       P  DPL    S  type   any
   */
  flags: number;
  constructor(
    public base: W,
    limit = 0xffff,
    flags = 0,
  ) {
    this.limit = limit;
    this.flags = flags;
  }
}

/** A physical x87 register: sign and exponent in `exponent`. An MMX register is the mantissa. */
export class FloatRegister {
  mantissa = 0n;
  exponent = 0;
}

/** A 512-bit register as quads, lowest first. */
export class VectorRegister {
  q0 = 0n;
  q1 = 0n;
  q2 = 0n;
  q3 = 0n;
  q4 = 0n;
  q5 = 0n;
  q6 = 0n;
  q7 = 0n;
}

export class BaseMask {
  base = 0n;
  mask = 0n;
}

export class Bounds {
  lower = 0n;
  upper = 0n;
}

export class BranchRecord {
  from = 0n;
  to = 0n;
  info = 0n;
}

const list = <T>(length: number, create: () => T): T[] => Array.from({ length }, create);
const zeros = (length: number): bigint[] => new Array<bigint>(length).fill(0n);

/** Fields of the section in their wire encodings. Fresh values are those after RESET, but for EDX, which the model decides. */
export class CpuState<W extends Word = Word> {
  readonly target: Target;
  /** EAX ECX EDX EBX ESP EBP ESI EDI R8… */
  readonly regs: W[];
  eip: W;
  eflags: W;
  /** Mode bits: `HFLAGS` in state-sync.ts. */
  hflags = 0x40;
  fpuControl = 0x37f;
  /** With TOP in bits 11–13. */
  fpuStatus = 0;
  /** Bit i: physical register i is in use. */
  fpuTag = 0;
  fpuFormat = 0;
  readonly fpu = list(8, () => new FloatRegister());
  /** ES CS SS DS FS GS. */
  readonly segments: Segment<W>[];
  readonly ldt: Segment<W>;
  readonly tr: Segment<W>;
  readonly gdt: Segment<W>;
  readonly idt: Segment<W>;
  sysenterCs = 0;
  sysenterEsp: W;
  sysenterEip: W;
  cr0: W;
  cr2: W;
  cr3: W;
  cr4: W;
  readonly dr: W[];
  /** −1 = A20 on, −0x100001 = off. */
  a20Mask = -1;
  mxcsr = 0x1f80;
  /** XMM in q0–q1, upper YMM in q2–q3, upper ZMM in q4–q7. */
  readonly vector: VectorRegister[];
  efer = 0n;
  star = 0n;
  lstar = 0n;
  cstar = 0n;
  fmask = 0n;
  kernelGsBase = 0n;
  smbase = 0x30000;
  pat = 0x0007_0406_0007_0406n;
  hflags2 = 0x101;
  vmHsave = 0n;
  vmVmcb = 0n;
  tscOffset = 0n;
  intercept = 0n;
  interceptCrRead = 0;
  interceptCrWrite = 0;
  interceptDrRead = 0;
  interceptDrWrite = 0;
  interceptExceptions = 0;
  virtualTpr = 0;
  readonly mtrrFixed = zeros(11);
  mtrrDefaultType = 0n;
  readonly mtrrVariable = list(8, () => new BaseMask());
  interruptInjected = -1;
  mpState = 0;
  tsc = 0n;
  exceptionNumber = -1;
  softInterrupt = 0;
  nmiInjected = 0;
  nmiPending = 0;
  hasErrorCode = 0;
  sipiVector = 0;
  mcgCap = 0n;
  mcgStatus = 0n;
  mcgControl = 0n;
  /** Ten banks of control, status, address, miscellaneous. */
  readonly mceBanks = zeros(40);
  tscAux = 0n;
  systemTimeMsr = 0n;
  wallClockMsr = 0n;
  xcr0 = 1n;
  xstateBv = 0n;

  // Subsections, in wire order.
  exceptionPending = 0;
  exceptionInjected = 0;
  exceptionHasPayload = 0;
  exceptionPayload = 0n;
  asyncPageFaultMsr = 0n;
  asyncPageFaultInterruptMsr = 0n;
  pvEoiMsr = 0n;
  stealTimeMsr = 0n;
  /** 1 is what an absent subsection means; QEMU without KVM has 0 from reset on and therefore always sends it. */
  pollControlMsr = 0n;
  fpuOpcode = 0;
  fpuInstructionPointer = 0n;
  fpuDataPointer = 0n;
  tscAdjust = 0n;
  tscDeadline = 0n;
  miscEnable = 1n;
  featureControl = 0n;
  pmuFixedControl = 0n;
  pmuGlobalControl = 0n;
  pmuGlobalStatus = 0n;
  pmuGlobalOverflow = 0n;
  readonly pmuFixedCounters = zeros(3);
  readonly pmuCounters = zeros(18);
  readonly pmuEventSelect = zeros(18);
  readonly bounds = list(4, () => new Bounds());
  boundsConfigUser = 0n;
  boundsStatus = 0n;
  boundsConfigSupervisor = 0n;
  hvGuestOsId = 0n;
  hvHypercall = 0n;
  hvVapic = 0n;
  hvTsc = 0n;
  readonly hvCrash = zeros(5);
  hvRuntime = 0n;
  hvSynicControl = 0n;
  hvSynicEventPage = 0n;
  hvSynicMessagePage = 0n;
  readonly hvSynicSint = zeros(16);
  readonly hvStimerConfig = zeros(4);
  readonly hvStimerCount = zeros(4);
  hvReenlightenmentControl = 0n;
  hvTscEmulationControl = 0n;
  hvTscEmulationStatus = 0n;
  readonly opmask = zeros(8);
  /** ZMM16–31; x86_64 only. */
  readonly highVector = list(16, () => new VectorRegister());
  xss = 0n;
  umwait = 0;
  /** Frequency of the time-stamp counter in kHz; 0 = not sent. */
  tscKhz = 0n;
  smiCount = 0n;
  pkru = 0;
  pkrs = 0;
  specCtrl = 0n;
  tscScale = 0n;
  mcgExtControl = 0n;
  ptControl = 0n;
  ptStatus = 0n;
  ptOutputBase = 0n;
  ptOutputMask = 0n;
  ptCr3Match = 0n;
  readonly ptAddresses = zeros(8);
  virtSsbd = 0n;
  nestedCr3 = 0n;
  nestedPageMode = 0;
  svmInterruptControl = 0;
  nested = new NestedState();
  tsxControl = 0n;
  readonly sgxKeyHash = zeros(4);
  readonly pdptrs = zeros(4);
  xfd = 0n;
  xfdError = 0n;
  readonly tileConfig = new Uint8Array(64);
  readonly tileData = new Uint8Array(8192);
  branchControl = 0n;
  branchDepth = 0n;
  readonly branches = list(32, () => new BranchRecord());
  tripleFault = 0;
  /**
   * Subsections that depend on features of the model instead of values. A load adds those it met, so that what was received is sent again.
   */
  readonly featureSections = new Set<string>();

  constructor(target: Target) {
    this.target = target;
    const word = (value: bigint): W => (target === 'i386' ? Number(value) : value) as W;
    const count = target === 'i386' ? 8 : 16;
    this.regs = list(count, () => word(0n));
    this.vector = list(count, () => new VectorRegister());
    this.eip = word(0xfff0n);
    this.eflags = word(2n);
    this.segments = list(6, () => new Segment(word(0n), 0xffff, 0x9300));
    Object.assign(this.segments[1]!, { selector: 0xf000, base: word(0xffff0000n), flags: 0x9b00 });
    this.ldt = new Segment(word(0n), 0xffff, 0x8200);
    this.tr = new Segment(word(0n), 0xffff, 0x8b00);
    this.gdt = new Segment(word(0n));
    this.idt = new Segment(word(0n));
    this.sysenterEsp = word(0n);
    this.sysenterEip = word(0n);
    this.cr0 = word(0x60000010n);
    this.cr2 = word(0n);
    this.cr3 = word(0n);
    this.cr4 = word(0n);
    this.dr = list(8, () => word(0n));
    this.dr[6] = word(0xffff0ff0n);
    this.dr[7] = word(0x400n);
  }
}

/** State of a nested guest under KVM. Kept as it came; a machine that is not KVM cannot run it. */
export class NestedState {
  flags = 0;
  format = 0;
  size = 0;
  vmxonAddress = 0n;
  vmcs12Address = 0n;
  vmxSmmFlags = 0;
  readonly vmcs12 = new Uint8Array(4096);
  readonly shadowVmcs12 = new Uint8Array(4096);
  vmcbAddress = 0n;
  readonly vmcb12 = new Uint8Array(4096);
  readonly parts = new Set<string>();
}

/** x87 registers pass through a scratch object on the wire. */
class FloatScratch {
  mantissa: bigint;
  exponent: number;
  constructor(readonly register: FloatRegister) {
    this.mantissa = register.mantissa;
    this.exponent = register.exponent;
  }
}
const scratch = fieldsOf<FloatScratch>();
const floatScratch = vmstate<FloatScratch>({
  name: 'fpreg_tmp',
  version: 0,
  fields: [scratch.u64('mantissa', 'tmp_mant'), scratch.u16('exponent', 'tmp_exp')],
  derived: ['register'],
  preSave(s) {
    s.mantissa = s.register.mantissa;
    s.exponent = s.register.exponent;
  },
  postLoad(s) {
    s.register.mantissa = s.mantissa;
    s.register.exponent = s.exponent;
  },
});
const floatRegister = vmstate<FloatRegister>({
  name: 'fpreg',
  version: 0,
  fields: [fieldsOf<FloatRegister>().tmp('tmp', floatScratch, (register) => new FloatScratch(register))],
  derived: ['mantissa', 'exponent'],
});

const quads = fieldsOf<VectorRegister>();
const upper = ['q4', 'q5', 'q6', 'q7'] as const;
const xmm = vmstate<VectorRegister>({
  name: 'xmm_reg',
  version: 1,
  fields: [quads.u64('q0', '_q_ZMMReg[0]'), quads.u64('q1', '_q_ZMMReg[1]')],
  derived: ['q2', 'q3', ...upper],
});
const ymmHigh = vmstate<VectorRegister>({
  name: 'ymmh_reg',
  version: 1,
  fields: [quads.u64('q2', '_q_ZMMReg[2]'), quads.u64('q3', '_q_ZMMReg[3]')],
  derived: ['q0', 'q1', ...upper],
});

const pair = fieldsOf<BaseMask>();
const mtrr = vmstate<BaseMask>({ name: 'mtrr_var', version: 1, fields: [pair.u64('base'), pair.u64('mask')] });

type WordKey = 'eip' | 'eflags' | 'sysenterEsp' | 'sysenterEip' | 'cr0' | 'cr2' | 'cr3' | 'cr4';

/** Registers of the target's width: the one place where the two state types meet. */
function wordFields(target: Target): { word(key: WordKey, wire: string): Field; words(key: 'regs' | 'dr', wire: string): Field } {
  const narrow = fieldsOf<CpuState<number>>();
  const wide = fieldsOf<CpuState<bigint>>();
  return target === 'i386'
    ? { word: (key, wire) => narrow.u32(key, wire), words: (key, wire) => narrow.array('u32', key, wire) }
    : { word: (key, wire) => wide.u64(key, wire), words: (key, wire) => wide.array('u64', key, wire) };
}

function segment(target: Target): Description<Segment> {
  const f = fieldsOf<Segment>();
  const base = target === 'i386' ? fieldsOf<Segment<number>>().u32('base') : fieldsOf<Segment<bigint>>().u64('base');
  return vmstate<Segment>({ name: 'segment', version: 1, fields: [f.u32('selector'), base, f.u32('limit'), f.u32('flags')] });
}

/** The section `cpu`. `target` decides register widths and counts; the state must have been made for the same target. */
export function cpuDescription(target: Target): Description<CpuState> {
  const f = fieldsOf<CpuState>();
  const seg = segment(target);
  // The wide and the narrow state differ in nothing but the type of their words.
  const { word, words } = wordFields(target) as unknown as Record<
    'word' | 'words',
    (key: keyof CpuState, wire: string) => ReturnType<typeof f.u32>
  >;
  const longMode = target === 'i386' ? [] : [f.u64('efer', 'env.efer'), f.u64('star', 'env.star'), f.u64('lstar', 'env.lstar')];
  if (target !== 'i386')
    longMode.push(f.u64('cstar', 'env.cstar'), f.u64('fmask', 'env.fmask'), f.u64('kernelGsBase', 'env.kernelgsbase'));
  return vmstate<CpuState>({
    name: 'cpu',
    version: 12,
    minVersion: 11,
    fields: [
      words('regs', 'env.regs'),
      word('eip', 'env.eip'),
      word('eflags', 'env.eflags'),
      f.u32('hflags', 'env.hflags'),
      f.u16('fpuControl', 'env.fpuc'),
      f.u16('fpuStatus', 'env.fpus_vmstate'),
      f.u16('fpuTag', 'env.fptag_vmstate'),
      f.u16('fpuFormat', 'env.fpregs_format_vmstate'),
      f.structArray('fpu', 'env.fpregs', floatRegister),
      f.structArray('segments', 'env.segs', seg),
      f.struct('ldt', 'env.ldt', seg),
      f.struct('tr', 'env.tr', seg),
      f.struct('gdt', 'env.gdt', seg),
      f.struct('idt', 'env.idt', seg),
      f.u32('sysenterCs', 'env.sysenter_cs'),
      word('sysenterEsp', 'env.sysenter_esp'),
      word('sysenterEip', 'env.sysenter_eip'),
      word('cr0', 'env.cr[0]'),
      word('cr2', 'env.cr[2]'),
      word('cr3', 'env.cr[3]'),
      word('cr4', 'env.cr[4]'),
      words('dr', 'env.dr'),
      f.i32('a20Mask', 'env.a20_mask'),
      f.u32('mxcsr', 'env.mxcsr'),
      f.structArray('vector', 'env.xmm_regs[0]', xmm),
      ...longMode,
      f.u32('smbase', 'env.smbase'),
      f.u64('pat', 'env.pat'),
      f.u32('hflags2', 'env.hflags2'),
      f.u64('vmHsave', 'env.vm_hsave'),
      f.u64('vmVmcb', 'env.vm_vmcb'),
      f.u64('tscOffset', 'env.tsc_offset'),
      f.u64('intercept', 'env.intercept'),
      f.u16('interceptCrRead', 'env.intercept_cr_read'),
      f.u16('interceptCrWrite', 'env.intercept_cr_write'),
      f.u16('interceptDrRead', 'env.intercept_dr_read'),
      f.u16('interceptDrWrite', 'env.intercept_dr_write'),
      f.u32('interceptExceptions', 'env.intercept_exceptions'),
      f.u8('virtualTpr', 'env.v_tpr'),
      f.array('u64', 'mtrrFixed', 'env.mtrr_fixed'),
      f.u64('mtrrDefaultType', 'env.mtrr_deftype'),
      f.structArray('mtrrVariable', 'env.mtrr_var', mtrr),
      f.i32('interruptInjected', 'env.interrupt_injected'),
      f.u32('mpState', 'env.mp_state'),
      f.u64('tsc', 'env.tsc'),
      f.i32('exceptionNumber', 'env.exception_nr'),
      f.u8('softInterrupt', 'env.soft_interrupt'),
      f.u8('nmiInjected', 'env.nmi_injected'),
      f.u8('nmiPending', 'env.nmi_pending'),
      f.u8('hasErrorCode', 'env.has_error_code'),
      f.u32('sipiVector', 'env.sipi_vector'),
      f.u64('mcgCap', 'env.mcg_cap'),
      f.u64('mcgStatus', 'env.mcg_status'),
      f.u64('mcgControl', 'env.mcg_ctl'),
      f.array('u64', 'mceBanks', 'env.mce_banks'),
      f.u64('tscAux', 'env.tsc_aux'),
      f.u64('systemTimeMsr', 'env.system_time_msr'),
      f.u64('wallClockMsr', 'env.wall_clock_msr'),
      f.u64('xcr0', 'env.xcr0', { since: 12 }),
      f.u64('xstateBv', 'env.xstate_bv', { since: 12 }),
      f.structArray('vector', 'env.xmm_regs[1]', ymmHigh, { since: 12 }),
    ],
    subsections: cpuSubsections(target),
    derived: ['target', 'featureSections'],
    preLoad(s) {
      s.pollControlMsr = 1n;
      s.miscEnable = 1n;
      s.featureSections.clear();
    },
    postLoad(s, version) {
      if (s.fpuFormat !== 0)
        throw new StateError(
          'invalid',
          'cpu.env.fpregs_format_vmstate',
          -1,
          'unsupported old non-softfloat CPU state',
          '0',
          String(s.fpuFormat),
        );
      if (version < 12) {
        s.xcr0 = 1n;
        s.xstateBv = 0n;
      }
    },
  });
}

/** The section `cpu_common`: what QEMU keeps for a processor of any architecture. */
export class CpuCommonState {
  halted = 0;
  /** Bits of `INTERRUPT_REQUEST` in state-sync.ts. */
  interruptRequest = 0;
  exceptionIndex = -1;
  crashOccurred = false;
}

const common = fieldsOf<CpuCommonState>();

export const cpuCommonDescription = vmstate<CpuCommonState>({
  name: 'cpu_common',
  version: 1,
  fields: [common.u32('halted'), common.u32('interruptRequest', 'interrupt_request')],
  subsections: [
    vmstate<CpuCommonState>({
      name: 'cpu_common/exception_index',
      version: 1,
      needed: (s) => s.exceptionIndex !== -1,
      fields: [common.i32('exceptionIndex', 'exception_index')],
    }),
    vmstate<CpuCommonState>({
      name: 'cpu_common/crash_occurred',
      version: 1,
      needed: (s) => s.crashOccurred,
      fields: [common.bool('crashOccurred', 'crash_occurred')],
    }),
  ],
  preLoad(s) {
    s.exceptionIndex = -1;
    s.crashOccurred = false;
  },
});
