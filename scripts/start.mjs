// npm start: sets up and builds what is missing, then the demonstration. `npm start -- --interactive` leaves the guest at its prompt.
import { spawnSync } from 'node:child_process';
import { build } from './build.mjs';
import { ROOT } from './lib.mjs';

build();
// Ctrl-C is for the demonstration, which cleans up and ends; then so do we.
process.on('SIGINT', () => {});
const { status, signal } = spawnSync(process.execPath, ['packages/pagurus/bin/pagurus.js', 'demo', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
});
process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
