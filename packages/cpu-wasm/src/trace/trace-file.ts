/**
 * A trace: the registers before each instruction.
 *
 *     "PAGTRACE"  u8 version = 1  u8 registers            then for each instruction
 *     u8 count of registers that changed
 *     for each: u8 register (bit 7: the value has 8 bytes, else 4), value, little-endian
 *
 * All registers begin at 0, so the first record holds what is not. Written and read piece by piece: a trace takes no memory.
 */
import { TRACE_REGISTERS } from './registers.js';

const MAGIC = 'PAGTRACE';
const VERSION = 1;
const HEADER = MAGIC.length + 2;
const PIECE = 1 << 16;
/** A record of all registers. */
const LONGEST = 1 + 9 * TRACE_REGISTERS.length;
const WIDE = 0x80;

export class TraceError extends Error {
  override readonly name = 'TraceError';
}

export class TraceWriter {
  private readonly last = new Uint32Array(2 * TRACE_REGISTERS.length);
  private readonly bytes = new Uint8Array(PIECE);
  private readonly view = new DataView(this.bytes.buffer);
  private used = 0;

  /** @param write gets pieces that are overwritten when it returns. */
  constructor(private readonly write: (piece: Uint8Array) => void) {
    for (const letter of MAGIC) this.bytes[this.used++] = letter.charCodeAt(0);
    this.bytes[this.used++] = VERSION;
    this.bytes[this.used++] = TRACE_REGISTERS.length;
  }

  add(words: Uint32Array): void {
    if (this.used + LONGEST > PIECE) this.flush();
    const { last, view } = this;
    const start = this.used++;
    let count = 0;
    for (let i = 0; i < last.length; i += 2) {
      const [low, high] = [words[i]!, words[i + 1]!];
      if (low === last[i] && high === last[i + 1]) continue;
      count++;
      view.setUint8(this.used, (i >> 1) | (high ? WIDE : 0));
      view.setUint32(this.used + 1, low, true);
      if (high) view.setUint32(this.used + 5, high, true);
      this.used += high ? 9 : 5;
      last[i] = low;
      last[i + 1] = high;
    }
    this.bytes[start] = count;
  }

  flush(): void {
    if (this.used > 0) this.write(this.bytes.subarray(0, this.used));
    this.used = 0;
  }
}

export class TraceReader {
  /** The registers of the record read last. */
  readonly words = new Uint32Array(2 * TRACE_REGISTERS.length);
  private bytes = new Uint8Array(0);
  private at = 0;
  private passed = 0;

  /**
   * @param read gives the next bytes, none at the end.
   * @throws {TraceError} if it is no trace of this version.
   */
  constructor(private readonly read: () => Uint8Array) {
    if (!this.has(HEADER)) throw new TraceError('not a trace: too short');
    const magic = String.fromCharCode(...this.bytes.subarray(0, MAGIC.length));
    const [version, registers] = [this.bytes[MAGIC.length], this.bytes[MAGIC.length + 1]];
    if (magic !== MAGIC) throw new TraceError(`not a trace: it begins with ${JSON.stringify(magic)}`);
    if (version !== VERSION || registers !== TRACE_REGISTERS.length)
      throw new TraceError(
        `a trace of version ${version} with ${registers} registers; expected ${VERSION} with ${TRACE_REGISTERS.length}`,
      );
    this.at = HEADER;
  }

  /** False at the end. @throws {TraceError} if it ends in the middle of a record, or holds nonsense. */
  next(): boolean {
    if (!this.has(1)) return false;
    const count = this.bytes[this.at++]!;
    for (let i = 0; i < count; i++) {
      const register = this.need(1).getUint8(0);
      const place = 2 * (register & ~WIDE);
      if (place >= this.words.length) throw this.broken(`register ${place / 2}`);
      this.at++;
      const value = this.need(register & WIDE ? 8 : 4);
      this.words[place] = value.getUint32(0, true);
      this.words[place + 1] = register & WIDE ? value.getUint32(4, true) : 0;
      this.at += register & WIDE ? 8 : 4;
    }
    return true;
  }

  private need(count: number): DataView {
    if (!this.has(count)) throw this.broken('its end');
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, count);
  }

  private broken(what: string): TraceError {
    return new TraceError(`trace damaged at offset ${this.passed + this.at}: ${what}`);
  }

  private has(count: number): boolean {
    while (this.bytes.length - this.at < count) {
      const more = this.read();
      if (more.length === 0) return false;
      const rest = this.bytes.subarray(this.at);
      const joined = new Uint8Array(rest.length + more.length);
      joined.set(rest);
      joined.set(more, rest.length);
      this.passed += this.at;
      this.bytes = joined;
      this.at = 0;
    }
    return true;
  }
}
