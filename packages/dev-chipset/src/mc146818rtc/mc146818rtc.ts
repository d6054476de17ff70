import {
  type Device,
  type DeviceContext,
  defineDevice,
  NANOSECONDS_PER_SECOND,
  NEVER,
  PropertyError,
  section,
  type Timer,
} from '@pagurus/device-model';
import { dateOf, putDate, secondsToAlarm } from './date.js';
import { RtcState, rtcVmState } from './mc146818rtc.state.js';
import { A, B, C, CRYSTAL, DIVIDER_RELEASE, DIVIDER_RUNNING, INDEX_MASK, PORT, REGISTER, UPDATE_HOLD } from './spec.js';

/** CMOS memory as the machine fills it before the firmware reads it. Index 0..127. */
export interface RtcService {
  get(index: number): number;
  set(index: number, byte: number): void;
}

export interface RtcProperties {
  baseYear: number;
  iobase: number;
  irq: number;
  lostTickPolicy: string;
}

/** A timer that is later than its deadline by more than this has seen its clock jump, and starts over. */
const JUMP = 60n * NANOSECONDS_PER_SECOND;
/** The farthest deadline that can be: an alarm a day and a second ahead. */
const FARTHEST = 2n * 86_400n * NANOSECONDS_PER_SECOND;
/** After so many missed periods one interrupt stands for all. */
const CATCH_UP_PERIODS = 1000n;
/** An interrupt that came again on acknowledge may do so this often before it has to wait for its period. */
const REINJECT_LIMIT = 20;
const NO_ALARM = 0xffff_ffff_ffff_ffffn;

export const mc146818rtc = defineDevice<RtcProperties>({
  type: 'mc146818rtc',
  doc: 'real-time clock and CMOS memory',
  bus: 'isa',
  properties: {
    baseYear: { name: 'base_year', type: 'int32', default: 0, doc: 'year that century and year 0 stand for' },
    iobase: { name: 'iobase', type: 'uint32', default: 0x70, doc: 'first port' },
    irq: { name: 'irq', type: 'uint8', default: 8, doc: 'interrupt' },
    lostTickPolicy: {
      name: 'lost_tick_policy',
      type: 'str',
      default: 'discard',
      doc: "periodic interrupts that came too fast: 'discard' or 'slew'",
    },
  },
  create,
});

