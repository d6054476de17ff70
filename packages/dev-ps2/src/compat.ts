import type { CompatTable } from '@pagurus/device-model';

/** What older machine versions lacked: a row holds for its version and every older one. */
export const compat: CompatTable = {
  '6.0': { i8042: { 'extended-state': 'off' } },
};
