import type { DevicePackage } from '@pagurus/device-model';
import { apic } from './apic/apic.js';
import { compat } from './compat.js';
import { debugcon, debugExit } from './debug/debug.js';
import { fwCfg } from './fw-cfg/fw-cfg.js';
import { hpet } from './hpet/hpet.js';
import { i8254 } from './i8254/i8254.js';
import { pcspk } from './i8254/pcspk.js';
import { i8257 } from './i8257/i8257.js';
import { i8259 } from './i8259/i8259.js';
import { ioapic } from './ioapic/ioapic.js';
import { kvmvapic } from './kvmvapic/kvmvapic.js';
import { mc146818rtc } from './mc146818rtc/mc146818rtc.js';
import { isaParallel } from './parallel/parallel.js';
import { port92 } from './port92/port92.js';
import { pvpanic } from './pvpanic/pvpanic.js';
import { isaSerial } from './serial/serial.js';
import { vmcoreinfo } from './vmcoreinfo/vmcoreinfo.js';
import { vmgenid } from './vmgenid/vmgenid.js';

export { type ApicProcessor, type ApicProperties, type ApicService, apic } from './apic/apic.js';
export { ApicBus, type BusAgent, type EndOfInterruptListener, type InterruptMessage } from './apic/bus.js';
export { compat } from './compat.js';
export { debugcon, debugExit } from './debug/debug.js';
export { type FwCfgProperties, type FwCfgService, fwCfg } from './fw-cfg/fw-cfg.js';
export type { FwCfgSource } from './fw-cfg/items.js';
export { type HpetProperties, type HpetService, hpet } from './hpet/hpet.js';
export { i8254, type PitProperties, type PitService } from './i8254/i8254.js';
export { pcspk, type SpeakerProperties } from './i8254/pcspk.js';
export { type DmaHandler, type DmaProperties, type DmaService, type DmaTransfer, i8257 } from './i8257/i8257.js';
export { i8259, type PicService } from './i8259/i8259.js';
export { type IoApicProperties, ioapic } from './ioapic/ioapic.js';
export { kvmvapic } from './kvmvapic/kvmvapic.js';
export { mc146818rtc, type RtcProperties, type RtcService } from './mc146818rtc/mc146818rtc.js';
export { isaParallel, type ParallelProperties } from './parallel/parallel.js';
export { port92 } from './port92/port92.js';
export { type PvpanicProperties, pvpanic } from './pvpanic/pvpanic.js';
export { isaSerial, type SerialProperties } from './serial/serial.js';
export { vmcoreinfo } from './vmcoreinfo/vmcoreinfo.js';
export { type VmgenidProperties, vmgenid } from './vmgenid/vmgenid.js';

export const devicePackage: DevicePackage = {
  name: '@pagurus/dev-chipset',
  types: [
    i8259,
    i8254,
    pcspk,
    mc146818rtc,
    i8257,
    isaSerial,
    isaParallel,
    port92,
    fwCfg,
    debugcon,
    debugExit,
    hpet,
    ioapic,
    apic,
    kvmvapic,
    pvpanic,
    vmcoreinfo,
    vmgenid,
  ],
  compat,
};
