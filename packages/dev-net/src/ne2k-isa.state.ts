import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { type Ne2000State, ne2000VmState } from './ne2000.state.js';

/** What the ISA card wraps around the NE2000. */
export class Ne2kIsaState {
  constructor(readonly ne2000: Ne2000State) {}
}

const f = fieldsOf<Ne2kIsaState>();

/** Section `ne2000` of the ISA card. The NE2000 in it is at its own version, whatever the section's. */
export const ne2kIsaVmState = vmstate<Ne2kIsaState>({
  name: 'ne2000',
  version: 2,
  minVersion: 0,
  fields: [f.struct('ne2000', 'ne2000', ne2000VmState)],
});
