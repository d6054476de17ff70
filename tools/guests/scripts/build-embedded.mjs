#!/usr/bin/env node
// Assembles embedded/embedded.asm into embedded/embedded.bin and src/embedded.bytes.ts. Needs nasm (any 2.1x).
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../embedded/', import.meta.url));
execFileSync('nasm', ['-f', 'bin', '-o', 'embedded.bin', 'embedded.asm'], { cwd: folder, stdio: 'inherit' });
const bytes = readFileSync(`${folder}embedded.bin`);
const lines = bytes.toString('base64').match(/.{1,120}/g);
writeFileSync(
  new URL('../src/embedded.bytes.ts', import.meta.url),
  `/** Made from embedded/embedded.asm by scripts/build-embedded.mjs: ${bytes.length} bytes in base64. Do not edit. */
export const EMBEDDED_BASE64 = \`
${lines.join('\n')}
\`;
`,
);
console.log(`embedded guest: ${bytes.length} bytes`);
