import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';
import { PIRQ } from './i440fx.spec.js';
import { PciDeviceState } from './pci-device.state.js';

/** What the ISA bridge remembers. */
export class Piix3State {
  readonly pci = new PciDeviceState();
  /** Levels of PIRQA# to PIRQD#. */
  readonly pirqLevels: number[] = Array.from({ length: PIRQ.COUNT }, () => 0);
  /** Reset control register without the bit that resets. */
  resetControl = 0;
}

const f = fieldsOf<Piix3State>();

/** Sent only while the guest has asked for a hard reset, which firmware does just before one. */
const resetControl = vmstate<Piix3State>({
  name: 'PIIX3/rcr',
  version: 1,
  needed: (state) => state.resetControl !== 0,
  fields: [f.u8('resetControl', 'rcr')],
});

/** Section `PIIX3`. */
export function piix3VmState(pci: Description<PciDeviceState>): Description<Piix3State> {
  return vmstate<Piix3State>({
    name: 'PIIX3',
    version: 3,
    minVersion: 2,
    fields: [f.struct('pci', 'dev', pci), f.array('i32', 'pirqLevels', 'pci_irq_levels_vmstate', { since: 3 })],
    subsections: [resetControl],
    preLoad(state) {
      state.resetControl = 0;
    },
    postLoad(state) {
      state.pirqLevels.forEach((level, i) => {
        state.pirqLevels[i] = Number(level !== 0);
      });
    },
  });
}
