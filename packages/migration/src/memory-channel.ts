import { type ByteChannel, ChannelClosedError } from './channel.js';

/** One direction: a bounded queue between a writer and a reader. */
class Pipe {
  private readonly chunks: Uint8Array[] = [];
  private queued = 0;
  private ended = false;
  private broken: Error | undefined;
  private waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  async write(bytes: Uint8Array): Promise<void> {
    if (this.broken) throw this.broken;
    if (this.ended) throw new ChannelClosedError('written after the end');
    if (bytes.length > 0) {
      this.chunks.push(bytes);
      this.queued += bytes.length;
      this.wake();
    }
    while (this.queued >= this.limit) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
      if (this.broken) throw this.broken;
    }
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.broken) throw this.broken;
      const chunk = this.chunks.shift();
      if (chunk) {
        this.queued -= chunk.length;
        this.wake();
        return chunk;
      }
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  break(error: Error): void {
    this.broken ??= error;
    this.wake();
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function endpoint(incoming: Pipe, outgoing: Pipe): ByteChannel {
  return {
    duplex: true,
    read: () => incoming.read(),
    write: (bytes) => outgoing.write(bytes),
    end: async () => outgoing.end(),
    close() {
      const error = new ChannelClosedError();
      incoming.break(error);
      outgoing.break(error);
    },
  };
}

/**
 * Two connected ends in this process.
 * @param limit bytes that may wait in each direction before `write` holds back. Default 1 MiB.
 */
export function channelPair(limit = 1 << 20): [ByteChannel, ByteChannel] {
  const forward = new Pipe(limit);
  const back = new Pipe(limit);
  return [endpoint(back, forward), endpoint(forward, back)];
}

/** A file already in memory, read in pieces of `chunkSize` bytes. */
export function bytesChannel(bytes: Uint8Array, chunkSize = 1 << 16): ByteChannel {
  let offset = 0;
  let closed = false;
  return {
    duplex: false,
    async read() {
      if (closed) throw new ChannelClosedError();
      if (offset >= bytes.length) return undefined;
      const chunk = bytes.slice(offset, offset + chunkSize);
      offset += chunk.length;
      return chunk;
    },
    async write() {
      throw new ChannelClosedError('this channel is for reading');
    },
    async end() {},
    close() {
      closed = true;
    },
  };
}

/** Collects what is written. */
export function collectingChannel(): ByteChannel & { bytes(): Uint8Array } {
  const chunks: Uint8Array[] = [];
  let closed = false;
  return {
    duplex: false,
    async read() {
      return undefined;
    },
    async write(bytes) {
      if (closed) throw new ChannelClosedError();
      chunks.push(bytes);
    },
    async end() {},
    close() {
      closed = true;
    },
    bytes: () => concatenate(chunks),
  };
}

/** One array out of many. */
export function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    result.set(chunk, offset);
    offset += chunk.length;
  }
  return result;
}
