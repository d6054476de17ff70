import type { DevicePackage } from '@pagurus/device-model';
import { compat } from './compat.js';
import { i8042 } from './i8042.js';
import { vmmouse } from './vmmouse.js';
import { vmport } from './vmport.js';

export { compat } from './compat.js';
export { type I8042Properties, i8042, type Ps2PointerService } from './i8042.js';
export { I8042State } from './i8042.state.js';
export { Ps2KeyboardState } from './keyboard.state.js';
export { Ps2MouseState } from './mouse.state.js';
export { KEY_NAMES } from './scancodes.js';

export { vmmouse } from './vmmouse.js';
export { VmmouseState } from './vmmouse.state.js';
export {
  type BackdoorCommand,
  type BackdoorCpu,
  type BackdoorMachine,
  type BackdoorRegisters,
  type VmportProperties,
  type VmportService,
  vmport,
} from './vmport.js';

export const devicePackage: DevicePackage = { name: '@pagurus/dev-ps2', types: [i8042, vmport, vmmouse], compat };
