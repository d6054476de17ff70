import { NEVER } from '@pagurus/device-model';
import type { ApicState } from './apic.state.js';
import { LVT, LVT_ENTRY } from './spec.js';

/** The bus clock that the timer divides runs at 1 GHz of virtual time: one tick is `2^countShift` nanoseconds. */

/** A periodic timer does not fire more often than this many nanoseconds; real software asks for a hundred times less. */
const LEAST_PERIOD = 20_000n;
/** After so many missed periods one interrupt stands for all. */
const CATCH_UP_PERIODS = 1000n;

function elapsedTicks(state: ApicState, time: bigint): bigint {
  const elapsed = time - state.initialCountLoadTime;
  return elapsed <= 0n ? 0n : elapsed >> BigInt(state.countShift);
}

function isPeriodic(state: ApicState): boolean {
  return (state.lvt[LVT.TIMER]! & LVT_ENTRY.PERIODIC) !== 0;
}

/** Ticks from one periodic interrupt to the next. */
function periodTicks(state: ApicState): bigint {
  return BigInt(state.initialCount) + 1n;
}

/** [SDM] "APIC Timer": the current-count register. */
export function currentCount(state: ApicState, now: bigint): number {
  const initial = BigInt(state.initialCount);
  if (initial === 0n || state.lvt[LVT.TIMER]! & LVT_ENTRY.TSC_DEADLINE) return 0;
  const ticks = elapsedTicks(state, now);
  if (isPeriodic(state)) return Number(initial - (ticks % periodTicks(state)));
  return ticks >= initial ? 0 : Number(initial - ticks);
}

/** Computes when the timer fires next after `time`: `nextTime` and `timerExpiry`. A deadline of the time-stamp counter stays. */
export function scheduleTimer(state: ApicState, time: bigint): void {
  const entry = state.lvt[LVT.TIMER]!;
  if (entry & LVT_ENTRY.TSC_DEADLINE) return;
  state.timerExpiry = NEVER;
  if (entry & LVT_ENTRY.MASKED || state.initialCount === 0) return;
  const ticks = elapsedTicks(state, time);
  let target: bigint;
  if (isPeriodic(state)) target = (ticks / periodTicks(state) + 1n) * periodTicks(state);
  else if (ticks >= BigInt(state.initialCount)) return;
  else target = periodTicks(state);
  state.nextTime = state.initialCountLoadTime + (target << BigInt(state.countShift));
  state.timerExpiry = state.nextTime;
}

/** The time from which a timer that has just fired is scheduled again: its own, unless that would be too soon or too long ago. */
export function timeAfterExpiry(state: ApicState, now: bigint): bigint {
  const due = state.nextTime;
  const period = periodTicks(state) << BigInt(state.countShift);
  if (period < LEAST_PERIOD) return now + LEAST_PERIOD;
  return now - due > period * CATCH_UP_PERIODS ? now : due;
}

/** Logarithm of the divisor that a divide register asks for: 1 is written as 7, 2 as 0, 128 as 6. */
export function shiftOf(divide: number): number {
  return (((divide & 3) | ((divide >> 1) & 4)) + 1) & 7;
}
