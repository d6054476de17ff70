; Sieve of Eratosthenes over 8192 flags, for ever: byte stores with a stride, compares, short loops.
%include "multiboot.inc"
FLAGS equ 8192
start:
again:  mov edi, flags
        mov ecx, FLAGS
fill:   mov byte [edi], 1
        inc edi
        dec ecx
        jnz fill
        xor ebx, ebx
        mov esi, 2
next:   cmp byte [flags + esi], 0
        je skip
        inc ebx
        lea edx, [esi + esi]
strike: cmp edx, FLAGS
        jae skip
        mov byte [flags + edx], 0
        add edx, esi
        jmp strike
skip:   inc esi
        cmp esi, FLAGS
        jb next
        mov [primes], ebx
        jmp again
image_end:
primes equ 0x110000
flags  equ 0x111000
bss_end equ 0x114000
