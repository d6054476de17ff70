import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';
import { PciDeviceState } from './pci-device.state.js';

/** What the host bridge remembers: everything it has stands in configuration space. */
export class I440fxState {
  readonly pci = new PciDeviceState();
}

const f = fieldsOf<I440fxState>();

/** Section `I440FX`. The last byte once told whether SMM is enabled. */
export function i440fxVmState(pci: Description<PciDeviceState>): Description<I440fxState> {
  return vmstate<I440fxState>({ name: 'I440FX', version: 3, fields: [f.struct('pci', 'parent_obj', pci), f.unused(1)] });
}
