import type { GuestMemory } from '@pagurus/device-model';
import { FEATURE, RING } from './spec.js';
import type { QueuesState } from './virtio.state.js';

/** A part of guest memory. */
export interface Segment {
  readonly address: number;
  readonly length: number;
}

/** A buffer that the driver made available. */
export interface Buffer {
  /** Number of its first descriptor. */
  readonly head: number;
  /** What the device may write, in order. */
  readonly writable: readonly Segment[];
  readonly readable: readonly Segment[];
}

/** Nothing there; not now, because a page is missing; the rings make no sense, and why. */
export type Taken = { readonly buffer: Buffer } | 'empty' | 'missing' | { readonly error: string };

/** Thrown inside this file only, where an access met a missing page. */
const MISSING = Symbol('missing page');

/** A pull on the ring that cannot be: becomes `{ error }`. */
class RingError extends Error {}

/** Beyond it numbers are not exact, and no PC has memory there. */
const ADDRESS_END = 2 ** 52;

/** Where [LEGACY] puts the two rings behind the descriptors; without descriptors there are none. */
export function legacyRings(queues: QueuesState, n: number): void {
  const descriptors = queues.descriptors[n]!;
  const size = queues.size[n]!;
  if (descriptors === 0n) {
    queues.available[n] = 0n;
    queues.used[n] = 0n;
    return;
  }
  const available = descriptors + BigInt(size * RING.DESCRIPTOR);
  const end = available + BigInt(4 + 2 * size);
  queues.available[n] = available;
  queues.used[n] = (end + BigInt(RING.ALIGN - 1)) & ~BigInt(RING.ALIGN - 1);
}

/**
 * One split ring as the device sees it. It keeps nothing but `lastAvailable`: all else is read from guest memory each time, so that
 * an access that met a missing page can simply be tried again. Everything that is read is hostile: indices, lengths, chains.
 */
export class SplitQueue {
  constructor(
    private readonly memory: GuestMemory,
    private readonly queues: QueuesState,
    private readonly n: number,
    private readonly features: () => bigint,
  ) {}

  get ready(): boolean {
    return this.queues.available[this.n] !== 0n && this.size > 0;
  }

  get size(): number {
    return this.queues.size[this.n]!;
  }

  /** The next buffer; it stays available until {@link push}. */
  peek(): Taken {
    return this.guarded(() => {
      const { size } = this;
      const last = this.queues.lastAvailable[this.n]!;
      const waiting = (this.word16(this.available + 2) - last) & 0xffff;
      if (waiting === 0) return 'empty';
      if (waiting > size) throw new RingError(`Guest moved available index by ${waiting}, ring has ${size} entries`);
      const head = this.word16(this.available + 4 + 2 * (last % size));
      return { buffer: this.chain(head) };
    });
  }

  /**
   * Hands a buffer back with `source` in its writable part. Nothing happens while a page is missing.
   * @returns whether the driver wants an interrupt, or 'missing', or what makes no sense.
   */
  push(buffer: Buffer, fill: () => Uint8Array): boolean | 'missing' | { readonly error: string } {
    return this.guarded(() => {
      const { size, queues, n } = this;
      const used = this.used;
      const usedIndex = this.word16(used + 2);
      const next = (usedIndex + 1) & 0xffff;
      const entry = used + 4 + 8 * (usedIndex % size);
      // Every page is touched before anything changes and before a byte of entropy is spent.
      this.read(entry, 8);
      const events = this.has(FEATURE.EVENT_IDX);
      if (events) this.read(used + 4 + 8 * size, 2);
      const flags = this.word16(this.available);
      const usedEvent = events ? this.word16(this.available + 4 + 2 * size) : 0;
      for (const { address, length } of buffer.writable) this.read(address, length);

      const source = fill();
      let done = 0;
      for (const { address, length } of buffer.writable) {
        const part = source.subarray(done, done + length);
        this.write(address, part);
        done += part.length;
      }
      const bytes = new DataView(new ArrayBuffer(8));
      bytes.setUint32(0, buffer.head, true);
      bytes.setUint32(4, done, true);
      this.write(entry, new Uint8Array(bytes.buffer));
      this.write(used + 2, Uint8Array.of(next & 0xff, next >> 8));
      const last = (queues.lastAvailable[n]! + 1) & 0xffff;
      queues.lastAvailable[n] = last;
      if (events) this.write(used + 4 + 8 * size, Uint8Array.of(last & 0xff, last >> 8));

      if (this.has(FEATURE.NOTIFY_ON_EMPTY) && this.word16(this.available + 2) === last) return true;
      if (events) return usedEvent === usedIndex;
      return (flags & RING.NO_INTERRUPT) === 0;
    });
  }

