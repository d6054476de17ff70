import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** Bytes in the ring; indices wrap here. */
export const RING = 256;
/** QEMU queues at most this many bytes of keys or movements, as the real devices do; command replies come on top. */
export const QUEUE_LIMIT = 16;
/** Most bytes of command replies that may wait. */
export const REPLY_LIMIT = 8;

/** What both PS/2 devices remember. Indices are kept raw because QEMU sends them raw. */
export class Ps2CommonState {
  /** Command byte still waiting for its argument, or -1. */
  writeCmd = -1;
  rptr = 0;
  wptr = 0;
  count = 0;
  readonly data = new Uint8Array(RING);
}

const f = fieldsOf<Ps2CommonState>();

export const ps2CommonVmState = vmstate<Ps2CommonState>({
  name: 'PS2 Common State',
  version: 3,
  minVersion: 2,
  fields: [
    f.i32('writeCmd', 'write_cmd'),
    f.i32('rptr', 'queue.rptr'),
    f.i32('wptr', 'queue.wptr'),
    f.i32('count', 'queue.count'),
    f.bytes('data', 'queue.data'),
  ],
});

/**
 * Appends one byte of a key or movement; drops it when the queue is full, as the hardware's overrun without its marker byte.
 */
export function enqueue(queue: Ps2CommonState, byte: number): void {
  if (queue.count >= QUEUE_LIMIT) return;
  queue.data[queue.wptr] = byte;
  queue.wptr = (queue.wptr + 1) % RING;
  queue.count++;
}

/** The next byte; from an empty queue the last one again, which DOS extenders rely on. */
export function dequeue(queue: Ps2CommonState): number {
  if (queue.count === 0) return queue.data[(queue.rptr + RING - 1) % RING]!;
  const byte = queue.data[queue.rptr]!;
  queue.rptr = (queue.rptr + 1) % RING;
  queue.count--;
  return byte;
}

export function clearQueue(queue: Ps2CommonState): void {
  queue.rptr = 0;
  queue.wptr = 0;
  queue.count = 0;
}

/**
 * A stream is hostile input, and old ones have stale indices: keep the read position and as many bytes as can be queued.
 * @param replyEnd index behind the command replies at the front of the queue, or -1.
 * @returns the corrected `replyEnd`.
 */
export function sanitizeQueue(queue: Ps2CommonState, replyEnd: number): number {
  const replies = replyEnd === -1 ? 0 : Math.min((replyEnd - queue.rptr) & (RING - 1), REPLY_LIMIT);
  queue.count = Math.min(Math.max(queue.count, replies), replies + QUEUE_LIMIT);
  queue.rptr &= RING - 1;
  queue.wptr = (queue.rptr + queue.count) % RING;
  return replies === 0 ? -1 : (queue.rptr + replies) % RING;
}
