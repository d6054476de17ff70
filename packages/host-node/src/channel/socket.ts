import { lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { createServer, type ListenOptions, type NetConnectOpts, type Server, Socket } from 'node:net';
import { resolve } from 'node:path';
import type { ByteChannel } from '@pagurus/migration';
import { systemError } from '../errors.js';
import { streamChannel } from './stream.js';
import { formatMigrationUri, type MigrationUri } from './uri.js';

export type SocketUri = Extract<MigrationUri, { transport: 'tcp' | 'unix' }>;

/** `0` and an empty host mean any address when listening, this host when connecting. */
const connectOptions = (uri: SocketUri): NetConnectOpts =>
  uri.transport === 'unix'
    ? { path: uri.path }
    : { host: uri.host === '' || uri.host === '0' ? '127.0.0.1' : uri.host, port: uri.port };
const listenOptions = (uri: SocketUri): ListenOptions =>
  uri.transport === 'unix'
    ? { path: uri.path }
    : { host: uri.host === '' || uri.host === '0' ? '0.0.0.0' : uri.host, port: uri.port };

/** @throws {HostError} naming the address. */
export async function connectSocket(uri: SocketUri): Promise<Socket> {
  const socket = new Socket({ allowHalfOpen: true });
  await new Promise<void>((connected, reject) => {
    socket.once('error', reject);
    socket.connect(connectOptions(uri), connected);
  }).catch((error: unknown) => {
    socket.destroy();
    throw systemError(`cannot connect to ${formatMigrationUri(uri)}`, error);
  });
  socket.removeAllListeners('error');
  socket.on('error', () => {}); // whoever uses the socket listens, too; an error in between must not end the process
  socket.setNoDelay(true);
  return socket;
}

export interface SocketListener {
  /** With the port that was really taken where 0 was asked for. */
  readonly uri: SocketUri;
  readonly server: Server;
  close(): void;
}

/** @throws {HostError} naming the address. */
export async function listenSocket(uri: SocketUri, onConnection: (socket: Socket) => void): Promise<SocketListener> {
  if (uri.transport === 'unix' && isStale(uri.path)) unlinkSync(uri.path);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((listening, reject) => {
    server.once('error', reject);
    server.listen(listenOptions(uri), listening);
  }).catch((error: unknown) => {
    throw systemError(`cannot listen on ${formatMigrationUri(uri)}`, error);
  });
  const address = server.address();
  const bound = uri.transport === 'tcp' && address !== null && typeof address === 'object' ? { ...uri, port: address.port } : uri;
  return { uri: bound, server, close: () => server.close() };
}

/**
 * A socket file that its process left behind; QEMU removes such files, too. Connecting would show it everywhere, but would also take the
 * one connection that a waiting migration accepts, so the kernel's table is asked; where there is none, nothing is removed.
 */
function isStale(path: string): boolean {
  try {
    if (!lstatSync(path).isSocket()) return false;
    const absolute = resolve(path);
    return !readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .some((line) => line.endsWith(` ${path}`) || line.endsWith(` ${absolute}`));
  } catch {
    return false;
  }
}

export function socketChannel(socket: Socket, label: string): ByteChannel {
  return streamChannel({ label, readable: socket, writable: socket, duplex: true });
}
