import { type Device, type DeviceContext, defineDevice, NEVER, section } from '@pagurus/device-model';
import {
  counterOf,
  countFrom,
  effectiveMode,
  nextTransition,
  outputAfter,
  outputOf,
  ticksSinceLoad,
  timeOfTick,
} from './channel.js';
import { i8254VmState, type PitChannelState, PitState } from './i8254.state.js';
import { ACCESS, BYTE, CONTROL, CONTROL_PORT, MODE, READ_BACK, STATUS_OUT } from './spec.js';

/** What the speaker port sees of the timer. Channels are 0, 1 and 2. */
export interface PitService {
  gate(channel: number): boolean;
  setGate(channel: number, level: boolean): void;
  out(channel: number): boolean;
}

export interface PitProperties {
  iobase: number;
}

/** After so many missed periods the timer gives one edge for all of them. */
const CATCH_UP_PERIODS = 1000;

/** 8254 with three channels; channel 0 is interrupt 0, channel 2 the speaker. */
export const i8254 = defineDevice<PitProperties>({
  type: 'isa-pit',
  doc: '8254 interval timer',
  bus: 'isa',
  parents: ['pit-common'],
  properties: { iobase: { name: 'iobase', type: 'uint32', default: 0x40, doc: 'first port' } },
  create,
});

function create(context: DeviceContext, properties: PitProperties): Device {
  // wiring
  const { clock } = context;
  const irq = context.line('irq');
  const timer = clock.timer(expire);
  const region = context.ports.add(properties.iobase, 4, { read, write }, { name: 'pit' });

  // state
  const state = new PitState();

  // behaviour
  function read(offset: number): number {
    const channel = state.channels[offset];
    if (!channel) return 0;
    if (channel.statusLatched) {
      channel.statusLatched = 0;
      return channel.status;
    }
    return channel.countLatched ? readLatched(channel) : readCounter(channel);
  }

  function readLatched(channel: PitChannelState): number {
    const { countLatched, latchedCount } = channel;
    channel.countLatched = countLatched === BYTE.WORD_LOW ? BYTE.HIGH : 0;
    return countLatched === BYTE.HIGH ? latchedCount >> 8 : latchedCount & 0xff;
  }

  function readCounter(channel: PitChannelState): number {
    const counter = counterOf(channel, clock.now());
    switch (channel.readState) {
      case BYTE.HIGH:
        return counter >> 8;
      case BYTE.WORD_LOW:
        channel.readState = BYTE.WORD_HIGH;
        return counter & 0xff;
      case BYTE.WORD_HIGH:
        channel.readState = BYTE.WORD_LOW;
        return counter >> 8;
      default:
        return counter & 0xff;
    }
  }

  function write(offset: number, value: number): void {
    if (offset === CONTROL_PORT) {
      if (value >> CONTROL.CHANNEL_SHIFT === CONTROL.READ_BACK) readBack(value);
      else control(value);
      return;
    }
    const channel = state.channels[offset]!;
    switch (channel.writeState) {
      case BYTE.HIGH:
        load(channel, value << 8);
        return;
      case BYTE.WORD_LOW:
        channel.writeLatch = value;
        channel.writeState = BYTE.WORD_HIGH;
        return;
      case BYTE.WORD_HIGH:
        channel.writeState = BYTE.WORD_LOW;
        load(channel, channel.writeLatch | (value << 8));
        return;
      default:
        load(channel, value);
    }
  }

  function control(value: number): void {
    const channel = state.channels[value >> CONTROL.CHANNEL_SHIFT]!;
    const access = (value >> CONTROL.ACCESS_SHIFT) & 3;
    if (access === ACCESS.LATCH) {
      latchCount(channel);
      return;
    }
    channel.rwMode = access;
    channel.readState = access;
    channel.writeState = access;
    channel.mode = (value >> CONTROL.MODE_SHIFT) & 7;
    channel.bcd = value & CONTROL.BCD;
    channel.countLatched = 0;
    // OUT takes its initial level now; the count that follows replaces this one.
    load(channel, 0);
  }

  function readBack(value: number): void {
    for (const [index, channel] of state.channels.entries()) {
      if (!(value & (2 << index))) continue;
      if (!(value & READ_BACK.NO_COUNT)) latchCount(channel);
      if (!(value & READ_BACK.NO_STATUS)) latchStatus(channel);
    }
  }

  function latchCount(channel: PitChannelState): void {
    if (channel.countLatched) return;
    channel.latchedCount = counterOf(channel, clock.now());
    channel.countLatched = channel.rwMode;
  }

  function latchStatus(channel: PitChannelState): void {
    if (channel.statusLatched) return;
    const out = outputOf(channel, clock.now()) ? STATUS_OUT : 0;
    channel.status = out | (channel.rwMode << CONTROL.ACCESS_SHIFT) | (channel.mode << CONTROL.MODE_SHIFT) | channel.bcd;
    channel.statusLatched = 1;
  }

  function load(channel: PitChannelState, raw: number): void {
    channel.count = countFrom(raw, channel.bcd !== 0);
    channel.countLoadTime = clock.now();
    // Modes 1 and 5 wait for their trigger: as long as that is missing, they have run out.
    if (isTriggered(channel)) channel.countLoadTime -= timeOfTick(channel.count + 2);
    if (channel === state.channels[0]) updateIrq(clock.now());
  }

  function setGate(index: number, level: boolean): void {
    const channel = state.channels[index]!;
    if ((channel.gate !== 0) === level) return;
    const now = clock.now();
    const mode = effectiveMode(channel.mode);
    const pausable = mode === MODE.TERMINAL_COUNT || mode === MODE.SOFTWARE_STROBE;
    if (!level && pausable) channel.count = Math.max(1, channel.count - ticksSinceLoad(channel, now));
    if (level && !(pausable && channel.count === 1)) channel.countLoadTime = now;
    channel.gate = level ? 1 : 0;
    if (index === 0) updateIrq(now);
  }

  // --- interrupt 0 ---------------------------------------------------------------------------------------------------------

  /** Puts the line at its level of `time` and waits for the next change. */
  function updateIrq(time: bigint): void {
    if (state.irqDisabled) return;
    const channel = state.channels[0]!;
    irq.set(irqLevel(channel, ticksSinceLoad(channel, time)));
    channel.nextTransitionTime = nextTransition(channel, time);
    arm();
  }

  function expire(): void {
    const channel = state.channels[0]!;
    const now = clock.now();
    const due = channel.nextTransitionTime;
    if (now - due <= timeOfTick(channel.count * CATCH_UP_PERIODS)) {
      // The pulse of mode 2 is one tick wide. A state of QEMU may have it still before it at the tick that ends it.
      if (pulsePhase(channel) === 0) irq.set(false);
      updateIrq(due);
      return;
    }
    irq.set(false);
    updateIrq(now);
  }

  function arm(): void {
    const due = state.channels[0]!.nextTransitionTime;
    if (due === NEVER || state.irqDisabled) timer.cancel();
    else timer.arm(due);
  }

  function enableIrq(level: boolean): void {
    state.irqDisabled = level ? 0 : 1;
    if (level) updateIrq(clock.now());
    else {
      timer.cancel();
      irq.set(false);
    }
  }

  return {
    sections: [section(i8254VmState, state, { alias: properties.iobase })],
    inputs: { 'irq-enable': enableIrq },
    services: {
      gate: (channel) => state.channels[channel]!.gate !== 0,
      setGate,
      out: (channel) => outputOf(state.channels[channel]!, clock.now()),
    } satisfies PitService,
    reset() {
      Object.assign(state, new PitState());
      const now = clock.now();
      for (const [index, channel] of state.channels.entries()) {
        channel.gate = index === 2 ? 0 : 1;
        channel.countLoadTime = now;
      }
      updateIrq(now);
    },
    resume() {
      irq.set(!state.irqDisabled && settledLevel(state.channels[0]!, clock.now()));
      arm();
    },
    unrealize() {
      timer.cancel();
      region.remove();
    },
  };
}

