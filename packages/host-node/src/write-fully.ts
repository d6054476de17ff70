import { writeSync } from 'node:fs';

const PAUSE = new Int32Array(new SharedArrayBuffer(4));
const PAUSE_MILLISECONDS = 2;

/**
 * Writes all bytes to a descriptor before it returns. A slow reader is waited for; one that has gone is no error.
 * @throws what Node.js throws for anything else.
 */
export function writeFully(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(descriptor, bytes, done);
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === 'EPIPE' || code === 'EIO' || code === 'EBADF') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(PAUSE, 0, 0, PAUSE_MILLISECONDS);
    }
  }
}
