import type { Socket } from 'node:net';
import { connectSocket, listenSocket, type SocketUri } from '../channel/socket.js';
import { formatMigrationUri } from '../channel/uri.js';
import { type HostCharacter, InputQueue } from './host-character.js';

export interface SocketCharacterOptions {
  readonly uri: SocketUri;
  /** Listen for one client at a time, instead of connecting. */
  readonly server: boolean;
  /** Server: the first client is waited for before the machine starts. */
  readonly wait: boolean;
  /** Client: seconds until it tries again, when nobody is there or the other side has left. Default: it does not. */
  readonly reconnect?: number;
  /** Told the address that was really taken. */
  readonly listening?: (uri: string) => void;
}

/** Bytes kept for a client that does not read; what is older is dropped, as nobody would wait for a silent console. */
const SEND_LIMIT = 1 << 20;

/**
 * A socket as a character device: server (one client at a time, others wait for their turn by being refused) or client.
 * @throws {HostError} for a busy address or nobody there.
 */
export async function socketCharacter(options: SocketCharacterOptions): Promise<HostCharacter> {
  let client: Socket | undefined;
  const queue = new InputQueue((full) => void (full ? client?.pause() : client?.resume()));
  let arrived: () => void = () => {};
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  const adopt = (socket: Socket): void => {
    if (client && !client.destroyed) {
      socket.destroy();
      return;
    }
    client = socket;
    socket.on('data', (chunk: Buffer) => queue.push(chunk));
    // The other side said goodbye: say it, too, and take the next one.
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      if (client === socket) client = undefined;
      tryAgain();
    });
    queue.opened();
    arrived();
  };
  function tryAgain(): void {
    if (options.reconnect === undefined || closed) return;
    clearTimeout(retry);
    retry = setTimeout(() => {
      connectSocket(options.uri).then((socket) => (closed ? socket.destroy() : adopt(socket)), tryAgain);
    }, options.reconnect * 1000);
    retry.unref();
  }
  let name = formatMigrationUri(options.uri);
  let stopListening = (): void => {};
  if (options.server) {
    const listener = await listenSocket(options.uri, adopt);
    name = formatMigrationUri(listener.uri);
    stopListening = () => listener.close();
    options.listening?.(name);
    if (options.wait && !client) await new Promise<void>((resolve) => (arrived = resolve));
  } else if (options.reconnect === undefined) {
    adopt(await connectSocket(options.uri));
  } else {
    await connectSocket(options.uri).then(adopt, tryAgain);
  }
  return {
    get description() {
      return `${name}${options.server ? ` (server${client ? ', connected' : ''})` : ''}`;
    },
    write(bytes) {
      if (client?.writable && client.writableLength < SEND_LIMIT) client.write(bytes.slice());
    },
    connect: (frontend) => queue.connect(frontend),
    ready: () => queue.deliver(),
    async close() {
      closed = true;
      clearTimeout(retry);
      stopListening();
      const socket = client;
      client = undefined;
      if (!socket || socket.destroyed) return;
      await new Promise<void>((resolve) => {
        socket.once('close', resolve);
        socket.end(() => socket.destroy());
        setTimeout(() => socket.destroy(), 500).unref();
      });
    },
  };
}
