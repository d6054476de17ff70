// Installs what package-lock.json names, if that is not what is there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isStale, ROOT, requireNode, runNpm, step } from './lib.mjs';

const INSTALLED = 'node_modules/.package-lock.json';

export function setup() {
  requireNode(20, 19);
  if (existsSync(join(ROOT, INSTALLED)) && !isStale(INSTALLED, ['package-lock.json'])) return;
  // Not `npm ci`: it refuses a lock file that lacks an optional package of a platform that nobody here has.
  step('installing (npm install)');
  runNpm('install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error');
}

if (process.argv[1] === import.meta.filename) setup();
