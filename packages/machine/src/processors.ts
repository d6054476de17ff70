import type { CpuExit, CpuPort } from '@pagurus/cpu-wasm';
import type { RunLoopCpu } from './run-loop.js';

/**
 * Instructions of one processor before the next one gets its turn, where nobody waits: about a millisecond. A processor that waits in
 * a loop says PAUSE, one without work says HLT; both end their turn at once.
 */
const TURN = 100_000;

/** Told before a processor runs, is saved or is looked at: whose local APIC answers, whether SMRAM is seen. */
export type ProcessorSelected = (processor: number) => void;

/**
 * The processors of a machine, one after the other on one thread. Their instructions are counted together, so a deterministic machine
 * stays one. Which of them runs next is not part of a machine's state: after a load the first one begins.
 */
export class Processors implements RunLoopCpu {
  private turn = 0;
  private turnEnds = 0;
  private limit = 0;
  private leave = false;
  private running = false;
  /** Found halted, and nothing happened to it since. */
  private readonly asleep: boolean[] = [];
  /** INIT and start-up, to be done between instructions. */
  private readonly posted: (() => void)[][] = [];
  private readonly levels: boolean[] = [];

  constructor(
    private readonly cpu: CpuPort,
    private readonly onSelected: ProcessorSelected,
  ) {}

  get count(): number {
    return this.cpu.processors;
  }

  get instructions(): number {
    return this.cpu.instructions;
  }

  set instructions(count: number) {
    this.cpu.instructions = count;
    this.turnEnds = 0;
  }

  get halted(): boolean {
    for (let n = 0; n < this.count; n++) if (!this.asleep[n]) return false;
    return true;
  }

  // --- pins ------------------------------------------------------------------------------------------------------------

  setInterrupt(processor: number, level: boolean): void {
    this.levels[processor] = level;
    this.cpu.setInterrupt(level, processor);
    if (level) this.wake(processor);
  }

  nmi(processor: number): void {
    this.cpu.nmi(processor);
    this.wake(processor);
  }

  smi(processor: number): void {
    this.cpu.smi(processor);
    this.wake(processor);
  }

  /** INIT: starts over; all but the boot processor then wait for {@link startup}. */
  init(processor: number): void {
    this.post(processor, () => this.cpu.init(processor !== 0));
  }

  startup(processor: number, vector: number): void {
    this.post(processor, () => this.cpu.startup(vector));
  }

  private post(processor: number, action: () => void): void {
    this.posted[processor] ??= [];
    this.posted[processor].push(action);
    this.wake(processor);
    if (this.running && this.cpu.selected === processor) this.cpu.requestExit();
  }

  /** Something happened to it. Who runs now and waits for it gives way at its next PAUSE. */
  private wake(processor: number): void {
    this.asleep[processor] = false;
    if (this.running && processor !== this.cpu.selected) this.cpu.setPauseExits(true);
  }

  // --- state -----------------------------------------------------------------------------------------------------------

  /** Lets the CPU's registers be those of a processor, with nothing left to be done to it. Not while running. */
  select(processor: number): void {
    this.cpu.select(processor);
    this.onSelected(processor);
    const actions = this.posted[processor];
    if (!actions || actions.length === 0) return;
    this.posted[processor] = [];
    for (const action of actions) action();
    this.onSelected(processor);
  }

  /** After reset or load: everyone is looked at anew, the first one begins. Lines are driven as they are. */
  begin(): void {
    this.turn = 0;
    this.turnEnds = 0;
    this.posted.length = 0;
    this.asleep.length = 0;
    for (let n = 0; n < this.count; n++) this.cpu.setInterrupt(this.levels[n] ?? false, n);
  }

  // --- running ---------------------------------------------------------------------------------------------------------

  run(limit: number): CpuExit {
    this.limit = limit;
    for (;;) {
      const next = this.next();
      if (next === undefined) return this.takeLeave() ? 'requested' : 'halted';
      this.take(next);
      this.running = true;
      let exit: CpuExit;
      try {
        exit = this.cpu.run(Math.min(this.limit, this.turnEnds));
      } finally {
        this.running = false;
      }
      if (exit === 'shutdown') return exit;
      if (exit === 'halted') this.asleep[next] = true;
      const again = exit === 'requested' && (this.posted[next]?.length ?? 0) > 0;
      if (exit !== 'limit' ? !again : this.cpu.instructions >= this.turnEnds) this.pass(next);
      if (this.takeLeave()) return 'requested';
      if (exit === 'limit' && this.cpu.instructions >= this.limit) return exit;
    }
  }

  setLimit(limit: number): void {
    this.limit = limit;
    this.cpu.setLimit(Math.min(limit, this.turnEnds));
  }

  requestExit(): void {
    this.leave = true;
    this.cpu.requestExit();
  }

  private takeLeave(): boolean {
    const { leave } = this;
    this.leave = false;
    return leave;
  }

  /** Who goes on: whose turn it is, or the next one that is awake. */
  private next(): number | undefined {
    for (let i = 0; i < this.count; i++) {
      const candidate = (this.turn + i) % this.count;
      if (!this.asleep[candidate]) return candidate;
    }
    return undefined;
  }

  private take(processor: number): void {
    if (processor !== this.turn || this.turnEnds <= this.cpu.instructions) {
      this.turn = processor;
      this.turnEnds = this.count === 1 ? Number.POSITIVE_INFINITY : this.cpu.instructions + TURN;
    }
    if (this.cpu.selected !== processor || this.posted[processor]?.length) this.select(processor);
    // Alone, there is nobody to give way to.
    this.cpu.setPauseExits(this.othersAwake(processor));
  }

  private othersAwake(processor: number): boolean {
    for (let n = 0; n < this.count; n++) if (n !== processor && !this.asleep[n]) return true;
    return false;
  }

  private pass(processor: number): void {
    this.turn = (processor + 1) % this.count;
    this.turnEnds = 0;
  }
}
