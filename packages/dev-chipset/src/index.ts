import type { DevicePackage } from '@pagurus/device-model';
import { compat } from './compat.js';
import { debugcon, debugExit } from './debug/debug.js';
import { fwCfg } from './fw-cfg/fw-cfg.js';
import { i8254 } from './i8254/i8254.js';
import { pcspk } from './i8254/pcspk.js';
import { i8257 } from './i8257/i8257.js';
import { i8259 } from './i8259/i8259.js';
import { mc146818rtc } from './mc146818rtc/mc146818rtc.js';
import { port92 } from './port92/port92.js';
import { isaSerial } from './serial/serial.js';

export { compat } from './compat.js';
export { debugcon, debugExit } from './debug/debug.js';
export { type FwCfgService, fwCfg } from './fw-cfg/fw-cfg.js';
export { i8254, type PitProperties, type PitService } from './i8254/i8254.js';
export { pcspk, type SpeakerProperties } from './i8254/pcspk.js';
export { type DmaHandler, type DmaProperties, type DmaService, type DmaTransfer, i8257 } from './i8257/i8257.js';
export { i8259, type PicService } from './i8259/i8259.js';
export { mc146818rtc, type RtcProperties, type RtcService } from './mc146818rtc/mc146818rtc.js';
export { port92 } from './port92/port92.js';
export { isaSerial, type SerialProperties } from './serial/serial.js';

export const devicePackage: DevicePackage = {
  name: '@pagurus/dev-chipset',
  types: [i8259, i8254, pcspk, mc146818rtc, i8257, isaSerial, port92, fwCfg, debugcon, debugExit],
  compat,
};
