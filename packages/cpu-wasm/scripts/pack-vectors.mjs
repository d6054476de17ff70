/**
 * Makes the small vector files of `fixtures/` out of a large one.
 * `node scripts/pack-vectors.mjs FILE[.xz]`; see fixtures/README.md.
 */
import './typescript.mjs';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** File, groups, cases per form and mode. */
const FIXTURES = [
  ['vectors-int', ['int', 'seg', 'priv'], 12],
  ['vectors-x87', ['x87'], 16],
  ['vectors-simd', ['mmx', 'sse', 'sse2', 'sse3', 'ssse3', 'sse4', 'ext', 'bmi'], 6],
];

const file = process.argv[2];
if (!file) {
  console.error('usage: pack-vectors.mjs FILE[.xz]');
  process.exit(2);
}
const bytes = file.endsWith('.xz') ? execFileSync('xz', ['-dkc', file], { maxBuffer: 1 << 30 }) : readFileSync(file);
const { VectorFile, packVectors, selectVectors } = await import('../src/vectors.ts');
const source = new VectorFile(bytes);
for (const [name, groups, limit] of FIXTURES) {
  const vectors = selectVectors(source, limit, (vector) => groups.includes(vector.form.group));
  if (vectors.length === 0) continue;
  const packed = gzipSync(packVectors(source, vectors), { level: 9 });
  writeFileSync(new URL(`../fixtures/${name}.bin.gz`, import.meta.url), packed);
  console.log(`${name}: ${vectors.length} vectors, ${packed.length} bytes`);
}
