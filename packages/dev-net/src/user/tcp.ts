import type { HostStream, HostStreamEvents } from '@pagurus/device-model';
import type { Address, Segment } from './packets.js';
import { TCP } from './spec.js';

/** Both ends of a connection as the guest sees them. */
export interface TcpEnds {
  readonly guest: Address;
  readonly guestPort: number;
  readonly remote: Address;
  readonly remotePort: number;
}

export interface TcpEnvironment {
  /** A segment to the guest; ports are filled in. */
  send(ends: TcpEnds, segment: Omit<Segment, 'sourcePort' | 'destinationPort'>): void;
  after(milliseconds: number, callback: () => void): () => void;
  initialSequence(): number;
  closed(connection: TcpConnection): void;
}

const NOTHING = new Uint8Array(0);
/** Bytes for the guest that may wait here before the host's side is asked to wait. */
const WAITING_MOST = 256 * 1024;
/** Bytes for the host that may wait there: the window offered to the guest. No scaling, so at most 65535. */
const WINDOW = 65535;
const RETRANSMIT_FIRST = 400;
const RETRANSMIT_MOST = 10;
const RETRANSMIT_LONGEST = 30_000;

/** a < b in sequence numbers. [9293] section 3.4 */
const before = (a: number, b: number): boolean => ((a - b) | 0) < 0;
const add = (a: number, b: number): number => (a + b) >>> 0;

/**
 * The far end of one of the guest's TCP connections: speaks TCP to the guest and passes the bytes to a stream of the host. The way between is
 * this process, so nothing is lost but what a card has no room for: lost segments are sent again from the oldest, and what arrives out of order
 * is dropped. [9293]
 */
export class TcpConnection implements HostStreamEvents {
  private stream: HostStream | undefined;
  private phase: 'connecting' | 'answering' | 'calling' | 'open' | 'closed';
  /** Oldest byte that the guest has not acknowledged, and the next to send. */
  private unacknowledged: number;
  private next: number;
  private highest: number;
  private expected = 0;
  private guestWindow = 0;
  private mss: number = TCP.DEFAULT_MSS;
  /** From `unacknowledged` on. */
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private hostPaused = false;
  private hostEnded = false;
  private finSent = false;
  private guestEnded = false;
  private cancelTimer: (() => void) | undefined;
  private retries = 0;
  private offered = WINDOW;

  constructor(
    readonly ends: TcpEnds,
    private readonly environment: TcpEnvironment,
    /** The guest's first segment; undefined: we call the guest. */
    first?: Segment,
  ) {
    this.unacknowledged = environment.initialSequence();
    this.next = add(this.unacknowledged, 1);
    this.highest = this.next;
    this.phase = first ? 'connecting' : 'calling';
    if (first) {
      this.expected = add(first.sequence, 1);
      this.learn(first);
    }
  }

  /** The host's side; for a connection that the guest opened, still to be connected. */
  attach(stream: HostStream): void {
    this.stream = stream;
    if (this.phase !== 'calling') return;
    this.hostPaused = true;
    stream.pause();
    this.sendSyn();
  }

  // What the host says

  connected(): void {
    if (this.phase !== 'connecting') return;
    this.phase = 'answering';
    this.sendSyn();
  }

  refused(): void {
    this.reset();
  }

  data(bytes: Uint8Array): void {
    if (this.phase === 'closed') return;
    this.waiting.push(bytes.slice());
    this.waitingBytes += bytes.length;
    if (this.waitingBytes > WAITING_MOST && !this.hostPaused) {
      this.hostPaused = true;
      this.stream?.pause();
    }
    this.transmit();
  }

  /** The host has taken what it was given: a window that was closed opens. */
  drained(): void {
    if (this.phase === 'open' && this.offered < TCP.MSS && this.window() > this.offered) this.acknowledge();
  }

  ended(): void {
    this.hostEnded = true;
    this.transmit();
  }

  closed(): void {
    if (this.phase === 'closed') return;
    // A stream that was ended on both sides closes; any other was broken.
    if (this.hostEnded) this.stream = undefined;
    else this.reset();
  }

  // What the guest says

  segment(segment: Segment): void {
    if (this.phase === 'closed') return;
    if (segment.flags & TCP.RST) return this.drop();
    if (segment.flags & TCP.SYN) return this.synchronize(segment);
    if (!(segment.flags & TCP.ACK)) return;
    if (this.phase === 'connecting' || this.phase === 'calling') return;
    if (this.phase === 'answering') {
      if (segment.acknowledgement !== this.next) return this.reset();
      this.phase = 'open';
      this.release();
    }
    this.guestWindow = segment.window;
    this.acknowledged(segment.acknowledgement);
    if (this.isClosed()) return;
    this.receive(segment);
    this.transmit();
    this.finish();
  }

  /** Breaks it on both sides; the guest is told. */
  reset(): void {
    if (this.phase === 'closed') return;
    this.environment.send(this.ends, {
      sequence: this.phase === 'connecting' ? 0 : this.next,
      acknowledgement: this.expected,
      flags: TCP.RST | TCP.ACK,
      window: 0,
      data: NOTHING,
    });
    this.drop();
  }

