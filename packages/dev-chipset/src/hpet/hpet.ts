import { type Device, type DeviceContext, defineDevice, NEVER, PropertyError, section, type Timer } from '@pagurus/device-model';
import { boundedPeriod, HpetState, type HpetTimerState, hpetVmState, timerCapabilities } from './hpet.state.js';
import {
  BASE,
  CAPABILITIES,
  CONFIGURATION,
  FIRMWARE_TABLE,
  LAST_TIMER_SHIFT,
  LEGACY_IRQ,
  LENGTH,
  NO_COMPARATOR,
  PERIOD,
  PERIOD_FEMTOSECONDS,
  REGISTER,
  RTC_IRQ,
  TIMER,
  TIMER_REGISTER,
  TIMERS,
} from './spec.js';

export interface HpetProperties {
  timers: number;
  msi: boolean;
  intcap: number;
  offsetSaved: boolean;
}

export interface HpetService {
  /** What firmware finds under fw_cfg key 0x8004. */
  firmwareTable(): Uint8Array;
}

/** Interrupt outputs `irq0` to `irq23`. */
const OUTPUTS = 24;
/** A periodic timer does not fire more often than this; real software asks for a thousand times less. */
const LEAST_PERIOD_TICKS = 2000n;
/** Half the range of a 64-bit nanosecond clock: what lies beyond is never. */
const FARTHEST_TICKS = (1n << 62n) / PERIOD;

export const hpet = defineDevice<HpetProperties>({
  type: 'hpet',
  doc: 'high precision event timers',
  bus: 'system',
  properties: {
    timers: { name: 'timers', type: 'uint8', default: TIMERS.LEAST, doc: 'number of timers' },
    msi: { name: 'msi', type: 'bool', default: false, doc: 'timers can send messages' },
    intcap: { name: 'hpet-intcap', type: 'uint32', default: 0x4, doc: 'mask of interrupts that timers can be routed to' },
    offsetSaved: { name: 'hpet-offset-saved', type: 'bool', default: true, doc: 'send the offset; off up to pc-i440fx-2.11' },
  },
  create,
});

