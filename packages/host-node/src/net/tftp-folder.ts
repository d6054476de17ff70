import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { HostError, systemError } from '../errors.js';

/** A file that a guest may read. */
interface OpenFile {
  readonly size: number;
  read(offset: number, target: Uint8Array): number;
  close(): void;
}

/**
 * The files below a folder, for `-netdev user,tftp=FOLDER`; what lies outside, also behind a link, is not there for the guest.
 * @throws {HostError} if there is no such folder.
 */
export function tftpFolder(path: string): { open(name: string): OpenFile | undefined } {
  let root: string;
  try {
    root = realpathSync(path);
  } catch (error) {
    throw systemError(`tftp=${path}`, error);
  }
  return {
    open(name) {
      let file: number | undefined;
      try {
        const real = realpathSync(join(root, name));
        if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
        file = openSync(real, 'r');
        const handle = file;
        const status = fstatSync(handle);
        if (!status.isFile()) throw new HostError('not-found', `${name} is no file`);
        return {
          size: status.size,
          read: (offset, target) => {
            try {
              return readSync(handle, target, 0, target.length, offset);
            } catch {
              return 0; // The guest is told that it cannot be read.
            }
          },
          close: () => closeSync(handle),
        };
      } catch {
        // For the guest: not found.
        if (file !== undefined) closeSync(file);
        return undefined;
      }
    },
  };
}
