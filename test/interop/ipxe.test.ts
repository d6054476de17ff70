import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackages } from '@pagurus/guests/linux';
import { expect, it } from 'vitest';
import { Monitor, scratch } from './monitor.js';
import { withParts } from './parts.js';
import { pagurus } from './process.js';

const BOOT = 240_000;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** iPXE's option ROMs for QEMU's cards. */
const roms = () =>
  join(
    debianPackages('host-ipxe-amd64', {
      architecture: 'amd64',
      suite: 'host',
      packages: ['ipxe-qemu'],
      without: ['usr/share'],
    }),
    'usr/lib/ipxe/qemu',
  );

withParts('network boot', ['seabios', 'guests', 'nasm'], () => {
  it.each(['e1000', 'ne2k_pci'])(
    'iPXE on %s gets an address, fetches a program by TFTP and runs it',
    async (model) => {
      const folder = scratch('tftp');
      mkdirSync(folder);
      // A boot program as PXE loads it: it writes a line into text memory, and some into the file so that it takes several blocks.
      writeFileSync(join(folder, 'hello.asm'), HELLO);
      execFileSync('nasm', ['-f', 'bin', '-o', join(folder, 'hello.0'), join(folder, 'hello.asm')]);
      const monitor = new Monitor();
      const machine = pagurus(
        ...['run', '-M', 'pc-i440fx-7.2', '-m', '64', '-display', 'none', '-vga', 'std', '-boot', 'n', '-L', roms()],
        ...['-nic', `user,model=${model},tftp=${folder},bootfile=hello.0`, ...monitor.options],
      );
      const file = scratch('screen.txt');
      let text = '';
      for (const end = Date.now() + BOOT - 10_000; !text.includes('BOOTED'); await pause(500)) {
        expect(Date.now(), text + machine.errors).toBeLessThan(end);
        await monitor.run(`screendump ${file}`);
        if (existsSync(file)) text = readFileSync(file, 'utf8');
      }
      expect(text).toContain('iPXE initialising devices...');
      expect(text).toMatch(/net0: 10\.0\.2\.15\/255\.255\.255\.0 gw 10\.0\.2\.2/);
      expect(text).toMatch(/hello\.0\.* ok/);
      expect(text).toContain('BOOTED FROM THE NETWORK 2a');
    },
    BOOT,
  );
});

/** Loaded at 0:7c00; prints by the BIOS, with a byte from the file's end, then stays. */
const HELLO = `
bits 16
org 0x7c00
  cld
  xor ax, ax
  mov ds, ax
  mov al, [last]
  aam 16
  add ax, 0x3030
  cmp al, '9'
  jbe .digit
  add al, 'a' - '9' - 1
.digit:
  xchg al, ah
  mov [number], ax
  mov si, text
.next:
  lodsb
  test al, al
  jz .stay
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  jmp .next
.stay:
  hlt
  jmp .stay
text: db 13, 10, 'BOOTED FROM THE NETWORK '
number: dw 0
  db 0
times 8000 - ($ - $$) db 0x90
last: db 0x2a
`;
