/**
 * Subsections of `cpu` that QEMU 7.2 can send, in wire order: a value that is not at its default appears on the wire only then.
 */
import { type Description, type Field, fieldsOf, vmstate } from '@pagurus/vmstate';
import { HFLAGS, HFLAGS2 } from './flags.js';
import type { Bounds, BranchRecord, CpuState, NestedState, Target, VectorRegister } from './state.js';

const f = fieldsOf<CpuState>();

/** A subsection of version 1. */
const part = (name: string, needed: (state: CpuState) => boolean, ...fields: Field[]): Description<CpuState> =>
  vmstate<CpuState>({ name: `cpu/${name}`, version: 1, needed, fields });

/** Chosen by a feature of the model, whatever the values: sent if the model asks for it or if it was received. */
const featurePart = (name: string, ...fields: Field[]): Description<CpuState> =>
  vmstate<CpuState>({
    name: `cpu/${name}`,
    version: 1,
    needed: (s) => s.featureSections.has(name),
    fields,
    postLoad: (s) => void s.featureSections.add(name),
  });

const some = (values: readonly bigint[]): boolean => values.some((value) => value !== 0n);

const bound = fieldsOf<Bounds>();
const bounds = vmstate<Bounds>({ name: 'bnd_regs', version: 1, fields: [bound.u64('lower', 'lb'), bound.u64('upper', 'ub')] });

const record = fieldsOf<BranchRecord>();
const branchRecord = vmstate<BranchRecord>({
  name: 'arch_lbr_records_vmstate',
  version: 1,
  fields: [record.u64('from'), record.u64('to'), record.u64('info')],
});

const quads = fieldsOf<VectorRegister>();
const quad = (n: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7) => quads.u64(`q${n}`, `_q_ZMMReg[${n}]`);
const zmmHigh = vmstate<VectorRegister>({
  name: 'zmmh_reg',
  version: 1,
  fields: [quad(4), quad(5), quad(6), quad(7)],
  derived: ['q0', 'q1', 'q2', 'q3'],
});
const zmm = vmstate<VectorRegister>({
  name: 'hi16_zmm_reg',
  version: 1,
  fields: [quad(0), quad(1), quad(2), quad(3), quad(4), quad(5), quad(6), quad(7)],
});
const upperZmm = (r: VectorRegister): boolean => (r.q4 | r.q5 | r.q6 | r.q7) !== 0n;
const anyZmm = (r: VectorRegister): boolean => (r.q0 | r.q1 | r.q2 | r.q3) !== 0n || upperZmm(r);

const n = fieldsOf<NestedState>();
const nestedPart = (name: string, fields: Field[], subsections: Description<NestedState>[] = []): Description<NestedState> =>
  vmstate<NestedState>({
    name: `cpu/kvm_nested_state/${name}`,
    version: 1,
    needed: (s) => s.parts.has(name),
    fields,
    subsections,
    postLoad: (s) => void s.parts.add(name),
  });
const nestedState = vmstate<NestedState>({
  name: 'cpu/kvm_nested_state',
  version: 1,
  fields: [n.u16('flags'), n.u16('format'), n.u32('size')],
  subsections: [
    nestedPart(
      'vmx',
      [
        n.u64('vmxonAddress', 'hdr.vmx.vmxon_pa'),
        n.u64('vmcs12Address', 'hdr.vmx.vmcs12_pa'),
        n.u16('vmxSmmFlags', 'hdr.vmx.smm.flags'),
      ],
      [
        nestedPart('vmx/vmcs12', [n.bytes('vmcs12', 'data.vmx[0].vmcs12')]),
        nestedPart('vmx/shadow_vmcs12', [n.bytes('shadowVmcs12', 'data.vmx[0].shadow_vmcs12')]),
      ],
    ),
    nestedPart('svm', [n.u64('vmcbAddress', 'hdr.svm.vmcb_pa'), n.bytes('vmcb12', 'data.svm[0].vmcb12')]),
  ],
  preLoad: (s) => s.parts.clear(),
  derived: ['parts'],
});

const pmu = (s: CpuState): boolean =>
  (s.pmuFixedControl | s.pmuGlobalControl | s.pmuGlobalStatus | s.pmuGlobalOverflow) !== 0n ||
  some(s.pmuFixedCounters) ||
  some(s.pmuCounters) ||
  some(s.pmuEventSelect);

const intelPt = (s: CpuState): boolean =>
  (s.ptControl | s.ptStatus | s.ptOutputBase | s.ptOutputMask | s.ptCr3Match) !== 0n || some(s.ptAddresses);

const mpx = (s: CpuState): boolean =>
  s.bounds.some((b) => (b.lower | b.upper) !== 0n) || (s.boundsConfigUser | s.boundsStatus | s.boundsConfigSupervisor) !== 0n;

