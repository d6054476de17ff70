import type { CompatTable } from '@pagurus/device-model';

/** What older machine versions had: a row holds for its version and every older one. */
export const compat: CompatTable = {
  '4.0': { VGA: { edid: 'off', xres: '0', yres: '0' } },
  '2.12': { VGA: { 'global-vmstate': 'on' } },
  '1.2': { VGA: { mmio: 'off' } },
  '1.1': { VGA: { vgamem_mb: '8' } },
  '2.1': { VGA: { 'qemu-extended-regs': 'off' } },
};
