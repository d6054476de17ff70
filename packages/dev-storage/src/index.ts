import type { DevicePackage } from '@pagurus/device-model';
import { compat } from './compat.js';
import { floppy, isaFdc } from './floppy/isa-fdc.js';
import { ideCd, ideHd } from './ide/ide-disks.js';
import { isaIde } from './ide/isa-ide.js';
import { piix3Ide } from './ide/piix3-ide.js';

export { BlockRequests } from './block-requests.js';
export type { FloppyDma } from './floppy/fdc.js';
export {
  type FloppyControl,
  type FloppyControllerService,
  type FloppyProperties,
  type FloppySlot,
  floppy,
  type IsaFdcProperties,
  isaFdc,
} from './floppy/isa-fdc.js';
export { type IdeDiskProperties, type IdeDriveProperties, type IdeDriveService, ideCd, ideHd } from './ide/ide-disks.js';
export { type Geometry, guessGeometry, partitionGeometry } from './ide/identify.js';
export { type IsaIdeProperties, isaIde } from './ide/isa-ide.js';
export { type DriveControl, type IdeControllerService, type IdeSlot, piix3Ide } from './ide/piix3-ide.js';
export { MemoryBlockBackend } from './memory-backend.js';

/** For the machine: the types of this package and their history. */
export const devicePackage: DevicePackage = {
  name: '@pagurus/dev-storage',
  types: [piix3Ide, isaIde, ideHd, ideCd, isaFdc, floppy],
  compat,
};
