import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { PIN_COUNT } from './spec.js';

/** What a PCI bus remembers: how many functions hold each interrupt line. */
export class PciBusState {
  nirq: number;
  readonly irqCount: number[];

  /** @param lines 0 behind a bridge. */
  constructor(lines: number = PIN_COUNT) {
    this.nirq = lines;
    this.irqCount = Array.from({ length: lines }, () => 0);
  }
}

const f = fieldsOf<PciBusState>();

/** Section `PCIBUS`. */
export const pciBusVmState = vmstate<PciBusState>({
  name: 'PCIBUS',
  version: 1,
  fields: [f.equal('i32', 'nirq'), f.varArray('i32', 'irqCount', 'irq_count', { count: 'nirq', max: PIN_COUNT })],
  // A count below zero would keep a line high for ever.
  postLoad(state) {
    state.irqCount.forEach((count, i) => {
      state.irqCount[i] = Math.max(count, 0);
    });
  },
});
