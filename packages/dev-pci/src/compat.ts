import type { CompatTable } from '@pagurus/device-model';

/** History of this package's devices: a row holds for its machine version and every older one. */
export const compat: CompatTable = {
  '6.2': { PIIX4_PM: { 'x-not-migrate-acpi-index': 'on' } },
  '5.2': { PIIX4_PM: { 'smm-compat': 'on' } },
  '5.0': { 'pci-host-bridge': { 'x-config-reg-migration-enabled': 'off' } },
  '3.1': { PIIX4_PM: { 'x-smbus-migration': 'off' }, 'smbus-eeprom': { 'x-smbus-migration': 'off' } },
  '2.10': { 'i440FX-pcihost': { 'x-pci-hole64-fix': 'off' } },
  '2.9': { 'pci-bridge': { shpc: 'off' } },
  '2.8': { 'pci-device': { 'x-pcie-extcap-init': 'off' }, 'pci-bridge': { shpc: 'on' } },
  '2.3': { 'pci-device': { 'x-pcie-lnksta-dllla': 'off' } },
  '2.0': { PIIX4_PM: { 'memory-hotplug-support': 'off' } },
  '1.7': { PIIX4_PM: { 'acpi-pci-hotplug-with-bridge-support': 'off' } },
  '1.6': { 'i440FX-pcihost': { short_root_bus: '1' } },
  '1.5': { 'i440FX-pcihost': { short_root_bus: '0' } },
};