export function cpuSubsections(target: Target): Description<CpuState>[] {
  const wide = target === 'x86_64';
  const on = <T>(condition: boolean, ...items: T[]): T[] => (condition ? items : []);
  return [
    part(
      'exception_info',
      (s) => s.exceptionPending !== 0 && (s.hflags & HFLAGS.GUEST) !== 0,
      f.u8('exceptionPending', 'env.exception_pending'),
      f.u8('exceptionInjected', 'env.exception_injected'),
      f.u8('exceptionHasPayload', 'env.exception_has_payload'),
      f.u64('exceptionPayload', 'env.exception_payload'),
    ),
    part('async_pf_msr', (s) => s.asyncPageFaultMsr !== 0n, f.u64('asyncPageFaultMsr', 'env.async_pf_en_msr')),
    part(
      'async_pf_int_msr',
      (s) => s.asyncPageFaultInterruptMsr !== 0n,
      f.u64('asyncPageFaultInterruptMsr', 'env.async_pf_int_msr'),
    ),
    part('async_pv_eoi_msr', (s) => s.pvEoiMsr !== 0n, f.u64('pvEoiMsr', 'env.pv_eoi_en_msr')),
    part('steal_time_msr', (s) => s.stealTimeMsr !== 0n, f.u64('stealTimeMsr', 'env.steal_time_msr')),
    part('poll_control_msr', (s) => s.pollControlMsr !== 1n, f.u64('pollControlMsr', 'env.poll_control_msr')),
    part(
      'fpop_ip_dp',
      (s) => s.fpuOpcode !== 0 || (s.fpuInstructionPointer | s.fpuDataPointer) !== 0n,
      f.u16('fpuOpcode', 'env.fpop'),
      f.u64('fpuInstructionPointer', 'env.fpip'),
      f.u64('fpuDataPointer', 'env.fpdp'),
    ),
    part('msr_tsc_adjust', (s) => s.tscAdjust !== 0n, f.u64('tscAdjust', 'env.tsc_adjust')),
    part('msr_tscdeadline', (s) => s.tscDeadline !== 0n, f.u64('tscDeadline', 'env.tsc_deadline')),
    part('msr_ia32_misc_enable', (s) => s.miscEnable !== 1n, f.u64('miscEnable', 'env.msr_ia32_misc_enable')),
    part('msr_ia32_feature_control', (s) => s.featureControl !== 0n, f.u64('featureControl', 'env.msr_ia32_feature_control')),
    part(
      'msr_architectural_pmu',
      pmu,
      f.u64('pmuFixedControl', 'env.msr_fixed_ctr_ctrl'),
      f.u64('pmuGlobalControl', 'env.msr_global_ctrl'),
      f.u64('pmuGlobalStatus', 'env.msr_global_status'),
      f.u64('pmuGlobalOverflow', 'env.msr_global_ovf_ctrl'),
      f.array('u64', 'pmuFixedCounters', 'env.msr_fixed_counters'),
      f.array('u64', 'pmuCounters', 'env.msr_gp_counters'),
      f.array('u64', 'pmuEventSelect', 'env.msr_gp_evtsel'),
    ),
    part(
      'mpx',
      mpx,
      f.structArray('bounds', 'env.bnd_regs', bounds),
      f.u64('boundsConfigUser', 'env.bndcs_regs.cfgu'),
      f.u64('boundsStatus', 'env.bndcs_regs.sts'),
      f.u64('boundsConfigSupervisor', 'env.msr_bndcfgs'),
    ),
    part(
      'msr_hyperv_hypercall',
      (s) => (s.hvGuestOsId | s.hvHypercall) !== 0n,
      f.u64('hvGuestOsId', 'env.msr_hv_guest_os_id'),
      f.u64('hvHypercall', 'env.msr_hv_hypercall'),
    ),
    part('msr_hyperv_vapic', (s) => s.hvVapic !== 0n, f.u64('hvVapic', 'env.msr_hv_vapic')),
    part('msr_hyperv_time', (s) => s.hvTsc !== 0n, f.u64('hvTsc', 'env.msr_hv_tsc')),
    part('msr_hyperv_crash', (s) => some(s.hvCrash), f.array('u64', 'hvCrash', 'env.msr_hv_crash_params')),
    part('msr_hyperv_runtime', (s) => s.hvRuntime !== 0n, f.u64('hvRuntime', 'env.msr_hv_runtime')),
    part(
      'msr_hyperv_synic',
      (s) => (s.hvSynicControl | s.hvSynicEventPage | s.hvSynicMessagePage) !== 0n || some(s.hvSynicSint),
      f.u64('hvSynicControl', 'env.msr_hv_synic_control'),
      f.u64('hvSynicEventPage', 'env.msr_hv_synic_evt_page'),
      f.u64('hvSynicMessagePage', 'env.msr_hv_synic_msg_page'),
      f.array('u64', 'hvSynicSint', 'env.msr_hv_synic_sint'),
    ),
    part(
      'msr_hyperv_stimer',
      (s) => some(s.hvStimerConfig) || some(s.hvStimerCount),
      f.array('u64', 'hvStimerConfig', 'env.msr_hv_stimer_config'),
      f.array('u64', 'hvStimerCount', 'env.msr_hv_stimer_count'),
    ),
    part(
      'msr_hyperv_reenlightenment',
      (s) => (s.hvReenlightenmentControl | s.hvTscEmulationControl | s.hvTscEmulationStatus) !== 0n,
      f.u64('hvReenlightenmentControl', 'env.msr_hv_reenlightenment_control'),
      f.u64('hvTscEmulationControl', 'env.msr_hv_tsc_emulation_control'),
      f.u64('hvTscEmulationStatus', 'env.msr_hv_tsc_emulation_status'),
    ),
    part(
      'avx512',
      (s) => some(s.opmask) || s.vector.some(upperZmm) || (wide && s.highVector.some(anyZmm)),
      f.array('u64', 'opmask', 'env.opmask_regs'),
      f.structArray('vector', 'env.xmm_regs', zmmHigh),
      ...on(wide, f.structArray('highVector', 'env.xmm_regs', zmm)),
    ),
    part('xss', (s) => s.xss !== 0n, f.u64('xss', 'env.xss')),
    part('umwait', (s) => s.umwait !== 0, f.u32('umwait', 'env.umwait')),
    part('tsc_khz', (s) => s.tscKhz !== 0n, f.i64('tscKhz', 'env.tsc_khz')),
    part('msr_smi_count', (s) => s.smiCount !== 0n, f.u64('smiCount', 'env.msr_smi_count')),
    part('pkru', (s) => s.pkru !== 0, f.u32('pkru', 'env.pkru')),
    part('pkrs', (s) => s.pkrs !== 0, f.u32('pkrs', 'env.pkrs')),
    part('spec_ctrl', (s) => s.specCtrl !== 0n, f.u64('specCtrl', 'env.spec_ctrl')),
    featurePart('amd_tsc_scale_msr', f.u64('tscScale', 'env.amd_tsc_scale_msr')),
    part('mcg_ext_ctl', (s) => s.mcgExtControl !== 0n, f.u64('mcgExtControl', 'env.mcg_ext_ctl')),
    part(
      'intel_pt',
      intelPt,
      f.u64('ptControl', 'env.msr_rtit_ctrl'),
      f.u64('ptStatus', 'env.msr_rtit_status'),
      f.u64('ptOutputBase', 'env.msr_rtit_output_base'),
      f.u64('ptOutputMask', 'env.msr_rtit_output_mask'),
      f.u64('ptCr3Match', 'env.msr_rtit_cr3_match'),
      f.array('u64', 'ptAddresses', 'env.msr_rtit_addrs'),
    ),
    part('virt_ssbd', (s) => s.virtSsbd !== 0n, f.u64('virtSsbd', 'env.virt_ssbd')),
    part(
      'svn_npt',
      (s) => (s.hflags2 & HFLAGS2.NPT) !== 0,
      f.u64('nestedCr3', 'env.nested_cr3'),
      f.u32('nestedPageMode', 'env.nested_pg_mode'),
    ),
    part('svm_guest', (s) => s.svmInterruptControl !== 0, f.u32('svmInterruptControl', 'env.int_ctl')),
    ...on(
      !wide,
      part('efer32', (s) => s.efer !== 0n, f.u64('efer', 'env.efer')),
    ),
    featurePart('nested_state', f.struct('nested', 'env.nested_state', nestedState)),
    featurePart('msr_tsx_ctrl', f.u64('tsxControl', 'env.tsx_ctrl')),
    featurePart('intel_sgx', f.array('u64', 'sgxKeyHash', 'env.msr_ia32_sgxlepubkeyhash')),
    featurePart('pdptrs', f.array('u64', 'pdptrs', 'env.pdptrs')),
    featurePart('msr_xfd', f.u64('xfd', 'env.msr_xfd'), f.u64('xfdError', 'env.msr_xfd_err')),
    ...on(wide, featurePart('intel_amx_xtile', f.bytes('tileConfig', 'env.xtilecfg'), f.bytes('tileData', 'env.xtiledata'))),
    featurePart(
      'arch_lbr',
      f.u64('branchControl', 'env.msr_lbr_ctl'),
      f.u64('branchDepth', 'env.msr_lbr_depth'),
      f.structArray('branches', 'env.lbr_records', branchRecord),
    ),
    featurePart('triple_fault', f.u8('tripleFault', 'env.triple_fault_pending')),
  ];
}
