import { type ErrorPolicy, IMAGE_FORMATS, type ImageFormat } from '@pagurus/block';
import { NamedOptions, splitCommas } from '@pagurus/host-node';
import { UsageError } from './usage-error.js';

const INTERFACES = ['ide', 'floppy', 'virtio', 'none'] as const;
export type Interface = (typeof INTERFACES)[number];

/** Places that an interface has, and places per bus. */
export const PLACES: Readonly<Record<Interface, { readonly most: number; readonly perBus: number }>> = {
  ide: { most: 4, perBus: 2 },
  floppy: { most: 2, perBus: 2 },
  virtio: { most: Number.POSITIVE_INFINITY, perBus: 1 },
  none: { most: Number.POSITIVE_INFINITY, perBus: Number.POSITIVE_INFINITY },
};

const CACHE_MODES = ['none', 'writeback', 'unsafe', 'directsync', 'writethrough'];
const AIO_MODES = ['threads', 'native', 'io_uring'];

/** One `-drive`, or an option that is short for one, as it was written. */
export interface DriveSpec {
  /** For messages: the option and its text. */
  readonly what: string;
  readonly interface: Interface;
  readonly id: string | undefined;
  readonly index: number | undefined;
  readonly media: 'disk' | 'cdrom';
  /** Path, URL or the name of a `-blockdev`; undefined: an empty drive. */
  readonly file: string | undefined;
  readonly format: ImageFormat | undefined;
  readonly readOnly: boolean;
  readonly snapshot: boolean;
  readonly locking: boolean;
  readonly noFlush: boolean;
  readonly readErrors: ErrorPolicy | undefined;
  readonly writeErrors: ErrorPolicy | undefined;
  /** `null-co` and `null-aio`: bytes. */
  readonly nullSize: number | undefined;
}

/** An image with nothing said about it but its name. */
export const plainDrive = (what: string, file: string, more: Partial<DriveSpec>): DriveSpec => ({
  what,
  interface: 'ide',
  id: undefined,
  index: undefined,
  media: 'disk',
  file: file === '' ? undefined : file,
  format: undefined,
  readOnly: false,
  snapshot: false,
  locking: true,
  noFlush: false,
  readErrors: undefined,
  writeErrors: undefined,
  nullSize: undefined,
  ...more,
});

/** `-hda` to `-hdd`. */
export const hardDisk = (option: string, index: number, file: string): DriveSpec =>
  plainDrive(`-${option} ${file}`, file, { index });

/** `-cdrom` */
export const cdrom = (file: string): DriveSpec =>
  plainDrive(`-cdrom ${file}`, file, { index: 2, media: 'cdrom', readOnly: true });

/** `-fda` and `-fdb` */
export const floppyDisk = (option: string, index: number, file: string): DriveSpec =>
  plainDrive(`-${option} ${file}`, file, { interface: 'floppy', index });

/** `-drive`. @throws {UsageError} {@link HostError} */
export function parseDrive(text: string): DriveSpec {
  const what = `-drive ${text}`;
  const named = new NamedOptions(what, splitCommas(text));
  const choose = <T extends string>(name: string, value: string, choices: readonly T[]): T => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new UsageError(`${what}: ${name}=${value}: expected ${choices.join(', ')}`);
    return found;
  };
  const place = choose('if', named.text('if') ?? 'ide', INTERFACES);
  const media = choose('media', named.text('media') ?? 'disk', ['disk', 'cdrom'] as const);
  const number = (name: string): number | undefined => {
    const value = named.integer(name, -1);
    return value < 0 ? undefined : value;
  };
  const [bus, unit, index] = [number('bus'), number('unit'), number('index')];
  if (index !== undefined && (bus !== undefined || unit !== undefined))
    throw new UsageError(`${what}: expected index, or bus and unit`);
  const driver = named.text('driver');
  const format = named.text('format') ?? driver;
  const fileDriver = named.text('file.driver');
  const file =
    named.text('file') ?? named.text('file.filename') ?? named.text('filename') ?? named.text('file.url') ?? named.text('url');
  const cache = choose('cache', named.text('cache') ?? 'writeback', CACHE_MODES);
  choose('aio', named.text('aio') ?? 'threads', AIO_MODES);
  const isNull = format === 'null-co' || format === 'null-aio' || /^null-(co|aio):\/\/$/.test(file ?? '');
  if (fileDriver !== undefined) choose('file.driver', fileDriver, ['file', 'http', 'https'] as const);
  const policy = (name: 'werror' | 'rerror'): ErrorPolicy | undefined => {
    const value = named.text(name);
    if (value === undefined) return undefined;
    if (place === 'floppy') throw new UsageError(`${what}: floppy drives have no ${name}`);
    return choose<ErrorPolicy>(
      name,
      value,
      name === 'werror' ? ['report', 'ignore', 'stop', 'enospc'] : ['report', 'ignore', 'stop'],
    );
  };
  const spec = plainDrive(what, file ?? '', {
    interface: place,
    id: named.text('id'),
    index: index ?? (bus === undefined && unit === undefined ? undefined : placeIndex(place, bus ?? 0, unit ?? 0)),
    media,
    format: format === undefined || isNull || isProtocol(format) ? undefined : choose('format', format, IMAGE_FORMATS),
    readOnly: named.flag('readonly', named.flag('read-only', media === 'cdrom')),
    snapshot: named.flag('snapshot', false),
    locking: lockingFlag(named.text('file.locking') ?? named.text('locking'), what),
    noFlush: cache === 'unsafe',
    readErrors: policy('rerror'),
    writeErrors: policy('werror'),
    nullSize: isNull ? named.size('size', 2 ** 30) : undefined,
  });
  // Neither changes what a guest sees here: an image is read and written through the host's cache, zeros are written as they come.
  for (const [name, choices] of [
    ['discard', ['ignore', 'off', 'unmap', 'on']],
    ['detect-zeroes', ['off', 'on', 'unmap']],
  ] as const) {
    const value = named.text(name);
    if (value !== undefined) choose(name, value, choices);
  }
  if (named.flag('copy-on-read', false)) throw new UsageError(`${what}: copy-on-read is not available`);
  named.done(
    'file, format, if, index, bus, unit, media, id, readonly, snapshot, cache, aio, werror, rerror, discard, detect-zeroes, file.locking',
  );
  return spec;
}

function isProtocol(driver: string): boolean {
  return ['file', 'http', 'https'].includes(driver);
}

export function lockingFlag(value: string | undefined, what: string): boolean {
  if (value === undefined || value === 'on' || value === 'auto') return true;
  if (value === 'off') return false;
  throw new UsageError(`${what}: locking=${value}: expected on, off or auto`);
}

function placeIndex(place: Interface, bus: number, unit: number): number {
  const { perBus } = PLACES[place];
  return perBus === Number.POSITIVE_INFINITY ? unit : bus * perBus + unit;
}
