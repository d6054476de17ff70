import type { ByteFile } from '../byte-file.js';
import { BlockError } from '../errors.js';
import type { BlockImage } from '../image.js';

export interface OpenQcow2Options {
  readonly readOnly: boolean;
  readonly inactive: boolean;
  backing(name: string, format: string | undefined): Promise<BlockImage>;
}

export async function openQcow2(file: ByteFile, _options: OpenQcow2Options): Promise<BlockImage> {
  throw new BlockError('unsupported', `${file.name}: format 'qcow2' is not available`);
}
