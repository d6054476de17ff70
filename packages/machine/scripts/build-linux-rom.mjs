#!/usr/bin/env node
// Assembles linux-rom/linux-rom.asm into src/loader/linux-rom.bytes.ts, or with an argument into that file alone. Needs nasm (any 2.1x).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Offsets of the checksums: of the ROM, and of the PnP header, which also says where it lies and how long it is (in 16 bytes). */
const ROM_CHECKSUM = 6;
const PNP = { POINTER: 0x1a, LENGTH: 5, CHECKSUM: 9 };

const folder = fileURLToPath(new URL('../linux-rom/', import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'pagurus-rom-'));
try {
  execFileSync('nasm', ['-f', 'bin', '-o', join(out, 'rom'), 'linux-rom.asm'], { cwd: folder, stdio: 'inherit' });
  const rom = readFileSync(join(out, 'rom'));
  const sum = (bytes) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
  const header = rom.readUInt16LE(PNP.POINTER);
  rom[header + PNP.CHECKSUM] = -sum(rom.subarray(header, header + 16 * rom[header + PNP.LENGTH]));
  rom[ROM_CHECKSUM] = -sum(rom);
  if (process.argv[2]) writeFileSync(process.argv[2], rom);
  else
    writeFileSync(
      new URL('../src/loader/linux-rom.bytes.ts', import.meta.url),
      `/** Made from linux-rom/linux-rom.asm by scripts/build-linux-rom.mjs: ${rom.length} bytes in base64. Do not edit. */
export const LINUX_ROM_BASE64 = \`
${rom
  .toString('base64')
  .match(/.{1,120}/g)
  .join('\n')}
\`;
`,
    );
} finally {
  rmSync(out, { recursive: true });
}
