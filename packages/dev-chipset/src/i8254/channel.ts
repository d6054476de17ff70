import { NANOSECONDS_PER_SECOND, NEVER } from '@pagurus/device-model';
import type { PitChannelState } from './i8254.state.js';
import { FREQUENCY, FULL_COUNT, MODE } from './spec.js';

/** When tick `tick` after a load begins, in nanoseconds from the load. */
export function timeOfTick(tick: number): bigint {
  return (BigInt(tick) * NANOSECONDS_PER_SECOND) / FREQUENCY;
}

/** Ticks since the load: the last one that has begun, so that it is exactly n at `timeOfTick(n)`. 0 if the clock went back. */
export function ticksSinceLoad(channel: PitChannelState, now: bigint): number {
  const elapsed = now - channel.countLoadTime;
  return elapsed <= 0n ? 0 : Number(((elapsed + 1n) * FREQUENCY - 1n) / NANOSECONDS_PER_SECOND);
}

/** M2 is "don't care" in modes 2 and 3. [8254] "Mode Definitions" */
export function effectiveMode(mode: number): number {
  return mode > MODE.HARDWARE_STROBE ? mode - 4 : mode;
}

/** The gate is low and that stops this mode. In mode 1 and 5 the gate only triggers. */
function isHeld(channel: PitChannelState): boolean {
  const mode = effectiveMode(channel.mode);
  return channel.gate === 0 && mode !== MODE.ONE_SHOT && mode !== MODE.HARDWARE_STROBE;
}

/** The counting element as the guest reads it: 16 bits, BCD if asked for. */
export function counterOf(channel: PitChannelState, now: bigint): number {
  const { count } = channel;
  const modulus = channel.bcd ? FULL_COUNT.BCD : FULL_COUNT.BINARY;
  const ticks = isHeld(channel) ? 0 : ticksSinceLoad(channel, now);
  const value = counterAfter(effectiveMode(channel.mode), count, ticks, modulus);
  return channel.bcd ? toBcd(value) : value & 0xffff;
}

function counterAfter(mode: number, count: number, ticks: number, modulus: number): number {
  switch (mode) {
    case MODE.RATE_GENERATOR:
      return (count - (ticks % count)) % modulus;
    case MODE.SQUARE_WAVE:
      return (count - ((2 * ticks) % count)) % modulus;
    default:
      return (((count - ticks) % modulus) + modulus) % modulus;
  }
}

/** The OUT pin. [8254] "Mode Definitions", timing diagrams */
export function outputOf(channel: PitChannelState, now: bigint): boolean {
  return outputAfter(channel, ticksSinceLoad(channel, now));
}

/** OUT when the count has been running for `ticks`; `Infinity` = for ever. */
export function outputAfter(channel: PitChannelState, ticks: number): boolean {
  const { count } = channel;
  const mode = effectiveMode(channel.mode);
  // Held in mode 0, the last tick stands for a count that has expired.
  if (isHeld(channel)) return mode !== MODE.TERMINAL_COUNT || count === 1;
  switch (mode) {
    case MODE.TERMINAL_COUNT:
    case MODE.ONE_SHOT:
      return ticks >= count;
    case MODE.RATE_GENERATOR:
      return count === 1 || ticks % count !== count - 1;
    case MODE.SQUARE_WAVE:
      return count === 1 || ticks % count < (count + 1) >> 1;
    default:
      return ticks !== count;
  }
}

/** Virtual time at which OUT changes next after `now`, or {@link NEVER}. */
export function nextTransition(channel: PitChannelState, now: bigint): bigint {
  const tick = nextTransitionTick(channel, ticksSinceLoad(channel, now));
  return tick === undefined ? NEVER : channel.countLoadTime + timeOfTick(tick);
}

function nextTransitionTick(channel: PitChannelState, ticks: number): number | undefined {
  const { count } = channel;
  if (isHeld(channel)) return undefined;
  switch (effectiveMode(channel.mode)) {
    case MODE.TERMINAL_COUNT:
    case MODE.ONE_SHOT:
      return ticks < count ? count : undefined;
    case MODE.RATE_GENERATOR:
      if (count === 1) return undefined;
      return nextOf(ticks, count, count - 1);
    case MODE.SQUARE_WAVE:
      if (count === 1) return undefined;
      return nextOf(ticks, count, (count + 1) >> 1);
    default:
      if (ticks > count) return undefined;
      return ticks < count ? count : count + 1;
  }
}

/** The next multiple of `period`, or that plus `phase`, after `ticks`. */
function nextOf(ticks: number, period: number, phase: number): number {
  const start = ticks - (ticks % period);
  return ticks - start < phase ? start + phase : start + period;
}

/** What the guest wrote as a count of ticks. */
export function countFrom(raw: number, bcd: boolean): number {
  if (!bcd) return raw === 0 ? FULL_COUNT.BINARY : raw;
  const value = (raw >> 12) * 1000 + ((raw >> 8) & 15) * 100 + ((raw >> 4) & 15) * 10 + (raw & 15);
  return value === 0 ? FULL_COUNT.BCD : value;
}

function toBcd(value: number): number {
  const digit = (weight: number): number => Math.floor(value / weight) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}
