import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** A slot for a memory module. */
export class MemorySlotState {
  enabled = false;
  inserting = false;
  ostEvent = 0;
  ostStatus = 0;
}

/** Most slots that QEMU's `-m slots=` takes. */
export const MOST_MEMORY_SLOTS = 256;

/** What the memory hotplug registers remember. Without slots the registers do not exist, the selector is sent all the same. */
export class MemoryHotplugState {
  selector = 0;
  /** Number of slots: the machine's, not the stream's. */
  slotCount: number;
  slots: MemorySlotState[];

  constructor(slotCount = 0) {
    this.slotCount = slotCount;
    this.slots = Array.from({ length: slotCount }, () => new MemorySlotState());
  }
}

const m = fieldsOf<MemoryHotplugState>();
const d = fieldsOf<MemorySlotState>();

const memorySlot = vmstate<MemorySlotState>({
  name: 'memory hotplug device state',
  version: 1,
  fields: [
    d.bool('enabled', 'is_enabled'),
    d.bool('inserting', 'is_inserting'),
    d.u32('ostEvent', 'ost_event'),
    d.u32('ostStatus', 'ost_status'),
  ],
});

export const memoryHotplugVmState = vmstate<MemoryHotplugState>({
  name: 'memory hotplug state',
  version: 1,
  fields: [
    m.u32('selector'),
    m.varStructArray('slots', 'devs', memorySlot, {
      count: 'slotCount',
      max: MOST_MEMORY_SLOTS,
      create: () => new MemorySlotState(),
    }),
  ],
  derived: ['slotCount'],
});
