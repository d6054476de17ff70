import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What {@link diskWriter} does: its first sector, bytes in all and per request, small requests. */
export const DISK_WRITER = { FIRST: 2048, BYTES: 16 * 2 ** 20, CHUNK: 32768, SMALL: 400 } as const;

/**
 * A boot sector that lets the firmware write and read 16 MiB of the disk it came from, 32 KiB at a time, each beginning with its sector's
 * number, and then read 400 times 4 KiB. On the first serial port: S, W when written, R when read, Q behind the small requests; E and the
 * firmware's status for an error; it then goes on. Ends by `isa-debug-exit` at 0x501.
 */
const SOURCE = `
  org 0x7c00
  bits 16
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  mov [drive], dl
  mov al, 'S'
  call put
  mov byte [function], 0x43
  call pass
  mov al, 'W'
  call put
  mov byte [function], 0x42
  call pass
  mov al, 'R'
  call put
  mov word [packet + 2], 8
  mov dword [sector], ${DISK_WRITER.FIRST}
  mov cx, ${DISK_WRITER.SMALL}
small:
  push cx
  call request
  add dword [sector], 8
  pop cx
  loop small
  mov al, 'Q'
  call put
  mov dx, 0x501
  mov al, 0
  out dx, al
stop: hlt
  jmp stop

pass:
  mov dword [sector], ${DISK_WRITER.FIRST}
  mov word [packet + 2], 64
  mov cx, ${DISK_WRITER.BYTES / DISK_WRITER.CHUNK}
next:
  push cx
  mov ax, 0x1000
  mov es, ax
  cmp byte [function], 0x43
  jne ask
  mov eax, [sector]
  mov [es:0], eax
ask:
  call request
  mov eax, [sector]
  cmp [es:0], eax
  je same
  mov al, 'X'
  call put
same:
  mov dword [es:0], 0
  add dword [sector], 64
  pop cx
  loop next
  ret

request:
  mov ah, [function]
  mov al, 0
  mov dl, [drive]
  mov si, packet
  int 0x13
  jnc good
  push ax
  mov al, 'E'
  call put
  pop ax
  mov al, ah
  call put
good:
  ret

put:
  push dx
  mov dx, 0x3f8
  out dx, al
  pop dx
  ret

drive: db 0
function: db 0
  align 4
packet: db 16, 0
  dw 64
  dw 0, 0x1000
sector: dd 0, 0
  times 510 - ($ - $$) db 0
  dw 0xaa55
`;

/** The boot sector, assembled by nasm. */
export function diskWriter(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'pagurus-disk-writer-'));
  writeFileSync(join(folder, 'writer.asm'), SOURCE);
  execFileSync('nasm', ['-f', 'bin', '-o', 'writer.bin', 'writer.asm'], { cwd: folder });
  return readFileSync(join(folder, 'writer.bin'));
}
