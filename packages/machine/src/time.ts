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
  /** One instruction takes 2^shift nanoseconds; 0..10. */
  readonly shift: number;
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
  icountTimeShift = 3;
  realTimeTimer = -1n;
  virtualTimer = -1n;
}

const f = fieldsOf<TimerState>();

const icountShift = vmstate<TimerState>({
  name: 'timer/icount/shift',
  version: 2,
  minVersion: 2,
  // Sent only with shift=auto, which adapts the shift while running.
  needed: () => false,
  fields: [],
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
      needed: () => false,
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
  derived: ['instructionCounting', 'icountTimeShift'],
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
  private readonly wallBase: bigint;
  private readonly wallHostOffset: bigint;

  constructor(
    private readonly host: HostClock,
    private readonly rtc: RtcOptions,
    readonly counting: InstructionCountOptions | undefined,
    private readonly instructions: () => number,
  ) {
    this.state.instructionCounting = counting !== undefined;
    this.state.icountTimeShift = counting?.shift ?? 3;
    this.wallBase = rtc.base ?? host.wall();
    this.wallHostOffset = this.wallBase - host.wall();
  }

  now(): bigint {
    if (this.counting) return this.state.icountBias + (BigInt(this.instructions()) << BigInt(this.counting.shift));
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

  /** Instructions from now until virtual time `deadline`; at least 0. Deterministic mode only. */
  instructionsUntil(deadline: bigint): number {
    const distance = deadline - this.now();
    if (distance <= 0n) return 0;
    const shift = BigInt(this.counting!.shift);
    return Number((distance + (1n << shift) - 1n) >> shift);
  }

  /** The CPU sleeps; virtual time moves on without instructions. Deterministic mode only. */
  warp(nanoseconds: bigint): void {
    this.state.icountBias += nanoseconds;
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.startedAt = this.host.monotonic();
  }

  stop(): void {
    if (!this.running) return;
    if (!this.counting) {
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
  }
}
