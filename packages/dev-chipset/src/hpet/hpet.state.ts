import { NEVER } from '@pagurus/device-model';
import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { NO_COMPARATOR, TIMER, TIMERS } from './spec.js';

/** One comparator. 64-bit registers are bigints. */
export class HpetTimerState {
  tn = 0;
  config = 0n;
  cmp = NO_COMPARATOR;
  /** Address (upper half) and data (lower) of the interrupt message. */
  fsb = 0n;
  period = 0n;
  /** A 32-bit one-shot waits for the counter to wrap, not for its comparator. */
  wrapFlag = 0;
  /** Virtual time at which it fires, or -1. */
  deadline = NEVER;

  constructor(index: number, capabilities: bigint) {
    this.tn = index;
    this.config = capabilities;
  }
}

export class HpetState {
  config = 0n;
  isr = 0n;
  /** The main counter while it stands, and as it was when last saved. */
  hpetCounter = 0n;
  numTimers: number;
  timers: HpetTimerState[];
  /** Level of the clock's interrupt, which legacy routing shuts off. */
  rtcIrqLevel = 0;
  /** While it runs: counter in nanoseconds minus virtual time, modulo 2^64. */
  hpetOffset = 0n;

  constructor(timers: number, capabilities: bigint) {
    this.numTimers = timers;
    this.timers = Array.from({ length: timers }, (_, index) => new HpetTimerState(index, capabilities));
  }
}

/** What a timer can do, as its configuration register says after reset. */
export function timerCapabilities(interrupts: number, messages: boolean): bigint {
  const low = TIMER.PERIODIC_CAPABLE | TIMER.SIZE_CAPABLE | (messages ? TIMER.FSB_CAPABLE : 0);
  return (BigInt(interrupts) << 32n) | BigInt(low);
}

/** At most half the counter's range: a comparator that lies ahead must not look like one that has passed. */
export function boundedPeriod(config: bigint, period: bigint): bigint {
  return BigInt.asUintN(config & BigInt(TIMER.MODE_32BIT) ? 31 : 63, period);
}

const t = fieldsOf<HpetTimerState>();
const timer = vmstate<HpetTimerState>({
  name: 'hpet_timer',
  version: 1,
  fields: [
    t.u8('tn'),
    t.u64('config'),
    t.u64('cmp'),
    t.u64('fsb'),
    t.u64('period'),
    t.u8('wrapFlag', 'wrap_flag'),
    t.timer('deadline', 'qemu_timer'),
  ],
});

const f = fieldsOf<HpetState>();

/**
 * Section `hpet`.
 * @param offsetSaved property `hpet-offset-saved`
 * @param readCounter brings `hpetCounter` up to date before it is sent
 */
export const hpetVmState = (offsetSaved: boolean, readCounter: () => void) =>
  vmstate<HpetState>({
    name: 'hpet',
    version: 2,
    minVersion: 1,
    fields: [
      f.u64('config'),
      f.u64('isr'),
      f.u64('hpetCounter', 'hpet_counter'),
      f.u8('numTimers', 'num_timers', { since: 2 }),
      f.validate('num_timers in range', ({ numTimers }) => numTimers >= TIMERS.LEAST && numTimers <= TIMERS.MOST),
      f.varStructArray('timers', 'timer', timer, {
        count: 'numTimers',
        max: TIMERS.MOST,
        create: () => new HpetTimerState(0, 0n),
      }),
    ],
    subsections: [
      vmstate<HpetState>({
        name: 'hpet/rtc_irq_level',
        version: 1,
        needed: (state) => state.rtcIrqLevel !== 0,
        fields: [f.u8('rtcIrqLevel', 'rtc_irq_level')],
      }),
      vmstate<HpetState>({
        name: 'hpet/offset',
        version: 1,
        needed: (state) => offsetSaved && (state.config & 1n) !== 0n,
        fields: [f.u64('hpetOffset', 'hpet_offset')],
      }),
    ],
    preLoad(state) {
      state.rtcIrqLevel = 0;
      state.hpetOffset = 0n;
      state.numTimers = TIMERS.LEAST;
    },
    preSave: readCounter,
    postLoad(state) {
      for (const [index, one] of state.timers.entries()) {
        one.tn = index;
        one.period = boundedPeriod(one.config, one.period);
      }
    },
  });