  private has(bit: number): boolean {
    return ((this.features() >> BigInt(bit)) & 1n) !== 0n;
  }

  private get available(): number {
    return checked(this.queues.available[this.n]!);
  }

  private get used(): number {
    const used = checked(this.queues.used[this.n]!);
    if (used === 0) throw new RingError('no used ring');
    return used;
  }

  /** Follows `next` from `head`; an indirect table may stand for the whole chain. */
  private chain(head: number): Buffer {
    let table = checked(this.queues.descriptors[this.n]!);
    let limit = this.size;
    let index = head;
    if (index >= limit) throw new RingError(`Guest says index ${index} is available`);
    let descriptor = this.descriptor(table, index);
    let indirect = false;
    if ((descriptor.flags & RING.INDIRECT) !== 0) {
      if (descriptor.length === 0 || descriptor.length % RING.DESCRIPTOR !== 0)
        throw new RingError(`Invalid size of indirect buffer table: ${descriptor.length}`);
      table = descriptor.address;
      limit = descriptor.length / RING.DESCRIPTOR;
      index = 0;
      indirect = true;
      descriptor = this.descriptor(table, index);
    }
    const writable: Segment[] = [];
    const readable: Segment[] = [];
    for (let count = 1; ; count++) {
      const { address, length, flags, next } = descriptor;
      if ((flags & RING.INDIRECT) !== 0)
        throw new RingError(indirect ? 'Nested indirect table' : 'Indirect table inside a chain');
      if (length === 0) throw new RingError('Zero sized buffers are not allowed');
      if ((flags & RING.WRITE) !== 0) writable.push({ address, length });
      else if (writable.length > 0) throw new RingError('Incorrect order for descriptors');
      else readable.push({ address, length });
      if ((flags & RING.NEXT) === 0) return { head, writable, readable };
      if (count >= Math.min(limit, RING.MAX_SIZE)) throw new RingError('Looped descriptor');
      if (next >= limit) throw new RingError(`Desc next is ${next}`);
      descriptor = this.descriptor(table, next);
    }
  }

  private descriptor(table: number, index: number): Segment & { flags: number; next: number } {
    const view = this.read(table + RING.DESCRIPTOR * index, RING.DESCRIPTOR);
    const address = checked(view.getBigUint64(0, true));
    const length = view.getUint32(8, true);
    if (address + length > ADDRESS_END) throw new RingError(`Descriptor beyond the end of memory`);
    return { address, length, flags: view.getUint16(12, true), next: view.getUint16(14, true) };
  }

  private word16(address: number): number {
    return this.read(address, 2).getUint16(0, true);
  }

  private read(address: number, length: number): DataView {
    const bytes = new Uint8Array(length);
    if (!this.memory.read(address, bytes).done) throw MISSING;
    return new DataView(bytes.buffer);
  }

  private write(address: number, source: Uint8Array): void {
    if (source.length > 0 && !this.memory.write(address, source).done) throw MISSING;
  }

  private guarded<T>(action: () => T): T | 'missing' | { readonly error: string } {
    try {
      return action();
    } catch (reason) {
      if (reason === MISSING) return 'missing';
      if (reason instanceof RingError) return { error: reason.message };
      throw reason;
    }
  }
}

function checked(address: bigint): number {
  if (address >= BigInt(ADDRESS_END)) throw new RingError(`no memory at 0x${address.toString(16)}`);
  return Number(address);
}
