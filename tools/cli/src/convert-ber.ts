/**
 * A whole stream as an archive in ASN.1 BER: a SEQUENCE of indefinite length, so that neither writer nor reader holds it, of events with
 * definite lengths, so that a reader can skip any. Pages of RAM are octet strings. It says of every field its name and QEMU's type.
 */
import {
  type ByteSink,
  type ByteSource,
  type Configuration,
  type DecodedBy,
  type EventHandler,
  type EventSink,
  EventsFromJson,
  type RamBlockInfo,
  type SectionType,
  StreamError,
  type StreamEvent,
  StreamReader,
} from '@pagurus/migration';
import { StateError } from '@pagurus/vmstate';
import { type AsnValue, treeFromValue, treeValue, valueFromBer, valueToBer } from '@pagurus/vmstate-ber';
import { STREAM_MODULE } from './convert-ber-module.js';

/** SEQUENCE, constructed; indefinite length. */
const OPENING = Uint8Array.of(0x30, 0x80);
const CLOSING = Uint8Array.of(0, 0);
const CHUNK = 1 << 16;
/** Of one event; the largest are a description or a device's state. */
const MAX_EVENT = 1 << 28;

/** True if a file begins as an archive does. */
export function looksLikeBer(firstBytes: Uint8Array): boolean {
  return firstBytes.length >= 3 && firstBytes[0] === OPENING[0] && firstBytes[1] === OPENING[1] && firstBytes[2] === 0xa0;
}

/** Writes events as BER. */
export class BerEncoder implements EventSink {
  private pieces: Uint8Array[] = [OPENING];
  private length = OPENING.length;

  constructor(private readonly sink: ByteSink) {}

  write(event: StreamEvent): void | Promise<void> {
    const bytes = valueToBer(STREAM_MODULE, { is: event.kind, value: berValue(event) }, 'Event');
    this.pieces.push(bytes);
    this.length += bytes.length;
    if (this.length >= CHUNK) return this.flush();
  }

  async end(): Promise<void> {
    this.pieces.push(CLOSING);
    await this.flush();
    await this.sink.end();
  }

  private async flush(): Promise<void> {
    const bytes = new Uint8Array(Buffer.concat(this.pieces));
    this.pieces = [];
    this.length = 0;
    await this.sink.write(bytes);
  }
}

/** Reads an archive. @throws {StreamError} `ber`, `truncated`, `limit` */
export async function parseBer(source: ByteSource, handle: EventHandler): Promise<void> {
  const reader = new StreamReader(source);
  await reader.need(2, 'the beginning of the archive');
  if (reader.u16() !== 0x3080) reader.fail('ber', 'this is no archive of a stream', { offset: 0, expected: '0x3080' });
  const blocks = new Map<string, RamBlockInfo>();
  for (;;) {
    await reader.need(2, 'an event of the archive, or its end');
    if (reader.peek() === 0 && reader.peek(1) === 0) break;
    const offset = reader.offset;
    const size = await eventSize(reader);
    await reader.need(size, 'an event of the archive');
    const event = eventAt(reader.take(size), offset, blocks);
    if (event.kind === 'ram-block') blocks.set(event.block.name, event.block);
    await handle(event);
  }
  reader.skip(2);
  if ((await reader.fill(1)) > 0) reader.fail('ber', 'there is more behind the end of the archive', { offset: reader.offset });
}

/** Of tag, length and contents. Nothing is consumed. */
async function eventSize(reader: StreamReader): Promise<number> {
  const first = reader.peek(1)!;
  if (first < 0x80) return 2 + first;
  const count = first & 0x7f;
  if (count === 0 || count > 4) reader.fail('ber', 'an event without a definite length', { offset: reader.offset });
  await reader.need(2 + count, 'the length of an event');
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + reader.peek(2 + i)!;
  if (length > MAX_EVENT)
    reader.fail('limit', 'an event is too large', { offset: reader.offset, expected: `at most ${MAX_EVENT}`, got: `${length}` });
  return 2 + count + length;
}

function eventAt(bytes: Uint8Array, offset: number, blocks: ReadonlyMap<string, RamBlockInfo>): StreamEvent {
  try {
    const { is, value } = valueFromBer(STREAM_MODULE, bytes, 'Event') as { is: StreamEvent['kind']; value: AsnValue };
    return eventOf(is, value, blocks, offset);
  } catch (cause) {
    if (!(cause instanceof StateError)) throw cause;
    const { path, expected, got } = cause;
    throw new StreamError('ber', cause.message, { path, offset, expected, got, cause });
  }
}

/** Offsets, printed values and everything else that follows from the rest is left out. */
function berValue(event: StreamEvent): AsnValue {
  switch (event.kind) {
    case 'configuration':
      return event.configuration as unknown as AsnValue;
    case 'command':
      return event.command as unknown as AsnValue;
    case 'state':
      return { decodedBy: event.decodedBy, node: treeValue(event.node) };
    case 'ram-block':
      return event.block as unknown as AsnValue;
    case 'package-end':
    case 'eof':
    case 'ram-eos':
    case 'ram-multifd-flush':
      return null;
    default:
      // Components have the names of the members.
      return ('block' in event ? { ...event, block: event.block.name } : event) as unknown as AsnValue;
  }
}

/** Events that have no place in the stream. */
const PLACELESS: readonly string[] = ['header', 'section-end', 'package-end', 'ram-total', 'ram-eos', 'ram-multifd-flush'];

/** Values that the module cannot check are checked as those of JSON are. */
function eventOf(
  kind: StreamEvent['kind'],
  value: AsnValue,
  blocks: ReadonlyMap<string, RamBlockInfo>,
  offset: number,
): StreamEvent {
  const members = (value ?? {}) as { readonly [name: string]: AsnValue };
  switch (kind) {
    case 'configuration': {
      const { subsections } = value as unknown as Configuration;
      return checked({ kind, machine: members.machine, subsections });
    }
    case 'command':
      return checked({ kind, command: value });
    case 'state':
      return {
        kind,
        decodedBy: members.decodedBy as DecodedBy,
        node: treeFromValue(members.node!),
        values: {},
        fields: [],
      };
    case 'section':
      return { kind, ...(members as object), type: sectionType(members.type, offset), offset: -1 } as StreamEvent;
    case 'ram-block':
      return { kind, block: value as unknown as RamBlockInfo, streamOffset: -1 };
    default: {
      if (typeof members.block !== 'string')
        return { kind, ...(members as object), ...(PLACELESS.includes(kind) ? {} : { offset: -1 }) } as unknown as StreamEvent;
      const block = blocks.get(members.block);
      if (!block) throw new StreamError('ber', 'a page of a RAM block that was not announced', { offset, got: members.block });
      return { kind, ...(members as object), block } as unknown as StreamEvent;
    }
  }
}

function checked(json: unknown): StreamEvent {
  const plain: unknown = JSON.parse(
    JSON.stringify(json, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item)),
  );
  return new EventsFromJson().next(plain);
}

function sectionType(value: AsnValue | undefined, offset: number): SectionType {
  const type = (['START', 'PART', 'END', 'FULL'] as const).find((one) => one === value);
  if (!type) throw new StreamError('ber', 'a section of no known type', { offset, got: String(value) });
  return type;
}
