/**
 * Names and numbers of packet commands for CD and DVD drives.
 * [MMC]  SCSI Multimedia Commands 3, T10 1363D.
 * [SPC]  SCSI Primary Commands 3, T10 1416D.
 * [ATAPI] ATA/ATAPI-6, T13 1410D, 9.10 (packet commands).
 * [QEMU] behaviour observed on QEMU 7.2.
 */

export const PACKET_SIZE = 12;
export const BLOCK = 2048;
/** A raw CD sector: sync, header, data, error correction. [MMC] 4.2.3 */
export const RAW_BLOCK = 2352;

/** Blocks of a CD of 80 minutes; more make a DVD. */
export const CD_BLOCKS = 80 * 60 * 75;

/** Frames before logical block 0. */
export const LEAD_IN_FRAMES = 150;

export const PACKET = {
  TEST_UNIT_READY: 0x00,
  REQUEST_SENSE: 0x03,
  INQUIRY: 0x12,
  START_STOP_UNIT: 0x1b,
  PREVENT_ALLOW_REMOVAL: 0x1e,
  READ_CAPACITY: 0x25,
  READ_10: 0x28,
  SEEK_10: 0x2b,
  READ_TOC: 0x43,
  GET_CONFIGURATION: 0x46,
  GET_EVENT_STATUS: 0x4a,
  READ_DISC_INFORMATION: 0x51,
  MODE_SENSE_10: 0x5a,
  READ_12: 0xa8,
  READ_DVD_STRUCTURE: 0xad,
  SET_CD_SPEED: 0xbb,
  MECHANISM_STATUS: 0xbd,
  READ_CD: 0xbe,
} as const;

/** Sense keys. [SPC] 4.5.6 */
export const SENSE = {
  NONE: 0,
  NOT_READY: 2,
  MEDIUM_ERROR: 3,
  ILLEGAL_REQUEST: 5,
  UNIT_ATTENTION: 6,
  ABORTED_COMMAND: 0xb,
} as const;

/** Additional sense codes. [SPC] annex D */
export const ASC = {
  NONE: 0x00,
  UNRECOVERED_READ_ERROR: 0x11,
  INVALID_OPCODE: 0x20,
  BLOCK_OUT_OF_RANGE: 0x21,
  INVALID_FIELD: 0x24,
  MEDIUM_MAY_HAVE_CHANGED: 0x28,
  INCOMPATIBLE_FORMAT: 0x30,
  SAVING_NOT_SUPPORTED: 0x39,
  MEDIUM_NOT_PRESENT: 0x3a,
  REMOVAL_PREVENTED: 0x53,
} as const;

/** Interrupt reason, in the sector count register. [ATAPI] 7.12 */
export const REASON = { COMMAND: 0x01, TO_HOST: 0x02, MASK: 0x07 } as const;

/** Features register of PACKET. [ATAPI] 8.24 */
export const PACKET_FEATURE = { DMA: 0x01, OVERLAP: 0x02 } as const;

/** Profiles. [MMC] 5.3.1 */
export const PROFILE = { NONE: 0x0000, CD_ROM: 0x0008, DVD_ROM: 0x0010 } as const;

/** Media event codes and status. [MMC] 6.7.2 */
export const MEDIA_EVENT = { NO_CHANGE: 0, EJECT_REQUEST: 1, NEW_MEDIA: 2 } as const;
export const MEDIA_STATUS = { TRAY_OPEN: 1, PRESENT: 2 } as const;
