/** Vector files as they lie about: plain, gzip, brotli or xz. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import './typescript.mjs';

const { VectorFile } = await import('../src/vectors.ts');

export function readVectors(path) {
  const text = String(path);
  if (text.endsWith('.xz')) return new VectorFile(execFileSync('xz', ['-dkc', text], { maxBuffer: 1 << 30 }));
  const data = readFileSync(path);
  return new VectorFile(
    new Uint8Array(text.endsWith('.br') ? brotliDecompressSync(data) : data[0] === 0x1f ? gunzipSync(data) : data),
  );
}
