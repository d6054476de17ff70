import type { CompatTable } from '@pagurus/device-model';

/** History of this package's devices: a row holds for its machine version and every older one. */
export const compat: CompatTable = {
  '5.0': { 'pci-host-bridge': { 'x-config-reg-migration-enabled': 'off' } },
  '2.10': { 'i440FX-pcihost': { 'x-pci-hole64-fix': 'off' } },
  '1.6': { 'i440FX-pcihost': { short_root_bus: '1' } },
  '1.5': { 'i440FX-pcihost': { short_root_bus: '0' } },
};
