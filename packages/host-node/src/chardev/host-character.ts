import type { CharacterBackend, CharacterFrontend, FlowControlledBackend } from '@pagurus/device-model';

/** A character backend that this host owns and must close. */
export interface HostCharacter extends FlowControlledBackend {
  /** For messages and `info chardev`, e.g. `stdio` or `unix:/tmp/serial (waiting)`. */
  readonly description: string;
  /** Releases files, sockets and terminal settings; resolves when what was written has left. */
  close(): Promise<void>;
}

/** A frontend that wants to know when somebody new is at the other end (a socket's next client). */
export interface GreetingFrontend extends CharacterFrontend {
  opened?(): void;
}

/** Bytes a guest may leave waiting before the host's source is paused. */
const HIGH_WATER = 65536;

/**
 * What waits for a frontend. Host sources push; the frontend takes as much as it has room for, now or when it says `ready`.
 */
export class InputQueue {
  private frontend: GreetingFrontend | undefined;
  private readonly chunks: Uint8Array[] = [];
  private waiting = 0;
  private delivering = false;

  /** @param pressure told when the queue becomes too long (true) and when it has been taken (false). */
  constructor(private readonly pressure: (full: boolean) => void = () => {}) {}

  connect(frontend: CharacterFrontend): void {
    this.frontend = frontend;
    this.deliver();
  }

  /** Somebody new is there. */
  opened(): void {
    this.frontend?.opened?.();
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const full = this.waiting > HIGH_WATER;
    this.chunks.push(bytes);
    this.waiting += bytes.length;
    this.deliver();
    if (!full && this.waiting > HIGH_WATER) this.pressure(true);
  }

  /** The frontend has room again. May be called from inside `receive`. */
  deliver(): void {
    const { frontend } = this;
    if (!frontend || this.delivering) return;
    const full = this.waiting > HIGH_WATER;
    this.delivering = true;
    try {
      for (let chunk = this.chunks[0]; chunk; chunk = this.chunks[0]) {
        const room = frontend.canReceive();
        if (room <= 0) break;
        const part = chunk.subarray(0, room);
        if (part.length === chunk.length) this.chunks.shift();
        else this.chunks[0] = chunk.subarray(part.length);
        this.waiting -= part.length;
        frontend.receive(part);
      }
    } finally {
      this.delivering = false;
    }
    if (full && this.waiting <= HIGH_WATER) this.pressure(false);
  }
}

/** A backend that swallows everything and never says anything: `null`. */
export function nullCharacter(): HostCharacter {
  return { description: 'null', write() {}, connect() {}, ready() {}, async close() {} };
}

/** What a guest wrote last, up to `size` bytes: `ringbuf`. */
export function ringBuffer(size: number): HostCharacter & { contents(): Uint8Array } {
  const ring = new Uint8Array(size);
  let written = 0;
  return {
    description: `ringbuf,size=${size}`,
    write(bytes) {
      for (const byte of bytes.subarray(Math.max(0, bytes.length - size))) ring[written++ % size] = byte;
    },
    connect() {},
    ready() {},
    async close() {},
    contents() {
      if (written <= size) return ring.slice(0, written);
      const at = written % size;
      return Uint8Array.from([...ring.subarray(at), ...ring.subarray(0, at)]);
    },
  };
}

/** Calls `ready` where a backend has it. */
export function signalReady(backend: CharacterBackend): void {
  (backend as Partial<FlowControlledBackend>).ready?.();
}
