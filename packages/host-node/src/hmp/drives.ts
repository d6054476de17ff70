import { HostError } from '../errors.js';

/** A drive as the monitor shows it. */
export interface MonitorDrive {
  readonly id: string;
  /** Undefined: nothing is inserted. */
  readonly medium: MonitorMedium | undefined;
  /** The device that has it. */
  readonly device: string | undefined;
  /** Removable media only. */
  readonly tray: { readonly locked: boolean; readonly open: boolean } | undefined;
}

export interface MonitorMedium {
  readonly file: string;
  readonly format: string;
  readonly readOnly: boolean;
  /** Names of the images below it, the nearest first. */
  readonly backing: readonly string[];
  /** Internal snapshots. */
  readonly snapshots: readonly {
    readonly id: string;
    readonly name: string;
    readonly vmStateSize: number;
    readonly date: number;
    readonly vmClock: bigint;
  }[];
}

/** What a monitor can do about drives. */
export interface MonitorDrives {
  list(): readonly MonitorDrive[];
  /** Another medium. `mode`: QEMU's read-only-mode. */
  change(id: string, file: string, format: string | undefined, mode: ReadOnlyMode, force: boolean): Promise<void>;
  eject(id: string, force: boolean): Promise<void>;
}

export const READ_ONLY_MODES = ['retain', 'read-only', 'read-write'] as const;
export type ReadOnlyMode = (typeof READ_ONLY_MODES)[number];

/** `info block`, in QEMU's form. */
export function blockText(drives: readonly MonitorDrive[]): string {
  return drives
    .map(({ id, medium, device, tray }) => {
      const what = medium ? `${medium.file} (${medium.format}${medium.readOnly ? ', read-only' : ''})` : '[not inserted]';
      const lines = [`${id}: ${what}`];
      const add = (name: string, value: string): void => void lines.push(`    ${`${name}:`.padEnd(17)} ${value}`);
      if (device !== undefined) add('Attached to', device);
      if (tray) add('Removable device', `${tray.locked ? '' : 'not '}locked, tray ${tray.open ? 'open' : 'closed'}`);
      if (medium && medium.backing.length > 0)
        add('Backing file', `${medium.backing[0]} (chain depth: ${medium.backing.length})`);
      return lines.join('\n');
    })
    .join('\n\n');
}

/** `info snapshots`: what the images hold. */
export function snapshotsText(drives: readonly MonitorDrive[]): string {
  const lines = drives.flatMap(({ id, medium }) =>
    (medium?.snapshots ?? []).map((snapshot) => {
      const date = new Date(snapshot.date * 1000).toISOString().slice(0, 19).replace('T', ' ');
      const seconds = (Number(snapshot.vmClock) / 1e9).toFixed(3);
      return `${id.padEnd(12)} ${snapshot.id.padEnd(6)} ${snapshot.name.padEnd(16)} ${`${snapshot.vmStateSize} B`.padStart(14)} ${date} ${seconds.padStart(12)} s`;
    }),
  );
  return lines.length === 0 ? 'There is no snapshot in the images.' : lines.join('\n');
}

/** Arguments of `change`. @throws {HostError} */
export function changeArguments(args: readonly string[]): {
  id: string;
  file: string;
  format: string | undefined;
  mode: ReadOnlyMode;
  force: boolean;
} {
  const force = args.includes('-f');
  const [id, file, format, mode = 'retain', more] = args.filter((arg) => arg !== '-f');
  if (id === undefined || file === undefined) throw new HostError('syntax', 'change: too few arguments');
  if (more !== undefined) throw new HostError('syntax', `change: unexpected '${more}'`);
  const known = READ_ONLY_MODES.find((candidate) => candidate === mode);
  if (!known) throw new HostError('syntax', `change: '${mode}': expected ${READ_ONLY_MODES.join(', ')}`);
  return { id, file, format, mode: known, force };
}
