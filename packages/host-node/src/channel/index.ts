import type { ByteChannel } from '@pagurus/migration';
import { HostError } from '../errors.js';
import { descriptorChannel } from './descriptor.js';
import { openFileForReading, openFileForWriting } from './file.js';
import { execChannel } from './process.js';
import { connectSocket, listenSocket, socketChannel } from './socket.js';
import { formatMigrationUri, type MigrationUri, parseMigrationUri } from './uri.js';

export { openFileForReading, openFileForWriting } from './file.js';
export { formatMigrationUri, type MigrationUri, parseMigrationUri } from './uri.js';

const parsed = (uri: string | MigrationUri): MigrationUri => (typeof uri === 'string' ? parseMigrationUri(uri) : uri);

/**
 * Opens a channel to send a migration to.
 * @throws {HostError} for a URI that cannot be or a target that does not answer.
 */
export async function openOutgoing(uri: string | MigrationUri): Promise<ByteChannel> {
  const target = parsed(uri);
  switch (target.transport) {
    case 'tcp':
    case 'unix':
      return socketChannel(await connectSocket(target), formatMigrationUri(target));
    case 'file':
      return await openFileForWriting(target.path, target.offset);
    case 'exec':
      return execChannel(target.command, 'out');
    case 'fd':
      return await descriptorChannel(target.descriptor, 'out');
  }
}

/** A place where a migration is expected. */
export interface Incoming {
  /** With the port that was really taken where 0 was asked for. */
  readonly uri: string;
  /** The channel of the one who comes first. Call once. @throws {HostError} when closed before. */
  accept(): Promise<ByteChannel>;
  /** Stops listening; a channel that was accepted lives on. */
  close(): void;
}

/**
 * Listens (tcp, unix) or opens (file, exec, fd) for an incoming migration. Sockets take one connection and then stop listening.
 * @throws {HostError} for a URI that cannot be, a busy address, a missing file.
 */
export async function openIncoming(uri: string | MigrationUri): Promise<Incoming> {
  const source = parsed(uri);
  if (source.transport !== 'tcp' && source.transport !== 'unix') {
    const channel =
      source.transport === 'file'
        ? await openFileForReading(source.path, source.offset)
        : source.transport === 'exec'
          ? execChannel(source.command, 'in')
          : await descriptorChannel(source.descriptor, 'in');
    let taken = false;
    return {
      uri: formatMigrationUri(source),
      async accept() {
        taken = true;
        return channel;
      },
      close() {
        if (!taken) channel.close();
      },
    };
  }
  let arrived: ByteChannel | undefined;
  let resolve: ((channel: ByteChannel) => void) | undefined;
  let reject: ((error: Error) => void) | undefined;
  const listener = await listenSocket(source, (socket) => {
    if (arrived) {
      socket.destroy();
      return;
    }
    arrived = socketChannel(socket, formatMigrationUri(source));
    listener.close();
    resolve?.(arrived);
  });
  const text = formatMigrationUri(listener.uri);
  return {
    uri: text,
    async accept() {
      if (arrived) return arrived;
      return await new Promise<ByteChannel>((yes, no) => {
        resolve = yes;
        reject = no;
      });
    },
    close() {
      listener.close();
      reject?.(new HostError('closed', `${text}: no longer listening`));
    },
  };
}
