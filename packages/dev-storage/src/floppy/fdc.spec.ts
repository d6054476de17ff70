/**
 * Names and numbers of the floppy disk controller.
 * [82077AA] Intel 82077AA CHMOS single-chip floppy disk controller (290166), chapters 2 (registers) and 5, 6 (commands).
 * [QEMU]    behaviour observed on QEMU 7.2.
 */

/** Offsets from the base port; 0 and 6 are not decoded. [82077AA] 2.1 */
export const REGISTER = {
  STATUS_A: 0,
  STATUS_B: 1,
  DIGITAL_OUTPUT: 2,
  TAPE: 3,
  /** Read: main status. Write: data rate select. */
  MAIN_STATUS: 4,
  FIFO: 5,
  /** Read: digital input. Write: configuration control. */
  DIGITAL_INPUT: 7,
} as const;

export const DEFAULT_BASE = 0x3f0;
export const DEFAULT_IRQ = 6;
export const DEFAULT_DMA = 2;

export const DRIVES = 2;
export const FIFO_SIZE = 512;
export const SECTOR = 512;
/** Size code of 512 bytes. */
export const SECTOR_CODE = 2;

/** Status register A. [82077AA] 2.1.1 */
export const SRA = { SECOND_DRIVE_ABSENT: 0x40, INTERRUPT: 0x80 } as const;

/** Status register B. [82077AA] 2.1.2 */
export const SRB = { MOTOR0: 0x01, MOTOR1: 0x02, DRIVE0: 0x20, RESET: 0xc0 } as const;

/** Digital output register. [82077AA] 2.1.3 */
export const DOR = { SELECT: 0x01, NOT_RESET: 0x04, DMA: 0x08, MOTOR0: 0x10, MOTOR1: 0x20 } as const;

/** Data rate select register. [82077AA] 2.1.5 */
export const DSR = { RATE: 0x03, POWER_DOWN: 0x40, RESET: 0x80 } as const;

/** Main status register. [82077AA] 2.1.6 */
export const MSR = { BUSY: 0x10, NON_DMA: 0x20, TO_HOST: 0x40, REQUEST: 0x80 } as const;

/** Bits of the tape drive register that can be written. */
export const TAPE_BOOT_SELECT = 0x04;

/** Digital input register: the disk was changed. [82077AA] 2.1.8 */
export const DISK_CHANGED = 0x80;

/** Status bytes of the result phase. [82077AA] 3.4 */
export const ST0 = { HEAD: 0x04, SEEK_END: 0x20, ABNORMAL: 0x40, INVALID: 0x80, READY_CHANGED: 0xc0 } as const;
export const ST1 = { MISSING_ADDRESS: 0x01, NOT_WRITABLE: 0x02, END_OF_CYLINDER: 0x80 } as const;
export const ST2 = { SCAN_HIT: 0x08 } as const;

/** SENSE INTERRUPT STATUS answers for four drives after a reset. */
export const RESET_SENSES = 4;

/** Bits of CONFIGURE's second byte. [82077AA] 5.2.7 */
export const CONFIG = { POLL_DISABLE: 0x10, FIFO_DISABLE: 0x20, IMPLIED_SEEK: 0x40 } as const;
/** After reset: implied seeks, no FIFO. [QEMU] */
export const CONFIG_DEFAULT = CONFIG.IMPLIED_SEEK | CONFIG.FIFO_DISABLE;

/** Command bytes; data commands carry MULTI_TRACK, MFM and SKIP in their upper bits. [82077AA] 5 */
export const COMMAND = {
  READ_TRACK: 0x02,
  SPECIFY: 0x03,
  SENSE_DRIVE_STATUS: 0x04,
  WRITE: 0x05,
  READ: 0x06,
  RECALIBRATE: 0x07,
  SENSE_INTERRUPT_STATUS: 0x08,
  WRITE_DELETED: 0x09,
  READ_ID: 0x0a,
  READ_DELETED: 0x0c,
  FORMAT_TRACK: 0x0d,
  DUMP_REGISTERS: 0x0e,
  SEEK: 0x0f,
  VERSION: 0x10,
  SCAN_EQUAL: 0x11,
  PERPENDICULAR_MODE: 0x12,
  CONFIGURE: 0x13,
  LOCK: 0x14,
  VERIFY: 0x16,
  POWER_DOWN_MODE: 0x17,
  PART_ID: 0x18,
  SCAN_LOW_OR_EQUAL: 0x19,
  SCAN_HIGH_OR_EQUAL: 0x1d,
  SAVE: 0x2e,
  OPTION: 0x33,
  RESTORE: 0x4e,
  DRIVE_SPECIFICATION: 0x8e,
  RELATIVE_SEEK_OUT: 0x8f,
  RELATIVE_SEEK_IN: 0xcf,
  FORMAT_AND_WRITE: 0xef,
} as const;

export const MULTI_TRACK = 0x80;

/** Answer to VERSION and PART ID. */
export const VERSION = 0x90;
export const PART_ID = 0x41;

/** A rotation at 300 per minute is 200 ms; READ ID answers after a tenth. [QEMU] */
export const READ_ID_NANOSECONDS = 20_000_000n;

/** Bits of `data_state` as QEMU sends it. */
export const DATA_STATE = { MULTI_TRACK: 0x01, FORMAT: 0x02 } as const;

/** Directions as QEMU sends them. */
export const DIRECTION = { WRITE: 0, READ: 1, SCAN_EQUAL: 2, SCAN_LOW: 3, SCAN_HIGH: 4, VERIFY: 5 } as const;

/** Phases as QEMU sends them. */
export const PHASE = { COMMAND: 1, EXECUTION: 2, RESULT: 3 } as const;
