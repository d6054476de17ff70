/**
 * Names and numbers of the parallel port of a PC.
 * [IEEE1284]  IEEE Std 1284, compatibility mode.
 * [PC]        IBM PC/AT Technical Reference, "Printer Adapter".
 */

/** Offsets. [PC] */
export const REGISTER = { DATA: 0, STATUS: 1, CONTROL: 2 } as const;
export const LENGTH = 8;

/**
 * Status register; BUSY reads inverted: 1 = the printer can take a byte. Bit 0 is an EPP time-out. [PC]
 *
 *     | 7 not busy | 6 not ACK | 5 paper out | 4 selected | 3 not error | 2 | 1 | 0 time-out |
 */
export const STATUS = { READY: 0x80, NOT_ACKNOWLEDGED: 0x40, SELECTED: 0x10, NO_ERROR: 0x08, TIMEOUT: 0x01 } as const;

/**
 * Control register; the upper two bits read as ones. [PC]
 *
 *     | 1 1 | 5 input | 4 interrupt | 3 select | 2 not reset | 1 line feed | 0 strobe |
 */
export const CONTROL = { STROBE: 0x01, NOT_RESET: 0x04, SELECT: 0x08, INTERRUPT: 0x10, INPUT: 0x20, ONES: 0xc0 } as const;

/** LPT1 to LPT3. */
export const PORTS = [
  { iobase: 0x378, irq: 7 },
  { iobase: 0x278, irq: 7 },
  { iobase: 0x3bc, irq: 7 },
] as const;
