import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeviceNames } from './names.js';

const TEMPLATE = fileURLToPath(new URL('../template', import.meta.url));
const SUFFIX = '.template';

/** The folder exists and has something in it. */
export class FolderError extends Error {
  override readonly name = 'FolderError';
}

/**
 * Writes the package into `folder`.
 * @param version of the Pagurus packages that it depends on.
 * @returns the files, relative to `folder`, in order.
 * @throws {FolderError} if the folder is not empty.
 */
export function createDevice(folder: string, names: DeviceNames, version: string): string[] {
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new FolderError(`${folder} exists and is not empty`);
  const values: Record<string, string> = { ...names, version };
  const written: string[] = [];
  for (const file of templateFiles(TEMPLATE)) {
    const target = join(folder, relative(TEMPLATE, file).slice(0, -SUFFIX.length));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, fill(readFileSync(file, 'utf8'), values));
    written.push(relative(folder, target));
  }
  return written.sort();
}

function templateFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return templateFiles(path);
    return entry.name.endsWith(SUFFIX) ? [path] : [];
  });
}

function fill(text: string, values: Record<string, string>): string {
  return text.replace(/\{\{(\w+)\}\}/g, (_, key: string) => {
    const value = values[key];
    if (value === undefined) throw new Error(`template names unknown value '${key}'`);
    return value;
  });
}
