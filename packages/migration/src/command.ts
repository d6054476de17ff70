import { hex } from './errors.js';
import { COMMAND, type CommandName, commandName, SECTION, textFromBytes } from './format.js';
import type { StreamReader } from './reader.js';
import type { StreamWriter } from './writer.js';

/** A COMMAND section, decoded. PACKAGED is followed by `size` bytes that are not part of it. */
export type Command =
  | {
      readonly name:
        | 'OPEN_RETURN_PATH'
        | 'POSTCOPY_LISTEN'
        | 'POSTCOPY_RUN'
        | 'ENABLE_COLO'
        | 'POSTCOPY_RESUME'
        | 'SWITCHOVER_START';
    }
  | { readonly name: 'PING'; readonly value: number }
  /** Without page sizes only dirty bitmaps will be sent late. */
  | { readonly name: 'POSTCOPY_ADVISE'; readonly pageSizes?: { readonly ofBlocks: bigint; readonly ofTarget: bigint } }
  | {
      readonly name: 'POSTCOPY_RAM_DISCARD';
      readonly version: number;
      readonly block: string;
      readonly ranges: readonly DiscardRange[];
    }
  | { readonly name: 'PACKAGED'; readonly size: number }
  | { readonly name: 'RECV_BITMAP'; readonly block: string };

export interface DiscardRange {
  readonly start: bigint;
  readonly length: bigint;
}

/** Length of the payload; -1 = variable. */
const LENGTH: Record<CommandName, number> = {
  INVALID: -1,
  OPEN_RETURN_PATH: 0,
  PING: 4,
  POSTCOPY_ADVISE: -1,
  POSTCOPY_LISTEN: 0,
  POSTCOPY_RUN: 0,
  POSTCOPY_RAM_DISCARD: -1,
  PACKAGED: 4,
  ENABLE_COLO: 0,
  POSTCOPY_RESUME: 0,
  RECV_BITMAP: -1,
  SWITCHOVER_START: 0,
};

/** Reads a command behind its type byte. */
export async function readCommand(reader: StreamReader): Promise<Command> {
  const offset = reader.offset - 1;
  await reader.need(4, 'a command');
  const number = reader.u16();
  const length = reader.u16();
  const name = commandName(number);
  if (name === undefined || name === 'INVALID') {
    return reader.fail('unknown-command', `there is no command ${hex(number)} (with ${length} bytes)`, {
      offset,
      got: hex(number),
    });
  }
  reader.place.path = name;
  const wrongLength = (expected: string): never =>
    reader.fail('command-length', `command ${name} (${number}) has the wrong length`, { offset, expected, got: `${length}` });
  if (LENGTH[name] >= 0 && LENGTH[name] !== length) wrongLength(`${LENGTH[name]}`);
  await reader.need(length, `command ${name}`);
  const end = reader.offset + length;
  const command = readPayload(reader, name, length, wrongLength);
  if (reader.offset !== end) wrongLength(`${length - (end - reader.offset)}`);
  reader.place.path = '';
  return command;
}

function readPayload(
  reader: StreamReader,
  name: Exclude<CommandName, 'INVALID'>,
  length: number,
  wrongLength: (expected: string) => never,
): Command {
  switch (name) {
    case 'PING':
      return { name, value: reader.u32() };
    case 'PACKAGED':
      return { name, size: reader.u32() };
    case 'POSTCOPY_ADVISE':
      if (length === 0) return { name };
      if (length !== 16) wrongLength('0 or 16');
      return { name, pageSizes: { ofBlocks: reader.u64(), ofTarget: reader.u64() } };
    case 'POSTCOPY_RAM_DISCARD': {
      if (length < 3) wrongLength('at least 3');
      const version = reader.u8();
      const nameLength = reader.u8();
      const rest = length - 3 - nameLength;
      if (rest < 0 || rest % 16 !== 0) wrongLength(`3 + ${nameLength} + 16 per range`);
      const block = textFromBytes(reader.take(nameLength));
      reader.skip(1); // end of the name
      const ranges: DiscardRange[] = [];
      for (let i = 0; i < rest / 16; i++) ranges.push({ start: reader.u64(), length: reader.u64() });
      return { name, version, block, ranges };
    }
    case 'RECV_BITMAP': {
      if (length < 1 || reader.peek() !== length - 1) wrongLength('1 + the length of the name');
      return { name, block: textFromBytes(reader.take(1 + reader.peek()!).subarray(1)) };
    }
    default:
      return { name };
  }
}

/** Writes a command with its type byte. */
export function writeCommand(writer: StreamWriter, command: Command): void {
  const header = (length: number) => {
    writer.u8(SECTION.COMMAND);
    writer.u16(COMMAND[command.name]);
    writer.u16(length);
  };
  switch (command.name) {
    case 'PING':
      header(4);
      writer.u32(command.value);
      break;
    case 'PACKAGED':
      header(4);
      writer.u32(command.size);
      break;
    case 'POSTCOPY_ADVISE':
      header(command.pageSizes ? 16 : 0);
      if (!command.pageSizes) break;
      writer.u64(command.pageSizes.ofBlocks);
      writer.u64(command.pageSizes.ofTarget);
      break;
    case 'POSTCOPY_RAM_DISCARD':
      header(3 + command.block.length + 16 * command.ranges.length);
      writer.u8(command.version);
      writer.string8(command.block);
      writer.u8(0);
      for (const range of command.ranges) {
        writer.u64(range.start);
        writer.u64(range.length);
      }
      break;
    case 'RECV_BITMAP':
      header(1 + command.block.length);
      writer.string8(command.block);
      break;
    default:
      header(0);
  }
}
