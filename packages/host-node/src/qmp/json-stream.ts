/** Longest request; QEMU's is 64 MiB, no command of ours needs more than a few lines. */
const MESSAGE_MOST = 1 << 20;
const DEPTH_MOST = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN: readonly number[] = [0x7b, 0x5b];
const CLOSE: readonly number[] = [0x7d, 0x5d];
const SPACE: readonly number[] = [0x20, 0x09, 0x0a, 0x0d];
const LINE_FEED = 0x0a;
/** Never in UTF-8: a client that has lost its place begins anew behind it. */
const RESYNC = 0xff;

/** A request that has arrived, or why it is none. */
export type JsonMessage = { readonly value: unknown } | { readonly error: string };

/**
 * Cuts a stream of bytes into JSON values, as they stand one behind the other with nothing or blanks between. Hostile input costs no more
 * than what it is long: a value that is too long or too deep is reported once, and what follows is skipped to the end of its line.
 */
export class JsonStream {
  private readonly bytes: number[] = [];
  private depth = 0;
  private inString = false;
  private escaped = false;
  private skipping = false;

  /** @returns what has been completed by these bytes. */
  push(bytes: Uint8Array): JsonMessage[] {
    const messages: JsonMessage[] = [];
    for (const byte of bytes) {
      const message = this.take(byte);
      if (message) messages.push(message);
    }
    return messages;
  }

  /** Forgets a value that has begun: somebody else is at the other end. */
  reset(): void {
    this.bytes.length = 0;
    this.depth = 0;
    this.inString = false;
    this.escaped = false;
    this.skipping = false;
  }

  private take(byte: number): JsonMessage | undefined {
    if (byte === RESYNC) {
      const cut = this.bytes.length > 0;
      this.reset();
      return cut ? { error: 'JSON parse error, the request was broken off' } : undefined;
    }
    if (this.skipping) {
      if (byte === LINE_FEED) this.reset();
      return undefined;
    }
    if (this.bytes.length === 0 && SPACE.includes(byte)) return undefined;
    // Blanks end a value only outside of brackets; then there is none that could be a request.
    if (this.depth === 0 && !OPEN.includes(byte)) return this.refuse('JSON parse error, expecting an object', byte);
    this.bytes.push(byte);
    if (this.bytes.length > MESSAGE_MOST) return this.refuse('JSON parse error, the request is too long', byte);
    if (this.inString) {
      if (this.escaped) this.escaped = false;
      else if (byte === BACKSLASH) this.escaped = true;
      else if (byte === QUOTE) this.inString = false;
      return undefined;
    }
    if (byte === QUOTE) this.inString = true;
    else if (OPEN.includes(byte)) {
      if (++this.depth > DEPTH_MOST) return this.refuse('JSON parse error, the request is nested too deep', byte);
    } else if (CLOSE.includes(byte) && --this.depth === 0) return this.complete();
    return undefined;
  }

  private complete(): JsonMessage {
    const text = Buffer.from(this.bytes).toString('utf8');
    this.reset();
    try {
      return { value: JSON.parse(text) };
    } catch (error) {
      return { error: `JSON parse error, ${(error as Error).message}` };
    }
  }

  private refuse(error: string, byte: number): JsonMessage {
    this.reset();
    this.skipping = byte !== LINE_FEED;
    return { error };
  }
}
