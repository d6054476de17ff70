import { PciDeviceState } from '@pagurus/dev-pci';
import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';
import { type Ne2000State, ne2000VmState } from './ne2000.state.js';

/** The PCI card: configuration space and the NE2000. */
export class Ne2kPciState {
  readonly pci = new PciDeviceState();

  constructor(readonly ne2000: Ne2000State) {}
}

const f = fieldsOf<Ne2kPciState>();

/** Section `ne2000` of the PCI card. */
export function ne2kPciVmState(pci: Description<PciDeviceState>) {
  return vmstate<Ne2kPciState>({
    name: 'ne2000',
    version: 3,
    minVersion: 3,
    fields: [f.struct('pci', 'dev', pci), f.struct('ne2000', 'ne2000', ne2000VmState)],
  });
}
