import type { ByteSink, ByteSource } from './channel.js';
import { StreamEncoder } from './encode.js';
import { StreamError } from './errors.js';
import type { EventHandler, StreamEvent } from './events.js';
import { bytesFromText, textFromBytes } from './format.js';
import { EventsFromJson, eventToJson, JSON_CLOSING, JSON_OPENING } from './json.js';
import { type ParseOptions, parseStream } from './parse.js';

const JSON_CHUNK = 1 << 16;
/** A line holds one event; the largest are a description or a device's state. */
const MAX_LINE = 1 << 28;

export interface ConvertOptions extends ParseOptions {
  /** Changes events on their way. A page event's bytes are only valid during the call. */
  readonly transform?: (event: StreamEvent) => StreamEvent;
}

/** Reads a stream and writes it again from what was understood of it. @returns bytes written. @throws {StreamError} */
export async function convertToQemu(source: ByteSource, sink: ByteSink, options: ConvertOptions = {}): Promise<number> {
  const encoder = new StreamEncoder(sink);
  const { transform = (event: StreamEvent) => event } = options;
  await parseStream(source, (event) => encoder.write(transform(event)), options);
  await encoder.end();
  return encoder.offset;
}

/** A transformation that leaves out the contents of RAM: a stream to show to others, with all device state. */
export function withoutPages(event: StreamEvent): StreamEvent {
  switch (event.kind) {
    case 'ram-page':
    case 'ram-compressed':
    case 'ram-xbzrle': {
      const { block, offset, continued } = event;
      return { kind: 'ram-zero', block, offset, continued, byte: 0 };
    }
    case 'ram-mapped':
      return { ...event, bytes: new Uint8Array(event.bytes.length) };
    case 'section-end':
      return { ...event, length: -1 };
    default:
      return event;
  }
}

/** Takes a stream's events, in order; a promise must be waited for before the next. {@link StreamEncoder} is the one for QEMU's format. */
export interface EventSink {
  write(event: StreamEvent): void | Promise<void>;
  /** Writes what is left and half-closes. */
  end(): Promise<void>;
}

/** Writes events as JSON lines. */
export class JsonEncoder implements EventSink {
  private text = JSON_OPENING;
  private separator = '\n';

  constructor(private readonly sink: ByteSink) {}

  async write(event: StreamEvent): Promise<void> {
    this.text += this.separator + ascii(JSON.stringify(eventToJson(event)));
    this.separator = ',\n';
    if (this.text.length < JSON_CHUNK) return;
    const bytes = bytesFromText(this.text);
    this.text = '';
    await this.sink.write(bytes);
  }

  async end(): Promise<void> {
    await this.sink.write(bytesFromText(`${this.text}\n${JSON_CLOSING}\n`));
    await this.sink.end();
  }
}

/** Reads a stream and writes it as JSON lines. @throws {StreamError} */
export async function convertToJson(source: ByteSource, sink: ByteSink, options: ParseOptions = {}): Promise<void> {
  const encoder = new JsonEncoder(sink);
  await parseStream(source, (event) => encoder.write(event), options);
  await encoder.end();
}

/** Reads the JSON that {@link convertToJson} writes, back into a stream. @returns bytes written. @throws {StreamError} `json` */
export async function convertFromJson(source: ByteSource, sink: ByteSink): Promise<number> {
  const encoder = new StreamEncoder(sink);
  await parseJson(source, (event) => encoder.write(event));
  await encoder.end();
  return encoder.offset;
}

/** Reads the events in the JSON that {@link convertToJson} writes. @throws {StreamError} `json` */
export async function parseJson(source: ByteSource, handle: EventHandler): Promise<void> {
  const events = new EventsFromJson();
  let opened = false;
  let closed = false;
  for await (const line of lines(source)) {
    if (!opened) {
      if (line !== JSON_OPENING)
        throw new StreamError('json', 'this is no stream in JSON', { offset: 0, expected: JSON_OPENING, got: line.slice(0, 60) });
      opened = true;
    } else if (line === JSON_CLOSING) {
      closed = true;
    } else if (line !== '') {
      if (closed) throw new StreamError('json', 'more events behind the end', { got: line.slice(0, 60) });
      await handle(events.next(parseLine(line.endsWith(',') ? line.slice(0, -1) : line)));
    }
  }
  if (!closed) throw new StreamError('truncated', opened ? 'the JSON ends before its last event' : 'there is no JSON');
}

/** True if a file begins as JSON of ours does. */
export function looksLikeJson(firstBytes: Uint8Array): boolean {
  return textFromBytes(firstBytes).startsWith(JSON_OPENING.slice(0, firstBytes.length)) && firstBytes.length > 0;
}

/** Names may hold any byte; escaped, the text is ASCII and thereby valid UTF-8. */
function ascii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new StreamError('json', 'a line is not valid JSON', { got: line.slice(0, 60), cause });
  }
}

async function* lines(source: ByteSource): AsyncGenerator<string> {
  let pieces: string[] = [];
  let length = 0;
  for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      pieces.push(textFromBytes(chunk.subarray(start, end)));
      yield pieces.join('');
      pieces = [];
      length = 0;
      start = end + 1;
    }
    length += chunk.length - start;
    if (length > MAX_LINE) throw new StreamError('limit', `a line of JSON is longer than ${MAX_LINE} bytes`);
    pieces.push(textFromBytes(chunk.subarray(start)));
  }
  if (length > 0) yield pieces.join('');
}
