import type { IdeDriveState } from './ide-drive.state.js';
import { ASC, BLOCK, CD_BLOCKS, LEAD_IN_FRAMES, MEDIA_EVENT, MEDIA_STATUS, PROFILE, RAW_BLOCK, SENSE } from './mmc.spec.js';

/** A command that can't be: sense key and additional code. */
export class PacketError extends Error {
  override readonly name = 'PacketError';
  constructor(
    readonly key: number,
    readonly asc: number,
  ) {
    super(`sense ${key.toString(16)}/${asc.toString(16)}`);
  }
}

/** What a command needs to know of its drive. */
export interface PacketDrive {
  readonly state: IdeDriveState;
  /** Blocks of 2048 bytes; 0 without medium. */
  readonly blocks: number;
  readonly serial: string;
  readonly version: string;
}

const invalidField = (): PacketError => new PacketError(SENSE.ILLEGAL_REQUEST, ASC.INVALID_FIELD);

export const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! * 256 + bytes[at + 1]!;
export const u24 = (bytes: Uint8Array, at: number): number => bytes[at]! * 65536 + u16(bytes, at + 1);
export const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) * 65536 + u16(bytes, at + 2);

const big = (value: number, length: number): number[] =>
  Array.from({ length }, (_, i) => Math.floor(value / 2 ** (8 * (length - 1 - i))) % 256);

const padded = (value: string, length: number): number[] =>
  Array.from({ length }, (_, i) => (i < value.length ? value.charCodeAt(i) & 0x7f : 0x20));

/** Minute, second and frame of a block. [MMC] table 309 */
function minuteSecondFrame(block: number): number[] {
  const frame = block + LEAD_IN_FRAMES;
  return [Math.floor(frame / 75 / 60) & 0xff, Math.floor(frame / 75) % 60, frame % 75];
}

/** [SPC] 6.27, fixed format. A unit attention is told once. */
export function requestSense({ state }: PacketDrive): number[] {
  const reply = new Array<number>(18).fill(0);
  reply[0] = 0xf0;
  reply[2] = state.senseKey;
  reply[7] = 10;
  reply[12] = state.asc;
  if (state.senseKey === SENSE.UNIT_ATTENTION) state.senseKey = SENSE.NONE;
  return reply;
}

/** [SPC] 6.4 */
export function inquiry({ serial, version }: PacketDrive, packet: Uint8Array): number[] {
  if ((packet[1]! & 1) === 0)
    return [0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0, ...padded('QEMU', 8), ...padded('QEMU DVD-ROM', 16), ...padded(version, 4)];
  switch (packet[2]) {
    case 0x00:
      return [0x05, 0x00, 0x00, 2, 0x00, 0x83];
    case 0x83:
      return [0x05, 0x83, 0x00, 24, 0x02, 0x00, 0x00, 20, ...padded(serial, 20)];
    default:
      throw invalidField();
  }
}

/** [MMC] 6.17 */
export const readCapacity = ({ blocks }: PacketDrive): number[] => [...big(blocks - 1, 4), ...big(BLOCK, 4)];

/** [MMC] 6.26: one session with one data track. */
export function readToc({ blocks }: PacketDrive, packet: Uint8Array): number[] {
  const msf = (packet[1]! & 2) !== 0;
  const first = packet[6]!;
  const address = (block: number): number[] => (msf ? [0, ...minuteSecondFrame(block)] : big(block, 4));
  let body: number[];
  switch (packet[9]! >> 6) {
    case 0:
      if (first > 1 && first !== 0xaa) throw invalidField();
      body = [...(first <= 1 ? [0, 0x14, 1, 0, ...address(0)] : []), 0, 0x16, 0xaa, 0, ...address(blocks)];
      break;
    case 1:
      body = new Array<number>(8).fill(0);
      break;
    case 2:
      body = rawToc(blocks, msf);
      break;
    default:
      throw invalidField();
  }
  return [...big(body.length + 2, 2), 1, 1, ...body];
}

/** Format 2: first and last track, lead-out, then the track itself. */
function rawToc(blocks: number, msf: boolean): number[] {
  const point = (number: number, at: readonly number[]): number[] => [1, 0x14, 0, number, 0, 0, 0, ...at];
  const leadOut = msf ? [0, ...minuteSecondFrame(blocks)] : big(blocks, 4);
  const start = msf ? [0, ...minuteSecondFrame(0)] : [0, 0, 0, 0];
  return [...point(0xa0, [0, 1, 0, 0]), ...point(0xa1, [0, 1, 0, 0]), ...point(0xa2, leadOut), ...point(1, start)];
}

const isDvd = (blocks: number): boolean => blocks > CD_BLOCKS;