function isTriggered(channel: PitChannelState): boolean {
  const mode = effectiveMode(channel.mode);
  return mode === MODE.ONE_SHOT || mode === MODE.HARDWARE_STROBE;
}

/**
 * OUT as the interrupt controller gets it. In the strobe modes the line is high during the strobe, not before and after it: QEMU's
 * streams have it so, and a controller that remembers a high line would miss the edge on the other side.
 */
function irqLevel(channel: PitChannelState, ticks: number): boolean {
  const mode = effectiveMode(channel.mode);
  const strobe = mode === MODE.SOFTWARE_STROBE || mode === MODE.HARDWARE_STROBE;
  return outputAfter(channel, ticks) !== strobe;
}

/** In mode 2: ticks between the last reload and the next transition, modulo the count. */
function pulsePhase(channel: PitChannelState): number | undefined {
  const { count, nextTransitionTime } = channel;
  if (effectiveMode(channel.mode) !== MODE.RATE_GENERATOR || count <= 2 || nextTransitionTime === NEVER) return undefined;
  return ticksSinceLoad(channel, nextTransitionTime) % count;
}

/**
 * The level between the last transition and the next, whatever the clock says. In mode 2 QEMU's transitions lie one tick later than the
 * pin's: the line is high until the count has ended and rises again in the tick after that [QEMU 7.2: recorded streams].
 */
function settledLevel(channel: PitChannelState, now: bigint): boolean {
  const next = channel.nextTransitionTime;
  const phase = pulsePhase(channel);
  if (phase === 1) return false;
  if (phase === 0) return irqLevel(channel, ticksSinceLoad(channel, now));
  return irqLevel(channel, next === NEVER ? Number.POSITIVE_INFINITY : ticksSinceLoad(channel, next - 1n));
}
