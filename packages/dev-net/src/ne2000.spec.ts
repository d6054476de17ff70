/**
 * Registers of the NE2000 and of its DP8390 controller.
 * [DP8390]  National Semiconductor DP8390D/NS32490D data sheet, section 10 "Internal Registers".
 * [RTL8029] Realtek RTL8029AS data sheet, the PCI card.
 */

/** Register offset within the I/O range. [DP8390] [RTL8029] */
export const NE2000 = {
  COMMAND: 0x00,
  /** First offset behind the controller's registers. */
  DATA: 0x10,
  RESET: 0x1f,
  ISA_LENGTH: 0x20,
  PCI_LENGTH: 0x100,
} as const;

/** Registers by page (bits 6 and 7 of the command) × 16 + offset. [DP8390] */
export const PAGE0_WRITE = {
  START: 0x01,
  STOP: 0x02,
  BOUNDARY: 0x03,
  TRANSMIT_START: 0x04,
  TRANSMIT_COUNT0: 0x05,
  TRANSMIT_COUNT1: 0x06,
  INTERRUPT_STATUS: 0x07,
  REMOTE_START0: 0x08,
  REMOTE_START1: 0x09,
  REMOTE_COUNT0: 0x0a,
  REMOTE_COUNT1: 0x0b,
  RECEIVE_CONFIGURATION: 0x0c,
  DATA_CONFIGURATION: 0x0e,
  INTERRUPT_MASK: 0x0f,
} as const;
export const PAGE0_READ = {
  BOUNDARY: 0x03,
  TRANSMIT_STATUS: 0x04,
  INTERRUPT_STATUS: 0x07,
  REMOTE_ADDRESS0: 0x08,
  REMOTE_ADDRESS1: 0x09,
  /** [RTL8029] "P" and "C", by which drivers know the card. */
  ID0: 0x0a,
  ID1: 0x0b,
  RECEIVE_STATUS: 0x0c,
} as const;
export const PAGE1 = { PHYSICAL: 0x11, CURRENT: 0x17, MULTICAST: 0x18, END: 0x20 } as const;
export const PAGE2 = { START: 0x21, STOP: 0x22 } as const;
/** [RTL8029] configuration registers. */
export const PAGE3 = { CONFIG0: 0x33, CONFIG2: 0x35, CONFIG3: 0x36 } as const;

/** Command register. [DP8390] */
export const COMMAND = { STOP: 0x01, START: 0x02, TRANSMIT: 0x04, REMOTE_READ: 0x08, REMOTE_WRITE: 0x10 } as const;
/** Interrupt status. [DP8390] RESET is no interrupt. */
export const INTERRUPT = { RECEIVED: 0x01, TRANSMITTED: 0x02, REMOTE_DONE: 0x40, RESET: 0x80, MASKABLE: 0x7f } as const;
/** Receive configuration. [DP8390] */
export const RECEIVE = { BROADCAST: 0x04, MULTICAST: 0x08, PROMISCUOUS: 0x10 } as const;
/** Receive status, also in front of each packet. [DP8390] */
export const RECEIVE_STATUS = { OK: 0x01, GROUP: 0x20 } as const;
export const TRANSMIT_STATUS = { OK: 0x01 } as const;
export const DATA_CONFIGURATION = { WORD: 0x01 } as const;

/** The card's own memory: the address ROM, then packets from 16 KiB on. */
export const MEMORY = { SIZE: 48 * 1024, PACKETS: 16 * 1024, PACKET_SIZE: 32 * 1024, ROM_SIZE: 32 } as const;

/** Bytes in front of a received packet, and of its check sum behind it. */
export const PACKET_HEADER = 4;
export const CHECKSUM = 4;
/** [IEEE 802.3] without check sum. */
export const LEAST_FRAME = 60;
export const LARGEST_FRAME = 1514;

/** The PCI card. [RTL8029] */
export const NE2K_PCI = { VENDOR: 0x10ec, DEVICE: 0x8029, CLASS: 0x0200 } as const;
