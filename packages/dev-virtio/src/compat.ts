import type { CompatTable } from '@pagurus/device-model';

/** What older machine versions had: a row holds for its version and every older one. */
export const compat: CompatTable = {
  '7.1': { 'virtio-device': { queue_reset: 'off' }, 'virtio-rng-pci': { vectors: '0' } },
  '5.0': { 'virtio-device': { 'x-disable-legacy-check': 'on' } },
  '4.2': { 'virtio-device': { 'use-disabled-flag': 'off' } },
  '4.0': { 'virtio-device': { 'use-started': 'off' } },
  '2.7': { 'virtio-pci': { 'page-per-vq': 'on', 'x-ignore-backend-features': 'on' } },
  '2.6': { 'virtio-pci': { 'disable-modern': 'on', 'disable-legacy': 'off' } },
  '2.4': { 'virtio-pci': { 'migrate-extra': 'off', 'x-disable-pcie': 'on' } },
  '2.3': { 'virtio-rng-pci': { any_layout: 'off' } },
  '2.1': { 'virtio-pci': { 'virtio-pci-bus-master-bug-migration': 'on' } },
};
