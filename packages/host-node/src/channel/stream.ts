import type { Readable, Writable } from 'node:stream';
import type { ByteChannel } from '@pagurus/migration';
import { HostError, systemError } from '../errors.js';

export interface StreamChannelOptions {
  /** For messages, e.g. `tcp:127.0.0.1:4444`. */
  readonly label: string;
  readonly readable?: Readable;
  readonly writable?: Writable;
  readonly duplex: boolean;
  /** Waited for behind the end of either direction; throws if what stands behind it failed (a child process). */
  readonly finished?: () => Promise<void>;
}

/** A byte channel over Node.js streams: sockets, pipes, the ends of a child process. */
export function streamChannel(options: StreamChannelOptions): ByteChannel {
  const { label, readable, writable } = options;
  let failure: HostError | undefined;
  let ended = false;
  let wake: (() => void)[] = [];
  const notify = (): void => {
    const waiting = wake;
    wake = [];
    for (const resolve of waiting) resolve();
  };
  const fail = (error: unknown): void => {
    failure ??= systemError(label, error);
    notify();
  };
  readable?.on('error', fail).on('readable', notify).on('close', notify);
  readable?.on('end', () => {
    ended = true;
    notify();
  });
  if ((writable as unknown) !== readable) writable?.on('error', fail);
  writable?.on('drain', notify).on('close', notify);
  const changed = (): Promise<void> => new Promise((resolve) => wake.push(resolve));
  const closed = (): HostError => failure ?? new HostError('closed', `${label}: the connection is closed`);

  return {
    duplex: options.duplex,
    async read() {
      if (!readable) throw new HostError('unsupported', `${label}: can only be written`);
      for (;;) {
        if (failure) throw failure;
        const chunk = readable.read() as Buffer | null;
        if (chunk !== null && chunk.length > 0) return chunk;
        if (ended || readable.readableEnded) {
          await options.finished?.();
          return undefined;
        }
        if (readable.destroyed) throw closed();
        await changed();
      }
    },
    async write(bytes) {
      if (!writable) throw new HostError('unsupported', `${label}: can only be read`);
      if (failure) throw failure;
      if (writable.destroyed || writable.writableEnded) throw closed();
      if (bytes.length === 0 || writable.write(bytes)) return;
      while (writable.writableNeedDrain) {
        await changed();
        if (failure) throw failure;
        if (writable.destroyed) throw closed();
      }
    },
    async end() {
      if (!writable) return;
      if (failure) throw failure;
      await new Promise<void>((resolve, reject) => {
        writable.once('error', reject);
        writable.once('close', resolve);
        writable.end(resolve);
      }).catch((error: unknown) => {
        throw systemError(label, error);
      });
      if (failure) throw failure;
      await options.finished?.();
    },
    close() {
      failure ??= new HostError('closed', `${label}: the connection is closed`);
      readable?.destroy();
      writable?.destroy();
      notify();
    },
  };
}
