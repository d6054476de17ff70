import { close, closeSync, fdatasync, fstatSync, open, read, readSync, write, writeSync } from 'node:fs';
import { BlockError, type BlockErrorCode, type ByteFile } from '@pagurus/block';
import { systemError } from '../errors.js';
import { type FileIdentity, ImageLock } from './image-lock.js';

export interface NodeFileOptions {
  readonly readOnly: boolean;
  /** Default true. */
  readonly locking?: boolean;
  /** Not locked before it is claimed. */
  readonly inactive?: boolean;
  /** Requests complete at once, in the guest's own time: what a deterministic machine needs. */
  readonly synchronous?: boolean;
  /** `cache=unsafe`: nothing is forced to the disk. */
  readonly noFlush?: boolean;
}

const CODES: Readonly<Record<string, BlockErrorCode>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EACCES: 'permission',
  EPERM: 'permission',
  EROFS: 'read-only',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EFBIG: 'no-space',
};

/** A regular file of the host's file system, through its page cache. */
export class NodeFile implements ByteFile {
  readonly readOnly: boolean;
  readonly identity: string;
  length: number;
  readNow?: (offset: number, target: Uint8Array) => boolean;
  writeNow?: (offset: number, source: Uint8Array) => boolean;
  private lock: ImageLock | undefined;
  private closed = false;

  private constructor(
    readonly name: string,
    private readonly descriptor: number,
    private readonly file: FileIdentity,
    length: number,
    private readonly options: NodeFileOptions,
  ) {
    this.readOnly = options.readOnly;
    this.length = length;
    this.identity = `file:${file.device}:${file.inode}`;
    if (options.synchronous) {
      this.readNow = (offset, target) => this.readAtOnce(offset, target);
      this.writeNow = (offset, source) => this.writeAtOnce(offset, source);
    }
  }

  /** @throws {BlockError} */
  static async open(path: string, options: NodeFileOptions): Promise<NodeFile> {
    const descriptor = await new Promise<number>((resolve, reject) => {
      open(path, options.readOnly ? 'r' : 'r+', (error, opened) =>
        error ? reject(blockError(path, 'cannot open it', error)) : resolve(opened),
      );
    });
    try {
      const status = fstatSync(descriptor, { bigint: true });
      if (!status.isFile()) throw new BlockError('unsupported', `${path}: is not a regular file`);
      const file = new NodeFile(path, descriptor, { device: status.dev, inode: status.ino }, Number(status.size), options);
      if (!options.inactive) await file.claim();
      return file;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const count = await new Promise<number>((resolve, reject) => {
        read(this.descriptor, target, done, target.length - done, offset + done, (error, bytes) =>
          error ? reject(blockError(this.name, 'cannot read', error)) : resolve(bytes),
        );
      });
      if (count === 0) {
        target.fill(0, done);
        return;
      }
      done += count;
    }
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.checkWritable();
    for (let done = 0; done < source.length; ) {
      done += await new Promise<number>((resolve, reject) => {
        write(this.descriptor, source, done, source.length - done, offset + done, (error, bytes) =>
          error ? reject(blockError(this.name, 'cannot write', error)) : resolve(bytes),
        );
      });
      this.length = Math.max(this.length, offset + done);
    }
  }

  async flush(): Promise<void> {
    if (this.options.noFlush || this.readOnly) return;
    await new Promise<void>((resolve, reject) => {
      fdatasync(this.descriptor, (error) => (error ? reject(blockError(this.name, 'cannot flush', error)) : resolve()));
    });
  }

  async release(): Promise<void> {
    this.lock?.release();
    this.lock = undefined;
  }

  async claim(): Promise<void> {
    if (this.options.locking !== false && !this.lock) this.lock = ImageLock.take(this.name, this.file, !this.readOnly);
    this.length = fstatSync(this.descriptor).size;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.release();
    await new Promise<void>((resolve, reject) => {
      close(this.descriptor, (error) => (error ? reject(blockError(this.name, 'cannot close', error)) : resolve()));
    });
  }

  private readAtOnce(offset: number, target: Uint8Array): boolean {
    for (let done = 0; done < target.length; ) {
      const count = readSync(this.descriptor, target, done, target.length - done, offset + done);
      if (count === 0) {
        target.fill(0, done);
        break;
      }
      done += count;
    }
    return true;
  }

  private writeAtOnce(offset: number, source: Uint8Array): boolean {
    this.checkWritable();
    for (let done = 0; done < source.length; )
      done += writeSync(this.descriptor, source, done, source.length - done, offset + done);
    this.length = Math.max(this.length, offset + source.length);
    return true;
  }

  private checkWritable(): void {
    if (this.readOnly) throw new BlockError('read-only', `${this.name}: was opened read-only`);
  }
}

function blockError(name: string, what: string, error: NodeJS.ErrnoException): BlockError {
  const code = CODES[error.code ?? ''] ?? 'io';
  return new BlockError(code, systemError(`${name}: ${what}`, error).message, { cause: error });
}
