import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { linuxRom } from './linux-rom.js';

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const haveNasm = spawnSync('nasm', ['-v']).status === 0 || (process.env.PAGURUS_REQUIRE ?? '').split(',').includes('nasm');

describe('option ROM for Linux', () => {
  const rom = linuxRom();
  const view = new DataView(rom.buffer);

  it('is an option ROM of whole sectors with its checksum', () => {
    expect(view.getUint16(0, true)).toBe(0xaa55);
    expect(rom[2]! * 512).toBe(rom.length);
    expect(sum(rom)).toBe(0);
  });

  it('has a PnP header that names where it boots', () => {
    const header = view.getUint16(0x1a, true);
    expect(new TextDecoder().decode(rom.subarray(header, header + 4))).toBe('$PnP');
    expect(sum(rom.subarray(header, header + 16 * rom[header + 5]!))).toBe(0);
    const boot = view.getUint16(header + 0x1a, true);
    // CLI, CLD
    expect([rom[boot], rom[boot + 1]]).toEqual([0xfa, 0xfc]);
  });

  it.skipIf(!haveNasm)('is what its source assembles to', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pagurus-rom-'));
    try {
      const built = join(folder, 'rom');
      execFileSync(process.execPath, [fileURLToPath(new URL('../../scripts/build-linux-rom.mjs', import.meta.url)), built]);
      expect(readFileSync(built).equals(Buffer.from(rom))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
