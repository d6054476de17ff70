/**
 * Numbers of QEMU's migration stream. All integers are big-endian.
 * [QEMU-MIG] QEMU documentation, docs/devel/migration; every number here was checked against streams of QEMU 7.2 and 10.0.
 */

/** "QEVM". [QEMU-MIG] */
export const STREAM_MAGIC = 0x5145564d;
export const STREAM_VERSION = 3;
/** The format before version 3, refused by every QEMU of the last decade. */
export const STREAM_VERSION_OBSOLETE = 2;

/** First byte of everything at the top level. [QEMU-MIG] */
export const SECTION = {
  EOF: 0x00,
  START: 0x01,
  PART: 0x02,
  END: 0x03,
  FULL: 0x04,
  SUBSECTION: 0x05,
  VMDESCRIPTION: 0x06,
  CONFIGURATION: 0x07,
  COMMAND: 0x08,
  FOOTER: 0x7e,
} as const;

/** COMMAND numbers. [QEMU-MIG] */
export const COMMAND = {
  INVALID: 0,
  OPEN_RETURN_PATH: 1,
  PING: 2,
  POSTCOPY_ADVISE: 3,
  POSTCOPY_LISTEN: 4,
  POSTCOPY_RUN: 5,
  POSTCOPY_RAM_DISCARD: 6,
  PACKAGED: 7,
  ENABLE_COLO: 8,
  POSTCOPY_RESUME: 9,
  RECV_BITMAP: 10,
  SWITCHOVER_START: 11,
} as const;

export type CommandName = keyof typeof COMMAND;

/** Name of a command number, undefined if there is none. */
export function commandName(number: number): CommandName | undefined {
  return (Object.keys(COMMAND) as CommandName[]).find((name) => COMMAND[name] === number);
}

/** Return path message types, destination to source. [QEMU-MIG] */
export const RETURN_PATH = {
  INVALID: 0,
  SHUT: 1,
  PONG: 2,
  REQ_PAGES_ID: 3,
  REQ_PAGES: 4,
  RECV_BITMAP: 5,
  RESUME_ACK: 6,
  SWITCHOVER_ACK: 7,
} as const;

/**
 * Low twelve bits of a RAM record's first u64; the rest is the offset in the block. [QEMU-MIG]
 *
 *      63                                   12 11     9 8 7 6 5 4 3 2 1 0
 *     +---------------------------------------+--------+-+-+-+-+-+-+-+-+-+
 *     |        page-aligned offset            |  FLUSH |C|H|X|c|E|P|M|Z|F|
 *     +---------------------------------------+--------+-+-+-+-+-+-+-+-+-+
 */
export const RAM_FLAG = {
  FULL: 0x001,
  ZERO: 0x002,
  MEM_SIZE: 0x004,
  PAGE: 0x008,
  EOS: 0x010,
  CONTINUE: 0x020,
  XBZRLE: 0x040,
  HOOK: 0x080,
  COMPRESS_PAGE: 0x100,
  MULTIFD_FLUSH: 0x200,
} as const;

/** Version of the `ram` section; no other was ever accepted. */
export const RAM_SECTION_VERSION = 4;
export const PAGE_SIZE = 4096;

/** First byte of an XBZRLE record. */
export const XBZRLE_ENCODING = 1;

/** Mapped-ram header per block. [QEMU-MIG] */
export const MAPPED_RAM = { VERSION: 1, HEADER_SIZE: 28, PAGES_ALIGNMENT: 1 << 20 } as const;

/** Longest idstr, RAM block name, capability name: one length byte. */
export const MAX_NAME = 255;

/** Text on the wire is bytes; one character per byte (Latin-1) keeps any of them, and JSON in ASCII stays what it is. */
export function textFromBytes(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 4096) text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  return text;
}

/** The reverse of {@link textFromBytes}; characters above U+00FF become `?`. */
export function bytesFromText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    bytes[i] = code > 0xff ? 0x3f : code;
  }
  return bytes;
}
