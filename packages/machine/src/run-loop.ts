import type { CpuExit } from '@pagurus/cpu-wasm';
import type { VirtualClock } from './clock.js';
import type { MachineTime } from './time.js';

/** How long the loop keeps the host's thread before it lets other work run. */
const SLICE_NANOSECONDS = 4_000_000n;
/** The same while the host works on something that the guest waits for. */
const SHORT_SLICE_NANOSECONDS = 250_000n;
/** Instructions in the first slice, before the speed is known. */
const FIRST_SLICE = 100_000;
const LONGEST_SLEEP_MILLISECONDS = 1000;
/** So many timers without an instruction in between mean that nothing will wake the CPU. */
const IDLE_TIMERS = 100_000;

export interface RunLoopCpu {
  instructions: number;
  run(limit: number): CpuExit;
  setLimit(limit: number): void;
  requestExit(): void;
  readonly halted: boolean;
}

export interface RunLoopHost {
  monotonic(): bigint;
  /** What the CPU asked for at the end of a run: reset, shutdown, stop. True if the loop may go on. */
  afterRun(exit: CpuExit): boolean;
  /** The guest waits for the host. */
  hostBusy(): boolean;
}

/** Lets the host's other work run. */
const immediate: (callback: () => void) => void = (() => {
  const node = (globalThis as { setImmediate?: (callback: () => void) => void }).setImmediate;
  if (node) return node;
  const channel = new MessageChannel();
  const queue: (() => void)[] = [];
  channel.port1.onmessage = () => queue.shift()?.();
  return (callback) => {
    queue.push(callback);
    channel.port2.postMessage(undefined);
  };
})();

/** Runs the CPU in slices, fires timers, sleeps while the CPU is halted. One per machine. */
export class RunLoop {
  private active = false;
  /** Counts starts, so that a loop that was stopped while it slept does not go on beside its successor. */
  private generation = 0;
  private inRun = false;
  private sliceEnd = 0n;
  private breakpoint = Number.POSITIVE_INFINITY;
  /** Instructions per nanosecond, measured. */
  private speed = 0;
  private wakeUp: (() => void) | undefined;
  private settled: Promise<void> = Promise.resolve();

  constructor(
    private readonly cpu: RunLoopCpu,
    private readonly clock: VirtualClock,
    private readonly time: MachineTime,
    private readonly host: RunLoopHost,
  ) {}

  /** Stop at exactly this instruction count. */
  breakAt(instructions: number): void {
    this.breakpoint = instructions;
    this.deadlineMoved();
  }

  get atBreakpoint(): boolean {
    return this.cpu.instructions >= this.breakpoint;
  }

  clearBreakpoint(): void {
    this.breakpoint = Number.POSITIVE_INFINITY;
  }

  start(onError: (error: unknown) => void): void {
    if (this.active) return;
    this.active = true;
    this.time.start();
    const previous = this.settled;
    const generation = ++this.generation;
    this.settled = previous.then(() => this.loop(generation)).catch(onError);
  }

  /** Leaves the loop; from inside a device's handler it takes effect at the next instruction boundary. */
  stop(): void {
    if (!this.active) return;
    this.active = false;
    this.time.stop();
    if (this.inRun) this.cpu.requestExit();
    this.wake();
  }

  /** Resolves when no code of the loop is on the stack any more. */
  whenSettled(): Promise<void> {
    return this.settled;
  }

  /** Something happened that a sleeping loop has to look at. */
  wake(): void {
    this.wakeUp?.();
  }

  /** The host has begun something that the guest waits for: it gets its turn now. */
  hostWorkStarted(): void {
    this.sliceEnd = 0n;
    if (this.inRun) this.cpu.requestExit();
  }

  deadlineMoved(): void {
    if (this.inRun) this.cpu.setLimit(Math.min(this.limit(), this.cpu.instructions + this.sliceBudget()));
    else this.wake();
  }

