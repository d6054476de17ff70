import { type CompatTable, defineDevice, type StreamSettings } from '@pagurus/device-model';

/**
 * The migration protocol's own knobs are properties of a device-like object, so that the machine version sets them, too
 * (QEMU: the `migration` object). `suppress-vmdesc` is a machine property there; it stands here for the same reason.
 */
export const migrationObject = defineDevice<Required<StreamSettings>>({
  type: 'migration',
  doc: 'switches of the migration stream',
  bus: 'system',
  properties: {
    sendConfiguration: {
      name: 'send-configuration',
      type: 'bool',
      default: true,
      doc: 'send and expect the configuration section',
    },
    sendSectionFooter: { name: 'send-section-footer', type: 'bool', default: true, doc: 'send and expect section footers' },
    storeGlobalState: { name: 'store-global-state', type: 'bool', default: true, doc: 'always send the run state' },
    suppressVmdesc: { name: 'suppress-vmdesc', type: 'bool', default: false, doc: 'leave out the description JSON' },
    splitGlobalState: {
      name: 'x-split-global-state',
      type: 'bool',
      default: true,
      doc: "globalstate in QEMU 9.0's layout (in QEMU the program decides, not the machine)",
    },
    sendSwitchoverStart: { name: 'send-switchover-start', type: 'bool', default: true, doc: 'send the command SWITCHOVER_START' },
  },
  create() {
    throw new Error('migration: an object for properties only; it has no device');
  },
});

/** QEMU 7.2/10.0 compat lists; `suppress-vmdesc` holds for 2.0 to 2.2 only. */
export const migrationCompat: CompatTable = {
  '9.2': { migration: { 'send-switchover-start': 'off' } },
  '8.2': { migration: { 'x-split-global-state': 'off' } },
  '2.3': { migration: { 'send-configuration': 'off', 'send-section-footer': 'off', 'store-global-state': 'off' } },
  '2.2': { migration: { 'suppress-vmdesc': 'on' } },
  '1.7': { migration: { 'suppress-vmdesc': 'off' } },
};
