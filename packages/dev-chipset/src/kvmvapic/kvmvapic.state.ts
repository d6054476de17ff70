import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** Addresses of the option ROM's handlers for one kind of machine. */
export class VapicHandlers {
  setTpr = 0;
  setTprEax = 0;
  getTpr = new Uint32Array(8);
  getTprStack = 0;
}

/** What QEMU's option ROM told it about itself. */
export class VapicRomState {
  vaddr = 0;
  fixupStart = 0;
  fixupEnd = 0;
  vapicVaddr = 0;
  vapicSize = 0;
  vcpuShift = 0;
  realTprAddr = 0;
  up = new VapicHandlers();
  mp = new VapicHandlers();
}

export class VapicState {
  romState = new VapicRomState();
  /** 0 inactive, 1 active, 2 standby. */
  state = 0;
  realTprAddr = 0;
  romStateVaddr = 0;
  vapicPaddr = 0;
  romStatePaddr = 0;
}

const h = fieldsOf<VapicHandlers>();
const handlers = vmstate<VapicHandlers>({
  name: 'kvmvapic-handlers',
  version: 1,
  fields: [
    h.u32('setTpr', 'set_tpr'),
    h.u32('setTprEax', 'set_tpr_eax'),
    h.array('u32', 'getTpr', 'get_tpr'),
    h.u32('getTprStack', 'get_tpr_stack'),
  ],
});

const r = fieldsOf<VapicRomState>();
const romState = vmstate<VapicRomState>({
  name: 'kvmvapic-guest-rom',
  version: 1,
  fields: [
    r.unused(8),
    r.u32('vaddr'),
    r.u32('fixupStart', 'fixup_start'),
    r.u32('fixupEnd', 'fixup_end'),
    r.u32('vapicVaddr', 'vapic_vaddr'),
    r.u32('vapicSize', 'vapic_size'),
    r.u32('vcpuShift', 'vcpu_shift'),
    r.u32('realTprAddr', 'real_tpr_addr'),
    r.struct('up', 'up', handlers),
    r.struct('mp', 'mp', handlers),
  ],
});

const f = fieldsOf<VapicState>();

/** Section `kvm-tpr-opt`. */
export const vapicVmState = vmstate<VapicState>({
  name: 'kvm-tpr-opt',
  version: 1,
  fields: [
    f.struct('romState', 'rom_state', romState),
    f.u32('state'),
    f.u32('realTprAddr', 'real_tpr_addr'),
    f.u32('romStateVaddr', 'rom_state_vaddr'),
    f.u32('vapicPaddr', 'vapic_paddr'),
    f.u32('romStatePaddr', 'rom_state_paddr'),
  ],
});
