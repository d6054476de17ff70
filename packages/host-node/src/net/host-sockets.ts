import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { isIPv4, Socket } from 'node:net';
import type { HostDatagrams, HostNetwork, HostStream, HostStreamEvents } from '@pagurus/device-model';
import { listenSocket } from '../channel/socket.js';

/** A socket of this process as a user-mode network uses it. */
function hostStream(socket: Socket, events: HostStreamEvents): HostStream {
  socket.on('data', (chunk: Buffer) => events.data(chunk));
  socket.on('drain', () => events.drained());
  socket.on('end', () => events.ended());
  socket.on('close', () => events.closed());
  return {
    write: (bytes) => void socket.write(bytes),
    get buffered() {
      return socket.writableLength;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
}

/**
 * Listens for what is to be forwarded to a guest (`hostfwd`).
 * @param accept gets, for each client, what makes a stream of it.
 * @returns what ends listening. @throws {HostError} naming the address.
 */
export async function listenStreams(
  host: string,
  port: number,
  accept: (open: (events: HostStreamEvents) => HostStream) => void,
): Promise<() => void> {
  const listener = await listenSocket({ transport: 'tcp', host, port }, (socket) =>
    accept((events) => hostStream(socket, events)),
  );
  return () => listener.close();
}

/** The sockets, timers and name server of this process, for a user-mode network. */
export const hostNetwork: HostNetwork = {
  connect(address, port, events): HostStream {
    const socket = new Socket({ allowHalfOpen: true });
    let reached = false;
    socket.on('error', () => {
      if (!reached) events.refused();
    });
    socket.once('connect', () => {
      reached = true;
      socket.setNoDelay(true);
      events.connected();
    });
    const stream = hostStream(socket, events);
    socket.connect({ host: address, port });
    return stream;
  },
  datagrams(receive): HostDatagrams {
    const socket = createSocket('udp4');
    let closed = false;
    socket.on('message', (bytes, { address, port }) => receive(bytes, address, port));
    // Nobody there: UDP's answer is silence.
    socket.on('error', () => {});
    return {
      send: (bytes, address, port) => {
        if (!closed) socket.send(bytes.slice(), port, address, () => {});
      },
      close: () => {
        closed = true;
        socket.close();
      },
    };
  },
  nameServer: () => getServers().find((server) => isIPv4(server)),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
