import { BlockError } from './errors.js';

/**
 * Bytes that a host keeps: a file, a range of a URL, memory. Formats are written over this, so that Node.js and browsers share them.
 * Offsets and lengths are any numbers of bytes. Errors are {@link BlockError}.
 */
export interface ByteFile {
  /** As messages name it. */
  readonly name: string;
  /** The same for the same bytes under another name; finds loops. */
  readonly identity: string;
  readonly readOnly: boolean;
  /** Bytes now. Grows with writes behind the end. */
  readonly length: number;
  /** Bytes behind the end are zeros. */
  read(offset: number, target: Uint8Array): Promise<void>;
  /** `source` belongs to the file until the promise resolves. */
  write(offset: number, source: Uint8Array): Promise<void>;
  /** What was written before survives the host's power. */
  flush(): Promise<void>;
  close(): Promise<void>;
  /** Others may use it until {@link claim}: the machine was sent elsewhere, or is still to come. */
  release?(): Promise<void>;
  /** It is ours again; `length` is what it is now. @throws {BlockError} `locked`. */
  claim?(): Promise<void>;
  /** The same at once where the bytes are at hand; false: ask through the promise. */
  readNow?(offset: number, target: Uint8Array): boolean;
  writeNow?(offset: number, source: Uint8Array): boolean;
  flushNow?(): boolean;
}

const FIRST_CAPACITY = 4096;
let count = 0;

/** Bytes in memory. Complete at once. */
export class MemoryFile implements ByteFile {
  readonly name: string;
  readonly identity: string;
  readonly readOnly: boolean;
  private store: Uint8Array;
  private used: number;
  private readonly most: number;

  /** @param options `most`: bytes that it may grow to. */
  constructor(bytes: Uint8Array = new Uint8Array(0), options: { name?: string; readOnly?: boolean; most?: number } = {}) {
    this.store = bytes;
    this.used = bytes.length;
    this.name = options.name ?? 'memory';
    this.identity = `memory:${count++}`;
    this.readOnly = options.readOnly ?? false;
    this.most = options.most ?? 2 ** 31;
  }

  get length(): number {
    return this.used;
  }

  /** A view of the contents. */
  get bytes(): Uint8Array {
    return this.store.subarray(0, this.used);
  }

  readNow(offset: number, target: Uint8Array): true {
    const part = this.store.subarray(Math.min(offset, this.used), Math.min(offset + target.length, this.used));
    target.set(part);
    target.fill(0, part.length);
    return true;
  }

  writeNow(offset: number, source: Uint8Array): true {
    if (this.readOnly) throw new BlockError('read-only', `${this.name}: is read-only`);
    const end = offset + source.length;
    if (end > this.most) throw new BlockError('no-space', `${this.name}: more than ${this.most} bytes`);
    if (end > this.store.length) {
      const store = new Uint8Array(Math.min(this.most, Math.max(end, 2 * this.store.length, FIRST_CAPACITY)));
      store.set(this.bytes);
      this.store = store;
    }
    this.store.set(source, offset);
    this.used = Math.max(this.used, end);
    return true;
  }

  flushNow(): true {
    return true;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    this.readNow(offset, target);
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.writeNow(offset, source);
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}
