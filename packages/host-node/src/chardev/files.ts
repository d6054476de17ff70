import { closeSync, constants, existsSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { systemError } from '../errors.js';
import { type HostCharacter, InputQueue } from './host-character.js';

/** `file:PATH`: what the guest writes goes into a file. @throws {HostError} if it cannot be made. */
export function fileCharacter(path: string, append = false): HostCharacter {
  const descriptor = (() => {
    try {
      return openSync(path, append ? 'a' : 'w');
    } catch (error) {
      throw systemError(`cannot write '${path}'`, error);
    }
  })();
  let open = true;
  return {
    description: `file:${path}`,
    write(bytes) {
      // Synchronous, so that the file is complete at whatever moment this process ends.
      for (let done = 0; open && done < bytes.length; ) done += writeSync(descriptor, bytes, done);
    },
    connect() {},
    ready() {},
    async close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

/**
 * `pipe:PATH`: two named pipes PATH.in (to the guest) and PATH.out (from it), or one used in both directions.
 * @throws {HostError} if there are none.
 */
export function pipeCharacter(path: string): HostCharacter {
  const split = existsSync(`${path}.in`) && existsSync(`${path}.out`);
  const openPipe = (name: string): number => {
    try {
      // Read and write, so that opening does not wait for the other side and its leaving is no end.
      return openSync(name, constants.O_RDWR | constants.O_NONBLOCK);
    } catch (error) {
      throw systemError(`cannot open pipe '${name}' (nor '${path}.in' and '${path}.out')`, error);
    }
  };
  const input = openPipe(split ? `${path}.in` : path);
  const output = split ? openPipe(`${path}.out`) : input;
  const reader = new Socket({ fd: input, readable: true, writable: !split });
  const writer = split ? new Socket({ fd: output, readable: false, writable: true }) : reader;
  reader.on('error', () => {});
  writer.on('error', () => {});
  const queue = new InputQueue((full) => void (full ? reader.pause() : reader.resume()));
  reader.on('data', (chunk: Buffer) => queue.push(chunk));
  return {
    description: `pipe:${path}`,
    write: (bytes) => void writer.write(bytes.slice()),
    connect: (frontend) => queue.connect(frontend),
    ready: () => queue.deliver(),
    async close() {
      reader.destroy();
      writer.destroy();
    },
  };
}
