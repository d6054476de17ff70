import type { ReadStream } from 'node:tty';
import { writeFully } from '../write-fully.js';
import { type HostCharacter, InputQueue } from './host-character.js';

export interface StdioOptions {
  /** Ctrl-C ends the process (`signal=on`, QEMU's default without -nographic) instead of going to the guest. */
  readonly signal: boolean;
  readonly input?: NodeJS.ReadStream;
  /** File descriptor for output. Default 1. */
  readonly output?: number;
  /** Standard input has ended (a pipe was closed). The machine goes on. */
  readonly ended?: () => void;
}

const CTRL_C = 3;

/**
 * The terminal, or whatever standard input and output are. On a terminal: raw mode until `close`.
 */
export function stdioCharacter(options: StdioOptions): HostCharacter {
  const input = options.input ?? process.stdin;
  const output = options.output ?? 1;
  const terminal = input.isTTY ? (input as unknown as ReadStream) : undefined;
  const queue = new InputQueue((full) => void (full ? input.pause() : input.resume()));
  let closed = false;

  const onData = (chunk: Buffer): void => {
    if (options.signal && terminal && chunk.includes(CTRL_C)) {
      process.kill(process.pid, 'SIGINT');
      return;
    }
    queue.push(chunk);
  };
  const restore = (): void => {
    if (terminal && !closed) terminal.setRawMode(false);
  };
  const onEnd = (): void => options.ended?.();
  terminal?.setRawMode(true);
  // Whatever way this process ends, the terminal must be usable afterwards.
  process.on('exit', restore);
  input.on('data', onData).on('end', onEnd);
  input.resume();

  return {
    description: 'stdio',
    write: (bytes) => writeFully(output, bytes),
    connect: (frontend) => queue.connect(frontend),
    ready: () => queue.deliver(),
    async close() {
      if (closed) return;
      restore();
      closed = true;
      process.off('exit', restore);
      input.off('data', onData).off('end', onEnd);
      input.pause();
      // A pipe or terminal that is only paused would keep the process alive.
      (input as { unref?: () => void }).unref?.();
    },
  };
}
