import { NEVER } from '@pagurus/device-model';
import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { A, B, D_VALID_RAM, INDEX_MASK, REGISTER } from './spec.js';

/** Times are readings of the clock that drives the chip (see `Clock.rtcClock`), in nanoseconds. */
export class RtcState {
  /** Registers and RAM. The time in it is brought up to date when it is read. */
  readonly cmos = new Uint8Array(128);
  cmosIndex = 0;
  /** Deadline of the next periodic interrupt, or -1. */
  periodicTimer = NEVER;
  nextPeriodicTime = 0n;
  /** Periodic interrupts that the guest still has to get (policy `slew`). */
  irqCoalesced = 0;
  /** Ticks of 32768 Hz between periodic interrupts, 0 = off. */
  period = 0;
  /** Date in seconds since 1970 at `lastUpdate`; 64-bit two's complement, for dates before. */
  baseRtc = 0n;
  lastUpdate = 0n;
  /** Nanoseconds of the current second at `lastUpdate`. */
  offset = 0n;
  /** Deadline of the next update or alarm that sets a flag, or -1. */
  updateTimer = NEVER;
  nextAlarmTime = 0n;
  /** How many interrupts were given again on acknowledge (policy `slew`). */
  irqReinjectOnAckCount = 0;

  constructor() {
    this.cmos[REGISTER.A] = A.DEFAULT;
    this.cmos[REGISTER.B] = B.DEFAULT;
    this.cmos[REGISTER.D] = D_VALID_RAM;
  }
}

const f = fieldsOf<RtcState>();

const reinjected = vmstate<RtcState>({
  name: 'mc146818rtc/irq_reinject_on_ack_count',
  version: 1,
  needed: (state) => state.irqReinjectOnAckCount !== 0,
  fields: [f.u16('irqReinjectOnAckCount', 'irq_reinject_on_ack_count')],
});

/** Section `mc146818rtc`. Version 3 came with the clock being computed instead of counted. */
export const rtcVmState = vmstate<RtcState>({
  name: 'mc146818rtc',
  version: 3,
  minVersion: 1,
  fields: [
    f.bytes('cmos', 'cmos_data'),
    f.u8('cmosIndex', 'cmos_index'),
    f.unused(28),
    f.timer('periodicTimer', 'periodic_timer'),
    f.i64('nextPeriodicTime', 'next_periodic_time'),
    f.unused(24),
    f.u32('irqCoalesced', 'irq_coalesced', { since: 2 }),
    f.u32('period', 'period', { since: 2 }),
    f.u64('baseRtc', 'base_rtc', { since: 3 }),
    f.u64('lastUpdate', 'last_update', { since: 3 }),
    f.i64('offset', 'offset', { since: 3 }),
    f.timer('updateTimer', 'update_timer', { since: 3 }),
    f.u64('nextAlarmTime', 'next_alarm_time', { since: 3 }),
  ],
  subsections: [reinjected],
  preLoad(state) {
    state.irqReinjectOnAckCount = 0;
  },
  postLoad(state) {
    state.cmosIndex &= INDEX_MASK;
  },
});
