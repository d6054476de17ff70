import { hex, StreamError } from './errors.js';
import { RETURN_PATH, textFromBytes } from './format.js';
import type { StreamReader } from './reader.js';
import type { StreamWriter } from './writer.js';

/** Messages that the destination sends back. */
export type ReturnMessage =
  /** Last message; 0 = the state has been loaded. */
  | { readonly type: 'SHUT'; readonly value: number }
  | { readonly type: 'PONG'; readonly value: number }
  /** `block` is missing where the last named one is meant. */
  | { readonly type: 'REQ_PAGES'; readonly offset: bigint; readonly length: number; readonly block?: string }
  | { readonly type: 'RECV_BITMAP'; readonly block: string }
  | { readonly type: 'RESUME_ACK'; readonly value: number }
  | { readonly type: 'SWITCHOVER_ACK' };

const LENGTH: Record<number, number> = {
  [RETURN_PATH.SHUT]: 4,
  [RETURN_PATH.PONG]: 4,
  [RETURN_PATH.REQ_PAGES]: 12,
  [RETURN_PATH.RESUME_ACK]: 4,
  [RETURN_PATH.SWITCHOVER_ACK]: 0,
};

/** Reads one message; undefined at the end of the channel. @throws {StreamError} */
export async function readReturnMessage(reader: StreamReader): Promise<ReturnMessage | undefined> {
  reader.place.section = 'return path';
  if ((await reader.fill(1)) === 0) return undefined;
  const offset = reader.offset;
  await reader.need(4, 'a message of the return path');
  const type = reader.u16();
  const length = reader.u16();
  if (LENGTH[type] !== undefined && LENGTH[type] !== length) {
    reader.fail('command-length', `return path message ${type} has the wrong length`, {
      offset,
      expected: `${LENGTH[type]}`,
      got: `${length}`,
    });
  }
  await reader.need(length, 'a message of the return path');
  switch (type) {
    case RETURN_PATH.SHUT:
      return { type: 'SHUT', value: reader.u32() };
    case RETURN_PATH.PONG:
      return { type: 'PONG', value: reader.u32() };
    case RETURN_PATH.REQ_PAGES:
      return { type: 'REQ_PAGES', offset: reader.u64(), length: reader.u32() };
    case RETURN_PATH.REQ_PAGES_ID: {
      if (length < 13)
        reader.fail('command-length', 'a page request is too short', { offset, expected: 'at least 13', got: `${length}` });
      const start = reader.u64();
      const size = reader.u32();
      const name = reader.take(length - 12);
      return { type: 'REQ_PAGES', offset: start, length: size, block: textFromBytes(name.subarray(1)) };
    }
    case RETURN_PATH.RECV_BITMAP:
      return { type: 'RECV_BITMAP', block: textFromBytes(reader.take(length).subarray(1)) };
    case RETURN_PATH.RESUME_ACK:
      return { type: 'RESUME_ACK', value: reader.u32() };
    case RETURN_PATH.SWITCHOVER_ACK:
      return { type: 'SWITCHOVER_ACK' };
    default:
      throw new StreamError('unknown-command', `there is no return path message ${hex(type)}`, {
        section: 'return path',
        offset,
        got: hex(type),
      });
  }
}

export function writePong(writer: StreamWriter, value: number): void {
  writer.u16(RETURN_PATH.PONG);
  writer.u16(4);
  writer.u32(value);
}

/** The last message: 0 for success. */
export function writeShut(writer: StreamWriter, value: number): void {
  writer.u16(RETURN_PATH.SHUT);
  writer.u16(4);
  writer.u32(value);
}
