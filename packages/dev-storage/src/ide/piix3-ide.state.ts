import { PciDeviceState } from '@pagurus/dev-pci';
import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';
import { ABUSED_BITS, BusMasterState, busMasterVmState, packUnit, unpackUnit } from './bus-master.state.js';
import { IdeBusState, ideBusVmState } from './ide-bus.state.js';
import { IdeDriveState, ideDriveVmState } from './ide-drive.state.js';

/** What the controller, its channels and the four places for drives remember. */
export class Piix3IdeState {
  readonly pci = new PciDeviceState();
  readonly busMasters = [new BusMasterState(), new BusMasterState()] as const;
  readonly buses = [new IdeBusState(), new IdeBusState()] as const;
  readonly primary = [new IdeDriveState(), new IdeDriveState()] as const;
  readonly secondary = [new IdeDriveState(), new IdeDriveState()] as const;
}

/** The drives' places of a channel. */
export const drivesOf = (state: Piix3IdeState, channel: number): readonly IdeDriveState[] =>
  channel === 0 ? state.primary : state.secondary;

const f = fieldsOf<Piix3IdeState>();

/** Section `ide`. */
export function piix3IdeVmState(pci: Description<PciDeviceState>): Description<Piix3IdeState> {
  return vmstate<Piix3IdeState>({
    name: 'ide',
    version: 3,
    minVersion: 0,
    fields: [
      f.struct('pci', 'parent_obj', pci),
      f.structArray('busMasters', 'bmdma', busMasterVmState),
      f.structArray('buses', 'bus', ideBusVmState),
      f.structArray('primary', 'bus[0].ifs', ideDriveVmState),
      f.structArray('secondary', 'bus[1].ifs', ideDriveVmState),
    ],
    preSave: shareRetries,
    postLoad: takeRetries,
  });
}

/** The channel's waiting request is told three times: by the channel, by its bus master, and to its drives. */
function shareRetries(state: Piix3IdeState): void {
  state.buses.forEach((bus, channel) => {
    const master = state.busMasters[channel]!;
    const waiting = bus.errorStatus !== 0;
    master.compatStatus = (master.status & ~ABUSED_BITS) | (bus.errorStatus & ABUSED_BITS);
    master.retrySector = bus.retrySector;
    master.retryCount = bus.retryCount;
    master.retryUnit = waiting ? bus.retryUnit : packUnit(bus.retryUnit, bus.interrupt);
    for (const drive of drivesOf(state, channel)) drive.channelError = bus.errorStatus;
  });
}

function takeRetries(state: Piix3IdeState): void {
  state.buses.forEach((bus, channel) => {
    const master = state.busMasters[channel]!;
    const { unit, interrupt } = unpackUnit(master.retryUnit);
    bus.errorStatus |= master.compatStatus & ABUSED_BITS;
    bus.retrySector = master.retrySector;
    bus.retryCount = Math.min(master.retryCount, 0x1_0000);
    bus.retryUnit = unit;
    bus.interrupt = interrupt && bus.errorStatus === 0;
    for (const drive of drivesOf(state, channel)) drive.channelError = bus.errorStatus;
  });
}
