import { spawn } from 'node:child_process';
import type { ByteChannel } from '@pagurus/migration';
import { HostError, systemError } from '../errors.js';
import { streamChannel } from './stream.js';

/**
 * `exec:COMMAND`: a shell command that takes the stream on its standard input (outgoing) or gives it on its standard output.
 * The end of the channel waits for the command; a status other than 0 is an error. `close` ends the command.
 */
export function execChannel(command: string, direction: 'in' | 'out'): ByteChannel {
  const label = `exec:${command}`;
  // Our standard output may be a guest's console: what the command prints goes to standard error.
  const child = spawn('/bin/sh', ['-c', command], { stdio: direction === 'out' ? ['pipe', 2, 2] : ['ignore', 'pipe', 2] });
  const finished = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(systemError(`cannot run '${command}'`, error)));
    child.once('close', (status, signal) => {
      if (status === 0) resolve();
      else reject(new HostError('process', `'${command}' ended with ${signal ?? `status ${status}`}`));
    });
  });
  finished.catch(() => {}); // reported to whoever waits
  const channel = streamChannel({
    label,
    ...(child.stdin ? { writable: child.stdin } : {}),
    ...(child.stdout ? { readable: child.stdout } : {}),
    duplex: false,
    finished: () => finished,
  });
  return {
    ...channel,
    close() {
      channel.close();
      child.kill();
    },
  };
}
