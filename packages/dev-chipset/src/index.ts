export { debugcon, debugExit } from './debug/debug.js';
export { type FwCfgService, fwCfg } from './fw-cfg/fw-cfg.js';
export { i8254, type PitProperties, type PitService } from './i8254/i8254.js';
export { pcspk, type SpeakerProperties } from './i8254/pcspk.js';
export { i8259, type PicService } from './i8259/i8259.js';
export { mc146818rtc, type RtcProperties, type RtcService } from './mc146818rtc/mc146818rtc.js';
export { port92 } from './port92/port92.js';
export { isaSerial, type SerialProperties } from './serial/serial.js';
