import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import type { ByteSink, ByteSource, Inflate, RamMemory } from '@pagurus/migration';

/** What a command writes to. Results go to `out`, everything else to `error`. */
export interface CommandOutput {
  out(text: string): void;
  error(text: string): void;
}

const CHUNK = 1 << 18;

export const inflate: Inflate = (data, maxLength) => inflateSync(data, { maxOutputLength: maxLength });

/** A file, or standard input for `-`. */
export async function openSource(path: string): Promise<ByteSource & { close(): Promise<void> }> {
  if (path === '-') {
    const chunks = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    return {
      async read() {
        const next = await chunks.next();
        return next.done ? undefined : next.value;
      },
      async close() {
        process.stdin.destroy();
      },
    };
  }
  const file = await open(path, 'r');
  return {
    async read() {
      const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK), 0, CHUNK, null);
      return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
    },
    close: () => file.close(),
  };
}

/** A file that is written from front to back, or standard output for `-`. */
export async function openSink(path: string): Promise<ByteSink & { close(): Promise<void> }> {
  if (path === '-') {
    return {
      write: (bytes) =>
        new Promise((resolve, reject) => process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))),
      async end() {},
      async close() {},
    };
  }
  const file: FileHandle = await open(path, 'w');
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
    },
    end: () => file.sync(),
    close: () => file.close(),
  };
}

/** RAM blocks as files in a folder, holes where nothing was written. */
export class BlockFiles implements RamMemory {
  private readonly files = new Map<string, { fd: number; path: string; written: Set<number> }>();

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  /** Block names and the files they are in. */
  get paths(): Map<string, string> {
    return new Map([...this.files].map(([block, file]) => [block, file.path]));
  }

  add(block: string, length: number): void {
    if (this.files.has(block)) return;
    const path = join(this.folder, this.fileName(block));
    const fd = openSync(path, 'w+');
    ftruncateSync(fd, length);
    this.files.set(block, { fd, path, written: new Set() });
  }

  read(block: string, offset: number): Uint8Array {
    const page = new Uint8Array(4096);
    readSync(this.files.get(block)!.fd, page, 0, page.length, offset);
    return page;
  }

  write(block: string, offset: number, bytes: Uint8Array): void {
    const file = this.files.get(block)!;
    file.written.add(offset);
    writeSync(file.fd, bytes, 0, bytes.length, offset);
  }

  fill(block: string, offset: number, byte: number): void {
    if (byte !== 0 || this.files.get(block)!.written.has(offset)) this.write(block, offset, new Uint8Array(4096).fill(byte));
  }

  close(): void {
    for (const file of this.files.values()) closeSync(file.fd);
  }

  /** Block names hold slashes and come from the stream: only harmless characters stay, and no two blocks share a file. */
  private fileName(block: string): string {
    const base = block.replace(/[^\w.@-]+/g, '_').replace(/^[._]+/, '') || 'block';
    const taken = new Set([...this.files.values()].map((file) => file.path));
    for (let n = 0; ; n++) {
      const name = `${base}${n === 0 ? '' : `-${n}`}.bin`;
      if (!taken.has(join(this.folder, name))) return name;
    }
  }
}
