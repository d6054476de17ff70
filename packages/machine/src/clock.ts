import { type Clock, NEVER, type Timer } from '@pagurus/device-model';

class ArmedTimer implements Timer {
  deadline = NEVER;
  /** Order of arming breaks ties, so that runs are repeatable. */
  order = 0;

  constructor(
    private readonly clock: VirtualClock,
    readonly callback: () => void,
  ) {}

  arm(deadline: bigint): void {
    this.clock.insert(this, deadline < 0n ? 0n : deadline);
  }

  cancel(): void {
    this.clock.remove(this);
  }
}

/** Where time comes from. */
export interface TimeSource {
  /** Nanoseconds of virtual time. */
  now(): bigint;
  /** Guest wall clock in nanoseconds since 1970. */
  wallClock(): bigint;
  /** What drives the real-time clock chip. */
  rtcClock(): bigint;
}

/** The machine's one virtual clock and its timers. */
export class VirtualClock implements Clock {
  private readonly pending: ArmedTimer[] = [];
  private armed = 0;

  constructor(
    private readonly source: TimeSource,
    /** A nearer deadline than before. */
    private readonly deadlineMoved: () => void,
  ) {}

  now(): bigint {
    return this.source.now();
  }

  wallClock(): bigint {
    return this.source.wallClock();
  }

  rtcClock(): bigint {
    return this.source.rtcClock();
  }

  timer(callback: () => void): Timer {
    return new ArmedTimer(this, callback);
  }

  /** The nearest deadline, or undefined. */
  nextDeadline(): bigint | undefined {
    return this.pending[0]?.deadline;
  }

  /** Runs what is due now. What callbacks arm for the past waits for the next call, so this always ends. */
  runDue(): void {
    const now = this.now();
    if (this.pending.length === 0 || this.pending[0]!.deadline > now) return;
    const due = this.pending.filter((timer) => timer.deadline <= now).map((timer) => ({ timer, order: timer.order }));
    for (const { timer, order } of due) {
      if (timer.deadline === NEVER || timer.order !== order) continue;
      this.remove(timer);
      timer.callback();
    }
  }

  insert(timer: ArmedTimer, deadline: bigint): void {
    this.drop(timer);
    timer.deadline = deadline;
    timer.order = ++this.armed;
    let at = this.pending.length;
    while (at > 0 && this.pending[at - 1]!.deadline > deadline) at--;
    this.pending.splice(at, 0, timer);
    if (at === 0) this.deadlineMoved();
  }

  remove(timer: ArmedTimer): void {
    this.drop(timer);
    timer.deadline = NEVER;
  }

  private drop(timer: ArmedTimer): void {
    const index = this.pending.indexOf(timer);
    if (index >= 0) this.pending.splice(index, 1);
  }
}
