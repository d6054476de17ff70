import type { DevicePackage } from '@pagurus/device-model';
import { compat } from './compat.js';
import { isaVga } from './isa-vga.js';
import { vga } from './pci-vga.js';

export { compat } from './compat.js';
export { type IsaVgaProperties, isaVga } from './isa-vga.js';
export { type PciVgaProperties, vga } from './pci-vga.js';
export { PciVgaState } from './pci-vga.state.js';
export { VgaState } from './vga.state.js';

export const devicePackage: DevicePackage = { name: '@pagurus/dev-vga', types: [vga, isaVga], compat };
