import { PciDeviceState } from '@pagurus/dev-pci';
import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';
import { VgaState } from './vga.state.js';

/** A PCI card: configuration space and the VGA's registers. */
export class PciVgaState {
  readonly pci = new PciDeviceState();
  readonly vga: VgaState;

  constructor(memory: number) {
    this.vga = new VgaState(memory);
  }
}

const f = fieldsOf<PciVgaState>();

/** Section `vga` of the PCI card. */
export function pciVgaVmState(pci: Description<PciDeviceState>, vga: Description<VgaState>) {
  return vmstate<PciVgaState>({
    name: 'vga',
    version: 2,
    minVersion: 2,
    fields: [f.struct('pci', 'dev', pci), f.struct('vga', 'vga', vga)],
  });
}
