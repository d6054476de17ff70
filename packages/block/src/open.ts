import type { ByteFile } from './byte-file.js';
import { BlockError } from './errors.js';
import type { BlockImage } from './image.js';
import { PROBE_LENGTH, probeFormat } from './probe.js';
import { openQcow2 } from './qcow2/index.js';
import { RawImage } from './raw.js';

/** Where images come from: a host's file system, the web. */
export interface ImageHost {
  /** @throws {BlockError} `not-found`, `permission`, `locked`, … */
  openFile(name: string, options: OpenFileOptions): Promise<ByteFile>;
  /** What a backing file's name in the header of image `base` means. */
  resolve(base: string, name: string): string;
  /** One line for the user. */
  warn(line: string): void;
}

export interface OpenFileOptions {
  readonly readOnly: boolean;
  /** Others may have it open until it is claimed. */
  readonly inactive?: boolean;
}

export const IMAGE_FORMATS = ['raw', 'qcow2'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

export interface OpenImageOptions {
  /** Undefined: by its first bytes. */
  readonly format?: ImageFormat;
  readonly readOnly?: boolean;
  /** The machine is still to come: nothing is locked or written before `activate`. */
  readonly inactive?: boolean;
}

/** Backing files below each other. */
const CHAIN_MOST = 200;

/** Opens an image with all that lies below it. @throws {BlockError} */
export async function openImage(host: ImageHost, name: string, options: OpenImageOptions = {}): Promise<BlockImage> {
  return await open(host, name, options, []);
}

/** Puts a format over bytes that are open. They are closed if that fails. */
export async function openFormat(
  host: ImageHost,
  file: ByteFile,
  options: OpenImageOptions = {},
  above: readonly string[] = [],
): Promise<BlockImage> {
  try {
    const format = options.format ?? (await guess(host, file, above.length > 0 || options.readOnly === true));
    if (format === 'raw')
      return new RawImage(file, { readOnly: options.readOnly ?? false, guessed: options.format === undefined });
    if (format !== 'qcow2') throw new BlockError('unsupported', `${file.name}: format '${format}' is not available`);
    const chain = [...above, file.identity];
    return await openQcow2(file, {
      readOnly: options.readOnly ?? false,
      inactive: options.inactive ?? false,
      backing: (name, backingFormat) =>
        open(
          host,
          host.resolve(file.name, name),
          { readOnly: true, ...(backingFormat === undefined ? {} : { format: known(file, backingFormat) }) },
          chain,
        ),
    });
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function open(host: ImageHost, name: string, options: OpenImageOptions, above: readonly string[]): Promise<BlockImage> {
  const file = await host.openFile(name, { readOnly: options.readOnly ?? false, inactive: options.inactive ?? false });
  const problem = above.includes(file.identity)
    ? `${file.name}: backing files form a loop`
    : above.length >= CHAIN_MOST
      ? `${file.name}: more than ${CHAIN_MOST} backing files`
      : undefined;
  if (problem !== undefined) {
    await file.close();
    throw new BlockError('corrupt', problem);
  }
  return await openFormat(host, file, options, above);
}

function known(file: ByteFile, format: string): ImageFormat {
  const found = IMAGE_FORMATS.find((candidate) => candidate === format);
  if (!found) throw new BlockError('unsupported', `${file.name}: its backing file's format '${format}' is not available`);
  return found;
}

async function guess(host: ImageHost, file: ByteFile, quiet: boolean): Promise<string> {
  const start = new Uint8Array(PROBE_LENGTH);
  await file.read(0, start);
  const format = probeFormat(start);
  if (format === 'raw' && !quiet)
    host.warn(
      `${file.name}: no format was given, and it looks like raw; writes to its first sector are restricted (format=raw lifts that)`,
    );
  return format;
}
