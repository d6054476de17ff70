import { createSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import type { NetworkBackend } from '@pagurus/device-model';
import { connectSocket, listenSocket, type SocketUri } from '../channel/socket.js';
import { formatMigrationUri } from '../channel/uri.js';
import { HostError, systemError } from '../errors.js';
import type { Endpoint } from './parse.js';

/** A network that leaves this process. */
export interface OpenNetwork {
  readonly network: NetworkBackend;
  /** For `info network`. */
  readonly description: string;
  close(): void;
}

/** QEMU's limit for a frame on a socket: 4 KiB more than the largest IP packet. */
const FRAME_MOST = 4096 + 65_536;
/** What waits for a peer that does not read; more is lost, as on a wire. */
const SEND_MOST = 4 << 20;

/** Frames on a byte stream, each behind its length in four bytes, most significant first: what QEMU's `socket` and `stream` networks speak. */
export class FrameReader {
  private buffer: Buffer = Buffer.alloc(0);

  constructor(private readonly receive: (frame: Uint8Array) => void) {}

  /** @throws {HostError} `closed` for a length that no frame has: the stream is out of step and of no more use. */
  push(chunk: Buffer): void {
    this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
    let at = 0;
    while (this.buffer.length - at >= 4) {
      const length = this.buffer.readUInt32BE(at);
      if (length > FRAME_MOST) throw new HostError('closed', `a frame of ${length} bytes: at most ${FRAME_MOST}`);
      if (this.buffer.length - at - 4 < length) break;
      this.receive(Uint8Array.from(this.buffer.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    this.buffer = this.buffer.subarray(at);
  }
}

function framed(frame: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + frame.length);
  bytes.writeUInt32BE(frame.length);
  bytes.set(frame, 4);
  return bytes;
}

/**
 * A network over one TCP or UNIX connection. A server takes one peer at a time, and the next when it has gone.
 * @throws {HostError} for a busy address or nobody there.
 */
export async function streamNetwork(uri: SocketUri, server: boolean): Promise<OpenNetwork> {
  let peer: Socket | undefined;
  let receive: (frame: Uint8Array) => void = () => {};
  const adopt = (socket: Socket): void => {
    if (peer && !peer.destroyed) {
      socket.destroy();
      return;
    }
    peer = socket;
    const reader = new FrameReader((frame) => receive(frame));
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch {
        socket.destroy();
      }
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      if (peer === socket) peer = undefined;
    });
  };
  let name = formatMigrationUri(uri);
  let stop = (): void => {};
  if (server) {
    const listener = await listenSocket(uri, adopt);
    name = formatMigrationUri(listener.uri);
    stop = () => listener.close();
  } else adopt(await connectSocket(uri));
  return {
    network: {
      send(frame) {
        if (peer?.writable && peer.writableLength < SEND_MOST) peer.write(framed(frame));
      },
      connect(receiver) {
        receive = receiver;
      },
    },
    get description() {
      return `socket: ${name}${server ? ` (server${peer ? ', connected' : ''})` : ''}`;
    },
    close() {
      stop();
      peer?.destroy();
    },
  };
}

/**
 * A network of datagrams, a frame each: to one peer (`udp=`), or to a group (`mcast=`).
 * @throws {HostError} for an address that can't be had.
 */
export async function datagramNetwork(remote: Endpoint, local: Endpoint | undefined, multicast: boolean): Promise<OpenNetwork> {
  const what = `network ${multicast ? 'mcast' : 'udp'}=${remote.host}:${remote.port}`;
  const socket = createSocket({ type: 'udp4', reuseAddr: multicast });
  let receive: (frame: Uint8Array) => void = () => {};
  try {
    await new Promise<void>((bound, reject) => {
      socket.once('error', reject);
      socket.bind(multicast ? remote.port : local!.port, multicast ? undefined : local!.host || undefined, () => {
        socket.off('error', reject);
        bound();
      });
    });
    if (multicast) {
      socket.addMembership(remote.host, local?.host);
      if (local) socket.setMulticastInterface(local.host);
      socket.setMulticastLoopback(true);
    }
  } catch (error) {
    socket.close();
    throw systemError(what, error);
  }
  socket.on('error', () => {});
  const sent: Buffer[] = [];
  socket.on('message', (bytes) => {
    // The group also brings back what this process sent itself.
    const echo = multicast ? sent.findIndex((frame) => frame.equals(bytes)) : -1;
    if (echo >= 0) {
      sent.splice(echo, 1);
      return;
    }
    receive(Uint8Array.from(bytes));
  });
  return {
    network: {
      send(frame) {
        const bytes = Buffer.from(frame);
        if (multicast) {
          sent.push(bytes);
          if (sent.length > 64) sent.shift();
        }
        socket.send(bytes, remote.port, remote.host, () => {});
      },
      connect(receiver) {
        receive = receiver;
      },
    },
    description: what,
    close: () => void socket.close(),
  };
}
