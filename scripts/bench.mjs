// npm run bench: builds, then the benchmarks. Arguments go to them.
import { build } from './build.mjs';
import { runNode } from './lib.mjs';

build();
runNode('tools/bench/dist/main.js', ...process.argv.slice(2));
