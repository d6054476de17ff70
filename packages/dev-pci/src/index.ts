import type { DevicePackage } from '@pagurus/device-model';
import { acpiBuild } from './acpi-build.js';
import { compat } from './compat.js';
import { i440fx } from './i440fx.js';
import { pcDimm } from './pc-dimm.js';
import { pciBridge } from './pci-bridge.js';
import { i440fxPciHost } from './pci-host.js';
import { piix3 } from './piix3.js';
import { piix4Pm } from './piix4-pm.js';
import { smbusEeprom } from './smbus-eeprom.js';

export { type AcpiBuildService, acpiBuild } from './acpi-build.js';
export { type BarOptions, type BarWindow, BaseAddress, ROM_BAR } from './base-address.js';
export {
  formatDevfn,
  PciBus,
  type PciBusOptions,
  type PciPlug,
  type PciSlot,
  parseDevfn,
  pciSlot,
  routerLine,
  type UpstreamBridge,
} from './bus.js';
export { PciBusState, pciBusVmState } from './bus.state.js';
export { overlaps, readConfig, writeConfig } from './config-space.js';
export type { CpuTopology } from './cpu-hotplug.js';
export { type ConfigWriteListener, PciFunction, type PciIdentity, type PciOwner } from './function.js';
export { I2cBus, type I2cSlave } from './i2c.js';
export { type I440fxMemory, i440fx, type SmramService } from './i440fx.js';
export type { MemoryModule, MemorySlotsService } from './memory-hotplug.js';
export { Msi, type MsiOptions } from './msi.js';
export { Msix, type MsixOptions } from './msix.js';
export { MsixState, msixCodec } from './msix.state.js';
export { type MemoryBackend, type MemoryRegion, type PcDimmProperties, type PcDimmService, pcDimm } from './pc-dimm.js';
export { type PciBridgeProperties, pciBridge } from './pci-bridge.js';
export { type ConfigMasks, PciDeviceState, pciDeviceVmState } from './pci-device.state.js';
export { i440fxPciHost, type PciHostProperties, type PciHostService } from './pci-host.js';
export type { PciHotplugService } from './pci-hotplug.js';
export { type PciProperties, pciProperties } from './pci-properties.js';
export { piix3 } from './piix3.js';
export { GPE_EVENT } from './piix4.spec.js';
export { type MemorySlotCount, type Piix4PmProperties, type Piix4PmService, type PortMap, piix4Pm } from './piix4-pm.js';
export { addRom, type RomOptions } from './rom.js';
export { type SmbusEepromProperties, smbusEeprom } from './smbus-eeprom.js';
export * as pci from './spec.js';
export { MEMORY_PRIORITY, PORT_PRIORITY } from './spec.js';

/** For the machine: the types of this package and their history. */
export const devicePackage: DevicePackage = {
  name: '@pagurus/dev-pci',
  types: [i440fxPciHost, i440fx, piix3, piix4Pm, pciBridge, pcDimm, smbusEeprom, acpiBuild],
  compat,
};
