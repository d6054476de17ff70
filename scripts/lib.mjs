// Helpers of the scripts beside it. Node.js only: they run before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a program in the repository's root, with this terminal. Ends this process where it fails. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', shell: false, ...options });
  if (result.error) fail(`cannot run ${program}: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Runs a script of an installed package by its file, which works where `.bin` does not. */
export function runNode(script, ...args) {
  run(process.execPath, [script, ...args]);
}

/** npm of the Node.js that runs us. */
export function runNpm(...args) {
  const script = process.env.npm_execpath;
  if (script?.endsWith('.js')) run(process.execPath, [script, ...args]);
  else run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { shell: process.platform === 'win32' });
}

export function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Says what is being done, where somebody watches. */
export function step(text) {
  console.error(`[pagurus] ${text}`);
}

/** All files below a folder, with their paths from the root. */
export function filesBelow(folder, accept = () => true) {
  const absolute = join(ROOT, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : filesBelow(path, accept);
    return accept(path) ? [path] : [];
  });
}

/** True if `output` is missing or older than one of the inputs. */
export function isStale(output, inputs) {
  const path = join(ROOT, output);
  if (!existsSync(path)) return true;
  const made = statSync(path).mtimeMs;
  return inputs.some((input) => existsSync(join(ROOT, input)) && statSync(join(ROOT, input)).mtimeMs > made);
}

/** Node.js as old as we support, or newer. */
export function requireNode(major, minor) {
  const [have, haveMinor] = process.versions.node.split('.').map(Number);
  if (have < major || (have === major && haveMinor < minor))
    fail(`Pagurus needs Node.js ${major}.${minor} or newer; this is ${process.versions.node}`);
}
