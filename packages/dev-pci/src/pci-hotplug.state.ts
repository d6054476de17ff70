import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { PCI_HOTPLUG } from './piix4.spec.js';

/** Slots of one bus that changed, one bit each. */
export class SlotStatus {
  up = 0;
  down = 0;
}

/** What the ACPI PCI hotplug registers remember. */
export interface PciHotplugState {
  hotplugSelect: number;
  readonly busStatus: SlotStatus[];
  /** In place of {@link busStatus} on machines that know the root bus only. */
  readonly rootStatus: SlotStatus;
  acpiIndex: number;
}

export const newBusStatus = (): SlotStatus[] => Array.from({ length: PCI_HOTPLUG.BUSES }, () => new SlotStatus());

const f = fieldsOf<SlotStatus>();

const fields = [f.u32('up'), f.u32('down')];

/** One of 256 buses, on machines with bridge support. */
export const busStatusVmState = vmstate<SlotStatus>({ name: 'acpi_pcihp_pci_status', version: 1, fields });

/** The only bus, on older machines. */
export const rootStatusVmState = vmstate<SlotStatus>({ name: 'pci_status', version: 1, fields });
