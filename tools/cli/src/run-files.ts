import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemError } from '@pagurus/host-node';
import { UsageError } from './usage-error.js';

/** Where Debian, Fedora, Homebrew and QEMU's own installer put firmware and option ROMs. */
const SYSTEM_FOLDERS = [
  '/usr/share/seabios',
  '/usr/share/qemu',
  '/usr/lib/ipxe/qemu',
  '/usr/local/share/qemu',
  '/opt/homebrew/share/qemu',
];

/** Larger files are no kernel, RAM disk or firmware. */
const SIZE_MOST = 2 ** 31;

/** Reads a file that an option names. @throws {UsageError} */
export function readOptionFile(option: string, path: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > SIZE_MOST) throw new UsageError(`-${option} ${path}: ${size} bytes are too many`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(systemError(`-${option} ${path}: cannot read it`, error).message, { cause: error });
  }
}

/** A data file: as it is named, in the folders given, where the system keeps them. Undefined if it is nowhere. */
export function findDataFile(name: string, folders: readonly string[]): string | undefined {
  if (existsSync(name)) return name;
  if (name.includes('/')) return undefined;
  return [...folders, ...SYSTEM_FOLDERS].map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** `-bios`, or a PC's default firmware. @throws {UsageError} naming where it was looked for. */
export function readFirmware(name: string | undefined, folders: readonly string[], standard: string): Uint8Array {
  const path = findDataFile(name ?? standard, folders);
  if (path !== undefined) return readOptionFile('bios', path);
  const places = [...folders, ...SYSTEM_FOLDERS].join(', ');
  throw new UsageError(
    name === undefined
      ? `no firmware: '${standard}' is in none of ${places}; give -bios FILE (Debian: package seabios) or -kernel FILE`
      : `-bios ${name}: no such file, nor in any of ${places}`,
  );
}
