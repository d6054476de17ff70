/** No deadline: a timer that is not pending, as QEMU writes it. */
export const NEVER = -1n;

/**
 * A one-shot timer on the machine's virtual clock. Its deadline is what a description's `timer` field stores, so a device keeps the
 * deadline in its state and re-arms from it in `resume`.
 */
export interface Timer {
  /** Nanoseconds of virtual time, or {@link NEVER}. */
  readonly deadline: bigint;
  /** A deadline in the past fires at the next opportunity, never inside this call. */
  arm(deadline: bigint): void;
  cancel(): void;
}

/** The machine's one virtual clock. It stands still while the machine is stopped. */
export interface Clock {
  /** Nanoseconds since the machine was created, carried over by migration. */
  now(): bigint;
  timer(callback: () => void): Timer;
  /** Wall clock of the guest, nanoseconds since 1970-01-01T00:00Z, as `-rtc base=…,clock=…` defines it. */
  wallClock(): bigint;
  /**
   * What drives a real-time clock chip, as `-rtc clock=` selects it: the virtual clock (`vm`) or the host's time of day in nanoseconds
   * since 1970 (`host`), which goes on while the machine is stopped. Its readings are on the wire. Absent: the virtual clock.
   */
  rtcClock?(): bigint;
}

export const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/** a * b / c without losing the middle, rounding down; all non-negative. */
export function mulDiv(a: bigint, b: bigint, c: bigint): bigint {
  return (a * b) / c;
}
