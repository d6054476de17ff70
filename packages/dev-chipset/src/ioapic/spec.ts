/**
 * Names and numbers of the I/O APIC.
 * [82093AA]  Intel 82093AA, order number 290566.
 * [ICH]      Intel I/O Controller Hub, version 0x20 with an EOI register.
 */

export const BASE = 0xfec0_0000;
export const LENGTH = 0x1000;
export const PINS = 24;

/** Offsets. [82093AA] §3.0, [ICH] */
export const OFFSET = { SELECT: 0x00, WINDOW: 0x10, END_OF_INTERRUPT: 0x40 } as const;

/** Registers behind the window. [82093AA] §3.2 */
export const REGISTER = { ID: 0, VERSION: 1, ARBITRATION: 2, REDIRECTION: 0x10 } as const;

/** Identification: bits 27..24. */
export const ID = { SHIFT: 24, MASK: 0x0f } as const;
export const LAST_PIN_SHIFT = 16;

/** The version from which on there is an EOI register. */
export const VERSION_WITH_EOI = 0x20;

/**
 * Redirection, low half; the high half's upper byte is the destination. [82093AA] §3.2.4
 *
 *     | 16 masked | 15 level | 14 remote IRR | 13 active low | 12 sent | 11 logical | 10..8 mode | 7..0 vector |
 */
export const REDIRECTION = {
  VECTOR: 0xff,
  MODE_SHIFT: 8,
  MODE: 7,
  LOGICAL: 0x0800,
  SENT: 0x1000,
  REMOTE_IRR: 0x4000,
  LEVEL: 0x8000,
  MASKED: 0x1_0000,
} as const;

/** What the guest cannot write. */
export const READ_ONLY = REDIRECTION.SENT | REDIRECTION.REMOTE_IRR;

/** Interrupt 0 of the ISA bus comes in on pin 2. */
export const ISA_TIMER = { IRQ: 0, PIN: 2 } as const;
