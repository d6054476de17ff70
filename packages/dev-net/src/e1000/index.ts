import { defineDevice } from '@pagurus/device-model';
import { E1000Card } from './e1000.js';
import { type E1000Properties, e1000Properties } from './properties.js';

export type { E1000Properties } from './properties.js';
export { E1000State } from './state.js';

/** Intel 82540EM on PCI. */
export const e1000 = defineDevice<E1000Properties>({
  type: 'e1000',
  doc: 'Intel 82540EM gigabit Ethernet',
  bus: 'pci',
  parents: ['e1000-base', 'pci-device'],
  properties: e1000Properties,
  create: (context, props) => new E1000Card(context, props),
});
