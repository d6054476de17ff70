import type { ByteChannel } from '@pagurus/migration';

/** Bytes that may wait in the socket before `write` holds back. */
const HIGH_WATER = 4 << 20;
/** A WebSocket has no event for a drained buffer. */
const DRAIN_POLL_MILLISECONDS = 5;

/** A WebSocket that failed or was closed early. */
export class WebSocketError extends Error {
  override readonly name = 'WebSocketError';
}

/**
 * A byte channel over a WebSocket (binary messages; an empty message is the end of one direction).
 * @throws {WebSocketError} naming the URL if it cannot be opened.
 */
export async function openWebSocket(url: string): Promise<ByteChannel> {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const chunks: Uint8Array[] = [];
  let ended = false;
  let failure: WebSocketError | undefined;
  let wake: (() => void) | undefined;
  const notify = () => {
    wake?.();
    wake = undefined;
  };
  socket.addEventListener('message', ({ data }) => {
    const bytes = new Uint8Array(data as ArrayBuffer);
    if (bytes.length === 0) ended = true;
    else chunks.push(bytes);
    notify();
  });
  socket.addEventListener('close', () => {
    if (!ended) failure ??= new WebSocketError(`${url}: the connection was closed`);
    notify();
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new WebSocketError(`${url}: cannot connect`)), { once: true });
  });

  return {
    duplex: true,
    async read() {
      for (;;) {
        const chunk = chunks.shift();
        if (chunk) return chunk;
        if (ended) return undefined;
        if (failure) throw failure;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async write(bytes) {
      if (failure) throw failure;
      if (bytes.length > 0) socket.send(bytes.slice().buffer);
      while (socket.bufferedAmount > HIGH_WATER) {
        if (failure) throw failure;
        await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MILLISECONDS));
      }
    },
    async end() {
      if (failure) throw failure;
      socket.send(new ArrayBuffer(0));
    },
    close() {
      failure ??= new WebSocketError(`${url}: the connection was closed`);
      socket.close();
      notify();
    },
  };
}
