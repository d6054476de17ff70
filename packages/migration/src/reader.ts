import type { ByteSource } from './channel.js';
import { StreamError, type StreamErrorCode, type StreamErrorDetails, type StreamPlace } from './errors.js';
import { textFromBytes } from './format.js';

/**
 * Incremental big-endian input over a {@link ByteSource}. `need(n)` waits for n bytes, the synchronous getters then consume them;
 * it never asks the source for more than is needed, so a peer that waits for our answer is not waited for.
 *
 * Bounded: at most the largest `need` plus one chunk of the source is held.
 */
export class StreamReader {
  private buffer: Uint8Array = new Uint8Array(0);
  private start = 0;
  private end = 0;
  private base: number;
  private finished = false;
  private filling: Promise<boolean> | undefined;
  /** What is being read, for errors. */
  readonly place: StreamPlace = { section: '', instance: 0, path: '', offset: -1 };

  /** @param base offset of the first byte of `source` in the whole stream. */
  constructor(
    private readonly source: ByteSource,
    base = 0,
  ) {
    this.base = base;
  }

  /** Offset of the next byte. */
  get offset(): number {
    return this.base + this.start;
  }

  /** Bytes that can be had without waiting. */
  get available(): number {
    return this.end - this.start;
  }

  /** True once the source has said that nothing follows what is available. */
  get atSourceEnd(): boolean {
    return this.finished;
  }

  /** Waits until `count` bytes are available. @throws {StreamError} `truncated`, naming `what` */
  async need(count: number, what: string): Promise<void> {
    if (this.available >= count) return;
    if ((await this.fill(count)) < count) this.truncated(what, count);
  }

  /** Waits until `count` bytes are available or the source ends. @returns the bytes available. */
  async fill(count: number): Promise<number> {
    while (this.available < count && (await this.fillMore())) {
      // one chunk at a time
    }
    return this.available;
  }

  /** Waits for one more chunk; calls while one is awaited share it. @returns false at the end of the source. */
  fillMore(): Promise<boolean> {
    if (this.finished) return Promise.resolve(false);
    if (!this.filling) {
      this.filling = this.readChunk();
      this.filling.catch(() => undefined); // whoever waits sees it; nobody has to wait
    }
    return this.filling;
  }

  /** Waits until the source ends. @throws {StreamError} `limit` when more than `limit` bytes come. */
  async fillAll(limit: number, what: string): Promise<void> {
    while (await this.fillMore()) {
      if (this.available > limit) this.fail('limit', `${what} is larger than ${limit} bytes`);
    }
  }

  u8(): number {
    return this.buffer[this.advance(1)]!;
  }

  u16(): number {
    const at = this.advance(2);
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!;
  }

  u32(): number {
    const at = this.advance(4);
    const b = this.buffer;
    return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
  }

  u64(): bigint {
    const high = this.u32();
    return (BigInt(high) << 32n) | BigInt(this.u32());
  }

  /** A view of the next bytes, valid until the next wait. */
  take(count: number): Uint8Array {
    const at = this.advance(count);
    return this.buffer.subarray(at, at + count);
  }

  /** A view of everything available, nothing consumed; valid until the next wait. */
  window(): Uint8Array {
    return this.buffer.subarray(this.start, this.end);
  }

  /** Byte `ahead` of the next one, undefined if not available. */
  peek(ahead = 0): number | undefined {
    return this.start + ahead < this.end ? this.buffer[this.start + ahead] : undefined;
  }

  /** Consumes bytes that are available. */
  skip(count: number): void {
    this.advance(count);
  }

  /** u8 length and that many bytes. */
  async string8(what: string): Promise<string> {
    await this.need(1, what);
    const length = this.u8();
    await this.need(length, what);
    return textFromBytes(this.take(length));
  }

  fail(code: StreamErrorCode, problem: string, details: StreamErrorDetails = {}): never {
    throw new StreamError(code, problem, { ...this.place, offset: this.offset, ...details });
  }

  /** The error for data that ends too early. */
  truncated(what: string, count: number): never {
    this.fail('truncated', `the data ends inside ${what}`, {
      offset: this.base + this.end,
      expected: `${count} bytes`,
      got: `${this.available}`,
    });
  }

  private async readChunk(): Promise<boolean> {
    let chunk: Uint8Array | undefined;
    try {
      chunk = await this.source.read();
    } catch (cause) {
      throw new StreamError('channel', `the connection failed while reading: ${message(cause)}`, {
        ...this.place,
        offset: this.base + this.end,
        cause,
      });
    } finally {
      this.filling = undefined;
    }
    if (chunk === undefined) this.finished = true;
    else this.append(plain(chunk));
    return chunk !== undefined;
  }

  private advance(count: number): number {
    const at = this.start;
    if (at + count > this.end) throw new RangeError('read before need()');
    this.start += count;
    return at;
  }

  private append(chunk: Uint8Array): void {
    const held = this.available;
    if (held === 0) {
      this.base += this.start;
      this.buffer = chunk;
      this.start = 0;
      this.end = chunk.length;
      return;
    }
    if (this.end + chunk.length > this.buffer.length) {
      const buffer = new Uint8Array(Math.max((held + chunk.length) * 2, 1 << 16));
      buffer.set(this.buffer.subarray(this.start, this.end));
      this.base += this.start;
      this.buffer = buffer;
      this.start = 0;
      this.end = held;
    }
    this.buffer.set(chunk, this.end);
    this.end += chunk.length;
  }
}

/** Node.js hands out Buffers, whose `slice` does not copy. */
function plain(chunk: Uint8Array): Uint8Array {
  return chunk.constructor === Uint8Array ? chunk : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
}

/** Text of anything thrown. */
export function message(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
