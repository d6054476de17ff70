import type { CompatTable } from '@pagurus/device-model';

/** History of this package's devices: a row holds for its machine version and every older one. [QEMU 7.2 and 10.0 compat lists] */
export const compat: CompatTable = {
  '7.2': { pvpanic: { events: '3' } },
  '5.1': { pvpanic: { events: '1' } },
  '4.2': { fw_cfg: { 'acpi-mr-restore': 'off' } },
  '2.11': { hpet: { 'hpet-offset-saved': 'off' } },
  '2.8': { fw_cfg_io: { 'x-file-slots': '0x10' } },
  '2.7': { 'isa-pcspk': { migrate: 'off' }, ioapic: { version: '0x11' } },
  '2.6': { 'apic-common': { 'legacy-instance-id': 'on' } },
  '2.5': { fw_cfg: { 'x-legacy-file-order': 'on' } },
  '2.4': { fw_cfg_io: { dma_enabled: 'off' } },
  '2.0': { apic: { version: '0x11' } },
  '1.0': { apic: { vapic: 'off' } },
};
