import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { pagurus } from './process.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-registers-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A firmware image: real mode, then 32-bit code (with LONG 64-bit code), every register used, then the end by port 0xf4. */
const PROGRAM = `
        bits 16
        org 0xf0000
start:  cli
        mov ax, 0x1234
        mov ds, ax
        mov cx, 5
.loop:  add bx, cx
        rol bx, 3
        loop .loop
        xor ax, ax
        mov ss, ax
        mov sp, 0x7c00
        push bx
        pop dx
        pusha
        popa
        mov ax, 0xf000
        mov ds, ax
        lgdt [gdtr - $$]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:start32
        bits 32
start32:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0x9000
        mov edi, 0x8000
        mov ecx, 16
        mov eax, 0x89abcdef
        rep stosd
        mov esi, 0x8000
        bswap eax
        imul ebx, eax, 0x1357
        xadd [esi], ebx
        cmpxchg [esi+4], ecx
        bts dword [esi+8], 5
        bsf edx, ebx
        cmovc ebp, [esi]
        fninit
        fldpi
        fld1
        fadd st0, st1
        fistp dword [esi+12]
        mov eax, cr4
        or eax, 0x600
        mov cr4, eax
        movdqu xmm0, [esi]
        paddd xmm0, xmm0
        pshufd xmm1, xmm0, 0x1b
        cvtsi2sd xmm2, ebx
        sqrtsd xmm3, xmm2
        call sub
%ifdef LONG
        mov edi, 0x1000
        xor eax, eax
        mov ecx, 3072
        rep stosd
        mov dword [0x1000], 0x2007
        mov dword [0x2000], 0x3007
        mov dword [0x3000], 0x87
        mov eax, 0x1000
        mov cr3, eax
        mov eax, cr4
        or eax, 0x20
        mov cr4, eax
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x100
        wrmsr
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        jmp 24:start64
        bits 64
start64:
        mov r8, 0x123456789abcdef0
        mov r15, r8
        imul r9, r15, 0x77
        lea r10, [r9+r15*4+0x55]
        mov [rsi], r10
        movsxd r11, dword [rsi]
        movq xmm9, r8
        punpcklqdq xmm9, xmm0
        push r10
        pop r12
        xor r12b, 0x5a
        cmp r12, r11
        sete r13b
        mov eax, 1
        out 0xf4, al
        hlt
        bits 32
%endif
        mov eax, 1
        out 0xf4, al
        hlt
sub:    lea ecx, [ebx+esi*2+7]
        not ecx
        neg edx
        ret 0
        align 8
gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdtr:   dw 31
        dd gdt
        times 0xfff0-($-$$) db 0xf4
        bits 16
        jmp 0xf000:(start - $$)
        times 0x10000-($-$$) db 0xf4
`;

/** Dumps of the log, one for each instruction: those of repeated ones are one. */
function dumps(log: string): { place: string; lines: string[] }[] {
  const result: { place: string; lines: string[] }[] = [];
  for (const text of log.split(/^(?=[ER]AX=)/m).slice(1)) {
    const place = /[ER]IP=(\w+)/.exec(text)?.[1];
    if (place === undefined) throw new Error(`no instruction pointer in:\n${text}`);
    // CCS, CCD, CCO are how QEMU keeps the flags
    const lines = text
      .split('\n')
      .map((line) => line.trimEnd())
      .filter((line) => line !== '' && !line.startsWith('CCS='));
    if (result.at(-1)?.place !== place) result.push({ place, lines });
  }
  return result;
}

/** QEMU's interpreter of jumps does not mark a code segment as accessed in its cache; see packages/cpu-wasm/README.md. */
const accessed = (line: string): string => (line.startsWith('CS =') ? line.replace(/9a00 (.*)\[-R-\]$/, '9b00 $1[-RA]') : line);

withParts('registers before each instruction, beside QEMU', ['qemu', 'nasm'], () => {
  it.each([
    ['i386', 'qemu32', []],
    ['x86_64', 'qemu64', ['-DLONG']],
  ] as const)('%s', { timeout: 120_000 }, async (target, cpu, defines) => {
    const file = (name: string): string => join(folder, `${target}-${name}`);
    writeFileSync(file('guest.asm'), PROGRAM);
    const assembled = spawnSync('nasm', ['-f', 'bin', ...defines, '-o', file('guest.bin'), file('guest.asm')], {
      encoding: 'utf8',
    });
    expect(assembled.stderr).toBe('');
    const machine = `-M isapc -cpu ${cpu} -m 1 -nodefaults -display none -no-reboot -bios ${file('guest.bin')} -device isa-debug-exit,iobase=0xf4`;
    const common = [...machine.split(' '), '-singlestep'];
    const qemu = spawnSync(`qemu-system-${target}`, [...common, '-d', 'cpu,fpu,nochain', '-D', file('qemu.log')], {
      timeout: 60_000,
    });
    expect(qemu.status).toBe(3);
    const ours = pagurus('run', '-target', target, ...common, '-d', 'cpu,fpu', '-D', file('pagurus.log'));
    expect(await ours.ended, ours.errors).toBe(3);

    const [theirDumps, ourDumps] = ['qemu', 'pagurus'].map((name) => dumps(readFileSync(file(`${name}.log`), 'latin1'))) as [
      ReturnType<typeof dumps>,
      ReturnType<typeof dumps>,
    ];
    expect(ourDumps.map(({ place }) => place)).toEqual(theirDumps.map(({ place }) => place));
    expect(ourDumps.length).toBeGreaterThan(60);
    ourDumps.forEach(({ lines }, i) => {
      expect(lines).toEqual(theirDumps[i]!.lines.map(accessed));
    });
  });
});