function create(context: DeviceContext, properties: RtcProperties): Device {
  const { baseYear, iobase, lostTickPolicy } = properties;
  if (lostTickPolicy !== 'discard' && lostTickPolicy !== 'slew') {
    throw new PropertyError('mc146818rtc', 'lost_tick_policy', `'${lostTickPolicy}' is not 'discard' or 'slew'`);
  }
  const slew = lostTickPolicy === 'slew';

  // wiring
  const { clock } = context;
  const irq = context.line('irq');
  const periodic = clock.timer(periodicExpired);
  const update = clock.timer(updateExpired);
  const region = context.ports.add(iobase, 2, { read, write }, { name: 'rtc' });

  // state
  const state = new RtcState();
  const { cmos } = state;
  state.baseRtc = clock.wallClock() / NANOSECONDS_PER_SECOND;
  state.lastUpdate = rtcNow();
  putDate(cmos, state.baseRtc, baseYear);

  // behaviour

  // --- time ----------------------------------------------------------------------------------------------------------------

  function rtcNow(): bigint {
    return clock.rtcClock?.() ?? clock.now();
  }

  /** The guest's date in nanoseconds since 1970. */
  function guestTime(): bigint {
    return BigInt.asIntN(64, state.baseRtc) * NANOSECONDS_PER_SECOND + rtcNow() - state.lastUpdate + state.offset;
  }

  function subSecond(): bigint {
    const rest = guestTime() % NANOSECONDS_PER_SECOND;
    return rest < 0n ? rest + NANOSECONDS_PER_SECOND : rest;
  }

  function guestSeconds(): bigint {
    return (guestTime() - subSecond()) / NANOSECONDS_PER_SECOND;
  }

  function running(): boolean {
    return !(cmos[REGISTER.B]! & B.SET) && (cmos[REGISTER.A]! & A.DIVIDER) <= DIVIDER_RUNNING;
  }

  /** Brings the time registers up to date. */
  function refresh(): void {
    if (!(cmos[REGISTER.B]! & B.SET)) putDate(cmos, guestSeconds(), baseYear);
  }

  /** The registers were written: time goes on from them, `phase` nanoseconds into the second. */
  function adopt(phase: bigint): void {
    state.baseRtc = BigInt.asUintN(64, dateOf(cmos, baseYear));
    state.lastUpdate = rtcNow();
    state.offset = phase;
  }

  function updateInProgress(): boolean {
    return running() && subSecond() >= NANOSECONDS_PER_SECOND - UPDATE_HOLD;
  }

  // --- ports ---------------------------------------------------------------------------------------------------------------

  function read(offset: number): number {
    return offset === PORT.INDEX ? 0xff : readRegister(state.cmosIndex);
  }

  function write(offset: number, value: number): void {
    if (offset === PORT.INDEX) state.cmosIndex = value & INDEX_MASK;
    else writeRegister(state.cmosIndex, value);
  }

  function readRegister(index: number): number {
    switch (index) {
      case REGISTER.PS2_CENTURY:
        return readRegister(REGISTER.CENTURY);
      case REGISTER.A:
        return (cmos[REGISTER.A]! & ~A.UPDATE_IN_PROGRESS) | (updateInProgress() ? A.UPDATE_IN_PROGRESS : 0);
      case REGISTER.C:
        return acknowledge();
      default:
        if (isTime(index) && running()) refresh();
        return cmos[index]!;
    }
  }

  function writeRegister(index: number, value: number): void {
    switch (index) {
      case REGISTER.PS2_CENTURY:
        writeRegister(REGISTER.CENTURY, value);
        return;
      case REGISTER.A:
        writeA(value);
        return;
      case REGISTER.B:
        writeB(value);
        return;
      case REGISTER.C:
      case REGISTER.D:
        return;
      default:
        writeTimeOrRam(index, value);
    }
  }

  function writeTimeOrRam(index: number, value: number): void {
    const phase = subSecond();
    if (isTime(index) && running()) refresh();
    cmos[index] = value;
    if (isTime(index) && running()) {
      adopt(phase);
      scheduleUpdate();
    } else if (isAlarm(index)) scheduleUpdate();
  }

  function writeA(value: number): void {
    const before = cmos[REGISTER.A]!;
    const stopping = running() && (value & A.DIVIDER) > DIVIDER_RUNNING;
    const releasing = (before & A.DIVIDER) > DIVIDER_RUNNING && (value & A.DIVIDER) <= DIVIDER_RUNNING;
    if (stopping) refresh();
    cmos[REGISTER.A] = value & ~A.UPDATE_IN_PROGRESS;
    if (releasing && !(cmos[REGISTER.B]! & B.SET)) adopt(DIVIDER_RELEASE);
    if ((before ^ value) & (A.RATE | A.DIVIDER)) schedulePeriodic(rtcNow(), true);
    scheduleUpdate();
  }

  function writeB(value: number): void {
    const before = cmos[REGISTER.B]!;
    let next = value;
    if (next & B.SET) {
      if (running()) refresh();
      next &= ~B.UPDATE;
      cmos[REGISTER.A]! &= ~A.UPDATE_IN_PROGRESS;
    } else if (before & B.SET && (cmos[REGISTER.A]! & A.DIVIDER) <= DIVIDER_RUNNING) {
      // The registers hold what the guest has written, in the format that it used while the clock stood.
      adopt(subSecond());
    }
    cmos[REGISTER.B] = next;
    drive();
    if ((before ^ next) & B.PERIODIC) schedulePeriodic(rtcNow(), true);
    scheduleUpdate();
  }

  // --- interrupts ------------------------------------------------------------------------------------------------------------

  /** IRQF follows the flags and their enables. */
  function drive(): void {
    const flags = cmos[REGISTER.C]! & (C.PERIODIC | C.ALARM | C.UPDATE);
    const active = (flags & cmos[REGISTER.B]!) !== 0;
    cmos[REGISTER.C] = flags | (active ? C.INTERRUPT : 0);
    irq.set(active);
  }

  function acknowledge(): number {
    const flags = cmos[REGISTER.C]!;
    cmos[REGISTER.C] = 0;
    irq.set(false);
    if (flags & (C.UPDATE | C.ALARM)) scheduleUpdate();
    if (flags & C.PERIODIC && state.irqCoalesced > 0 && state.irqReinjectOnAckCount < REINJECT_LIMIT) {
      state.irqReinjectOnAckCount++;
      state.irqCoalesced--;
      cmos[REGISTER.C] = C.PERIODIC;
      drive();
    }
    return flags;
  }

  function raise(flags: number): void {
    cmos[REGISTER.C]! |= flags;
    drive();
  }

  // --- periodic interrupt ------------------------------------------------------------------------------------------------------

  function periodTicks(): number {
    const rate = cmos[REGISTER.A]! & A.RATE;
    const off = rate === 0 || !(cmos[REGISTER.B]! & B.PERIODIC) || (cmos[REGISTER.A]! & A.DIVIDER_RESET) === A.DIVIDER_RESET;
    return off ? 0 : 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  /** The next periodic interrupt, counted from `time`; when the period has `changed`, what has passed of the old one counts. */
  function schedulePeriodic(time: bigint, changed: boolean): void {
    const before = BigInt(state.period);
    state.period = periodTicks();
    if (state.period === 0) {
      state.irqCoalesced = 0;
      state.periodicTimer = NEVER;
      periodic.cancel();
      return;
    }
    const period = BigInt(state.period);
    const tick = ticksOf(time);
    let passed = changed && before > 0n ? tick - (ticksOf(state.nextPeriodicTime) - before) : 0n;
    passed = passed < 0n ? 0n : passed > period ? period : passed;
    state.nextPeriodicTime = timeOf(tick + period - passed);
    state.periodicTimer = state.nextPeriodicTime;
    arm(periodic, state.periodicTimer);
  }

  function periodicExpired(): void {
    const now = rtcNow();
    const due = state.nextPeriodicTime;
    const late = now - due;
    const lost = late > JUMP || late > timeOf(BigInt(state.period) * CATCH_UP_PERIODS) || late < -JUMP;
    state.periodicTimer = NEVER;
    schedulePeriodic(lost ? now : due, false);
    if (slew) {
      if (state.irqReinjectOnAckCount >= REINJECT_LIMIT) state.irqReinjectOnAckCount = 0;
      if (cmos[REGISTER.C]! & C.INTERRUPT) state.irqCoalesced++;
    }
    raise(C.PERIODIC);
  }

  // --- update-ended and alarm --------------------------------------------------------------------------------------------------

  /** The next moment at which a flag that is still clear will be set. */
  function scheduleUpdate(): void {
    const flags = cmos[REGISTER.C]!;
    if (!running() || (flags & C.UPDATE && flags & C.ALARM)) {
      state.updateTimer = NEVER;
      update.cancel();
      return;
    }
    refresh();
    const nextUpdate = rtcNow() + NANOSECONDS_PER_SECOND - subSecond();
    const alarm = secondsToAlarm(cmos);
    state.nextAlarmTime = alarm === undefined ? NO_ALARM : nextUpdate + BigInt(alarm - 1) * NANOSECONDS_PER_SECOND;
    const next = flags & C.UPDATE ? state.nextAlarmTime : nextUpdate;
    state.updateTimer = next === NO_ALARM ? NEVER : next;
    if (state.updateTimer === NEVER) update.cancel();
    else arm(update, state.updateTimer);
  }

  function updateExpired(): void {
    const now = rtcNow();
    if (now < state.updateTimer) {
      // The clock was set back, or is another one than the source's.
      scheduleUpdate();
      return;
    }
    refresh();
    cmos[REGISTER.A]! &= ~A.UPDATE_IN_PROGRESS;
    raise(C.UPDATE | (now >= state.nextAlarmTime ? C.ALARM : 0));
    scheduleUpdate();
  }

  /** Arms a timer of the virtual clock for a deadline on the chip's. */
  function arm(timer: Timer, deadline: bigint): void {
    const distance = deadline - rtcNow();
    const bounded = distance > FARTHEST ? NANOSECONDS_PER_SECOND : distance;
    timer.arm(clock.now() + (bounded > 0n ? bounded : 0n));
  }

  return {
    sections: [section(rtcVmState, state, { alias: iobase })],
    services: {
      get: (index) => cmos[index & INDEX_MASK]!,
      set(index, byte) {
        cmos[index & INDEX_MASK] = byte;
      },
    } satisfies RtcService,
    reset() {
      cmos[REGISTER.B]! &= ~(B.PERIODIC | B.ALARM | B.UPDATE | B.SQUARE_WAVE);
      cmos[REGISTER.C] = 0;
      state.irqReinjectOnAckCount = 0;
      schedulePeriodic(rtcNow(), false);
      scheduleUpdate();
      drive();
    },
    resume() {
      irq.set((cmos[REGISTER.C]! & C.INTERRUPT) !== 0);
      resumeTimer(periodic, state.periodicTimer);
      resumeTimer(update, state.updateTimer);
    },
    unrealize() {
      periodic.cancel();
      update.cancel();
      region.remove();
    },
  };

  function resumeTimer(timer: Timer, deadline: bigint): void {
    if (deadline === NEVER) timer.cancel();
    else arm(timer, deadline);
  }
}

function ticksOf(time: bigint): bigint {
  return (time * CRYSTAL) / NANOSECONDS_PER_SECOND;
}

/** The first nanosecond in which `tick` has begun. */
function timeOf(tick: bigint): bigint {
  return (tick * NANOSECONDS_PER_SECOND) / CRYSTAL + 1n;
}

function isTime(index: number): boolean {
  if (index === REGISTER.CENTURY || (index >= REGISTER.DAY_OF_WEEK && index <= REGISTER.YEAR)) return true;
  return index === REGISTER.SECONDS || index === REGISTER.MINUTES || index === REGISTER.HOURS;
}

function isAlarm(index: number): boolean {
  return index === REGISTER.SECONDS_ALARM || index === REGISTER.MINUTES_ALARM || index === REGISTER.HOURS_ALARM;
}
