// The suites with real parts: builds what they need, then runs them.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (...args) => {
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
};
run('scripts/build.mjs');
run('node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.interop.config.ts', ...process.argv.slice(2));
