// Installs what package-lock.json names, if that is not what is there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isStale, ROOT, requireNode, runNpm, step } from './lib.mjs';

const INSTALLED = 'node_modules/.package-lock.json';

export function setup() {
  requireNode(20, 19);
  if (!existsSync(join(ROOT, INSTALLED))) {
    step('installing (npm ci)');
    runNpm('ci', '--no-audit', '--no-fund', '--loglevel=error');
  } else if (isStale(INSTALLED, ['package-lock.json'])) {
    step('installing what has changed (npm install)');
    runNpm('install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error');
  }
}

if (process.argv[1] === import.meta.filename) setup();
