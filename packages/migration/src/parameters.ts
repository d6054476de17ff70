/** Parameters of an outgoing migration that work here; QEMU's names in kebab case. */
export interface MigrationParameters {
  /** `max-bandwidth`: bytes per second while the machine runs; 0 = no limit. */
  readonly maxBandwidth: number;
  /** `downtime-limit`: milliseconds that the machine may be stopped for. */
  readonly downtimeLimit: number;
}

/** QEMU's defaults. */
export const DEFAULT_PARAMETERS: MigrationParameters = { maxBandwidth: 134_217_728, downtimeLimit: 300 };

interface ParameterSpec {
  readonly key: keyof MigrationParameters;
  readonly maximum: number;
  readonly unit: string;
}

/** By QEMU's name, as `migrate-set-parameters` takes them. */
export const PARAMETERS: Readonly<Record<string, ParameterSpec>> = {
  'max-bandwidth': { key: 'maxBandwidth', maximum: Number.MAX_SAFE_INTEGER, unit: 'bytes/second' },
  'downtime-limit': { key: 'downtimeLimit', maximum: 2_000_000, unit: 'milliseconds' },
};

/** @throws {RangeError} for a value outside QEMU's range. */
export function checkedParameters(
  changes: Partial<MigrationParameters>,
  base: MigrationParameters = DEFAULT_PARAMETERS,
): MigrationParameters {
  const result = { ...base, ...changes };
  for (const [name, { key, maximum, unit }] of Object.entries(PARAMETERS)) {
    const value = result[key];
    if (!Number.isInteger(value) || value < 0 || value > maximum) {
      throw new RangeError(`parameter '${name}' takes a whole number from 0 to ${maximum} ${unit}, not ${value}`);
    }
  }
  return result;
}

/** Capabilities that QEMU 7.2 to 11 know; a stream that announces another is refused. */
export const KNOWN_CAPABILITIES: readonly string[] = [
  ...[
    'xbzrle',
    'rdma-pin-all',
    'auto-converge',
    'zero-blocks',
    'compress',
    'events',
    'postcopy-ram',
    'x-colo',
    'release-ram',
    'block',
  ],
  ...['return-path', 'pause-before-switchover', 'multifd', 'dirty-bitmaps', 'late-block-activate', 'postcopy-blocktime'],
  ...[
    'x-ignore-shared',
    'validate-uuid',
    'background-snapshot',
    'zero-copy-send',
    'postcopy-preempt',
    'switchover-ack',
    'dirty-limit',
  ],
  'mapped-ram',
];

/** Those that both ends must have alike, because they change the layout of the stream. */
export const VALIDATED_CAPABILITIES: readonly string[] = ['x-ignore-shared', 'mapped-ram'];
