/**
 * Assembles fixtures/programs/*.asm (nasm) and records what QEMU 7.2 logs for each: `node scripts/system-programs.mjs [NAME…]`.
 * Writes NAME.bin.gz and NAME.qemu.txt.gz beside the sources.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const folder = fileURLToPath(new URL('../fixtures/programs/', import.meta.url));
const names = process.argv.slice(2);
if (names.length === 0) {
  names.push(
    ...readdirSync(folder)
      .filter((file) => file.endsWith('.asm'))
      .map((file) => file.slice(0, -4)),
  );
}
const work = mkdtempSync(join(tmpdir(), 'programs-'));
try {
  for (const name of names) {
    const image = join(work, `${name}.bin`);
    const log = join(work, `${name}.log`);
    execFileSync('nasm', ['-f', 'bin', '-I', folder, '-o', image, join(folder, `${name}.asm`)], { stdio: 'inherit' });
    try {
      execFileSync(
        ['long', 'intel'].includes(name) ? 'qemu-system-x86_64' : 'qemu-system-i386',
        `-M isapc -cpu ${{ long: 'qemu64', intel: 'kvm64', rights: 'max' }[name] ?? 'qemu32'} -m 16 -nodefaults -display none -no-reboot -bios ${image} -chardev file,id=log,path=${log} -device isa-debugcon,iobase=0xe9,chardev=log -device isa-debug-exit,iobase=0xf4`.split(
          ' ',
        ),
        { timeout: 20_000, stdio: 'ignore' },
      );
    } catch (error) {
      // isa-debug-exit ends with code 1
      if (error.status !== 1) throw error;
    }
    writeFileSync(join(folder, `${name}.bin.gz`), gzipSync(readFileSync(image), { level: 9 }));
    writeFileSync(join(folder, `${name}.qemu.txt.gz`), gzipSync(readFileSync(log), { level: 9 }));
    console.log(`${name}: ${readFileSync(log, 'utf8').split('\n').length} lines`);
  }
} finally {
  rmSync(work, { recursive: true });
}
