; CRC-32 bit by bit over 4 KiB, for ever: shifts, exclusive or, conditional jumps.
%include "multiboot.inc"
BYTES equ 4096
start:
        mov edi, buffer
        xor ecx, ecx
init:   mov [edi + ecx], cl
        inc ecx
        cmp ecx, BYTES
        jb init
again:  mov esi, buffer
        mov ecx, BYTES
        mov eax, -1
byte_:  xor al, [esi]
        inc esi
        mov edx, 8
bit_:   shr eax, 1
        jnc clear
        xor eax, 0xedb88320
clear:  dec edx
        jnz bit_
        dec ecx
        jnz byte_
        not eax
        mov [sum], eax
        jmp again
image_end:
sum    equ 0x110000
buffer equ 0x111000
bss_end equ 0x112000
