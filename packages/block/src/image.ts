import type { BlockBackend } from '@pagurus/device-model';
import { BlockError } from './errors.js';

export const SECTOR = 512;

/** A disk image that is open. */
export interface BlockImage extends BlockBackend {
  /** `raw`, `qcow2`, … */
  readonly format: string;
  /** The file's name as the user gave it. */
  readonly name: string;
  /** What `info block` and `info snapshots` show. */
  readonly details: ImageDetails;
  /** Writes out what is kept back and lets others use the file, until {@link activate}. */
  inactivate(): Promise<void>;
  /** Takes the file again and looks at it anew. @throws {BlockError} `locked`. */
  activate(): Promise<void>;
  /** Writes out what is kept back, releases the file. */
  close(): Promise<void>;
}

export interface ImageDetails {
  /** Image that this one is laid over. */
  readonly backing?: BlockImage;
  readonly snapshots?: readonly ImageSnapshot[];
}

/** An internal snapshot of an image. */
export interface ImageSnapshot {
  readonly id: string;
  readonly name: string;
  /** Bytes of the machine's state. */
  readonly vmStateSize: number;
  /** Seconds since 1970. */
  readonly date: number;
  /** Nanoseconds of the guest's clock. */
  readonly vmClock: bigint;
}

/** @throws {RangeError} unless the sectors lie in the image. */
export function checkRange(image: BlockBackend, sector: number, length: number): void {
  const inside = Number.isInteger(sector) && sector >= 0 && length % SECTOR === 0 && sector + length / SECTOR <= image.sectors;
  if (!inside) throw new RangeError(`${length} bytes at sector ${sector} leave the image of ${image.sectors} sectors`);
}

/** @throws {BlockError} `read-only`. */
export function checkWritable(image: { readonly readOnly: boolean; readonly name: string }): void {
  if (image.readOnly) throw new BlockError('read-only', `${image.name}: the image is read-only`);
}
