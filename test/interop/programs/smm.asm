; Firmware for system-programs.test.ts: a system management handler of its own, entered by port B2 from real mode, from protected mode with paging and from virtual-8086
; mode. What is in the save area, what the handler starts with and what is behind RSM goes to port 0xe9.
; 64 KiB; nasm -f bin [-D LONG].
bits 16
org 0
%ifdef LONG
SAVED_BASE equ 0xff00
SAVED_EAX  equ 0xfff8
SAVED_CR0  equ 0xff58
SAVED_CS   equ 0xfe10
%else
SAVED_BASE equ 0xfef8
SAVED_EAX  equ 0xffd0
SAVED_CR0  equ 0xfffc
SAVED_CS   equ 0xffac
%endif
REVISION equ 0xfefc
SMBASE  equ 0xa0000
%macro SMI 0
        out     0xb2, al
        jmp     short %%there
%%there: nop
%endmacro
%macro SAY 1+
        call    say
        db      %1, 0
%endmacro

start:  cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, 0x7000
        mov     ds, ax
        push    cs
        pop     es
        ; the bridge shows SMRAM to everyone: D_OPEN, G_SMRAME, at A0000
        mov     eax, 0x80000070
        mov     dx, 0xcf8
        out     dx, eax
        mov     dx, 0xcfe
        mov     al, 0x4a
        out     dx, al
        ; port B2 raises SMI: APMC_EN of the power management function
        mov     eax, 0x80000b58
        mov     dx, 0xcf8
        out     dx, eax
        mov     dx, 0xcff
        in      al, dx
        or      al, 2
        out     dx, al
        ; handlers: the first at 38000 moves the base, the second at A8000
        mov     ax, 0x3800
        mov     di, first
        mov     cx, first_end - first
        call    put
        mov     ax, SMBASE / 16 + 0x800
        mov     di, second
        mov     cx, second_end - second
        call    put
        SAY     'open '
        mov     ax, 0xa800
        mov     ds, ax
        mov     eax, [0]
        call    hex
        ; closed: what is there for us is not the handler
        mov     eax, 0x80000070
        mov     dx, 0xcf8
        out     dx, eax
        mov     dx, 0xcfe
        mov     al, 0x0a
        out     dx, al
        SAY     'closed '
        mov     eax, [0]
        call    hex
        ; QEMU's TCG goes on with the view of A8000 that it has just had, unless it is told to forget it
        invlpg  [0]
        xor     ax, ax
        mov     ds, ax
        ; RSM is for the handler only
        mov     word [6 * 4], .not_here
        mov     word [6 * 4 + 2], 0xf000
        rsm
.not_here:
        SAY     'rsm outside '
        mov     sp, 0x7000
        call    line
        mov     eax, 0x11111111
        SMI
        call    after
        SAY     'real mode '
        mov     eax, 0x22222222
        SMI
        call    after
        SAY     'again while it runs '
        mov     eax, 0x33333399
        SMI
        nop
        call    after
        ; protected mode, paging on
        mov     di, 0x1000
        mov     eax, 7
.table: mov     [di + 0x1000], eax
        add     eax, 0x1000
        add     di, 4
        cmp     di, 0x2000
        jb      .table
        mov     dword [0x1000], 0x2007
        mov     eax, 0x1000
        mov     cr3, eax
        o32 lgdt [cs:gdtr]
        mov     eax, cr0
        or      eax, 0x80000001
        mov     cr0, eax
        jmp     8:protected
protected:
        mov     ax, 0x10
        mov     ss, ax
        mov     ds, ax
        mov     ax, 0x18
        ltr     ax
        SAY     'protected mode '
        mov     eax, 0x44444444
        SMI
        call    after
        SAY     'selectors '
        mov     ax, cs
        shl     eax, 16
        mov     ax, ss
        call    hex
        str     ax
        call    hex
        call    line
        ; virtual-8086 mode with all rights
        xor     eax, eax
        push    eax
        push    eax
        push    eax
        push    eax
        push    eax                     ; SS
        push    dword 0x7000
        push    dword 0x23002
        push    dword 0xf000
        push    dword virtual
        o32 iret
