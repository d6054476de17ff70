import type { HostWork } from '@pagurus/device-model';

/** What {@link DriveActivity} asks of a drive when the machine stands still. */
export interface SettlingDrive {
  settle(): Promise<void>;
  inactivate(): Promise<void>;
  close(): Promise<void>;
}

/** Requests of all drives of a machine that the host works on. The machine looks at it to give the host its turn. */
export class DriveActivity implements HostWork {
  pending = 0;
  /** All that the machine has. */
  readonly drives = new Set<SettlingDrive>();
  private started: () => void = () => {};
  private waiting: (() => void)[] = [];

  onStart(listener: () => void): void {
    this.started = listener;
  }

  /** Counts `work` until it ends. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.pending++;
    this.started();
    try {
      return await work;
    } finally {
      if (--this.pending === 0) for (const wake of this.waiting.splice(0)) wake();
    }
  }

  async settle(handOver: boolean): Promise<void> {
    while (this.pending > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
    for (const drive of this.drives) await (handOver ? drive.inactivate() : drive.settle());
  }
}
