import { fieldsOf, vmstate } from '@pagurus/vmstate';
import type { TimeSource } from './clock.js';

/** `-rtc base=…,clock=…`: where the guest's wall clock starts and what moves it. */
export interface RtcOptions {
  /** Nanoseconds since 1970-01-01T00:00Z; undefined = the host's time when the machine is created. */
  readonly base?: bigint;
  /** `vm`: virtual time; `host`: the host's clock. */
  readonly clock: 'vm' | 'host';
}

/** `-icount shift=N,sleep=…`: virtual time is a function of instructions executed. */
export interface InstructionCountOptions {
  /** One instruction takes 2^shift nanoseconds; 0..10. `auto`: follows the host's speed, so that virtual time keeps pace with the host's. */
  readonly shift: number | 'auto';
  /** True: while the CPU is halted, virtual time keeps pace with the host; false: it jumps to the next timer at once. */
  readonly sleep: boolean;
}

/**
 * Where a deterministic machine's calendar starts if the user does not say: 2020-01-01T00:00Z, so that two runs are equal.
 * All others start at the host's time.
 */
export const DETERMINISTIC_RTC: RtcOptions = { base: 1_577_836_800_000_000_000n, clock: 'vm' };

/** Clocks of the host. Injected, so that tests own them. */
export interface HostClock {
  /** Monotonic nanoseconds. */
  monotonic(): bigint;
  /** Nanoseconds since 1970. */
  wall(): bigint;
}

/** With `shift=auto`: where it starts, how far it goes, how often it is looked at, what is left alone. */
const FIRST_SHIFT = 3;
const LAST_SHIFT = 10;
const ADAPT_INTERVAL = 100_000_000n;
const ADAPT_TOLERANCE = 50_000_000n;

/** What `timer` carries (QEMU: cpu-timers). */
export class TimerState {
  /** Time-stamp counter minus the host's, while stopped: the counter itself. */
  cpuTicksOffset = 0n;
  /** Virtual clock in nanoseconds while stopped. */
  cpuClockOffset = 0n;
  instructionCounting = false;
  icountBias = 0n;
  icount = 0n;
  warpStart = -1n;
  warpTimer = -1n;
  icountTimeShift = FIRST_SHIFT;
  /** With `shift=auto`: how far virtual time was ahead when the shift was last looked at. */
  lastDelta = 0n;
  adapting = false;
  realTimeTimer = -1n;
  virtualTimer = -1n;
}

const f = fieldsOf<TimerState>();

const icountShift = vmstate<TimerState>({
  name: 'timer/icount/shift',
  version: 2,
  minVersion: 2,
  // Only shift=auto changes it while the machine runs.
  needed: (state) => state.adapting,
  fields: [f.i16('icountTimeShift', 'icount_time_shift'), f.i64('lastDelta', 'last_delta')],
});

const icountSubsection = vmstate<TimerState>({
  name: 'timer/icount',
  version: 1,
  needed: (state) => state.instructionCounting,
  fields: [f.i64('icountBias', 'qemu_icount_bias'), f.i64('icount', 'qemu_icount')],
  subsections: [
    vmstate<TimerState>({
      name: 'timer/icount/warp_timer',
      version: 1,
      needed: (state) => state.warpTimer !== -1n,
      fields: [f.i64('warpStart', 'vm_clock_warp_start'), f.timer('warpTimer', 'icount_warp_timer')],
    }),
    vmstate<TimerState>({
      name: 'timer/icount/timers',
      version: 1,
      needed: (state) => state.adapting,
      fields: [f.timer('realTimeTimer', 'icount_rt_timer'), f.timer('virtualTimer', 'icount_vm_timer')],
    }),
    icountShift,
  ],
});

/** Section `timer`, version 2. */
export const timerVmState = vmstate<TimerState>({
  name: 'timer',
  version: 2,
  minVersion: 1,
  fields: [f.i64('cpuTicksOffset', 'cpu_ticks_offset'), f.unused(8), f.i64('cpuClockOffset', 'cpu_clock_offset', { since: 2 })],
  subsections: [icountSubsection],
  derived: ['instructionCounting', 'adapting'],
  postLoad(state) {
    state.icountTimeShift = Math.min(Math.max(state.icountTimeShift, 0), LAST_SHIFT);
  },
});

/**
 * Virtual time of a machine, in one of two modes: the host's monotonic clock while running, or (deterministic) instructions executed.
 * The time-stamp counter runs at 1 GHz of virtual time.
 */
