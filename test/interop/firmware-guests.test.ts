import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { ROOT } from './process.js';

/** Guests that QEMU was recorded with and tests run: image, source, what the source is assembled with. */
const GUESTS: readonly [folder: string, image: string, source: string, defines: readonly string[]][] = [
  ['packages/cpu-wasm/fixtures/guests', 'cpu32.bin.gz', 'cpu32.asm', []],
  ['packages/cpu-wasm/fixtures/guests', 'cpu32h.bin.gz', 'cpu32.asm', ['-DHALT']],
  ['packages/cpu-wasm/fixtures/guests', 'cpu64.bin.gz', 'cpu64.asm', []],
  ['packages/cpu-wasm/fixtures/guests', 'cpu64h.bin.gz', 'cpu64.asm', ['-DHALT']],
  ['packages/pagurus/fixtures/guests', 'devstate.bin.gz', 'devstate.asm', []],
  ['packages/pagurus/fixtures/guests', 'dirtyfw.bin.gz', 'dirtyfw.asm', []],
  ['packages/pagurus/fixtures/guests', 'dirty1m.img.gz', 'dirty.asm', ['-DSTART=0x100000', '-DEND=0x200000', '-DDELAY=0x20000']],
];

withParts('firmware guests', ['nasm'], () => {
  const out = mkdtempSync(join(tmpdir(), 'pagurus-firmware-'));
  afterAll(() => rmSync(out, { recursive: true }));

  it.each(GUESTS)('%s/%s is what its source assembles to', (folder, image, source, defines) => {
    const built = join(out, 'built.bin');
    execFileSync('nasm', ['-f', 'bin', ...defines, '-o', built, join(ROOT, folder, source)]);
    const stored = gunzipSync(readFileSync(join(ROOT, folder, image)));
    const bytes = readFileSync(built);
    expect(bytes.length).toBeGreaterThan(0);
    // A disk is longer than its boot sector.
    expect(bytes.equals(stored.subarray(0, bytes.length))).toBe(true);
    expect(stored.subarray(bytes.length).every((byte) => byte === 0)).toBe(true);
  });
});
