import type { Log } from '@pagurus/device-model';

/** Messages of one device beyond this number per virtual burst are only counted. */
const BURST = 20;

/** Rate-limited log lines: each distinct message of a device is shown at most a few times. */
export class MachineLog {
  private readonly seen = new Map<string, number>();

  constructor(private readonly sink: (line: string) => void) {}

  for(id: string): Log {
    return {
      guestError: (message) => this.write(`${id}: guest error: ${message}`),
      unimplemented: (message) => this.write(`${id}: not implemented: ${message}`),
    };
  }

  private write(line: string): void {
    const count = (this.seen.get(line) ?? 0) + 1;
    this.seen.set(line, count);
    if (count < BURST) this.sink(line);
    else if (count === BURST) this.sink(`${line} (further ones like it are dropped)`);
  }
}
