import type { CompatTable } from '@pagurus/device-model';

/** What older machine versions had: a row holds for its version and every older one. */
export const compat: CompatTable = {
  '1.4': { ne2k_pci: { romfile: 'pxe-ne2k_pci.rom' } },
};
