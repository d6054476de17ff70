import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, pagurus } from './process.js';

/*
 * Programs of ours that need a whole machine (those that need a processor only: fixtures/programs of cpu-wasm), as firmware on QEMU and here
 * under the same command line: what they log is equal.
 */
const folder = mkdtempSync(join(tmpdir(), 'pagurus-programs-'));
afterAll(() => rmSync(folder, { recursive: true }));

withParts('system programs, beside QEMU', ['qemu', 'nasm'], () => {
  it.each([
    // What has to be there and at the end: two empty logs would be equal, too.
    ['smm.asm', 'i386', [], /^100020000 00030000 /m, /end\n$/],
    ['smm.asm', 'x86_64', ['-DLONG'], /^100020064 00030000 /m, /end\n$/],
    ['modes.asm', 'x86_64', [], /^virtual-8086 mode 00000000 0000f000 /m, /triple fault 0000f000 reset\n$/],
  ] as const)('%s of %s', { timeout: 120_000 }, async (name, target, defines, contains, ends) => {
    const image = join(folder, `${name}-${target}.bin`);
    const source = fileURLToPath(new URL(`programs/${name}`, import.meta.url));
    expect(spawnSync('nasm', ['-f', 'bin', ...defines, '-o', image, source], { encoding: 'utf8' }).stderr).toBe('');
    const log = async (who: string, start: (...args: string[]) => ReturnType<typeof command>): Promise<string> => {
      const file = `${image}.${who}`;
      const line = `-M pc-i440fx-7.2 -m 16 -nodefaults -device VGA,romfile= -display none -bios ${image} -chardev file,id=log,path=${file} -device isa-debugcon,iobase=0xe9,chardev=log -device isa-debug-exit,iobase=0xf4`;
      const run = start(...line.split(' '));
      expect(await run.ended, run.errors).toBe(1);
      return readFileSync(file, 'latin1');
    };
    const theirs = await log('qemu', (...args) => command(`qemu-system-${target}`, '-accel', 'tcg', ...args));
    const ours = await log('pagurus', (...args) => pagurus('run', '-target', target, ...args));
    expect(theirs).toMatch(contains);
    expect(theirs).toMatch(ends);
    expect(ours).toBe(theirs);
  });
});
