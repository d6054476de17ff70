; Byte copy of 16 KiB, for ever: a load and a store an iteration.
%include "multiboot.inc"
BYTES equ 16384
start:
again:  mov esi, from
        mov edi, to
        mov ecx, BYTES
copy:   mov al, [esi]
        mov [edi], al
        inc esi
        inc edi
        dec ecx
        jnz copy
        jmp again
image_end:
from   equ 0x110000
to     equ 0x120000
bss_end equ 0x130000
