import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { PINS, REDIRECTION } from './spec.js';

export class IoApicState {
  id = 0;
  /** Register that the window shows. */
  ioregsel = 0;
  /** Bit n: pin n requests. */
  irr = 0;
  /** Redirections, 64 bits each. */
  ioredtbl = new BigUint64Array(PINS).fill(BigInt(REDIRECTION.MASKED));
}

const f = fieldsOf<IoApicState>();

/** Section `ioapic`. */
export const ioapicVmState = vmstate<IoApicState>({
  name: 'ioapic',
  version: 3,
  minVersion: 1,
  fields: [
    f.u8('id'),
    f.u8('ioregsel'),
    f.unused(8, { since: 2 }),
    f.u32('irr', 'irr', { since: 2 }),
    f.array('u64', 'ioredtbl'),
  ],
  postLoad(state, version) {
    if (version < 2) state.irr = 0;
  },
});
