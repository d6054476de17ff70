import { type Device, defineDevice, type NetworkBackend, type PropertyTable, section } from '@pagurus/device-model';
import { parseMac } from './ethernet.js';
import { Ne2kIsaState, ne2kIsaVmState } from './ne2k-isa.state.js';
import { Ne2000 } from './ne2000.js';
import { NE2000 } from './ne2000.spec.js';

export interface Ne2kIsaProperties {
  base: number;
  irq: number;
  mac: string;
  netdev: string;
}

const properties: PropertyTable<Ne2kIsaProperties> = {
  base: { name: 'iobase', type: 'uint32', default: 0x300, doc: 'first of 32 ports' },
  irq: { name: 'irq', type: 'uint32', default: 9, doc: 'ISA interrupt' },
  mac: { name: 'mac', type: 'str', default: '52:54:00:12:34:56', doc: 'Ethernet address' },
  netdev: { name: 'netdev', type: 'str', default: '', doc: 'network that the card is plugged into' },
};

/** NE2000 on the ISA bus. Pin `irq`, backend `netdev`. */
export const ne2kIsa = defineDevice<Ne2kIsaProperties>({
  type: 'ne2k_isa',
  doc: 'NE2000 Ethernet, ISA',
  bus: 'isa',
  properties,
  create(context, props): Device {
    const irq = context.line('irq');
    const network = context.backend<NetworkBackend>('netdev');
    const card = new Ne2000(parseMac('ne2k_isa', props.mac), (level) => irq.set(level), network);
    const region = context.ports.add(props.base, NE2000.ISA_LENGTH, card, { name: 'ne2000' });
    return {
      sections: [section(ne2kIsaVmState, new Ne2kIsaState(card.state))],
      reset: () => card.reset(),
      resume: () => card.resume(),
      unrealize: () => region.remove(),
    };
  },
});
