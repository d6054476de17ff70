// Assembles loops/*.asm with nasm and writes src/loops.bytes.ts. Run after a change of a loop.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../loops', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'loops-'));
const entries = ['sieve', 'crc', 'copy'].map((name) => {
  const out = join(temporary, name);
  const result = spawnSync('nasm', ['-f', 'bin', '-o', out, `${name}.asm`], { cwd: folder, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
  return `  ${name}: '${readFileSync(out).toString('base64')}',`;
});
rmSync(temporary, { recursive: true });
writeFileSync(
  fileURLToPath(new URL('../src/loops.bytes.ts', import.meta.url)),
  `/** Multiboot images of loops/*.asm, base64. Made by scripts/loops.mjs. */\nexport const LOOPS = {\n${entries.join('\n')}\n} as const;\n`,
);