  /**
   * Runs without yielding until `instructions` have been executed in total, the machine is idle for good, or it stops.
   * For deterministic machines: halted time is skipped. Idle for good is also a CPU that many timers in a row have not woken.
   */
  runUntil(instructions: number): void {
    this.active = true;
    this.time.start();
    let idle = 0;
    let executed = this.cpu.instructions;
    while (this.active && this.cpu.instructions < instructions) {
      this.clock.runDue();
      if (!this.active) break;
      const exit = this.run(Math.min(this.limit(), instructions));
      if (!this.host.afterRun(exit)) break;
      if (exit === 'halted' && this.cpu.halted) {
        idle = this.cpu.instructions === executed ? idle + 1 : 0;
        executed = this.cpu.instructions;
        const deadline = this.clock.nextDeadline();
        if (deadline === undefined || idle > IDLE_TIMERS) break;
        const distance = deadline - this.time.now();
        if (distance > 0n) this.time.warp(distance);
      }
    }
    this.active = false;
    this.time.stop();
  }

  private async loop(generation: number): Promise<void> {
    const current = (): boolean => this.active && this.generation === generation;
    while (current()) {
      this.sliceEnd = this.host.monotonic() + this.slice;
      this.time.adapt();
      let idle = false;
      while (current() && !idle && this.host.monotonic() < this.sliceEnd) {
        this.clock.runDue();
        if (!current()) return;
        const exit = this.run(Math.min(this.limit(), this.cpu.instructions + this.sliceBudget()));
        if (!this.host.afterRun(exit)) return;
        idle = exit === 'halted' && this.cpu.halted;
        if (idle && this.time.counting && !this.time.counting.sleep) {
          const deadline = this.clock.nextDeadline();
          if (deadline !== undefined) {
            const distance = deadline - this.time.now();
            if (distance > 0n) this.time.warp(distance);
            idle = false;
          }
        }
      }
      if (!current()) return;
      if (idle) await this.sleep();
      else await new Promise<void>((resolve) => immediate(resolve));
    }
  }

  private get slice(): bigint {
    return this.host.hostBusy() ? SHORT_SLICE_NANOSECONDS : SLICE_NANOSECONDS;
  }

  private run(limit: number): CpuExit {
    const before = this.cpu.instructions;
    const started = this.host.monotonic();
    this.inRun = true;
    let exit: CpuExit;
    try {
      exit = this.cpu.run(limit);
    } finally {
      this.inRun = false;
    }
    const executed = this.cpu.instructions - before;
    const elapsed = Number(this.host.monotonic() - started);
    if (executed > 10_000 && elapsed > 0) {
      const speed = executed / elapsed;
      this.speed = this.speed === 0 ? speed : 0.8 * this.speed + 0.2 * speed;
    }
    return exit;
  }

  /** The instruction count at which the CPU must come back. */
  private limit(): number {
    const deadline = this.clock.nextDeadline();
    if (deadline === undefined) return this.breakpoint;
    const instructions = this.cpu.instructions;
    if (this.time.counting) return Math.min(this.breakpoint, instructions + this.time.instructionsUntil(deadline));
    const distance = Number(deadline - this.time.now());
    if (distance <= 0) return Math.min(this.breakpoint, instructions + 1);
    const budget = this.speed === 0 ? FIRST_SLICE : Math.ceil(distance * this.speed);
    return Math.min(this.breakpoint, instructions + Math.max(1, budget));
  }

  private sliceBudget(): number {
    return this.speed === 0 ? FIRST_SLICE : Math.max(1000, Math.ceil(Number(this.slice) * this.speed));
  }

  /** The CPU waits for an interrupt: sleep until the next timer or until woken. */
  private async sleep(): Promise<void> {
    const deadline = this.clock.nextDeadline();
    const before = this.host.monotonic();
    const distance = deadline === undefined ? undefined : deadline - this.time.now();
    if (distance === undefined || distance > 0n) {
      const milliseconds = distance === undefined ? LONGEST_SLEEP_MILLISECONDS : Number(distance) / 1e6;
      await new Promise<void>((resolve) => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const done = () => {
          if (timer !== undefined) clearTimeout(timer);
          this.wakeUp = undefined;
          resolve();
        };
        this.wakeUp = done;
        if (milliseconds < 1) immediate(done);
        else timer = setTimeout(done, Math.min(milliseconds, LONGEST_SLEEP_MILLISECONDS));
      });
    }
    if (this.time.counting && this.active) {
      const elapsed = this.host.monotonic() - before;
      const left = deadline === undefined ? elapsed : deadline - this.time.now();
      // Who follows the host's time goes past a deadline that was missed; who does not stops there.
      const step = elapsed < left || this.time.state.adapting ? elapsed : left;
      if (step > 0n) this.time.warp(step);
    }
  }
}
