; Option ROM that boots a Linux kernel out of fw_cfg, behind firmware that knows the PnP BIOS Specification (SeaBIOS).
; [PNP]   Plug and Play BIOS Specification 1.0A, chapter 3, "Option ROM Support"
; [BOOT]  The Linux/x86 Boot Protocol, "Running the Kernel" (the real-mode entry)
; [FWCFG] QEMU Firmware Configuration Device (docs/specs/fw_cfg)
; Nothing newer than an i386. scripts/build-linux-rom.mjs assembles it and puts in both checksums.

bits 16
cpu 386
org 0

FW_SELECTOR     equ 0x510
FW_DATA         equ 0x511
FW_DMA_HIGH     equ 0x514
FW_DMA_LOW      equ 0x518
FW_DMA_READ     equ 0x02
FW_DMA_SELECT   equ 0x08
FW_DMA_ERROR    equ 0x01
FW_HAS_DMA      equ 0x02

KEY_ID          equ 0x01
KEY_KERNEL_ADDR equ 0x07
KEY_KERNEL_SIZE equ 0x08
KEY_INITRD_ADDR equ 0x0a
KEY_INITRD_SIZE equ 0x0b
KEY_KERNEL_DATA equ 0x11
KEY_INITRD_DATA equ 0x12
KEY_LINE_ADDR   equ 0x13
KEY_LINE_SIZE   equ 0x14
KEY_LINE_DATA   equ 0x15
KEY_SETUP_ADDR  equ 0x16
KEY_SETUP_SIZE  equ 0x17
KEY_SETUP_DATA  equ 0x18

; Conventional memory that nobody uses once firmware has chosen what to boot.
STACK_TOP       equ 0x7000
DMA             equ 0x7000              ; FWCfgDmaAccess: control, length, address high, address low; big-endian
GDTR            equ 0x7010
GDT             equ 0x7020

rom:
        dw      0xaa55
        db      (rom_end - rom) / 512
        jmp     near initialize         ; offset 3
        db      0                       ; makes the sum of all bytes 0
        times   0x18 - ($ - rom) db 0
        dw      0                       ; no PCI data structure
        dw      pnp

        align   16, db 0
pnp:    db      '$PnP', 1, 2            ; two times 16 bytes
        dw      0                       ; the only header
        db      0
        db      0                       ; makes the sum of the header 0
        dd      0
        dw      maker, product
        db      0, 0, 0, 0              ; no device
        dw      0, 0, boot              ; no connection and disconnection vectors; the bootstrap entry vector
        dw      0, 0

maker:  db      'Pagurus', 0
product: db     'Linux kernel', 0

; [PNP] 3.3: answers that there is something to boot from.
initialize:
        mov     ax, 0x20
        retf

boot:
        cli
        cld
        xor     ax, ax
        mov     ss, ax
        mov     esp, STACK_TOP
        mov     ds, ax
        call    open_memory

        mov     si, setup
        call    load
        mov     si, command_line
        call    load
        mov     si, kernel
        call    load
        mov     si, initrd
        call    load

        ; [BOOT] "Running the Kernel": all segments are that of the set-up code, CS is 32 paragraphs behind it. The stack ends where
        ; the command line begins.
        mov     bx, KEY_LINE_ADDR
        call    number
        mov     ecx, eax
        mov     bx, KEY_SETUP_ADDR
        call    number
        sub     ecx, eax
        sub     ecx, 16
        shr     eax, 4
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        mov     ss, ax
        mov     esp, ecx
        add     ax, 0x20
        push    ax
        push    word 0
        xor     eax, eax
        xor     ebx, ebx
        xor     ecx, ecx
        xor     edx, edx
        xor     esi, esi
        xor     edi, edi
        xor     ebp, ebp
        retf

; Keys of data, size, address.
setup:        dw KEY_SETUP_DATA, KEY_SETUP_SIZE, KEY_SETUP_ADDR
command_line: dw KEY_LINE_DATA, KEY_LINE_SIZE, KEY_LINE_ADDR
kernel:       dw KEY_KERNEL_DATA, KEY_KERNEL_SIZE, KEY_KERNEL_ADDR
initrd:       dw KEY_INITRD_DATA, KEY_INITRD_SIZE, KEY_INITRD_ADDR

; Copies what CS:SI names to where it belongs. An item of no bytes, or that there is none of, is passed over.
load:
        mov     bx, [cs:si + 2]
        call    number
        mov     ecx, eax
        jecxz   .done
        mov     bx, [cs:si + 4]
        call    number
        mov     edi, eax
        mov     bx, KEY_ID
        call    number
        test    al, FW_HAS_DMA
        jz      .ports

        mov     ax, [cs:si]             ; control: the key above, select and read below
        shl     eax, 16
        mov     ax, FW_DMA_SELECT | FW_DMA_READ
        call    swap
        mov     [DMA], eax
        mov     eax, ecx
        call    swap
        mov     [DMA + 4], eax
        mov     dword [DMA + 8], 0
        mov     eax, edi
        call    swap
        mov     [DMA + 12], eax
        mov     dx, FW_DMA_HIGH
        xor     eax, eax
        out     dx, eax
        mov     dx, FW_DMA_LOW
        mov     eax, DMA
        call    swap
        out     dx, eax
.wait:  mov     eax, [DMA]
        call    swap
        test    al, FW_DMA_ERROR
        jnz     $                       ; nothing can be done, and firmware's stack is gone
        test    eax, eax
        jnz     .wait
.done:  ret

.ports: mov     ax, [cs:si]
        mov     dx, FW_SELECTOR
        out     dx, ax
        mov     dx, FW_DATA
        a32 rep insb                    ; ES is flat
        ret

; EAX = item BX, a little-endian number. Items that there are not read as 0.
number:
        push    cx
        mov     ax, bx
        mov     dx, FW_SELECTOR
        out     dx, ax
        mov     dx, FW_DATA
        mov     cx, 4
.byte:  in      al, dx
        ror     eax, 8
        loop    .byte
        pop     cx
        ret

; EAX in the other byte order.
swap:
        xchg    al, ah
        rol     eax, 16
        xchg    al, ah
        ret

; Leaves ES with base 0 and a limit of 4 GiB, for items that are read through a port.
open_memory:
        mov     dword [GDT], 0
        mov     dword [GDT + 4], 0
        mov     dword [GDT + 8], 0x0000ffff
        mov     dword [GDT + 12], 0x008f9300
        mov     word [GDTR], 15
        mov     dword [GDTR + 2], GDT
        o32 lgdt [GDTR]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     short .protected
.protected:
        mov     bx, 8
        mov     es, bx
        and     al, 0xfe
        mov     cr0, eax
        jmp     short .real
.real:  ret

        align   512, db 0
rom_end:
