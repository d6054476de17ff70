import { closeSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { BlockError, type ByteFile, HttpFile, type ImageHost } from '@pagurus/block';
import { NodeFile, type NodeFileOptions } from './node-file.js';

/** Prefixes of QEMU's file names that lead to other drivers. `file:` and HTTP are ours. */
const PROTOCOL = /^([a-z][a-z0-9+.-]*):/i;

export interface ImageHostOptions extends Pick<NodeFileOptions, 'locking' | 'synchronous' | 'noFlush'> {
  warn(line: string): void;
}

/** Images of this machine's file system and behind HTTP URLs, by QEMU's names. */
export function nodeImageHost(options: ImageHostOptions): ImageHost {
  return {
    warn: options.warn,
    resolve: resolveBacking,
    async openFile(name, { readOnly, inactive }): Promise<ByteFile> {
      const protocol = PROTOCOL.exec(name)?.[1]?.toLowerCase();
      if (protocol === 'http' || protocol === 'https') return await HttpFile.open(name, fetch);
      if (protocol !== undefined && protocol !== 'file') {
        throw new BlockError('unsupported', `${name}: protocol '${protocol}' is not available`);
      }
      const path = protocol === 'file' ? name.slice('file:'.length) : name;
      return await NodeFile.open(path, {
        readOnly,
        inactive: inactive ?? false,
        locking: options.locking ?? true,
        synchronous: options.synchronous ?? false,
        noFlush: options.noFlush ?? false,
      });
    },
  };
}

/** Relative names are relative to the image that has them in its header. */
export function resolveBacking(base: string, name: string): string {
  if (PROTOCOL.test(name)) return name;
  if (/^https?:/i.test(base)) return new URL(name, base).href;
  const path = base.startsWith('file:') ? base.slice('file:'.length) : base;
  return isAbsolute(name) ? name : join(dirname(path), name);
}

/** A file without a name, for `snapshot=on`; gone with the process. */
export async function scratchFile(synchronous = false): Promise<ByteFile> {
  const folder = process.env.TMPDIR ?? tmpdir();
  const path = join(folder, `pagurus-scratch-${process.pid}-${Date.now()}-${Math.random().toString(36).slice(2)}`);
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return await NodeFile.open(path, { readOnly: false, locking: false, noFlush: true, synchronous });
  } finally {
    unlinkSync(path);
  }
}
