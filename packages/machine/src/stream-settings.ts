import { type CompatTable, compareVersions, defineDevice, PropertyError, type StreamSettings } from '@pagurus/device-model';

/** What the `migration` object's properties are. */
export interface MigrationObjectProperties extends Omit<Required<StreamSettings>, 'splitGlobalState'> {
  readonly program: string;
}

/** Versions of QEMU whose order of sections is known; each holds up to the next. */
export const PROGRAMS = ['5.2', '7.2', '10.0'] as const;
export type Program = (typeof PROGRAMS)[number];

/** The switches of a machine's streams. @throws {PropertyError} */
export function streamSettings(properties: MigrationObjectProperties): StreamSettings & { readonly program: Program } {
  const program = PROGRAMS.find((version) => version === properties.program);
  if (!program)
    throw new PropertyError('migration', 'x-program', `'${properties.program}': expected one of ${PROGRAMS.join(', ')}`);
  return { ...properties, program, splitGlobalState: compareVersions(program, '9.0') >= 0 };
}

/**
 * The migration protocol's own knobs are properties of a device-like object, so that the machine version sets them, too
 * (QEMU: the `migration` object). `suppress-vmdesc` is a machine property there; it stands here for the same reason.
 */
export const migrationObject = defineDevice<MigrationObjectProperties>({
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
    program: {
      name: 'x-program',
      type: 'str',
      default: '10.0',
      doc: 'which QEMU a stream is to look as if written by, where the program decides and not the machine: order of sections, layout of globalstate',
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
  '8.2': { migration: { 'x-program': '7.2' } },
  '5.2': { migration: { 'x-program': '5.2' } },
  '2.3': { migration: { 'send-configuration': 'off', 'send-section-footer': 'off', 'store-global-state': 'off' } },
  '2.2': { migration: { 'suppress-vmdesc': 'on' } },
  '1.7': { migration: { 'suppress-vmdesc': 'off' } },
};
