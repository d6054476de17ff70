; Firmware for system-programs.test.ts: from real mode through 16- and 32-bit protected mode, compatibility mode and 64-bit code and back, into
; virtual-8086 mode and back, to real mode; at each station its name, how wide code is, CS, SS, CR0 and EFER on port 0xe9. Then a triple fault,
; behind which it starts again and finds that it has been here.
; nasm -f bin; 64 KiB, entered at 0xfffffff0.
bits 16
org 0xf0000
BEEN    equ 0x600
TSS     equ 0x8000
IDT     equ 0x9000
CODE16  equ 0x08
DATA16  equ 0x10
CODE32  equ 0x18
DATA32  equ 0x20
CODE64  equ 0x28

%macro PRINT 0                          ; EAX; loses ECX and EDX
        mov     edx, eax
        mov     ecx, 8
%%next: rol     edx, 4
        mov     al, dl
        and     al, 15
        add     al, '0'
        cmp     al, '9'
        jbe     %%digit
        add     al, 'a' - '9' - 1
%%digit: out    0xe9, al
        dec     ecx
        jnz     %%next
        mov     al, ' '
        out     0xe9, al
%endmacro
%macro TEXT 1
%strlen %%length %1
%assign %%i 1
%rep %%length
        %substr %%letter %1 %%i
        mov     al, %%letter
        out     0xe9, al
        %assign %%i %%i + 1
%endrep
%endmacro
%macro HERE 1-2
        TEXT    %1
        ; 0 in 16-bit code, 90900000 in 32-bit code, 90900001 in 64-bit code
        mov     eax, 0
        db      0xb8, 1, 0, 0x90, 0x90, 0x48, 0x90
        PRINT
        mov     eax, cs
        PRINT
        mov     eax, ss
        PRINT
%if %0 == 1
%if __BITS__ == 64
        mov     rax, cr0
%else
        mov     eax, cr0
%endif
        and     eax, 0x9fffffff
        PRINT
        mov     ecx, 0xc0000080
        rdmsr
        PRINT
%else
        smsw    ax
        movzx   eax, ax
        PRINT
%endif
        mov     al, 10
        out     0xe9, al
%endmacro
%define NEAR(label) ((label) - $$)      ; in the segment at f0000

start:  cli
        xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, 0x7000
        cmp     dword [BEEN], 0x600df00d
        je      again
        mov     dword [BEEN], 0x600df00d
        HERE    'real mode '
        o32 lgdt [cs:NEAR(gdtr)]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     CODE16:NEAR(narrow)
narrow: mov     ax, DATA16
        mov     ds, ax
        mov     ss, ax
        HERE    '16-bit protected mode '
        jmp     dword CODE32:wide
        bits    32
wide:   mov     ax, DATA32
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, 0x7000
        HERE    '32-bit protected mode '
        mov     dword [0x1000], 0x2007
        mov     dword [0x2000], 0x3007
        mov     dword [0x3000], 0x87
        mov     eax, 0x1000
        mov     cr3, eax
        mov     eax, cr4
        or      al, 0x20
        mov     cr4, eax
        mov     ecx, 0xc0000080
        xor     edx, edx
        mov     eax, 0x100
        wrmsr
        HERE    'long mode allowed '
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        HERE    'compatibility mode '
        jmp     CODE64:deep
        bits    64
deep:   HERE    '64-bit code '
        push    CODE16
        push    NEAR(narrow_compatibility)
        retfq
        bits    16
narrow_compatibility:
        HERE    '16-bit compatibility mode '
        jmp     dword CODE64:long_again
        bits    64
long_again:
        HERE    '64-bit code '
        mov     rax, rsp
        push    DATA32
        push    rax
        pushfq
        push    CODE32
        push    leave_long
        iretq
        bits    32
leave_long:
        HERE    'compatibility mode '
        call    CODE64:visit
        HERE    'back by far return '
        mov     eax, cr0
        and     eax, 0x7fffffff
        mov     cr0, eax
        HERE    'long mode left '
        mov     ecx, 0xc0000080
        xor     edx, edx
        xor     eax, eax
        wrmsr
        mov     eax, cr4
        and     al, ~0x20
        mov     cr4, eax
        ; virtual-8086 mode, and back by an interrupt
        mov     dword [TSS + 4], 0x6f00
        mov     dword [TSS + 8], DATA32
        mov     word [IDT + 0x20 * 8], from_virtual - 0xf0000
        mov     word [IDT + 0x20 * 8 + 2], CODE32
        mov     word [IDT + 0x20 * 8 + 4], 0xee00
        mov     word [IDT + 0x20 * 8 + 6], 0xf
        lidt    [idtr]
        mov     ax, 0x30
        ltr     ax
        xor     eax, eax
        push    eax
        push    eax
        push    eax
        push    eax
        push    eax                     ; SS
        push    dword 0x7000
        push    dword 0x23002
        push    dword 0xf000
        push    dword NEAR(virtual)
        iretd
        bits    16
virtual:
        HERE    'virtual-8086 mode ', here
        int     0x20
        bits    32
from_virtual:
        HERE    '32-bit protected mode '
        mov     ax, DATA32
        mov     ds, ax
        mov     eax, [esp + 8]          ; EFLAGS of virtual-8086 mode
        and     eax, 0x37200
        PRINT
        jmp     CODE16:NEAR(narrow_again)
        bits    16
narrow_again:
        mov     ax, DATA16
        mov     ds, ax
        mov     ss, ax
        mov     sp, 0x7000
        HERE    '16-bit protected mode '
        mov     eax, cr0
        and     al, 0xfe
        mov     cr0, eax
        jmp     0xf000:NEAR(real)
real:   xor     ax, ax
        mov     ss, ax
        mov     ds, ax
        HERE    'real mode '
        TEXT    'triple fault '
        o32 lidt [cs:NEAR(nothing)]
        int3
        TEXT    'survived'
again:  mov     eax, cs
        PRINT
        TEXT    'reset'
        mov     al, 10
        out     0xe9, al
        mov     al, 0
        out     0xf4, al
.stop:  hlt
        jmp     .stop

        bits    64
visit:  HERE    'called in 64-bit code '
        retf
        align   8, db 0
gdt:    dq      0, 0x00009b0f0000ffff, 0x000093000000ffff, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff, 0x0000890080000067
gdtr:   dw      gdtr - gdt - 1
        dd      gdt
idtr:   dw      0x7ff
        dd      IDT
nothing: dw     0
        dd      0
        times   0xfff0 - ($ - $$) db 0
        db      0xea
        dw      start - 0xf0000, 0xf000
        times   0x10000 - ($ - $$) db 0
