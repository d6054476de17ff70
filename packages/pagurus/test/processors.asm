; Firmware for processors.test.ts: the boot processor starts the others by INIT and start-up interrupts to all but itself; each of them
; counts itself in under a lock, then adds to one counter a thousand times under the same lock and says so on port 0x402. When all have done so,
; the boot processor prints the counter, sends everyone an interrupt that halted ones answer with their APIC's id, and ends the machine.
; nasm -f bin; 64 KiB, entered at 0xfffffff0. What it assembles to is in firmware.bytes.ts.
bits 16
org 0
MUTEX   equ 0x5000
HERE    equ 0x5004
SUM     equ 0x5008
DONE    equ 0x500c
ANSWERS equ 0x5010
APIC    equ 0xfee00000
ROUNDS  equ 1000

start:  cli
        xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, 0x4000
        ; memory survives a reset
        xor     eax, eax
        mov     [MUTEX], eax
        mov     [HERE], eax
        mov     [SUM], eax
        mov     [DONE], eax
        mov     [ANSWERS], eax
        ; a trampoline at 0x8000: jmp 0xf000:other
        mov     byte [0x8000], 0xea
        mov     word [0x8001], other
        mov     word [0x8003], 0xf000
        ; interrupt 0x40 in the real-mode table
        mov     word [0x100], answer
        mov     word [0x102], 0xf000
        call    flat
        mov     dword [fs:dword APIC + 0xf0], 0x1ff
        mov     dword [fs:dword APIC + 0x300], 0xc4500        ; INIT, all but self
        mov     dword [fs:dword APIC + 0x300], 0xc4608        ; start-up at 0x8000
        mov     eax, 1
        lock xadd [HERE], eax
.wait:  pause
        cmp     dword [DONE], 4 - 1
        jne     .wait
        mov     eax, [SUM]
        call    number
        mov     dword [fs:dword APIC + 0x300], 0xc4040        ; interrupt 0x40 to all but self
.more:  pause
        cmp     dword [ANSWERS], 4 - 1
        jne     .more
        mov     al, 'E'
        mov     dx, 0x402
        out     dx, al
        mov     al, 0x31
        mov     dx, 0x501
        out     dx, al
        hlt

other:  xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     ecx, 1
        lock xadd [HERE], ecx           ; the how manieth am I?
        mov     ax, cx
        shl     ax, 8
        add     ax, 0x4100
        mov     sp, ax
        call    flat
        mov     dword [fs:dword APIC + 0xf0], 0x1ff
        mov     cx, ROUNDS
.round: call    take
        mov     eax, [SUM]
        inc     eax
        mov     [SUM], eax
        mov     byte [MUTEX], 0
        loop    .round
        call    take
        mov     al, '+'
        mov     dx, 0x402
        out     dx, al
        mov     byte [MUTEX], 0
        lock inc dword [DONE]
.sleep: sti
        hlt
        jmp     .sleep

answer: call    take
        mov     eax, [fs:dword APIC + 0x20]
        shr     eax, 24
        add     al, '0'
        mov     dx, 0x402
        out     dx, al
        mov     dword [fs:dword APIC + 0xb0], 0
        mov     byte [MUTEX], 0
        lock inc dword [ANSWERS]
        iret

take:   mov     al, 1
.again: xchg    [MUTEX], al
        test    al, al
        jz      .mine
        pause
        jmp     .again
.mine:  ret

; EAX in decimal
number: mov     ebx, 10
        xor     cx, cx
.digit: xor     edx, edx
        div     ebx
        push    dx
        inc     cx
        test    eax, eax
        jnz     .digit
.out:   pop     ax
        add     al, '0'
        mov     dx, 0x402
        out     dx, al
        loop    .out
        ret

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