virtual:
        SAY     'virtual-8086 mode '
        mov     eax, 0x55555555
        SMI
        call    after
        SAY     'flags '
        pushfd
        pop     eax
        call    hex
        SAY     'end'
        call    line
        mov     al, 0
        out     0xf4, al
.stop:  hlt
        jmp     .stop

after:  pushf
        push    eax
        SAY     'eax '
        pop     eax
        call    hex
        SAY     'flags '
        pop     ax
        movzx   eax, ax
        and     ax, 0x7200
        call    hex
        SAY     'cr0 '
        smsw    ax
        movzx   eax, ax
        call    hex
        call    line
        ret

; CX bytes of CS:DI to AX:0
put:    mov     es, ax
        xor     si, si
.next:  mov     al, [cs:di]
        mov     [es:si], al
        inc     di
        inc     si
        loop    .next
        ret
; The text behind the call
say:    push    bp
        mov     bp, sp
        push    ax
        push    si
        mov     si, [bp + 2]
.next:  mov     al, [cs:si]
        inc     si
        test    al, al
        jz      .done
        out     0xe9, al
        jmp     .next
.done:  mov     [bp + 2], si
        pop     si
        pop     ax
        pop     bp
        ret
line:   push    ax
        mov     al, 10
        out     0xe9, al
        pop     ax
        ret
%macro HEX 0
        push    cx
        push    eax
        mov     cx, 8
%%next: rol     eax, 4
        push    ax
        and     al, 15
        cmp     al, 10
        jb      %%digit
        add     al, 'a' - '0' - 10
%%digit: add    al, '0'
        out     0xe9, al
        pop     ax
        loop    %%next
        mov     al, ' '
        out     0xe9, al
        pop     eax
        pop     cx
        ret
%endmacro
hex:    HEX

; At 3000:8000. The data segments have base 0 and reach 4 GiB.
first:  mov     ax, cs
        mov     ss, ax
        mov     sp, 0x7000
        mov     al, '1'
        out     0xe9, al
        mov     eax, [cs:REVISION]
        call    .hex
        mov     eax, [cs:SAVED_BASE]
        call    .hex
        mov     dword [cs:SAVED_BASE], SMBASE
        rsm
.hex:   HEX
first_end:

; At A000:8000
second: mov     bx, cs                  ; selector and flags before anything changes them
        mov     ss, bx
        mov     sp, 0x7000
        pushfd
        mov     al, '2'
        out     0xe9, al
        movzx   eax, bx
        call    .hex
        pop     eax
        call    .hex                    ; EFLAGS
        mov     eax, cr0
        and     eax, 0x9fffffff         ; what the cache does is not the same everywhere
        call    .hex
        mov     eax, cr4
        call    .hex
        mov     eax, dr7
        call    .hex
        mov     eax, [cs:SAVED_CR0]
        and     eax, 0x9fffffff
        call    .hex
        movzx   eax, word [cs:SAVED_CS]
        call    .hex
        mov     eax, [cs:SAVED_EAX]
        call    .hex
        mov     esi, 0x100000           ; beyond 64 KiB, through DS as it is
        mov     dword [esi], 0xfeedface
        mov     eax, [esi]
        call    .hex
        cmp     byte [cs:SAVED_EAX], 0x99
        jne     .once
        mov     byte [cs:SAVED_EAX], 0x98
        out     0xb2, al                ; waits for RSM
        jmp     short .kept
.kept:  mov     al, 'k'
        out     0xe9, al
        rsm
.once:  add     dword [cs:SAVED_EAX], 0x10000
        rsm
.hex:   HEX
second_end:
        align   8, db 0
gdt:    dq      0, 0x00009b0f0000ffff, 0x0000930000000000 + 0xffff, 0x0000890080000067
gdtr:   dw      31
        dd      0xf0000 + gdt
        times   0xfff0 - ($ - $$) db 0
        jmp     0xf000:start
        times   0x10000 - ($ - $$) db 0
