import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EMBEDDED, embeddedGuest } from './embedded.js';
import { havePart } from './testing/parts.js';

const folder = fileURLToPath(new URL('../embedded/', import.meta.url));
const source = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe('embedded guest', () => {
  const bytes = embeddedGuest();
  const view = new DataView(bytes.buffer);

  it('is the built file, under 64 KiB', () => {
    expect(Buffer.from(bytes).equals(readFileSync(join(folder, 'embedded.bin')))).toBe(true);
    expect(bytes.length).toBeLessThan(65536);
    expect(embeddedGuest()).not.toBe(embeddedGuest());
  });

  it('has a Multiboot header with address fields in its first 8 KiB', () => {
    let at = 0;
    while (at < 8192 && view.getUint32(at, true) !== 0x1badb002) at += 4;
    const field = (i: number): number => view.getUint32(at + 4 * i, true);
    expect((field(0) + field(1) + field(2)) >>> 0).toBe(0);
    expect(field(1) & 0x10000).toBe(0x10000);
    expect(field(3)).toBe(0x100000 + at);
    expect(field(4)).toBe(0x100000);
    expect(field(5) - field(4)).toBe(bytes.length);
    expect(field(7)).toBeGreaterThan(field(4));
    expect(field(7)).toBeLessThan(field(5));
  });

  it('states the numbers of its source', () => {
    const constants = source('constants.inc');
    const number = (name: string): number => Number(new RegExp(`^${name}\\s+equ\\s+(\\w+)`, 'm').exec(constants)![1]);
    expect(number('TICKS_PER_SECOND')).toBe(EMBEDDED.ticksPerSecond);
    expect(number('BEAT_TICKS')).toBe(EMBEDDED.beatTicks);
    expect(number('DEBUG_EXIT')).toBe(EMBEDDED.debugExitPort);
  });

  it.skipIf(!havePart('nasm', 'nasm', ['-v']))('is what its source assembles to', () => {
    const out = mkdtempSync(join(tmpdir(), 'pagurus-guest-'));
    try {
      execFileSync('nasm', ['-f', 'bin', '-o', join(out, 'embedded.bin'), 'embedded.asm'], { cwd: folder });
      expect(readFileSync(join(out, 'embedded.bin')).equals(Buffer.from(bytes))).toBe(true);
    } finally {
      rmSync(out, { recursive: true });
    }
  });

  it.skipIf(!havePart('nasm', 'ndisasm', ['-v']))('uses no instruction newer than the i486 and no floating point', () => {
    const text = execFileSync('ndisasm', ['-b', '32', '-o', '0x100000', join(folder, 'embedded.bin')], { encoding: 'utf8' });
    // Code only: behind the header, before the data (whose bytes disassemble to anything). The banner is the first datum.
    const end = 0x100000 + Buffer.from(bytes).indexOf('Pagurus embedded guest');
    const used = new Set(
      text
        .split('\n')
        .filter((l) => Number.parseInt(l.slice(0, 8), 16) >= 0x100040 && Number.parseInt(l.slice(0, 8), 16) < end)
        .map((l) => l.slice(28).split(' ')[0]!),
    );
    expect(used.size).toBeGreaterThan(40);
    const newer = /^(f[a-z]+|v?p?mov[adnu].*|cpuid|rdtsc|rdmsr|wrmsr|cmov.*|cmpxchg8b|sys.*|emms|xsave|prefetch.*)$/;
    expect([...used].filter((mnemonic) => newer.test(mnemonic))).toEqual([]);
  });
});
