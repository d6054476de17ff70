import type { ByteSink } from './channel.js';
import { StreamError } from './errors.js';
import { bytesFromText, MAX_NAME } from './format.js';
import { message } from './reader.js';

const CHUNK = 1 << 17;

/** Growing big-endian output that is handed to a sink in large pieces. Appending is synchronous; `flush` waits for the sink. */
export class StreamWriter {
  private buffer = new Uint8Array(CHUNK);
  private length = 0;
  private flushed = 0;

  constructor(private readonly sink: ByteSink) {}

  /** Bytes appended since the beginning. */
  get offset(): number {
    return this.flushed + this.length;
  }

  /** True when enough is waiting for `flush` to be worth its while. */
  get full(): boolean {
    return this.length >= CHUNK >> 1;
  }

  u8(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.buffer[this.length++] = value >>> 8;
    this.buffer[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.buffer[this.length++] = value >>> 24;
    this.buffer[this.length++] = value >>> 16;
    this.buffer[this.length++] = value >>> 8;
    this.buffer[this.length++] = value;
  }

  u64(value: bigint): void {
    this.u32(Number((value >> 32n) & 0xffffffffn));
    this.u32(Number(value & 0xffffffffn));
  }

  /** A u64 from a safe integer. */
  u64n(value: number): void {
    this.u32(Math.floor(value / 0x1_0000_0000));
    this.u32(value >>> 0);
  }

  bytes(value: Uint8Array): void {
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  zeros(count: number): void {
    this.reserve(count);
    this.buffer.fill(0, this.length, this.length + count);
    this.length += count;
  }

  /** u8 length and the bytes of a name. */
  string8(value: string): void {
    if (value.length > MAX_NAME)
      throw new StreamError('limit', `the name '${value.slice(0, 40)}…' has more than ${MAX_NAME} bytes`);
    this.u8(value.length);
    this.bytes(bytesFromText(value));
  }

  /** Hands everything over and waits until the sink wants more. @throws {StreamError} `channel` */
  async flush(): Promise<void> {
    if (this.length === 0) return;
    const bytes = this.buffer.subarray(0, this.length);
    this.flushed += this.length;
    this.buffer = new Uint8Array(CHUNK);
    this.length = 0;
    try {
      await this.sink.write(bytes);
    } catch (cause) {
      throw channelError(cause, this.flushed);
    }
  }

  /** Flushes and half-closes. */
  async end(): Promise<void> {
    await this.flush();
    try {
      await this.sink.end();
    } catch (cause) {
      throw channelError(cause, this.flushed);
    }
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.buffer.length) return;
    const buffer = new Uint8Array(Math.max(needed, this.buffer.length * 2));
    buffer.set(this.buffer.subarray(0, this.length));
    this.buffer = buffer;
  }
}

function channelError(cause: unknown, offset: number): StreamError {
  return cause instanceof StreamError
    ? cause
    : new StreamError('channel', `the connection failed while writing: ${message(cause)}`, { offset, cause });
}