function create(context: DeviceContext, properties: HpetProperties): Device {
  if (properties.timers < TIMERS.LEAST || properties.timers > TIMERS.MOST) {
    throw new PropertyError('hpet', 'timers', `${properties.timers} is not between ${TIMERS.LEAST} and ${TIMERS.MOST}`);
  }

  // wiring
  const { clock, memory, log } = context;
  const outputs = Array.from({ length: OUTPUTS }, (_, irq) => context.line(`irq${irq}`));
  /** High while the PIT may use interrupt 0. */
  const pitEnabled = context.line('pit-enabled');
  const clocks: (Timer | undefined)[] = [];
  const region = context.mmio.add(BASE, LENGTH, { read, write, sizes: [1, 2, 4] }, { name: 'hpet' });

  // state
  const state = fresh();
  /** Virtual time for which `hpetCounter` holds though the counter runs: that of the last load. */
  let counterTime: bigint | undefined;

  function fresh(): HpetState {
    return new HpetState(properties.timers, timerCapabilities(properties.intcap, properties.msi));
  }

  // behaviour

  // --- counter ---------------------------------------------------------------------------------------------------------------

  function enabled(): boolean {
    return (state.config & BigInt(CONFIGURATION.ENABLE)) !== 0n;
  }

  function legacy(): boolean {
    return (state.config & BigInt(CONFIGURATION.LEGACY)) !== 0n;
  }

  function ticks(): bigint {
    return enabled() ? BigInt.asUintN(64, clock.now() + state.hpetOffset) / PERIOD : state.hpetCounter;
  }

  function readCounter(): void {
    if (!enabled() || counterTime === clock.now()) return;
    state.hpetCounter = ticks();
    counterTime = undefined;
  }

  /** The counter goes on from `hpetCounter`. */
  function startCounter(): void {
    state.hpetOffset = BigInt.asUintN(64, state.hpetCounter * PERIOD - clock.now());
    counterTime = undefined;
  }

  // --- registers ---------------------------------------------------------------------------------------------------------------

  /** Only whole, aligned 32-bit accesses do anything; the processor's 64-bit ones arrive as two. */
  function read(offset: number, size: number): number {
    if (size !== 4 || offset & 3) return 0;
    if (offset >= REGISTER.TIMERS) return readTimer(offset);
    switch (offset) {
      case REGISTER.CAPABILITIES:
        return (CAPABILITIES | ((state.numTimers - 1) << LAST_TIMER_SHIFT)) >>> 0;
      case REGISTER.PERIOD:
        return PERIOD_FEMTOSECONDS;
      case REGISTER.CONFIGURATION:
        return low(state.config);
      case REGISTER.STATUS:
        return low(state.isr);
      case REGISTER.COUNTER:
        return low(ticks());
      case REGISTER.COUNTER_HIGH:
        return high(ticks());
      default:
        return 0;
    }
  }

  function readTimer(offset: number): number {
    const timer = state.timers[Math.floor((offset - REGISTER.TIMERS) / TIMER_REGISTER.STRIDE)];
    if (!timer) return 0;
    switch (offset % TIMER_REGISTER.STRIDE) {
      case TIMER_REGISTER.CONFIGURATION:
        return low(timer.config);
      case TIMER_REGISTER.CAPABILITIES:
        return high(timer.config);
      case TIMER_REGISTER.COMPARATOR:
        return low(timer.cmp);
      case TIMER_REGISTER.COMPARATOR_HIGH:
        return high(timer.cmp);
      case TIMER_REGISTER.FSB_VALUE:
        return low(timer.fsb);
      case TIMER_REGISTER.FSB_ADDRESS:
        return high(timer.fsb);
      default:
        return 0;
    }
  }

  function write(offset: number, value: number, size: number): void {
    if (size !== 4 || offset & 3) return;
    if (offset >= REGISTER.TIMERS) {
      writeTimer(offset, value);
      return;
    }
    switch (offset) {
      case REGISTER.CONFIGURATION:
        configure(value);
        return;
      case REGISTER.STATUS:
        state.isr &= BigInt.asUintN(64, ~(BigInt(value) & ((1n << BigInt(state.numTimers)) - 1n)));
        driveLines();
        return;
      case REGISTER.COUNTER:
      case REGISTER.COUNTER_HIGH:
        if (enabled()) log.guestError('HPET counter written while it runs');
        else
          state.hpetCounter =
            offset === REGISTER.COUNTER ? withLow(state.hpetCounter, value) : withHigh(state.hpetCounter, value);
    }
  }

  function configure(value: number): void {
    const before = low(state.config);
    readCounter();
    state.config = withLow(state.config, (before & ~3) | (value & 3));
    const changed = before ^ value;
    if (changed & CONFIGURATION.ENABLE) {
      if (enabled()) startCounter();
      for (const timer of state.timers) {
        if (!enabled()) stop(timer);
        else if (timer.cmp !== NO_COMPARATOR) start(timer);
      }
    }
    if (changed & CONFIGURATION.LEGACY) pitEnabled.set(!legacy());
    driveLines();
  }

  function writeTimer(offset: number, value: number): void {
    const timer = state.timers[Math.floor((offset - REGISTER.TIMERS) / TIMER_REGISTER.STRIDE)];
    if (!timer) {
      log.guestError(`HPET timer ${Math.floor((offset - REGISTER.TIMERS) / TIMER_REGISTER.STRIDE)} does not exist`);
      return;
    }
    switch (offset % TIMER_REGISTER.STRIDE) {
      case TIMER_REGISTER.CONFIGURATION:
        configureTimer(timer, value);
        return;
      case TIMER_REGISTER.COMPARATOR:
        writeComparator(timer, value, withLow);
        return;
      case TIMER_REGISTER.COMPARATOR_HIGH:
        if (!has(timer, TIMER.MODE_32BIT)) writeComparator(timer, value, withHigh);
        return;
      case TIMER_REGISTER.FSB_VALUE:
        timer.fsb = withLow(timer.fsb, value);
        return;
      case TIMER_REGISTER.FSB_ADDRESS:
        timer.fsb = withHigh(timer.fsb, value);
    }
  }

  function configureTimer(timer: HpetTimerState, value: number): void {
    const before = low(timer.config);
    timer.config = withLow(timer.config, (before & ~TIMER.WRITABLE) | (value & TIMER.WRITABLE));
    if (has(timer, TIMER.MODE_32BIT)) {
      timer.cmp = BigInt.asUintN(32, timer.cmp);
      timer.period = boundedPeriod(timer.config, timer.period);
    }
    const changed = before ^ value;
    if (changed & TIMER.ENABLE) {
      if (!has(timer, TIMER.ENABLE)) stop(timer);
      else if (enabled()) start(timer);
    }
    if (changed & TIMER.FSB_ENABLE) state.isr &= ~bitOf(timer);
    driveLines();
  }

  /** [HPET] §2.3.9.2: in periodic mode a write sets the period, and the comparator too if SETVAL allows it once. */
  function writeComparator(timer: HpetTimerState, value: number, replace: (old: bigint, half: number) => bigint): void {
    const periodic = has(timer, TIMER.PERIODIC);
    if (!periodic || has(timer, TIMER.SET_VALUE)) timer.cmp = replace(timer.cmp, value);
    if (periodic) timer.period = boundedPeriod(timer.config, replace(timer.period, value));
    timer.config &= ~BigInt(TIMER.SET_VALUE);
    if (enabled()) start(timer);
  }

  // --- timers --------------------------------------------------------------------------------------------------------------------

  function clockOf(timer: HpetTimerState): Timer {
    const index = timer.tn;
    const made = clocks[index] ?? clock.timer(() => expire(state.timers[index]!));
    clocks[index] = made;
    return made;
  }

  /** Arms it for its comparator. */
  function start(timer: HpetTimerState): void {
    const now = ticks();
    const distance = distanceTo(timer, now);
    // [HPET] §2.3.9.1: a 32-bit one-shot also interrupts when the counter wraps.
    const wrap = 0xffff_ffffn - BigInt.asUintN(32, now);
    timer.wrapFlag = has(timer, TIMER.MODE_32BIT) && !has(timer, TIMER.PERIODIC) && wrap < distance ? 1 : 0;
    arm(timer, timer.wrapFlag ? wrap : distance);
  }

  function arm(timer: HpetTimerState, distance: bigint): void {
    if (distance >= FARTHEST_TICKS) {
      timer.deadline = NEVER;
      clockOf(timer).cancel();
      return;
    }
    timer.deadline = clock.now() + distance * PERIOD;
    clockOf(timer).arm(timer.deadline);
  }

  function stop(timer: HpetTimerState): void {
    timer.deadline = NEVER;
    clockOf(timer).cancel();
    state.isr &= ~bitOf(timer);
  }

  function expire(timer: HpetTimerState): void {
    timer.deadline = NEVER;
    const now = ticks();
    if (has(timer, TIMER.PERIODIC) && timer.period !== 0n) {
      advance(timer, now);
      arm(timer, distanceTo(timer, now));
    } else if (timer.wrapFlag) {
      timer.wrapFlag = 0;
      arm(timer, distanceTo(timer, now));
    }
    interrupt(timer);
  }

  /** Moves the comparator by whole periods to where it lies ahead, and not too near. */
  function advance(timer: HpetTimerState, now: bigint): void {
    const width = widthOf(timer);
    const behind = BigInt.asIntN(width, now + LEAST_PERIOD_TICKS - timer.cmp);
    const near = timer.period < LEAST_PERIOD_TICKS;
    const late = near ? behind : BigInt.asIntN(width, now - timer.cmp);
    if (late >= 0n) timer.cmp = BigInt.asUintN(width, timer.cmp + (late / timer.period + 1n) * timer.period);
  }

  /** Ticks to the comparator; one that has passed counts as the next tick. */
  function distanceTo(timer: HpetTimerState, now: bigint): bigint {
    const distance = BigInt.asIntN(widthOf(timer), timer.cmp - now);
    return distance > 0n ? distance : 1n;
  }

  function interrupt(timer: HpetTimerState): void {
    if (!has(timer, TIMER.ENABLE) || !enabled()) return;
    if (has(timer, TIMER.FSB_ENABLE)) sendMessage(timer);
    else if (has(timer, TIMER.LEVEL)) {
      state.isr |= bitOf(timer);
      driveLines();
    } else {
      outputs[routeOf(timer)]?.set(true);
      driveLines();
    }
  }

  /** The local APICs take messages from memory writes; a page that is not there yet cannot be their registers. */
  function sendMessage(timer: HpetTimerState): void {
    const data = new Uint8Array(4);
    new DataView(data.buffer).setUint32(0, low(timer.fsb), true);
    memory.write(high(timer.fsb), data);
  }

  function routeOf(timer: HpetTimerState): number {
    const route = (low(timer.config) >> TIMER.ROUTE_SHIFT) & TIMER.ROUTE;
    return legacy() ? (LEGACY_IRQ[timer.tn] ?? route) : route;
  }

  /** Levels follow from the state; edges were pulses. */
  function driveLines(): void {
    let active = !legacy() && state.rtcIrqLevel ? 1 << RTC_IRQ : 0;
    for (const timer of state.timers) if (state.isr & bitOf(timer)) active |= 1 << routeOf(timer);
    for (const [irq, line] of outputs.entries()) line.set((active & (1 << irq)) !== 0);
  }

  return {
    sections: [section(hpetVmState(properties.offsetSaved, readCounter), state)],
    inputs: {
      rtc(level) {
        state.rtcIrqLevel = level ? 1 : 0;
        driveLines();
      },
    },
    services: {
      firmwareTable() {
        const bytes = new Uint8Array(1 + FIRMWARE_TABLE.ENTRIES * FIRMWARE_TABLE.ENTRY_LENGTH);
        const view = new DataView(bytes.buffer);
        bytes[0] = 1;
        view.setUint32(1, read(REGISTER.CAPABILITIES, 4), true);
        view.setBigUint64(5, BigInt(BASE), true);
        view.setUint16(13, FIRMWARE_TABLE.LEAST_TICKS, true);
        return bytes;
      },
    } satisfies HpetService,
    reset() {
      for (const timer of clocks) timer?.cancel();
      Object.assign(state, fresh());
      counterTime = undefined;
      pitEnabled.set(true);
      driveLines();
    },
    resume() {
      // Streams without the offset go on from the counter that they saved.
      if (enabled() && !properties.offsetSaved) startCounter();
      counterTime = clock.now();
      for (const timer of clocks) timer?.cancel();
      for (const timer of state.timers) if (timer.deadline !== NEVER) clockOf(timer).arm(timer.deadline);
      pitEnabled.set(!legacy());
      driveLines();
    },
    unrealize() {
      for (const timer of clocks) timer?.cancel();
      region.remove();
    },
  };
}

function has(timer: HpetTimerState, bit: number): boolean {
  return (timer.config & BigInt(bit)) !== 0n;
}

function bitOf(timer: HpetTimerState): bigint {
  return 1n << BigInt(timer.tn);
}

function widthOf(timer: HpetTimerState): number {
  return has(timer, TIMER.MODE_32BIT) ? 32 : 64;
}

function low(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

function high(value: bigint): number {
  return Number(BigInt.asUintN(32, value >> 32n));
}

function withLow(value: bigint, half: number): bigint {
  return (value & 0xffff_ffff_0000_0000n) | BigInt(half >>> 0);
}

function withHigh(value: bigint, half: number): bigint {
  return (value & 0xffff_ffffn) | (BigInt(half >>> 0) << 32n);
}
