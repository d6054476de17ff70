import { NEVER } from '@pagurus/device-model';
import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';
import { type AcpiPmState, GpeState, gpeVmState } from './acpi-pm.state.js';
import { CpuHotplugState, cpuHotplugVmState } from './cpu-hotplug.state.js';
import { MemoryHotplugState, memoryHotplugVmState } from './memory-hotplug.state.js';
import { PciDeviceState } from './pci-device.state.js';
import { busStatusVmState, newBusStatus, type PciHotplugState, rootStatusVmState, SlotStatus } from './pci-hotplug.state.js';
import { type SmbusHostState, smbusHostVmState } from './smbus-host.state.js';

/** The two APM ports. */
export class ApmState {
  control = 0;
  status = 0;
}

export class Piix4PmState implements AcpiPmState, PciHotplugState {
  readonly pci = new PciDeviceState();
  pm1Status = 0;
  pm1Enable = 0;
  pm1Control = 0;
  readonly apm = new ApmState();
  readonly smbus: SmbusHostState;
  timer = NEVER;
  overflowTime = 0n;
  readonly gpe = new GpeState();
  hotplugSelect = 0;
  readonly busStatus: SlotStatus[] = newBusStatus();
  readonly rootStatus = new SlotStatus();
  acpiIndex = 0;
  readonly memoryHotplug: MemoryHotplugState;
  cpuHotplugLegacy = true;
  readonly cpuHotplug: CpuHotplugState;

  constructor(smbus: SmbusHostState, cpuCount: number, memorySlots = 0) {
    this.smbus = smbus;
    this.memoryHotplug = new MemoryHotplugState(memorySlots);
    this.cpuHotplug = new CpuHotplugState(cpuCount);
  }
}

/** What the machine version decides of the layout. */
export interface Piix4PmLayout {
  readonly bridges: boolean;
  readonly memoryHotplug: boolean;
  readonly smbus: boolean;
  readonly acpiIndex: boolean;
}

const a = fieldsOf<ApmState>();
const apm = vmstate<ApmState>({ name: 'APM State', version: 1, fields: [a.u8('control', 'apmc'), a.u8('status', 'apms')] });

const f = fieldsOf<Piix4PmState>();

/** Sent once the guest uses the registers in place of the bitmap. */
const cpuHotplug = vmstate<Piix4PmState>({
  name: 'piix4_pm/cpuhp',
  version: 1,
  needed: (state) => !state.cpuHotplugLegacy,
  preLoad(state) {
    state.cpuHotplugLegacy = false;
  },
  fields: [f.struct('cpuHotplug', 'cpuhp_state', cpuHotplugVmState, { since: 1 })],
});

/** Section `piix4_pm`. */
export function piix4PmVmState(pci: Description<PciDeviceState>, layout: Piix4PmLayout): Description<Piix4PmState> {
  const memoryHotplug = vmstate<Piix4PmState>({
    name: 'piix4_pm/memhp',
    version: 1,
    needed: () => layout.memoryHotplug,
    fields: [f.struct('memoryHotplug', 'acpi_memory_hotplug', memoryHotplugVmState, { since: 1 })],
  });
  return vmstate<Piix4PmState>({
    name: 'piix4_pm',
    version: 3,
    fields: [
      f.struct('pci', 'parent_obj', pci),
      f.u16('pm1Status', 'ar.pm1.evt.sts'),
      f.u16('pm1Enable', 'ar.pm1.evt.en'),
      f.u16('pm1Control', 'ar.pm1.cnt.cnt'),
      f.struct('apm', 'apm', apm),
      f.struct('smbus', 'smb', smbusHostVmState, { since: 3, when: () => layout.smbus }),
      f.timer('timer', 'ar.tmr.timer'),
      f.i64('overflowTime', 'ar.tmr.overflow_time'),
      f.struct('gpe', 'ar.gpe', gpeVmState, { since: 2 }),
      f.struct('rootStatus', 'acpi_pci_hotplug.acpi_pcihp_pci_status[0x0]', rootStatusVmState, {
        since: 2,
        when: () => !layout.bridges,
      }),
      f.u32('hotplugSelect', 'acpi_pci_hotplug.hotplug_select', { when: () => layout.bridges }),
      f.structArray('busStatus', 'acpi_pci_hotplug.acpi_pcihp_pci_status', busStatusVmState, {
        since: 1,
        when: () => layout.bridges,
      }),
      f.u32('acpiIndex', 'acpi_pci_hotplug.acpi_index', { when: () => layout.acpiIndex }),
    ],
    subsections: [memoryHotplug, cpuHotplug],
    // Known by whether `piix4_pm/cpuhp` is there.
    derived: ['cpuHotplugLegacy'],
    preLoad(state) {
      state.cpuHotplugLegacy = true;
    },
  });
}
