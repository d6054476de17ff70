import type { DevicePackage } from '@pagurus/device-model';
import { compat } from './compat.js';
import { e1000 } from './e1000/index.js';
import { ne2kIsa } from './ne2k-isa.js';
import { ne2kPci } from './ne2k-pci.js';

export { compat } from './compat.js';
export { type E1000Properties, E1000State, e1000 } from './e1000/index.js';
export { Hub, loopbackPair } from './hub.js';
export { type Ne2kIsaProperties, ne2kIsa } from './ne2k-isa.js';
export { type Ne2kPciProperties, ne2kPci } from './ne2k-pci.js';
export { Ne2kPciState } from './ne2k-pci.state.js';
export { Ne2000State } from './ne2000.state.js';
export {
  dotted,
  type FileServer,
  parseAddress,
  type ServedFile,
  SlirpState,
  slirpVmState,
  UserNetwork,
  type UserNetworkOptions,
} from './user/index.js';

export const devicePackage: DevicePackage = { name: '@pagurus/dev-net', types: [e1000, ne2kPci, ne2kIsa], compat };
