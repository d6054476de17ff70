import { type Device, type DeviceContext, defineDevice } from '@pagurus/device-model';
import type { FwCfgService } from '../fw-cfg/fw-cfg.js';

/** What a guest reports. docs/specs/pvpanic.rst of QEMU 10.0, [pvpanic]. */
const EVENT = { PANICKED: 0x01, CRASH_LOADED: 0x02, SHUTDOWN: 0x04, ALL: 0x07 } as const;

export interface PvpanicProperties {
  ioport: number;
  events: number;
}

/**
 * Lets a guest say that it has panicked: the machine is shut down, or goes on where a crash kernel takes over. The port is announced to
 * firmware in fw_cfg (backend `fw-cfg`). No section.
 */
export const pvpanic = defineDevice<PvpanicProperties>({
  type: 'pvpanic',
  doc: 'port on which a guest reports that it has panicked',
  bus: 'isa',
  properties: {
    ioport: { name: 'ioport', type: 'uint16', default: 0x505, doc: 'port' },
    events: {
      name: 'events',
      type: 'uint8',
      default: EVENT.ALL,
      doc: 'mask of the events that the guest may report; 3 up to 7.2, 1 up to 5.1',
    },
  },
  create,
});

function create(context: DeviceContext, { ioport, events }: PvpanicProperties): Device {
  const region = context.ports.add(ioport, 1, { read: () => events, write: (_, value) => report(value) }, { name: 'pvpanic' });
  context.backend<FwCfgService>('fw-cfg')?.addFile('etc/pvpanic-port', Uint8Array.of(ioport & 0xff, ioport >> 8));

  function report(value: number): void {
    if (value & ~EVENT.ALL) context.log.guestError(`panic event 0x${value.toString(16)} is not known`);
    if (value & EVENT.PANICKED) context.requestShutdown('guest panicked');
    else if (value & EVENT.SHUTDOWN) context.requestShutdown('guest asked for it');
    else if (value & EVENT.CRASH_LOADED) context.log.guestError('the guest has panicked; a crash kernel takes over');
  }

  return { sections: [], reset() {}, unrealize: () => region.remove() };
}
