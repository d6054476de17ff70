import type { DevicePackage } from '@pagurus/device-model';
import { compat } from './compat.js';
import { virtioRngPci } from './virtio-rng.js';

export { compat } from './compat.js';
export { VirtioSectionState, VirtioState } from './virtio.state.js';
export { type VirtioRngProperties, virtioRngPci } from './virtio-rng.js';

/** For the machine: the types of this package and their history. */
export const devicePackage: DevicePackage = { name: '@pagurus/dev-virtio', types: [virtioRngPci], compat };
