/**
 * Names and numbers of the 8254 programmable interval timer and of port 0x61, where a PC connects its third channel.
 * [8254]   Intel 8254, order number 231164.
 * [PIIX3]  Intel 82371SB (PIIX3), 290550, "NMI Status and Control Register".
 */

/** Oscillator input of all three channels, Hz: 14.31818 MHz / 12, rounded as QEMU rounds it. */
export const FREQUENCY = 1_193_182n;

/** Offsets from 0x40; 0 to 2 are the channels. [8254] "Programming the 8254" */
export const CONTROL_PORT = 3;

/**
 * Control word. [8254] figure 7
 *
 *     | SC1 SC0 | RW1 RW0 | M2 M1 M0 | BCD |
 */
export const CONTROL = { BCD: 0x01, MODE_SHIFT: 1, ACCESS_SHIFT: 4, CHANNEL_SHIFT: 6, READ_BACK: 3 } as const;

/** RW1, RW0. */
export const ACCESS = { LATCH: 0, LOW: 1, HIGH: 2, BOTH: 3 } as const;

/** Which byte the next access carries; as QEMU counts them. `WORD_LOW` is followed by `WORD_HIGH`. */
export const BYTE = { LOW: 1, HIGH: 2, WORD_LOW: 3, WORD_HIGH: 4 } as const;

/** Read-back command, active low. [8254] figure 9 */
export const READ_BACK = { NO_COUNT: 0x20, NO_STATUS: 0x10 } as const;

/** Status byte; bit 6 (null count) is always 0: a count is loaded at once. [8254] figure 10 */
export const STATUS_OUT = 0x80;

/** [8254] "Mode Definitions" */
export const MODE = {
  TERMINAL_COUNT: 0,
  ONE_SHOT: 1,
  RATE_GENERATOR: 2,
  SQUARE_WAVE: 3,
  SOFTWARE_STROBE: 4,
  HARDWARE_STROBE: 5,
} as const;

/** What a count of 0 means. */
export const FULL_COUNT = { BINARY: 0x1_0000, BCD: 10_000 } as const;

/** Port 0x61. [PIIX3] */
export const SPEAKER = { GATE: 0x01, DATA: 0x02, REFRESH: 0x10, OUT: 0x20 } as const;
