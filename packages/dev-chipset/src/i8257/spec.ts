/**
 * Names and numbers of the 8237A DMA controllers of a PC and their page registers.
 * [8237A]  Intel 8237A, order number 231466.
 * [PIIX3]  Intel 82371SB (PIIX3), 290550, "DMA Register Description" (it has two 8237 and calls them 8257-compatible).
 */

/** Offsets of the registers behind the eight channel registers, in steps of one register. [8237A] "Software Commands" */
export const REGISTER = {
  /** Read: status. Write: command. */
  STATUS_COMMAND: 8,
  REQUEST: 9,
  SINGLE_MASK: 10,
  MODE: 11,
  CLEAR_FLIP_FLOP: 12,
  MASTER_CLEAR: 13,
  CLEAR_MASK: 14,
  ALL_MASK: 15,
} as const;

/** Command register; the others ask for what a PC never used. [8237A] "Command Register" */
export const COMMAND = { DISABLE: 0x04 } as const;

/** Request and single mask register: channel and whether to set. */
export const SELECT = { CHANNEL: 0x03, SET: 0x04 } as const;

/**
 * Mode register. [8237A] "Mode Register"
 *
 *     | M1 M0 | DOWN | AUTO | T1 T0 | CH1 CH0 |
 */
export const MODE = { DOWN: 0x20, AUTO_INITIALIZE: 0x10, TRANSFER_SHIFT: 2 } as const;

/** T1, T0. Directions are seen from memory. */
export const TRANSFERS = ['verify', 'write', 'read', 'illegal'] as const;

/** Page register offsets of channels 0 to 3; the AT's decoder has them in this order. */
export const PAGE_OFFSETS = [7, 3, 1, 2] as const;
