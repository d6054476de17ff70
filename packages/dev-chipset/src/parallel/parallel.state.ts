import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { CONTROL, STATUS } from './spec.js';

export class ParallelState {
  /** Data that the guest wrote, and that it reads in input mode. */
  dataw = 0xff;
  datar = 0xff;
  status: number = STATUS.READY | STATUS.NOT_ACKNOWLEDGED | STATUS.SELECTED | STATUS.NO_ERROR | STATUS.TIMEOUT;
  control: number = CONTROL.ONES | CONTROL.SELECT | CONTROL.NOT_RESET;
  irqPending = 0;
  eppTimeout = 0;
}

const f = fieldsOf<ParallelState>();

/** Section `parallel_isa`. */
export const parallelVmState = vmstate<ParallelState>({
  name: 'parallel_isa',
  version: 1,
  fields: [
    f.u8('dataw', 'state.dataw'),
    f.u8('datar', 'state.datar'),
    f.u8('status', 'state.status'),
    f.u8('control', 'state.control'),
    f.i32('irqPending', 'state.irq_pending'),
    f.i32('eppTimeout', 'state.epp_timeout'),
  ],
});
