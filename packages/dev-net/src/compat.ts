import type { CompatTable } from '@pagurus/device-model';

/** What older machine versions had: a row holds for its version and every older one. */
export const compat: CompatTable = {
  '6.0': { e1000: { 'init-vet': 'off' } },
  '2.11': { e1000: { migrate_tso_props: 'off' } },
  '2.4': { e1000: { extra_mac_registers: 'off' } },
  '1.6': { e1000: { mitigation: 'off' } },
  '1.4': { ne2k_pci: { romfile: 'pxe-ne2k_pci.rom' }, e1000: { romfile: 'pxe-e1000.rom' } },
  '1.3': { e1000: { autonegotiation: 'off' } },
};
