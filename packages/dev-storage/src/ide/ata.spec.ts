/**
 * Names and numbers of the ATA task file, its commands and IDENTIFY DEVICE.
 * [ATA]     ATA/ATAPI-6, T13 1410D revision 3b.
 * [82371SB] Intel 82371SB PIIX3 (290550), chapter 2.8 (IDE).
 * [QEMU]    behaviour observed on QEMU 7.2 where the standards leave room or are not followed.
 */

export const SECTOR = 512;

/** Command block, offsets from 0x1f0 or 0x170. [ATA] 7 */
export const REGISTER = {
  DATA: 0,
  /** Read: error. Write: features. */
  ERROR: 1,
  SECTOR_COUNT: 2,
  LBA_LOW: 3,
  LBA_MIDDLE: 4,
  LBA_HIGH: 5,
  DEVICE: 6,
  /** Read: status. Write: command. */
  STATUS: 7,
} as const;

/** Ports of the two channels of a PC. */
export const CHANNEL_PORTS = [
  { command: 0x1f0, control: 0x3f6, irq: 14 },
  { command: 0x170, control: 0x376, irq: 15 },
] as const;

export const COMMAND_BLOCK_LENGTH = 8;

/** Status register. [ATA] 7.15 */
export const STATUS = { ERROR: 0x01, DATA_REQUEST: 0x08, SEEK_DONE: 0x10, FAULT: 0x20, READY: 0x40, BUSY: 0x80 } as const;

/** Error register. [ATA] 7.9 */
export const ERROR = { DIAGNOSTIC_PASSED: 0x01, ABORT: 0x04, ECC: 0x40 } as const;

/** Device control register. [ATA] 7.8 */
export const CONTROL = { INTERRUPT_DISABLE: 0x02, RESET: 0x04, HIGH_ORDER: 0x80 } as const;

/** Device register. [ATA] 7.7 */
export const DEVICE = { HEAD: 0x0f, SLAVE: 0x10, LBA: 0x40, OBSOLETE: 0xa0 } as const;

/** Commands. [ATA] 8, with the older names' second opcodes. */
export const COMMAND = {
  DATA_SET_MANAGEMENT: 0x06,
  DEVICE_RESET: 0x08,
  RECALIBRATE: 0x10,
  READ_SECTORS: 0x20,
  READ_SECTORS_ONCE: 0x21,
  READ_SECTORS_EXT: 0x24,
  READ_DMA_EXT: 0x25,
  READ_NATIVE_MAX_EXT: 0x27,
  READ_MULTIPLE_EXT: 0x29,
  WRITE_SECTORS: 0x30,
  WRITE_SECTORS_ONCE: 0x31,
  WRITE_SECTORS_EXT: 0x34,
  WRITE_DMA_EXT: 0x35,
  WRITE_MULTIPLE_EXT: 0x39,
  WRITE_VERIFY: 0x3c,
  VERIFY: 0x40,
  VERIFY_ONCE: 0x41,
  VERIFY_EXT: 0x42,
  SEEK: 0x70,
  DIAGNOSE: 0x90,
  SET_PARAMETERS: 0x91,
  STANDBY_IMMEDIATE_2: 0x94,
  IDLE_IMMEDIATE_2: 0x95,
  STANDBY_2: 0x96,
  IDLE_2: 0x97,
  CHECK_POWER_2: 0x98,
  SLEEP_2: 0x99,
  PACKET: 0xa0,
  IDENTIFY_PACKET: 0xa1,
  SMART: 0xb0,
  READ_MULTIPLE: 0xc4,
  WRITE_MULTIPLE: 0xc5,
  SET_MULTIPLE: 0xc6,
  READ_DMA: 0xc8,
  READ_DMA_ONCE: 0xc9,
  WRITE_DMA: 0xca,
  WRITE_DMA_ONCE: 0xcb,
  STANDBY_IMMEDIATE: 0xe0,
  IDLE_IMMEDIATE: 0xe1,
  STANDBY: 0xe2,
  IDLE: 0xe3,
  CHECK_POWER: 0xe5,
  SLEEP: 0xe6,
  FLUSH_CACHE: 0xe7,
  FLUSH_CACHE_EXT: 0xea,
  IDENTIFY: 0xec,
  SET_FEATURES: 0xef,
  /** Of compact flash. */
  WEAR_LEVEL: 0xf5,
  READ_NATIVE_MAX: 0xf8,
} as const;

/** Subcommands of SET FEATURES that are accepted. [ATA] 8.46 */
export const FEATURE = {
  WRITE_CACHE_ON: 0x02,
  TRANSFER_MODE: 0x03,
  WRITE_CACHE_OFF: 0x82,
  /** Accepted without effect: look-ahead, power management, reverting to defaults, acoustic management. [QEMU] */
  IGNORED: [0x05, 0x42, 0x55, 0x66, 0x67, 0x69, 0x85, 0x96, 0x9a, 0xaa, 0xc2, 0xcc],
} as const;

/** Largest block of READ MULTIPLE. */
export const MAX_MULTIPLE = 16;

/** Sectors that the drive's buffer holds; four bytes more lie behind them. [QEMU] */
export const BUFFER_SECTORS = 256;
export const BUFFER_SIZE = BUFFER_SECTORS * SECTOR + 4;

/** Task file signatures after reset. [ATA] 9.12 */
export const SIGNATURE = { DISK: [0x00, 0x00], PACKET: [0x14, 0xeb], NOTHING: [0xff, 0xff] } as const;

/** What a data port transfer does when its buffer is used up; numbers as QEMU sends them. */
export const TRANSFER_END = {
  READ_SECTORS: 0,
  WRITE_SECTORS: 1,
  STOP: 2,
  PACKET_REPLY: 3,
  PACKET_COMMAND: 4,
  NONE: 5,
} as const;

/** Why a request waits for another try, one bit each, as QEMU sends it. */
export const RETRY = { DMA: 0x08, PIO: 0x10, READ: 0x20, PACKET: 0x20, FLUSH: 0x40, TRIM: 0x80 } as const;

/** Bus master registers, offsets within a channel's eight ports. [82371SB] 2.8.2 */
export const BUS_MASTER = { COMMAND: 0, STATUS: 2, TABLE: 4, LENGTH: 8 } as const;
export const BUS_MASTER_COMMAND = { START: 0x01, TO_MEMORY: 0x08 } as const;
export const BUS_MASTER_STATUS = { ACTIVE: 0x01, ERROR: 0x02, INTERRUPT: 0x04, CAPABLE: 0x60 } as const;

/** Physical region descriptor: address, then size (0 = 64 KiB) with the end mark in bit 31. [82371SB] 3.5.3 */
export const DESCRIPTOR = { LENGTH: 8, END: 0x8000_0000, SIZE_MASK: 0xfffe, MAX_SIZE: 0x1_0000, TABLE_LIMIT: 4096 } as const;
