/**
 * The only thing migration knows of the outside: a pair of byte streams. Sockets, files, processes and browser ports are
 * turned into this by `host-node` and `host-web`.
 */

/** Bytes in. */
export interface ByteSource {
  /**
   * The next bytes in order, never empty; undefined when the other side has finished sending. The chunk belongs to the caller.
   * One call at a time.
   * @throws when the connection is broken or closed.
   */
  read(): Promise<Uint8Array | undefined>;
}

/** Bytes out. */
export interface ByteSink {
  /**
   * Takes the bytes (they belong to the channel from now on) and resolves when it wants more: back-pressure.
   * @throws when the connection is broken or closed.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close: nothing more will be written. Resolves when everything has been handed over (for a file: is on its way to disk). */
  end(): Promise<void>;
}

/** A connection to the other end of a migration, or a file. */
export interface ByteChannel extends ByteSource, ByteSink {
  /** True if the other end can answer (sockets). False for files and one-way pipes: no return path. */
  readonly duplex: boolean;
  /** Drops both directions at once; pending calls reject. May be called twice. */
  close(): void;
}

/** Real time, in milliseconds. Migration measures and limits itself with it; nothing of it reaches the stream. */
export interface HostTimer {
  /** Monotonic. */
  now(): number;
  /** Resolves after at least `milliseconds`, and always after the host has had a turn (0 = just yield). */
  sleep(milliseconds: number): Promise<void>;
}

/** Raised by the in-memory channels after {@link ByteChannel.close}; hosts throw their own. */
export class ChannelClosedError extends Error {
  override readonly name: string = 'ChannelClosedError';
  constructor(message = 'the channel is closed') {
    super(message);
  }
}
