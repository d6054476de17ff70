import type { CompatTable } from '@pagurus/device-model';

/** What older machine versions lacked: a row holds for its version and every older one. */
export const compat: CompatTable = {
  '6.0': { i8042: { 'extended-state': 'off' } },
  '5.0': {
    vmport: { 'x-read-set-eax': 'off', 'x-signal-unsupported-cmd': 'off', 'x-report-vmx-type': 'off', 'x-cmds-v2': 'off' },
  },
};
