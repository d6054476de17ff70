import { type FileHandle, open } from 'node:fs/promises';
import type { ByteChannel } from '@pagurus/migration';
import { HostError, systemError } from '../errors.js';

const CHUNK = 1 << 18;

/** A file read from `offset` on. @throws {HostError} naming the path. */
export async function openFileForReading(path: string, offset = 0): Promise<ByteChannel> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw systemError(`cannot read '${path}'`, error);
  });
  if ((await file.stat()).isDirectory()) {
    await file.close();
    throw new HostError('system', `cannot read '${path}': is a directory`);
  }
  return fileChannel(file, path, offset, false);
}

/**
 * A file written from `offset` on; what lies before stays, what lay behind is cut off.
 * @throws {HostError} naming the path.
 */
export async function openFileForWriting(path: string, offset = 0): Promise<ByteChannel> {
  const file = await open(path, offset === 0 ? 'w' : 'r+')
    .catch((error: unknown) => {
      if (offset !== 0 && (error as { code?: string }).code === 'ENOENT') return open(path, 'w');
      throw error;
    })
    .catch((error: unknown) => {
      throw systemError(`cannot write '${path}'`, error);
    });
  if (offset !== 0 && (await file.stat()).isFile()) await file.truncate(offset);
  return fileChannel(file, path, offset, true);
}

function fileChannel(file: FileHandle, path: string, offset: number, writing: boolean): ByteChannel {
  // Pipes and devices have no position; files get an explicit one, so that `offset` holds.
  let position = offset;
  let seekable: boolean | undefined;
  let closed = false;
  const check = (): void => {
    if (closed) throw new HostError('closed', `'${path}' is closed`);
  };
  const at = async (): Promise<number | null> => {
    seekable ??= (await file.stat()).isFile();
    return seekable ? position : null;
  };
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await file.close();
  };
  return {
    duplex: false,
    async read() {
      if (writing) throw new HostError('unsupported', `'${path}' is open for writing`);
      check();
      try {
        const chunk = Buffer.allocUnsafe(CHUNK);
        const { bytesRead } = await file.read(chunk, 0, CHUNK, await at());
        position += bytesRead;
        return bytesRead === 0 ? undefined : chunk.subarray(0, bytesRead);
      } catch (error) {
        throw systemError(`cannot read '${path}'`, error);
      }
    },
    async write(bytes) {
      if (!writing) throw new HostError('unsupported', `'${path}' is open for reading`);
      check();
      try {
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, done, bytes.length - done, await at());
          done += bytesWritten;
          position += bytesWritten;
        }
      } catch (error) {
        throw systemError(`cannot write '${path}'`, error);
      }
    },
    async end() {
      if (!writing) return;
      check();
      try {
        if ((await at()) !== null) await file.datasync();
        await close();
      } catch (error) {
        throw systemError(`cannot write '${path}'`, error);
      }
    },
    close() {
      close().catch(() => {});
    },
  };
}
