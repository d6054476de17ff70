import { type ByteReader, type ByteWriter, StateError, type StateErrorCode } from './description.js';

/** Where a walk is, for error messages; joined only when an error is made. */
export class Path {
  private readonly parts: string[];

  constructor(root: string) {
    this.parts = [root];
  }

  /** Enters a member, an element (`[3]`) or a subsection (`/name`). */
  push(part: string): void {
    this.parts.push(part);
  }

  pop(): void {
    this.parts.pop();
  }

  toString(): string {
    return this.parts.join('');
  }
}

/** Big-endian input over a byte array. `view`, `position`, `end` and `data` are there for compiled plans. */
export class Reader implements ByteReader {
  readonly view: DataView;
  position: number;
  readonly end: number;

  constructor(
    readonly data: Uint8Array,
    offset: number,
    readonly path: Path,
    end = data.length,
  ) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.position = offset;
    this.end = end;
  }

  get offset(): number {
    return this.position;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }
  u16(): number {
    return this.view.getUint16(this.take(2));
  }
  u32(): number {
    return this.view.getUint32(this.take(4));
  }
  u64(): bigint {
    return this.view.getBigUint64(this.take(8));
  }
  i8(): number {
    return this.view.getInt8(this.take(1));
  }
  i16(): number {
    return this.view.getInt16(this.take(2));
  }
  i32(): number {
    return this.view.getInt32(this.take(4));
  }
  i64(): bigint {
    return this.view.getBigInt64(this.take(8));
  }

  bytes(length: number): Uint8Array {
    const at = this.take(length);
    return this.data.slice(at, at + length);
  }

  /** Copies bytes already read or yet to come; the position stays. */
  slice(offset: number, length: number): Uint8Array {
    return this.data.slice(offset, offset + length);
  }

  /** Like {@link bytes}, into an existing array. */
  bytesInto(target: Uint8Array, start: number, length: number): void {
    const at = this.take(length);
    target.set(this.data.subarray(at, at + length), start);
  }

  skip(length: number): void {
    this.take(length);
  }

  peek(ahead: number): number | undefined {
    const at = this.position + ahead;
    return at >= this.position && at < this.end ? this.data[at] : undefined;
  }

  /** Fails unless `length` more bytes are there; call before allocating for them. */
  require(length: number): void {
    if (!(length >= 0 && length <= this.remaining)) {
      this.fail('truncated', `the data ends here: ${length} bytes needed, ${this.remaining} left`, {
        expected: `${length} bytes`,
        got: `${this.remaining} bytes`,
      });
    }
  }

  fail(code: StateErrorCode, message: string, details: { expected?: string; got?: string } = {}): never {
    throw new StateError(code, this.path.toString(), this.position, message, details.expected, details.got);
  }

  /** Where it is set, objections to values are collected, so that a walk finds all of them. */
  objections: StateError[] | undefined;

  /** A value is wrong, but the data goes on behind it. */
  object(code: StateErrorCode, message: string, details: { expected?: string; got?: string } = {}): void {
    if (this.objections === undefined) this.fail(code, message, details);
    this.objections.push(new StateError(code, this.path.toString(), this.position, message, details.expected, details.got));
  }

  private take(length: number): number {
    this.require(length);
    const at = this.position;
    this.position += length;
    return at;
  }
}

const RANGE = {
  u8: [0, 0xff],
  u16: [0, 0xffff],
  u32: [0, 0xffff_ffff],
  i8: [-0x80, 0x7f],
  i16: [-0x8000, 0x7fff],
  i32: [-0x8000_0000, 0x7fff_ffff],
} as const;

const RANGE64 = {
  u64: [0n, 0xffff_ffff_ffff_ffffn],
  i64: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
} as const;

/** Big-endian output that grows. A value that does not fit its width is an error, never cut off. */
export class Writer implements ByteWriter {
  /** `data`, `view` and `used` are there for compiled plans; `reserve` replaces the first two. */
  data: Uint8Array;
  view: DataView;
  used = 0;

  constructor(
    readonly path: Path,
    capacity = 256,
  ) {
    this.data = new Uint8Array(capacity);
    this.view = new DataView(this.data.buffer);
  }

  get length(): number {
    return this.used;
  }

  /** What has been written; the writer is not to be used any more. */
  finish(): Uint8Array {
    return this.used === this.data.length ? this.data : this.data.slice(0, this.used);
  }

  u8(value: number): void {
    const at = this.room(1, 'u8', value);
    this.view.setUint8(at, value);
  }
  u16(value: number): void {
    const at = this.room(2, 'u16', value);
    this.view.setUint16(at, value);
  }
  u32(value: number): void {
    const at = this.room(4, 'u32', value);
    this.view.setUint32(at, value);
  }
  i8(value: number): void {
    const at = this.room(1, 'i8', value);
    this.view.setInt8(at, value);
  }
  i16(value: number): void {
    const at = this.room(2, 'i16', value);
    this.view.setInt16(at, value);
  }
  i32(value: number): void {
    const at = this.room(4, 'i32', value);
    this.view.setInt32(at, value);
  }
  u64(value: bigint): void {
    const at = this.room64('u64', value);
    this.view.setBigUint64(at, value);
  }
  i64(value: bigint): void {
    const at = this.room64('i64', value);
    this.view.setBigInt64(at, value);
  }

  bytes(value: Uint8Array): void {
    const at = this.grow(value.length);
    this.data.set(value, at);
  }

  zeros(length: number): void {
    const at = this.grow(length);
    this.data.fill(0, at, at + length);
  }

  fail(code: StateErrorCode, message: string, details: { expected?: string; got?: string } = {}): never {
    throw new StateError(code, this.path.toString(), -1, message, details.expected, details.got);
  }

  private room(size: number, type: keyof typeof RANGE, value: number): number {
    const [least, most] = RANGE[type];
    if (!(Number.isInteger(value) && value >= least && value <= most)) this.refuse(type, value);
    return this.grow(size);
  }

  private room64(type: keyof typeof RANGE64, value: bigint): number {
    const [least, most] = RANGE64[type];
    if (!(typeof value === 'bigint' && value >= least && value <= most)) this.refuse(type, value);
    return this.grow(8);
  }

  private refuse(type: string, value: unknown): never {
    this.fail('out-of-range', `${String(value)} is no ${type}`, { expected: type, got: String(value) });
  }

  /** May replace `data` and `view`: call it before touching either. */
  private grow(length: number): number {
    const at = this.used;
    this.reserve(length);
    this.used += length;
    return at;
  }

  /** Makes room for `length` more bytes. */
  reserve(length: number): void {
    const needed = this.used + length;
    if (needed <= this.data.length) return;
    const larger = new Uint8Array(Math.max(needed, this.data.length * 2));
    larger.set(this.data.subarray(0, this.used));
    this.data = larger;
    this.view = new DataView(larger.buffer);
  }
}
