// Builds the CPU's WebAssembly module and the packages, what is stale of them. `--force` builds all.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, isStale, ROOT, runNode, runNpm, step } from './lib.mjs';
import { setup } from './setup.mjs';

const WASM = 'packages/cpu-wasm/wasm/cpu.wasm';

export function buildWasm(force = false) {
  const inputs = [
    ...filesBelow('packages/cpu-wasm/assembly', (path) => !path.includes('generated')),
    'packages/cpu-wasm/asconfig.json',
    'packages/cpu-wasm/src/layout.ts',
  ];
  if (!force && !isStale(WASM, inputs)) return;
  step('compiling the CPU to WebAssembly');
  // A compiler that fails must not leave the old module looking new.
  rmSync(join(ROOT, WASM), { force: true });
  runNpm('run', '--silent', 'build:wasm', '--workspace', '@pagurus/cpu-wasm');
}

export function build(force = false) {
  setup();
  buildWasm(force);
  step('compiling the packages');
  runNode('node_modules/typescript/bin/tsc', '-b', ...(force ? ['--force'] : []));
}

if (process.argv[1] === import.meta.filename) build(process.argv.includes('--force'));
