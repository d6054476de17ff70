import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { ByteChannel } from '@pagurus/migration';
import { systemError } from '../errors.js';
import { openFileForReading, openFileForWriting } from './file.js';
import { socketChannel } from './socket.js';
import { streamChannel } from './stream.js';

/** `fd:N`: an open descriptor inherited from whoever started us: a socket, a pipe or a file. */
export async function descriptorChannel(descriptor: number, direction: 'in' | 'out'): Promise<ByteChannel> {
  const label = `fd:${descriptor}`;
  const kind = (() => {
    try {
      const stat = fstatSync(descriptor);
      return stat.isSocket() ? 'socket' : stat.isFIFO() ? 'pipe' : 'file';
    } catch (error) {
      throw systemError(`cannot use ${label}`, error);
    }
  })();
  if (kind === 'file') {
    // A second description of the same file; positions are ours.
    const path = `/proc/self/fd/${descriptor}`;
    return direction === 'in' ? await openFileForReading(path) : await openFileForWriting(path);
  }
  const socket = new Socket({
    fd: descriptor,
    readable: direction === 'in' || kind === 'socket',
    writable: direction === 'out' || kind === 'socket',
  });
  socket.on('error', () => {});
  if (kind === 'socket') return socketChannel(socket, label);
  return streamChannel({ label, duplex: false, ...(direction === 'in' ? { readable: socket } : { writable: socket }) });
}
