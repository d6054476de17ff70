import type { DevicePackage } from '@pagurus/device-model';
import { compat } from './compat.js';
import { ne2kIsa } from './ne2k-isa.js';
import { ne2kPci } from './ne2k-pci.js';

export { compat } from './compat.js';
export { Hub, loopbackPair } from './hub.js';
export { type Ne2kIsaProperties, ne2kIsa } from './ne2k-isa.js';
export { type Ne2kPciProperties, ne2kPci } from './ne2k-pci.js';
export { Ne2kPciState } from './ne2k-pci.state.js';
export { Ne2000State } from './ne2000.state.js';

export const devicePackage: DevicePackage = { name: '@pagurus/dev-net', types: [ne2kPci, ne2kIsa], compat };
