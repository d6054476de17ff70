/** [16550] National Semiconductor PC16550D datasheet (June 1995), section 8 "Registers". */

/** Register offsets; DLL and DLM take the first two while LCR.DLAB is set. [16550] §8 */
export const REGISTER = { DATA: 0, IER: 1, IIR_FCR: 2, LCR: 3, MCR: 4, LSR: 5, MSR: 6, SCR: 7 } as const;

/** Interrupt Enable Register. [16550] §8.7 */
export const IER = { RDI: 0x01, THRI: 0x02, RLSI: 0x04, MSI: 0x08, ALL: 0x0f } as const;

/**
 * Interrupt Identification Register. [16550] §8.6
 *
 *     7..6          5..4  3..1    0
 *     FIFOs on: 11  0     source  1 = nothing pending
 */
export const IIR = { MSI: 0x00, NONE: 0x01, THRI: 0x02, RDI: 0x04, RLSI: 0x06, CTI: 0x0c, ID: 0x0f, FIFOS: 0xc0 } as const;

/** FIFO Control Register. [16550] §8.5 */
export const FCR = { ENABLE: 0x01, CLEAR_RECEIVER: 0x02, CLEAR_TRANSMITTER: 0x04, KEPT: 0xc9 } as const;
/** Receiver trigger level by FCR bits 7..6. [16550] §8.5 */
export const TRIGGER_LEVEL = [1, 4, 8, 14] as const;
export const FIFO_LENGTH = 16;

/** Line Control Register. [16550] §8.1 */
export const LCR = { WORD_LENGTH: 0x03, STOP_BITS: 0x04, PARITY: 0x08, DLAB: 0x80 } as const;

/** Modem Control Register. [16550] §8.8 */
export const MCR = { DTR: 0x01, RTS: 0x02, OUT1: 0x04, OUT2: 0x08, LOOP: 0x10, ALL: 0x1f } as const;

/** Line Status Register. [16550] §8.4 */
export const LSR = { DR: 0x01, OE: 0x02, PE: 0x04, FE: 0x08, BI: 0x10, THRE: 0x20, TEMT: 0x40, ERRORS: 0x1e } as const;

/** Modem Status Register. [16550] §8.9 */
export const MSR = { DELTAS: 0x0f, CTS: 0x10, DSR: 0x20, RI: 0x40, DCD: 0x80 } as const;

/** Baud rate = 115200 / divisor on a PC (1.8432 MHz / 16). [16550] §8.3 */
export const BASE_BAUD = 115_200;
/** Divisor after reset: 9600 baud. */
export const RESET_DIVISOR = 12;
/** A receive timeout comes after four character times. [16550] §8.11 */
export const TIMEOUT_CHARACTERS = 4n;

/** Places of COM1 to COM4. */
export const COM_PORTS = [
  { iobase: 0x3f8, irq: 4 },
  { iobase: 0x2f8, irq: 3 },
  { iobase: 0x3e8, irq: 4 },
  { iobase: 0x2e8, irq: 3 },
] as const;
