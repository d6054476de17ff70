import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { FULL_COUNT, MODE } from './spec.js';

/** What one channel remembers. Its counter is not stored: it follows from the clock. */
export class PitChannelState {
  /** Ticks that it counts, 1..65536. While a gate holds mode 0 or 4: those that are left. */
  count: number = FULL_COUNT.BINARY;
  latchedCount = 0;
  /** Which bytes of the latched count are still to be read ({@link BYTE}), 0 = not latched. */
  countLatched = 0;
  statusLatched = 0;
  status = 0;
  readState = 0;
  writeState = 0;
  /** First byte of a count that is being written. */
  writeLatch = 0;
  /** {@link ACCESS} of the last control word, 0 before the first. */
  rwMode = 0;
  mode: number = MODE.SQUARE_WAVE;
  bcd = 0;
  gate = 1;
  /** Virtual time at which the count was loaded. */
  countLoadTime = 0n;
  /** Channel 0: when OUT changes next, or -1. */
  nextTransitionTime = 0n;
}

export class PitState {
  /** The HPET has taken over interrupt 0. */
  irqDisabled = 0;
  channels = [new PitChannelState(), new PitChannelState(), new PitChannelState()];
  /** Channel 0's, which is sent twice. */
  nextTransitionTime = 0n;
}

const c = fieldsOf<PitChannelState>();
const channel = vmstate<PitChannelState>({
  name: 'pit channel',
  version: 2,
  fields: [
    c.i32('count'),
    c.u16('latchedCount', 'latched_count'),
    c.u8('countLatched', 'count_latched'),
    c.u8('statusLatched', 'status_latched'),
    c.u8('status'),
    c.u8('readState', 'read_state'),
    c.u8('writeState', 'write_state'),
    c.u8('writeLatch', 'write_latch'),
    c.u8('rwMode', 'rw_mode'),
    c.u8('mode'),
    c.u8('bcd'),
    c.u8('gate'),
    c.i64('countLoadTime', 'count_load_time'),
    c.i64('nextTransitionTime', 'next_transition_time'),
  ],
});

const f = fieldsOf<PitState>();

/** Section `i8254`. */
export const i8254VmState = vmstate<PitState>({
  name: 'i8254',
  version: 3,
  minVersion: 2,
  fields: [
    f.u32('irqDisabled', 'channels[0].irq_disabled', { since: 3 }),
    f.structArray('channels', 'channels', channel, { since: 2 }),
    f.i64('nextTransitionTime', 'channels[0].next_transition_time'),
  ],
  preLoad(state) {
    state.irqDisabled = 0;
  },
  preSave(state) {
    state.nextTransitionTime = state.channels[0]!.nextTransitionTime;
  },
  postLoad(state) {
    state.channels[0]!.nextTransitionTime = state.nextTransitionTime;
    for (const one of state.channels) {
      one.count = Math.min(Math.max(one.count, 1), FULL_COUNT.BINARY);
      one.mode &= 7;
      one.rwMode &= 3;
    }
  },
});
