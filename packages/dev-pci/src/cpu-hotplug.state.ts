import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** One possible processor. */
export class CpuSlot {
  inserting = false;
  removing = false;
  ostEvent = 0;
  ostStatus = 0;
}

/** What the CPU hotplug registers remember once the guest uses them. */
export class CpuHotplugState {
  selector = 0;
  command = 0;
  /** Number of possible processors: the machine's, not the stream's. */
  count: number;
  cpus: CpuSlot[];

  constructor(count: number) {
    this.count = count;
    this.cpus = Array.from({ length: count }, () => new CpuSlot());
  }
}

const c = fieldsOf<CpuSlot>();

const cpuSlot = vmstate<CpuSlot>({
  name: 'CPU hotplug device state',
  version: 1,
  fields: [
    c.bool('inserting', 'is_inserting'),
    c.bool('removing', 'is_removing'),
    c.u32('ostEvent', 'ost_event'),
    c.u32('ostStatus', 'ost_status'),
  ],
});

const f = fieldsOf<CpuHotplugState>();

export const cpuHotplugVmState = vmstate<CpuHotplugState>({
  name: 'CPU hotplug state',
  version: 1,
  derived: ['count'],
  fields: [
    f.u32('selector'),
    f.u8('command'),
    f.varStructArray('cpus', 'devs', cpuSlot, { count: 'count', max: 288, create: () => new CpuSlot() }),
  ],
});
