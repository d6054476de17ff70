import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createDevice, FolderError } from './create.js';
import { deviceNames, NameError } from './names.js';

export { createDevice, FolderError } from './create.js';
export { type DeviceNames, deviceNames, NameError } from './names.js';

const USAGE = `Usage: npm create @pagurus/device NAME [FOLDER]

Makes a device package in FOLDER (default: the last part of NAME): specification, state, device, compat table, tests with the
conformance suite, benchmark and README.`;

/** The command. @returns the exit code: 0 done, 2 wrong arguments or a folder in the way. */
export function main(args: readonly string[], write: (line: string) => void, complain: (line: string) => void): number {
  const [name, folder, ...rest] = args;
  if (name === '--help' || name === '-h') {
    write(USAGE);
    return 0;
  }
  if (name === undefined || rest.length > 0) {
    complain(USAGE);
    return 2;
  }
  try {
    const names = deviceNames(name);
    const target = resolve(folder ?? names.folder);
    const files = createDevice(target, names, ownVersion());
    for (const file of files) write(`  ${file}`);
    write(`\nDevice '${names.type}' is in ${target}.\n\n  cd ${target}\n  npm install\n  npm test`);
    return 0;
  } catch (error) {
    if (!(error instanceof NameError || error instanceof FolderError)) throw error;
    complain(error.message);
    return 2;
  }
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
