import type { CompatTable } from '@pagurus/device-model';

/** History of this package's devices: a row holds for its machine version and every older one. Drives tell the version they came with. */
export const compat: CompatTable = {
  '2.5': { 'isa-fdc': { fallback: '144' } },
  '2.4': { 'ide-device': { ver: '2.4.0' } },
  '2.3': { 'ide-device': { ver: '2.3.0' } },
  '2.2': { 'ide-device': { ver: '2.2.0' } },
  '2.1': { 'ide-device': { ver: '2.1.0' } },
  '2.0': { 'ide-device': { ver: '2.0.0' } },
  '1.7': { 'ide-device': { ver: '1.7.0' } },
  '1.6': { 'ide-device': { ver: '1.6.0' } },
  '1.5': { 'ide-device': { ver: '1.5.0' } },
  '1.4': { 'ide-device': { ver: '1.4.0' } },
  '1.3': { 'ide-device': { ver: '1.3.0' } },
  '1.2': { 'ide-device': { ver: '1.2.0' } },
  '1.1': { 'ide-device': { ver: '1.1.0' } },
  '1.0': { 'ide-device': { ver: '1.0' }, 'isa-fdc': { check_media_rate: 'off' } },
  '0.14': { 'ide-device': { ver: '0.14' } },
};
