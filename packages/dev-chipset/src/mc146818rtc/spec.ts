/**
 * Names and numbers of the MC146818A real-time clock with CMOS memory of a PC.
 * [MC146818A]  Motorola MC146818A, "Real-Time Clock plus RAM".
 * [PIIX3]      Intel 82371SB (PIIX3), 290550, "Real Time Clock".
 */

/** Offsets from 0x70. */
export const PORT = { INDEX: 0, DATA: 1 } as const;

/** Bit 7 of the index port masks NMI on real hardware; the index is what is left. */
export const INDEX_MASK = 0x7f;

/** [MC146818A] figure 12 */
export const REGISTER = {
  SECONDS: 0x00,
  SECONDS_ALARM: 0x01,
  MINUTES: 0x02,
  MINUTES_ALARM: 0x03,
  HOURS: 0x04,
  HOURS_ALARM: 0x05,
  DAY_OF_WEEK: 0x06,
  DAY_OF_MONTH: 0x07,
  MONTH: 0x08,
  YEAR: 0x09,
  A: 0x0a,
  B: 0x0b,
  C: 0x0c,
  D: 0x0d,
  /** Not of the chip: where PC firmware keeps the century; PS/2 systems have it at 0x37, which is the same byte here. */
  CENTURY: 0x32,
  PS2_CENTURY: 0x37,
} as const;

/**
 * Register A. [MC146818A] "Register A"
 *
 *     | UIP | DV2 DV1 DV0 | RS3 RS2 RS1 RS0 |
 */
export const A = { UPDATE_IN_PROGRESS: 0x80, DIVIDER: 0x70, DIVIDER_RESET: 0x60, RATE: 0x0f, DEFAULT: 0x26 } as const;
/** Largest divider setting that lets the clock run. */
export const DIVIDER_RUNNING = 0x20;

/**
 * Register B. [MC146818A] "Register B"
 *
 *     | SET | PIE | AIE | UIE | SQWE | DM | 24/12 | DSE |
 */
export const B = {
  SET: 0x80,
  PERIODIC: 0x40,
  ALARM: 0x20,
  UPDATE: 0x10,
  SQUARE_WAVE: 0x08,
  BINARY: 0x04,
  HOURS_24: 0x02,
  DEFAULT: 0x02,
} as const;

/** Register C; the flags stand where B has their enables. Reading clears it. [MC146818A] "Register C" */
export const C = { INTERRUPT: 0x80, PERIODIC: 0x40, ALARM: 0x20, UPDATE: 0x10 } as const;

/** Register D: the battery is good. */
export const D_VALID_RAM = 0x80;

/** An alarm register from this value on matches everything. [MC146818A] "Alarm" */
export const ALARM_ANY = 0xc0;

/** Hours register in 12-hour mode. */
export const PM = 0x80;

/** The oscillator, Hz. */
export const CRYSTAL = 32_768n;

/** UIP rises this long before an update: 8 periods of the oscillator. [MC146818A] "Update Cycle" */
export const UPDATE_HOLD = (8n * 1_000_000_000n) / CRYSTAL;

/** After the dividers are released the first update comes half a second later. [MC146818A] "Divider Control" */
export const DIVIDER_RELEASE = 500_000_000n;
