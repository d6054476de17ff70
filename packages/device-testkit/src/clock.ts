import { type Clock, NEVER, type Timer } from '@pagurus/device-model';
import type { Budget } from './budget.js';

/** 2020-01-01T00:00:00Z, the date of the recorded streams. */
export const DEFAULT_WALL_CLOCK = 1_577_836_800_000_000_000n;

/** How often one timer may fire without its deadline moving forward before that counts as an endless loop. */
const STUCK_LIMIT = 1000;

class FakeTimer implements Timer {
  deadline = NEVER;
  order = 0;

  constructor(
    private readonly clock: FakeClock,
    readonly callback: () => void,
  ) {}

  arm(deadline: bigint): void {
    if (deadline === NEVER) throw new RangeError('arm(NEVER): use cancel()');
    this.deadline = deadline;
    this.order = this.clock.nextOrder();
  }

  cancel(): void {
    this.deadline = NEVER;
  }
}

/** A clock that moves only when the test says so, in both directions. */
export class FakeClock implements Clock {
  private time: bigint;
  private readonly timers: FakeTimer[] = [];
  private order = 0;

  constructor(
    start: bigint,
    /** Guest wall clock at virtual time 0. */
    private readonly wallClockAtZero: bigint,
    private readonly budget: Budget,
  ) {
    this.time = start;
  }

  now(): bigint {
    return this.time;
  }

  wallClock(): bigint {
    return this.wallClockAtZero + this.time;
  }

  timer(callback: () => void): Timer {
    const timer = new FakeTimer(this, callback);
    this.timers.push(timer);
    return timer;
  }

  /** @internal Timers with equal deadlines fire in the order in which they were armed. */
  nextOrder(): number {
    return this.order++;
  }

  /** Deadlines of all armed timers, soonest first. */
  get pending(): readonly bigint[] {
    return this.timers
      .filter((timer) => timer.deadline !== NEVER)
      .map((timer) => timer.deadline)
      .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Lets `nanoseconds` pass; every timer fires at its own deadline. */
  advance(nanoseconds: bigint | number): void {
    const step = BigInt(nanoseconds);
    if (step < 0n) throw new RangeError('advance() goes forward; use setTime() to go back');
    this.runUntil(this.time + step);
  }

  /** Jumps, forward or back, without living through the time between; then fires what is due. */
  setTime(time: bigint): void {
    this.time = time;
    this.runUntil(time);
  }

  private runUntil(target: bigint): void {
    let stuck = 0;
    let lastTimer: FakeTimer | undefined;
    let lastDeadline = 0n;
    for (;;) {
      const due = this.soonest(target);
      if (!due) break;
      stuck = due === lastTimer && due.deadline <= lastDeadline ? stuck + 1 : 0;
      if (stuck > STUCK_LIMIT) throw new Error(`a timer re-arms itself for ${due.deadline} for ever`);
      lastTimer = due;
      lastDeadline = due.deadline;
      if (due.deadline > this.time) this.time = due.deadline;
      due.deadline = NEVER;
      this.budget.refill();
      due.callback();
    }
    if (target > this.time) this.time = target;
  }

  private soonest(target: bigint): FakeTimer | undefined {
    let best: FakeTimer | undefined;
    for (const timer of this.timers) {
      if (timer.deadline === NEVER || timer.deadline > target) continue;
      if (!best || timer.deadline < best.deadline || (timer.deadline === best.deadline && timer.order < best.order)) best = timer;
    }
    return best;
  }
}