/** [MMC] 6.6: profile list only. */
export function getConfiguration({ blocks }: PacketDrive, packet: Uint8Array): number[] {
  if (u16(packet, 2) !== 0) throw invalidField();
  const current = blocks === 0 ? PROFILE.NONE : isDvd(blocks) ? PROFILE.DVD_ROM : PROFILE.CD_ROM;
  const profile = (number: number): number[] => [...big(number, 2), current === number ? 1 : 0, 0];
  return [...big(16, 4), 0, 0, ...big(current, 2), 0, 0, 0x03, 8, ...profile(PROFILE.DVD_ROM), ...profile(PROFILE.CD_ROM)];
}

/** [MMC] 6.7: media events, polled. */
export function getEventStatus({ state, blocks }: PacketDrive, packet: Uint8Array): number[] {
  if ((packet[1]! & 1) === 0) throw invalidField();
  const supported = 0x10;
  if ((packet[4]! & supported) === 0) return [0, 0, 0x80, supported];
  let event: number = MEDIA_EVENT.NO_CHANGE;
  if (!state.trayOpen && state.newMedia) {
    event = MEDIA_EVENT.NEW_MEDIA;
    state.newMedia = false;
  } else if (!state.trayOpen && state.ejectRequest) {
    event = MEDIA_EVENT.EJECT_REQUEST;
    state.ejectRequest = false;
  }
  const status = state.trayOpen ? MEDIA_STATUS.TRAY_OPEN : blocks > 0 ? MEDIA_STATUS.PRESENT : 0;
  return [0, 4, 4, supported, event, status, 0, 0];
}

/** [MMC] 6.22: a finished disc with one session. */
export function readDiscInformation(_: PacketDrive, packet: Uint8Array): number[] {
  if ((packet[1]! & 7) !== 0) throw invalidField();
  return [...big(32, 2), 0x0e, 1, 1, 1, 1, 0x20, ...new Array<number>(26).fill(0)];
}

/** [MMC] 7: pages of read error recovery, audio control, capabilities. */
export function modeSense({ state }: PacketDrive, packet: Uint8Array): number[] {
  switch (packet[2]! >> 6) {
    case 0:
      break;
    case 3:
      throw new PacketError(SENSE.ILLEGAL_REQUEST, ASC.SAVING_NOT_SUPPORTED);
    default:
      throw invalidField();
  }
  const pages: { readonly [code: number]: readonly number[] } = {
    1: [0x01, 0x06, 0x00, 0x05, 0, 0, 0, 0],
    14: [0x0e, 0x0e, 0, 0, 0, 0, 0, 0, 0x20, 0, 0x20, 0, 0x20, 0, 0x20, 0],
    42: [0x2a, 0x14, 0x3b, 0x00, 0x71, 0x60, 0x29 | (state.trayLocked ? 2 : 0), 0x00, ...speeds],
  };
  const page = pages[packet[2]! & 0x3f];
  if (!page) throw invalidField();
  return [...big(6 + page.length, 2), 0x70, 0, 0, 0, 0, 0, ...page];
}

/** Fastest speed, volume levels, buffer size, present speed. */
const speeds: readonly number[] = [...big(704, 2), 0, 2, ...big(512, 2), ...big(704, 2), 0, 0, 0, 0, 0, 0];

/** [MMC] 6.24 */
export function readDvdStructure({ blocks }: PacketDrive, packet: Uint8Array): number[] {
  if (packet[1] !== 0) throw invalidField();
  const format = packet[7]!;
  if (format === 0xff)
    return [...big(18, 2), 0, 0, 0x00, 0x40, 0x08, 0x04, 0x01, 0x40, 0x00, 0x08, 0x03, 0x40, 0x00, 0xc0, 0x04, 0x40, 0x08, 0x04];
  if (![0, 1, 4].includes(format)) throw invalidField();
  if (!isDvd(blocks)) throw new PacketError(SENSE.ILLEGAL_REQUEST, ASC.INCOMPATIBLE_FORMAT);
  if (format === 1) return [...big(6, 2), 0, 0, 0, 0, 0, 0];
  const reply = new Array<number>(4 + BLOCK).fill(0);
  reply.splice(0, 2, ...big(BLOCK + 2, 2));
  if (format === 0)
    reply.splice(4, 16, 0x01, 0x0f, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, ...big(blocks - 1, 3), 0x00, ...big(blocks - 1, 3));
  return reply;
}

/** [MMC] 6.10 */
export const mechanismStatus = (): number[] => [0, 0, 0, 0, 0, 1, 0, 0];

/** What READ CD is asked for: bytes per block, 0 = nothing. [MMC] 6.19 */
export function readCdBlock(packet: Uint8Array): number {
  switch (packet[9]! & 0xf8) {
    case 0x00:
      return 0;
    case 0x10:
      return BLOCK;
    case 0xf8:
      return RAW_BLOCK;
    default:
      throw invalidField();
  }
}

/** Sync and header of a raw mode 1 sector. */
export const rawHeader = (block: number): number[] => [0, ...new Array<number>(10).fill(0xff), 0, ...minuteSecondFrame(block), 1];
