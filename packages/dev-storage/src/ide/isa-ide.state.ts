import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { BusMasterState } from './bus-master.state.js';
import { IdeBusState, ideBusVmState } from './ide-bus.state.js';
import { IdeDriveState, ideDriveVmState } from './ide-drive.state.js';

/** One channel and its two places for drives. */
export class IsaIdeState {
  readonly bus = new IdeBusState();
  readonly drives = [new IdeDriveState(), new IdeDriveState()] as const;
  /** There is none on this bus; the channel's never moves. */
  readonly busMaster = new BusMasterState();
}

const f = fieldsOf<IsaIdeState>();

/** Section `isa-ide`. */
export const isaIdeVmState = vmstate<IsaIdeState>({
  name: 'isa-ide',
  version: 3,
  minVersion: 0,
  fields: [f.struct('bus', 'bus', ideBusVmState), f.structArray('drives', 'bus.ifs', ideDriveVmState)],
  derived: ['busMaster'],
});
