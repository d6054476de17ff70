; Byte copy of 16 KiB, for ever: a load and a store an iteration.
%include "multiboot.inc"
BYTES equ 16384
start:
again:  mov esi, source
        mov edi, target
        mov ecx, BYTES
copy:   mov al, [esi]
        mov [edi], al
        inc esi
        inc edi
        dec ecx
        jnz copy
        jmp again
image_end:
source equ 0x110000
target   equ 0x120000
bss_end equ 0x130000
