; The embedded guest: a small 32-bit protected-mode program that shows whether a machine survived its journey.
;
; It fills most of its RAM with a pattern that is a function of two numbers only (how many pages there are and how many have been
; rewritten), rewrites it in the background at a chosen speed, and says twice a second how far it is and what a slice of the memory
; sums up to. So a lost page, a lost interrupt or a lost character shows: here, in the guest, and in `verifyHeartbeats` on the host.
;
; Integer instructions of an i486 only: no floating point, no MMX, no SSE, no cpuid, no time-stamp counter.
; A flat image with a Multiboot header ([MB] address fields), loaded at 1 MiB:
;     nasm -f bin -o embedded.bin embedded.asm
;
; Conventions: a routine takes arguments and returns its result in eax and preserves all other registers, unless its comment says
; otherwise. The direction flag is always clear. Interrupt handlers touch rings and counters only; all work is done in main_loop.

bits 32
org 0x100000
%include "constants.inc"

section .text
section .data align=16 follows=.text
section .bss nobits align=4096 follows=.data
section .text

; `printf "text %d", x`: pushes the arguments, keeps every register. Formats: see printf_.
%macro printf 1-*
  %rep %0 - 1
    %rotate -1
    push dword %1
  %endrep
  %rotate -1
  [section .data]
  %%format: db %1, 0
  __SECT__
  push dword %%format
  call printf_
  add esp, %0 * 4
%endmacro

image_start:
  jmp entry

; --- Multiboot header -------------------------------------------------------------------------------------------------------
align 4
multiboot_header:
MB_FLAGS equ MB_PAGE_ALIGN | MB_WANT_MEMORY | MB_ADDRESS_FIELDS
  dd MB_HEADER_MAGIC
  dd MB_FLAGS
  dd -(MB_HEADER_MAGIC + MB_FLAGS) & 0xffffffff
  dd multiboot_header                       ; header_addr
  dd image_start                            ; load_addr
  dd data_end                               ; load_end_addr
  dd bss_end                                ; bss_end_addr
  dd entry                                  ; entry_addr

; --- Start ------------------------------------------------------------------------------------------------------------------
entry:
  cli
  cld
  mov edx, eax                              ; the loader's magic
  mov edi, bss_start
  mov ecx, (bss_end - bss_start) / 4
  xor eax, eax
  rep stosd
  mov esp, stack_top
  cmp edx, MB_BOOT_MAGIC
  jne .not_multiboot
  call boot_read_info                       ; ebx; copies all it wants, for what lies behind the image is overwritten below
  call cpu_setup
  call interrupts_setup
  call serial_setup
  call screen_setup
  call keyboard_setup
  call paging_setup
  sti
  printf `Pagurus embedded guest, version 1\n`
  call region_setup
  call code_checksum
  mov [code_sum], eax
  printf `region base=%x pages=%d slice=%d\n`, [region_base], [region_pages], [slice_pages]
  printf `type 'help' for the commands\n`
  call options_apply
  call prompt
  jmp main_loop

.not_multiboot:                             ; nobody to tell but the screen and a polled serial port
  mov byte [polled], 1
  call serial_setup
  call screen_setup
  printf `embedded guest: not entered by a Multiboot loader (eax %x)\n`, edx
.stop:
  cli
  hlt
  jmp .stop

; --- The only loop ----------------------------------------------------------------------------------------------------------
main_loop:
  call input_step                           ; characters that arrived; may run a command
  cmp dword [beats_due], 0
  je .no_beat
  call beat
  jmp main_loop
.no_beat:
  call dirty_step                           ; one page, if it is time; carry set if there was work
  jc main_loop
  cli                                       ; between this and the hlt no interrupt can slip in: sti takes effect after hlt began
  mov eax, [input_count]
  or eax, [beats_due]
  jnz .busy
  call dirty_pending
  jc .busy
  sti
  hlt
  jmp main_loop
.busy:
  sti
  jmp main_loop

%include "boot.inc"
%include "cpu.inc"
%include "devices.inc"
%include "font.inc"
%include "console.inc"
%include "region.inc"
%include "commands.inc"

text_end:

section .data
align 4
data_end:

section .bss
bss_start:
page_directory:   resb PAGE                 ; first, for it must be page-aligned
idt:              resb IDT_ENTRIES * 8
stack:            resb 8192
stack_top:
; boot.inc
memory_lower:     resd 1                    ; KiB below 1 MiB, as the loader said
memory_upper:     resd 1                    ; KiB from 1 MiB on
memory_top:       resd 1                    ; first byte behind the RAM that begins at 1 MiB
map_count:        resd 1
map_entries:      resb 16 * 20              ; u64 base, u64 length, u32 type
command_line:     resb 256
; cpu.inc
tables_end:       resd 1                    ; first byte behind the page tables
; devices.inc
ticks:            resd 1
irq_counts:       resd 16
spurious:         resd 1
seconds_phase:    resd 1
polled:           resb 1                    ; console output without interrupts (panic)
have_serial:      resb 1
have_screen:      resb 1
have_keyboard:    resb 1
shift_down:       resb 1
key_prefix:       resb 1
sending:          resb 1                    ; the transmitter interrupt is on
alignb 4
; console.inc
input_count:      resd 1
input_read:       resd 1
input_write:      resd 1
input_lost:       resd 1
output_count:     resd 1
output_read:      resd 1
output_write:     resd 1
column:           resd 1                    ; of the line being shown, the same on both consoles
row:              resd 1
line_length:      resd 1
input_ring:       resb 256
output_ring:      resb 4096
line:             resb 80
screen:           resw COLUMNS * ROWS
; region.inc
region_base:      resd 1
region_pages:     resd 1
region_wanted:    resd 1                    ; option region=MB, in pages; 0 = all
pages_written:    resd 1                    ; since boot; with region_pages it determines every byte of the region
next_page:        resd 1                    ; pages_written modulo region_pages
dirty_rate:       resd 1                    ; pages a second
dirty_credit:     resd 1                    ; grows by dirty_rate each tick; a page costs TICKS_PER_SECOND
slice_first:      resd 1
slice_pages:      resd 1
running_sum:      resd 1
errors:           resd 1
complaints:       resd 1
code_sum:         resd 1
beats_on:         resd 1
beats_due:        resd 1
beat_sequence:    resd 1
beat_tick:        resd 1                    ; tick of the beat that was printed last
beat_countdown:   resd 1
alignb 4096
bss_end:
