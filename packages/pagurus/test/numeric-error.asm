; Firmware for processors.test.ts: divides by zero twice with the exception unmasked and CR0.NE clear. Request 13 tells; its handler prints
; F on port 0x402, writes port 0xf0 and clears the exception. nasm -f bin; 64 KiB, see firmware.bytes.ts.
bits 16
org 0
start:  cli
        xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, 0x4000
        mov     word [0x75 * 4], handler
        mov     word [0x75 * 4 + 2], 0xf000
        mov     al, 0x11
        out     0x20, al
        out     0xa0, al
        mov     al, 0x08
        out     0x21, al
        mov     al, 0x70
        out     0xa1, al
        mov     al, 0x04
        out     0x21, al
        mov     al, 0x02
        out     0xa1, al
        mov     al, 0x01
        out     0x21, al
        out     0xa1, al
        mov     al, 0xfb
        out     0x21, al
        mov     al, 0xdf
        out     0xa1, al
        fninit
        mov     word [0x500], 0x037b
        fldcw   [0x500]
        sti
        mov     cx, 2
.again: fld1
        fldz
        fdivp   st1, st0
        fwait
        nop
        loop    .again
        mov     al, 'E'
        mov     dx, 0x402
        out     dx, al
        mov     al, 0x31
        mov     dx, 0x501
        out     dx, al
        hlt
handler:
        push    ax
        push    dx
        mov     al, 'F'
        mov     dx, 0x402
        out     dx, al
        out     0xf0, al
        fnclex
        mov     al, 0x20
        out     0xa0, al
        out     0x20, al
        pop     dx
        pop     ax
        iret
        times   0xfff0 - ($ - $$) db 0
        jmp     0xf000:start
        times   0x10000 - ($ - $$) db 0
