import { NEVER } from '@pagurus/device-model';
import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { APIC_BASE, BASE, FORMAT, LVT, LVT_ENTRY, SPURIOUS } from './spec.js';

export class ApicState {
  /** MSR IA32_APIC_BASE. */
  apicBase = BASE + APIC_BASE.ENABLE;
  id = 0;
  arbId = 0;
  tpr = 0;
  spuriousVec: number = SPURIOUS.VECTOR;
  logDest = 0;
  /** {@link FORMAT} */
  destMode: number = FORMAT.FLAT;
  /** 256 bits each: in service, level-triggered, requested. */
  isr = new Uint32Array(8);
  tmr = new Uint32Array(8);
  irr = new Uint32Array(8);
  lvt = new Uint32Array(LVT.COUNT).fill(LVT_ENTRY.MASKED);
  esr = 0;
  icr = new Uint32Array(2);
  divideConf = 0;
  /** Logarithm of the timer's divisor. */
  countShift = 0;
  initialCount = 0;
  initialCountLoadTime = 0n;
  nextTime = 0n;
  /** Virtual time at which the timer fires, or -1. */
  timerExpiry = NEVER;
  sipiVector = 0;
  /** The processor waits for a start-up interrupt. */
  waitForSipi = 0;

  constructor(id: number) {
    this.id = id;
    if (id === 0) this.apicBase += APIC_BASE.BOOT_PROCESSOR;
    else this.waitForSipi = 1;
  }
}

const f = fieldsOf<ApicState>();

const sipi = vmstate<ApicState>({
  name: 'apic_sipi',
  version: 1,
  needed: (state) => state.waitForSipi !== 0,
  fields: [f.i32('sipiVector', 'sipi_vector'), f.i32('waitForSipi', 'wait_for_sipi')],
});

/** Section `apic`; the instance is the APIC id. */
export const apicVmState = vmstate<ApicState>({
  name: 'apic',
  version: 3,
  fields: [
    f.u32('apicBase', 'apicbase'),
    f.u8('id'),
    f.u8('arbId', 'arb_id'),
    f.u8('tpr'),
    f.u32('spuriousVec', 'spurious_vec'),
    f.u8('logDest', 'log_dest'),
    f.u8('destMode', 'dest_mode'),
    f.array('u32', 'isr'),
    f.array('u32', 'tmr'),
    f.array('u32', 'irr'),
    f.array('u32', 'lvt'),
    f.u32('esr'),
    f.array('u32', 'icr'),
    f.u32('divideConf', 'divide_conf'),
    f.i32('countShift', 'count_shift'),
    f.u32('initialCount', 'initial_count'),
    f.i64('initialCountLoadTime', 'initial_count_load_time'),
    f.i64('nextTime', 'next_time'),
    f.i64('timerExpiry', 'timer_expiry'),
  ],
  subsections: [sipi],
  preLoad(state) {
    state.waitForSipi = 0;
    state.sipiVector = 0;
  },
  postLoad(state) {
    state.countShift &= 7;
    state.destMode &= 15;
  },
});
