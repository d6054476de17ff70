; Firmware for processors.test.ts: the local APIC's timer in its mode TSC deadline, [SDM] volume 3, 10.5.4.1. What it finds goes to port 0x402:
; 0 and 1 for whether IA32_TSC_DEADLINE reads as 0 or as it was written, ! for the interrupt, e if that came early, - for none.
; nasm -f bin; 64 KiB, entered at 0xfffffff0. What it assembles to is in firmware.bytes.ts.
bits 16
org 0
APIC     equ 0xfee00000
COUNT    equ 0x5000
WRITTEN  equ 0x5008
SOON     equ 400000

start:  cli
        xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, 0x4000
        xor     eax, eax
        mov     [COUNT], eax
        mov     word [0x41 * 4], fired
        mov     word [0x41 * 4 + 2], 0xf000
        call    flat
        mov     dword [fs:dword APIC + 0xf0], 0x1ff
        ; in the mode one-shot: ignored
        mov     dword [fs:dword APIC + 0x320], 0x41
        call    arm
        call    look
        call    listen
        call    gap
        ; armed, reached, over
        mov     dword [fs:dword APIC + 0x320], 0x40041
        call    arm
        call    look
        call    listen
        call    look
        call    gap
        ; disarmed by 0
        call    arm
        xor     eax, eax
        xor     edx, edx
        call    write
        call    look
        call    listen
        call    gap
        ; in the past
        mov     eax, 1
        xor     edx, edx
        call    write
        call    listen
        call    look
        call    gap
        ; dropped with the mode
        call    arm
        mov     dword [fs:dword APIC + 0x320], 0x41
        call    look
        call    listen
        call    gap
        ; masked and let through again before it
        mov     dword [fs:dword APIC + 0x320], 0x40041
        call    arm
        mov     dword [fs:dword APIC + 0x320], 0x50041
        call    look
        mov     dword [fs:dword APIC + 0x320], 0x40041
        call    listen
        call    gap
        ; the counter jumps over it
        call    arm
        mov     ecx, 0x10
        rdmsr
        inc     edx
        wrmsr
        call    listen
        call    look
        ; never, and the initial count means nothing in this mode
        mov     eax, -1
        mov     edx, eax
        call    write
        mov     dword [fs:dword APIC + 0x380], 100
        call    listen
        call    look
        mov     al, 'E'
        mov     dx, 0x402
        out     dx, al
        mov     al, 0x31
        mov     dx, 0x501
        out     dx, al
        hlt

gap:    mov     al, ' '
say:    push    dx
        mov     dx, 0x402
        out     dx, al
        pop     dx
        ret

; deadline SOON ticks from now
arm:    rdtsc
        add     eax, SOON
        adc     edx, 0
write:  mov     [WRITTEN], eax
        mov     [WRITTEN + 4], edx
        mov     ecx, 0x6e0
        wrmsr
        ret

look:   mov     ecx, 0x6e0
        rdmsr
        cmp     eax, [WRITTEN]
        jne     .zero
        cmp     edx, [WRITTEN + 4]
        jne     .zero
        or      eax, edx
        jz      .zero
        mov     al, '1'
        jmp     say
.zero:  or      eax, edx
        jnz     .bad
        mov     al, '0'
        jmp     say
.bad:   mov     al, '?'
        jmp     say

; three times as long as to the deadline, or until the interrupt
listen: rdtsc
        mov     ebx, eax
        sti
.wait:  cmp     byte [COUNT], 0
        jne     .came
        rdtsc
        sub     eax, ebx
        cmp     eax, 3 * SOON
        jb      .wait
        cli
        mov     al, '-'
        jmp     say
.came:  cli
        mov     byte [COUNT], 0
        mov     al, '!'
        jmp     say

fired:  push    eax
        push    edx
        rdtsc
        sub     eax, [WRITTEN]
        sbb     edx, [WRITTEN + 4]
        jnc     .late
        mov     al, 'e'
        call    say
.late:  inc     byte [COUNT]
        mov     dword [fs:dword APIC + 0xb0], 0
        pop     edx
        pop     eax
        iret

; FS with base 0 and a limit of 4 GiB
flat:   push    ds
        push    cs
        pop     ds
        o32 lgdt [gdtr]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     short .on
.on:    mov     bx, 8
        mov     fs, bx
        and     al, 0xfe
        mov     cr0, eax
        jmp     short .off
.off:   pop     ds
        ret
        align   8, db 0
gdt:    dq      0, 0x008f93000000ffff
gdtr:   dw      15
        dd      0xf0000 + gdt

        times   0xfff0 - ($ - $$) db 0
        jmp     0xf000:start
        times   0x10000 - ($ - $$) db 0
