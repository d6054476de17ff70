import { type Description, fieldsOf, PRIORITY, vmstate } from '@pagurus/vmstate';
import { SHPC } from './pci-bridge.spec.js';
import { PciDeviceState } from './pci-device.state.js';
import { shpcCodec } from './shpc.js';

/** A bridge remembers its configuration space and, where it has one, the registers of its hotplug controller. */
export class PciBridgeState {
  readonly pci = new PciDeviceState();
  shpc: Uint8Array = new Uint8Array(SHPC.LENGTH);
}

const f = fieldsOf<PciBridgeState>();

/** Section `pci_bridge`. */
export function pciBridgeVmState(pci: Description<PciDeviceState>, options: { shpc: boolean }): Description<PciBridgeState> {
  return vmstate<PciBridgeState>({
    name: 'pci_bridge',
    version: 0,
    priority: PRIORITY.PCI_BUS,
    fields: [f.struct('pci', 'parent_obj', pci), f.custom('shpc', 'shpc', shpcCodec, { when: () => options.shpc })],
  });
}