export class MachineTime implements TimeSource {
  readonly state = new TimerState();
  private running = false;
  /** Host time at which the clock was last started. */
  private startedAt = 0n;
  private startedNow = 0n;
  private adaptedAt = 0n;
  private readonly wallBase: bigint;
  private readonly wallHostOffset: bigint;

  constructor(
    private readonly host: HostClock,
    private readonly rtc: RtcOptions,
    readonly counting: InstructionCountOptions | undefined,
    private readonly instructions: () => number,
  ) {
    this.state.instructionCounting = counting !== undefined;
    this.state.adapting = counting?.shift === 'auto';
    this.state.icountTimeShift = typeof counting?.shift === 'number' ? counting.shift : FIRST_SHIFT;
    this.wallBase = rtc.base ?? host.wall();
    this.wallHostOffset = this.wallBase - host.wall();
  }

  now(): bigint {
    if (this.counting) return this.state.icountBias + (BigInt(this.instructions()) << BigInt(this.state.icountTimeShift));
    return this.state.cpuClockOffset + (this.running ? this.host.monotonic() - this.startedAt : 0n);
  }

  wallClock(): bigint {
    return this.rtc.clock === 'vm' ? this.wallBase + this.now() : this.host.wall() + this.wallHostOffset;
  }

  /** What drives the real-time clock chip. */
  rtcClock(): bigint {
    return this.rtc.clock === 'vm' ? this.now() : this.host.wall();
  }

  timestamp(): bigint {
    return this.counting ? this.now() : this.state.cpuTicksOffset + (this.running ? this.host.monotonic() - this.startedAt : 0n);
  }

  /** Virtual time at which the time-stamp counter stands at `ticks`. */
  ofTimestamp(ticks: bigint): bigint {
    return this.counting ? ticks : ticks - this.state.cpuTicksOffset + this.state.cpuClockOffset;
  }

  /** Instructions from now until virtual time `deadline`; at least 0. Deterministic mode only. */
  instructionsUntil(deadline: bigint): number {
    const distance = deadline - this.now();
    if (distance <= 0n) return 0;
    const shift = BigInt(this.state.icountTimeShift);
    return Number((distance + (1n << shift) - 1n) >> shift);
  }

  /** The CPU sleeps; virtual time moves on without instructions. Deterministic mode only. */
  warp(nanoseconds: bigint): void {
    this.state.icountBias += nanoseconds;
  }

  /**
   * With `shift=auto`, now and then: instructions take longer where virtual time falls behind the host's, and less where it runs ahead.
   * Virtual time itself does not jump.
   */
  adapt(): void {
    const { state } = this;
    if (!state.adapting || !this.running) return;
    const host = this.host.monotonic() - this.startedAt;
    if (host - this.adaptedAt < ADAPT_INTERVAL) return;
    this.adaptedAt = host;
    const now = this.now();
    const delta = now - this.startedNow - host;
    // What is on its way back is left alone.
    const further = delta - state.lastDelta;
    const step = delta > ADAPT_TOLERANCE && further >= 0n ? -1 : delta < -ADAPT_TOLERANCE && further <= 0n ? 1 : 0;
    state.lastDelta = delta;
    const shift = Math.min(Math.max(state.icountTimeShift + step, 0), LAST_SHIFT);
    if (shift === state.icountTimeShift) return;
    state.icountTimeShift = shift;
    state.icountBias = now - (BigInt(this.instructions()) << BigInt(shift));
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.startedAt = this.host.monotonic();
    this.startedNow = this.now();
    // A sleep that QEMU was in when it was saved is over: ours are not part of the state.
    this.state.warpStart = -1n;
    this.state.warpTimer = -1n;
    this.adaptedAt = 0n;
  }

  stop(): void {
    if (!this.running) return;
    // A QEMU with shift=auto lets virtual time run no further than the host's.
    if (!this.counting || this.state.adapting) {
      const elapsed = this.host.monotonic() - this.startedAt;
      this.state.cpuClockOffset += elapsed;
      this.state.cpuTicksOffset += elapsed;
    }
    this.running = false;
  }

  /** Copies what lies outside the state class into it. */
  beforeSave(): void {
    if (!this.counting) return;
    this.state.icount = BigInt(this.instructions());
    if (!this.state.adapting) return;
    // When a QEMU would look at it next.
    this.state.realTimeTimer = this.now() + 10n * ADAPT_INTERVAL;
    this.state.virtualTimer = this.now() + ADAPT_INTERVAL;
  }
}