  /** Ends without a word to the guest. */
  drop(): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    this.cancelTimer?.();
    this.stream?.destroy();
    this.stream = undefined;
    this.waiting.length = 0;
    this.environment.closed(this);
  }

  // In between

  private isClosed(): boolean {
    return this.phase === 'closed';
  }

  private learn(segment: Segment): void {
    this.guestWindow = segment.window;
    this.mss = Math.max(64, Math.min(segment.mss ?? TCP.DEFAULT_MSS, TCP.MSS));
  }

  private sendSyn(): void {
    this.environment.send(this.ends, {
      sequence: this.unacknowledged,
      acknowledgement: this.phase === 'calling' ? 0 : this.expected,
      flags: this.phase === 'calling' ? TCP.SYN : TCP.SYN | TCP.ACK,
      window: WINDOW,
      mss: TCP.MSS,
      data: NOTHING,
    });
    this.armTimer();
  }

  private synchronize(segment: Segment): void {
    if (this.phase === 'answering') return this.sendSyn();
    if (this.phase !== 'calling' || !(segment.flags & TCP.ACK) || segment.acknowledgement !== this.next) return;
    this.expected = add(segment.sequence, 1);
    this.learn(segment);
    this.phase = 'open';
    this.unacknowledged = this.next;
    this.cancelTimer?.();
    this.retries = 0;
    this.acknowledge();
    this.release();
  }

  /** The guest is there: bytes of the host may come. */
  private release(): void {
    this.unacknowledged = this.next;
    if (!this.hostPaused) return;
    this.hostPaused = false;
    this.stream?.resume();
  }

  private acknowledged(sequence: number): void {
    if (!before(this.unacknowledged, sequence) || before(this.highest, sequence)) return;
    let bytes = (sequence - this.unacknowledged) >>> 0;
    this.unacknowledged = sequence;
    if (before(this.next, sequence)) this.next = sequence;
    this.retries = 0;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    if (this.finSent && sequence === this.highest) bytes--;
    while (bytes > 0) {
      const first = this.waiting[0];
      if (!first) break;
      const taken = Math.min(bytes, first.length);
      if (taken === first.length) this.waiting.shift();
      else this.waiting[0] = first.subarray(taken);
      this.waitingBytes -= taken;
      bytes -= taken;
    }
    if (this.unacknowledged !== this.next) this.armTimer();
    if (this.hostPaused && this.waitingBytes < WAITING_MOST / 2) {
      this.hostPaused = false;
      this.stream?.resume();
    }
  }

  private receive(segment: Segment): void {
    const fin = (segment.flags & TCP.FIN) !== 0;
    if (segment.data.length === 0 && !fin) return;
    // What is known already is skipped, what lies behind a gap is dropped: the guest sends it again.
    const known = (this.expected - segment.sequence) | 0;
    if (known < 0 || known > segment.data.length + (fin ? 1 : 0)) return this.acknowledge();
    const fresh = segment.data.subarray(known);
    const room = this.window();
    const taken = fresh.subarray(0, room);
    if (taken.length > 0 && !this.guestEnded) {
      this.stream?.write(taken.slice());
      this.expected = add(this.expected, taken.length);
    }
    if (fin && taken.length === fresh.length && !this.guestEnded) {
      this.guestEnded = true;
      this.expected = add(this.expected, 1);
      this.stream?.end();
    }
    this.acknowledge();
  }

  private window(): number {
    return Math.max(0, WINDOW - (this.stream?.buffered ?? 0));
  }

  private acknowledge(): void {
    this.offered = this.window();
    this.environment.send(this.ends, {
      sequence: this.next,
      acknowledgement: this.expected,
      flags: TCP.ACK,
      window: this.offered,
      data: NOTHING,
    });
  }

  /** Sends what the guest's window allows, and the end behind the last byte. */
  private transmit(): void {
    if (this.phase !== 'open') return;
    while (!this.finSent) {
      const sent = (this.next - this.unacknowledged) >>> 0;
      const left = this.waitingBytes - sent;
      // A closed window is probed with one byte, by the timer.
      const length = Math.min(left, this.mss, this.guestWindow - sent);
      const last = this.hostEnded && length === left;
      if (length <= 0 && !last) {
        if (left > 0 && sent === 0) this.armTimer();
        return;
      }
      this.sendData(sent, Math.max(0, length), last);
    }
  }

  private sendData(offset: number, length: number, last: boolean): void {
    const data = this.slice(offset, length);
    this.offered = this.window();
    this.environment.send(this.ends, {
      sequence: this.next,
      acknowledgement: this.expected,
      flags: TCP.ACK | (length > 0 ? TCP.PSH : 0) | (last ? TCP.FIN : 0),
      window: this.offered,
      data,
    });
    this.next = add(this.next, length + (last ? 1 : 0));
    if (before(this.highest, this.next)) this.highest = this.next;
    if (last) this.finSent = true;
    this.armTimer();
  }

  private slice(offset: number, length: number): Uint8Array {
    const data = new Uint8Array(length);
    let skip = offset;
    let done = 0;
    for (const chunk of this.waiting) {
      if (done === length) break;
      if (skip >= chunk.length) {
        skip -= chunk.length;
        continue;
      }
      const part = chunk.subarray(skip, skip + length - done);
      data.set(part, done);
      done += part.length;
      skip = 0;
    }
    return data;
  }

  private armTimer(): void {
    this.cancelTimer?.();
    const wait = Math.min(RETRANSMIT_LONGEST, RETRANSMIT_FIRST * 2 ** this.retries);
    this.cancelTimer = this.environment.after(wait, () => this.expired());
  }

  private expired(): void {
    this.cancelTimer = undefined;
    if (this.phase === 'closed') return;
    if (this.phase === 'answering' || this.phase === 'calling') {
      if (++this.retries > RETRANSMIT_MOST) return this.reset();
      return this.sendSyn();
    }
    if (this.guestWindow > 0 && ++this.retries > RETRANSMIT_MOST) return this.reset();
    this.next = this.unacknowledged;
    this.finSent = false;
    if (this.guestWindow === 0 && this.waitingBytes > 0) this.sendData(0, 1, false);
    else this.transmit();
  }

  /** Both sides have ended and know it. */
  private finish(): void {
    if (this.guestEnded && this.finSent && this.unacknowledged === this.highest) this.drop();
  }
}
