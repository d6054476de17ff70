import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { EXPECT } from './spec.js';

/** What one 8259A remembers. Bit n of a mask is input n. Switches are numbers, because QEMU sends them as bytes. */
export class PicState {
  /** Levels seen last on edge-triggered inputs. */
  lastIrr = 0;
  irr = 0;
  imr = 0;
  isr = 0;
  /** The input with the highest priority, 0..7. */
  priorityAdd = 0;
  irqBase = 0;
  /** 1: the command port reads ISR, 0: IRR. */
  readRegisterSelect = 0;
  poll = 0;
  specialMask = 0;
  /** See {@link EXPECT}. */
  initState: number = EXPECT.OCW1;
  autoEoi = 0;
  rotateOnAutoEoi = 0;
  specialFullyNestedMode = 0;
  /** ICW1 announced an ICW4. */
  init4 = 0;
  singleMode = 0;
  /** Bit n: input n is level-triggered. */
  elcr = 0;
  /** ICW1 asked for level triggering on all inputs. */
  ltim = 0;
}

const f = fieldsOf<PicState>();

/** Known to QEMU since 8.1; sent only when a guest has switched it on, which no PC operating system does. */
const ltim = vmstate<PicState>({
  name: 'i8259/ltim',
  version: 1,
  needed: (state) => state.ltim !== 0,
  fields: [f.u8('ltim')],
});

/** Section `i8259`; the master is instance 0, the slave instance 1. */
export const i8259VmState = vmstate<PicState>({
  name: 'i8259',
  version: 1,
  fields: [
    f.u8('lastIrr', 'last_irr'),
    f.u8('irr'),
    f.u8('imr'),
    f.u8('isr'),
    f.u8('priorityAdd', 'priority_add'),
    f.u8('irqBase', 'irq_base'),
    f.u8('readRegisterSelect', 'read_reg_select'),
    f.u8('poll'),
    f.u8('specialMask', 'special_mask'),
    f.u8('initState', 'init_state'),
    f.u8('autoEoi', 'auto_eoi'),
    f.u8('rotateOnAutoEoi', 'rotate_on_auto_eoi'),
    f.u8('specialFullyNestedMode', 'special_fully_nested_mode'),
    f.u8('init4'),
    f.u8('singleMode', 'single_mode'),
    f.u8('elcr'),
  ],
  subsections: [ltim],
  preLoad(state) {
    state.ltim = 0;
  },
  postLoad(state) {
    state.priorityAdd &= 7;
    state.initState &= 3;
  },
});
