import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withParts } from './parts.js';

/* What CPUID answers under the QEMU that is installed, for each model: what the fixture of cpu-wasm says, whose tests hold ours against it. */

const fixtures = fileURLToPath(new URL('../../packages/cpu-wasm/fixtures/', import.meta.url));
const recorded = JSON.parse(gunzipSync(readFileSync(join(fixtures, 'cpuid.json.gz'))).toString()) as Record<string, number[][]>;

/** Bits that change from run to run, or with the machine: none but those of leaves that show the state of the guest. */
const words = (rows: readonly number[][]) =>
  rows.map((row) => row.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join(' '));

withParts('CPUID under QEMU', ['qemu', 'nasm'], () => {
  let work = '';
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), 'cpuid-'));
  });
  afterAll(() => {
    if (work) rmSync(work, { recursive: true });
  });

  it.each(Object.entries(recorded))('%s', (key, rows) => {
    const [target, model] = key.split(' ') as [string, string];
    writeFileSync(join(work, 'leaves.inc'), rows.map(([leaf, subleaf]) => `dd ${leaf}, ${subleaf}`).join('\n'));
    const image = join(work, 'cpuid.bin');
    const assembled = spawnSync('nasm', ['-f', 'bin', '-I', `${work}/`, '-o', image, join(fixtures, 'cpuid.asm')]);
    expect(assembled.stderr.toString()).toBe('');
    const log = join(work, 'log');
    spawnSync(
      `qemu-system-${target}`,
      `-M isapc -accel tcg -cpu ${model} -m 16 -nodefaults -display none -no-reboot -bios ${image} -chardev file,id=log,path=${log} -device isa-debugcon,iobase=0xe9,chardev=log -device isa-debug-exit,iobase=0xf4`.split(
        ' ',
      ),
      { timeout: 60_000 },
    );
    const bytes = readFileSync(log);
    const answers = rows.map(([leaf, subleaf], i) => [
      leaf!,
      subleaf!,
      ...[0, 1, 2, 3].map((word) => bytes.readUInt32LE(i * 16 + word * 4)),
    ]);
    expect(words(answers)).toEqual(words(rows));
  });
});
