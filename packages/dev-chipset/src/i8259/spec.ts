/**
 * Names and numbers of the 8259A programmable interrupt controller pair of a PC.
 * [8259A]  Intel 8259A/8259A-2, order number 231468.
 * [PIIX3]  Intel 82371SB (PIIX3), 290550, "Interrupt Controller Registers", ELCR.
 */

/** Offsets from each chip's base (0x20 and 0xa0). [8259A] */
export const PORT = { COMMAND: 0, DATA: 1 } as const;

export const BASE = { MASTER: 0x20, SLAVE: 0xa0 } as const;

/** Edge/level control, one byte for each chip. [PIIX3] */
export const ELCR_BASE = 0x4d0;

/** Lines that may be level-triggered: not 0, 1, 2 of the master nor 8, 13 of the slave. [PIIX3] */
export const ELCR_MASK = { MASTER: 0xf8, SLAVE: 0xde } as const;

/**
 * Initialization command words. [8259A] "Initialization Command Words"
 *
 *     ICW1  | x x x 1 | LTIM | ADI | SNGL | IC4 |
 *     ICW4  | 0 0 0 SFNM | BUF | M/S | AEOI | uPM |
 */
export const ICW1 = { SELECT: 0x10, LTIM: 0x08, SINGLE: 0x02, IC4: 0x01 } as const;
export const ICW4 = { SPECIAL_FULLY_NESTED: 0x10, AUTO_EOI: 0x02 } as const;

/**
 * Operation command words. [8259A] "Operation Command Words"
 *
 *     OCW2  | R | SL | EOI | 0 0 | L2 L1 L0 |
 *     OCW3  | 0 | ESMM | SMM | 0 1 | P | RR | RIS |
 */
export const OCW3 = {
  SELECT: 0x08,
  POLL: 0x04,
  READ: 0x02,
  READ_ISR: 0x01,
  ENABLE_SPECIAL_MASK: 0x40,
  SPECIAL_MASK: 0x20,
} as const;

/** R, SL and EOI of OCW2 as one number. */
export const OCW2 = {
  ROTATE_AUTO_EOI_CLEAR: 0,
  EOI: 1,
  NO_OPERATION: 2,
  SPECIFIC_EOI: 3,
  ROTATE_AUTO_EOI_SET: 4,
  ROTATE_EOI: 5,
  SET_PRIORITY: 6,
  ROTATE_SPECIFIC_EOI: 7,
} as const;

/** Which initialization word the data port expects; as QEMU counts them. */
export const EXPECT = { OCW1: 0, ICW2: 1, ICW3: 2, ICW4: 3 } as const;

/** Bit 7 of a poll answer: a request is there. [8259A] "Poll Command" */
export const POLL_PENDING = 0x80;

/** The master's input to which the slave's INT goes. */
export const CASCADE = 2;

/** What a chip answers to an acknowledge cycle without a request. [8259A] "Interrupt Sequence", step 6 */
export const SPURIOUS = 7;
