// npm test: everything that needs nothing but Node.js. Arguments go to vitest (`npm test -- --project @pagurus/vmstate`).
import { buildWasm } from './build.mjs';
import { runNode, step } from './lib.mjs';
import { setup } from './setup.mjs';

setup();
step('lint');
runNode('node_modules/@biomejs/biome/bin/biome', 'check', '.');
step('layers');
runNode('scripts/layers.mjs', '--self-test');
runNode('scripts/layers.mjs');
buildWasm();
step('types');
runNode('node_modules/typescript/bin/tsc', '-b');
runNode('node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json');
step('tests');
runNode('node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2));
