import { type Bench, type FakeContext, fakeContext, loadSection, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import { mc146818rtc, type RtcProperties, type RtcService } from './mc146818rtc.js';
import type { RtcState } from './mc146818rtc.state.js';

const SECOND = 1_000_000_000n;

/** A clock at 2020-01-01 00:00:00, virtual time 0. */
function rtc(
  properties: Partial<RtcProperties> = {},
  context: () => ConstructorParameters<typeof FakeContext>[0] = () => ({ time: 0n }),
) {
  const bench = realize(mc146818rtc, { properties, context: context as () => object });
  const { context: c, device } = bench;
  const get = (index: number): number => {
    c.outb(0x70, index);
    return c.inb(0x71);
  };
  return {
    ...c,
    bench,
    state: device.sections[0]!.state as RtcState,
    service: device.services as RtcService,
    irq: () => c.level('irq'),
    rises: () => c.line('irq').rises,
    get,
    set(index: number, value: number) {
      c.outb(0x70, index);
      c.outb(0x71, value);
    },
    /** hh:mm:ss as the registers have it. */
    time: () => [4, 2, 0].map((index) => get(index).toString(16).padStart(2, '0')).join(':'),
    /** yyyymmdd and day of week. */
    date: () => [0x32, 9, 8, 7, 6].map((index) => get(index).toString(16).padStart(2, '0')).join(''),
  };
}

describe('date and time', () => {
  it('start at the machine’s wall clock', () => {
    const t = rtc();
    expect([t.time(), t.date()]).toEqual(['00:00:00', '2020010104']);
    t.advance(59n * SECOND);
    expect(t.time()).toBe('00:00:59');
    t.advance(86_341n * SECOND);
    expect([t.time(), t.date()]).toEqual(['00:00:00', '2020010205']);
  });

  it('change exactly at the full second', () => {
    const t = rtc();
    t.advance(SECOND - 1n);
    expect(t.get(0)).toBe(0);
    t.advance(1n);
    expect(t.get(0)).toBe(1);
  });

  it('know leap years and the century', () => {
    const t = rtc({}, () => ({ time: 0n, wallClock: 951_782_399n * SECOND })); // 2000-02-28 23:59:59
    expect(t.date()).toBe('2000022802');
    t.advance(SECOND);
    expect(t.date()).toBe('2000022903');
    const u = rtc({}, () => ({ time: 0n, wallClock: 4_102_444_799n * SECOND })); // 2099-12-31 23:59:59
    u.advance(SECOND);
    expect(u.date()).toBe('2100010106');
    expect(u.get(0x37)).toBe(0x21);
  });

  it('are binary or BCD, 24 or 12 hours, as register B says', () => {
    const t = rtc();
    t.advance((13n * 3600n + 45n * 60n + 30n) * SECOND);
    expect(t.time()).toBe('13:45:30');
    t.set(0x0b, 0x06);
    expect([t.get(4), t.get(2), t.get(0)]).toEqual([13, 45, 30]);
    t.set(0x0b, 0x00);
    expect(t.get(4)).toBe(0x81);
    t.set(0x0b, 0x04);
    t.advance(11n * 3600n * SECOND);
    expect(t.get(4)).toBe(12);
    t.advance(12n * 3600n * SECOND);
    expect(t.get(4)).toBe(12 | 0x80);
  });

  it('can be set while the clock is stopped, and go on from there', () => {
    const t = rtc();
    t.advance(SECOND / 4n);
    t.set(0x0b, 0x82);
    for (const [index, value] of [
      [0x32, 0x19],
      [9, 0x99],
      [8, 0x12],
      [7, 0x31],
      [4, 0x23],
      [2, 0x59],
      [0, 0x58],
    ] as const)
      t.set(index, value);
    t.advance(10n * SECOND);
    expect(t.time()).toBe('23:59:58');
    t.set(0x0b, 0x02);
    expect([t.time(), t.date()]).toEqual(['23:59:58', '1999123106']);
    t.advance((SECOND * 3n) / 4n - 1n);
    expect(t.time()).toBe('23:59:58');
    t.advance(1n);
    expect(t.time()).toBe('23:59:59');
    t.advance(SECOND);
    expect(t.date()).toBe('2000010107');
  });

  it('can be set while it runs, with PS/2’s century index too', () => {
    const t = rtc();
    t.set(4, 0x12);
    t.set(0x37, 0x21);
    t.advance(SECOND);
    expect([t.time(), t.get(0x32)]).toEqual(['12:00:01', 0x21]);
  });

  it('can lie before 1970', () => {
    const t = rtc();
    t.set(0x0b, 0x82);
    t.set(0x32, 0x19);
    t.set(9, 0x69);
    t.set(0x0b, 0x02);
    t.advance(SECOND);
    expect([t.time(), t.date()]).toEqual(['00:00:01', '1969010104']);
  });

  it('start half a second after the dividers are released', () => {
    const t = rtc();
    t.set(0x0a, 0x66);
    t.advance(5n * SECOND);
    expect(t.time()).toBe('00:00:00');
    t.set(0x0a, 0x26);
    t.advance(SECOND / 2n - 1n);
    expect(t.get(0)).toBe(0);
    t.advance(1n);
    expect(t.get(0)).toBe(1);
  });

  it('follow the host’s time of day where the machine says so', () => {
    const context = fakeContext({ time: 0n });
    let host = 1_700_000_000n * SECOND;
    Object.assign(context.clock, { rtcClock: () => host });
    const device = mc146818rtc.create(context, { baseYear: 0, iobase: 0x70, irq: 8, lostTickPolicy: 'discard' });
    device.reset();
    expect((device.sections[0]!.state as RtcState).lastUpdate).toBe(host);
    expect((device.sections[0]!.state as RtcState).updateTimer).toBe(host + SECOND);
    expect(context.clock.pending).toEqual([SECOND]);
    host += 3600n * SECOND; // the machine was stopped for an hour
    context.outb(0x70, 0x04);
    expect(context.inb(0x71)).toBe(0x01);
  });
});

describe('update in progress', () => {
  it('rises 244 microseconds before the second ends', () => {
    const t = rtc();
    expect(t.get(0x0a)).toBe(0x26);
    t.advance(SECOND - 244_141n);
    expect(t.get(0x0a)).toBe(0x26);
    t.advance(1n);
    expect(t.get(0x0a)).toBe(0xa6);
    t.advance(244_140n);
    expect(t.get(0x0a)).toBe(0x26);
  });

  it('stays low while the clock is stopped', () => {
    const t = rtc();
    t.set(0x0b, 0x82);
    t.advance(SECOND - 1000n);
    expect(t.get(0x0a)).toBe(0x26);
  });
});

describe('interrupts', () => {
  it('update-ended sets UF every second and interrupts if enabled', () => {
    const t = rtc();
    t.advance(SECOND);
    expect([t.irq(), t.get(0x0c), t.get(0x0c)]).toEqual([false, 0x10, 0x00]);
    t.set(0x0b, 0x12);
    t.advance(SECOND);
    expect([t.irq(), t.get(0x0c), t.irq()]).toEqual([true, 0x90, false]);
  });

  it('a flag that is set already interrupts when it is enabled, and no more when it is disabled', () => {
    const t = rtc();
    t.advance(SECOND);
    t.set(0x0b, 0x12);
    expect(t.irq()).toBe(true);
    t.set(0x0b, 0x02);
    expect([t.irq(), t.get(0x0c)]).toEqual([false, 0x10]);
  });

  it('alarm at a time of day', () => {
    const t = rtc();
    t.set(5, 0x00);
    t.set(3, 0x01);
    t.set(1, 0x30);
    t.set(0x0b, 0x22);
    t.advance(90n * SECOND - 1n);
    expect(t.irq()).toBe(false);
    t.advance(1n);
    expect([t.irq(), t.get(0x0c)]).toEqual([true, 0xb0]);
    t.advance(86_400n * SECOND - 1n);
    expect(t.get(0x0c) & 0x20).toBe(0);
    t.advance(1n);
    expect(t.get(0x0c) & 0x20).toBe(0x20);
  });

  it('alarm with wildcards: every minute at :05', () => {
    const t = rtc();
    t.set(5, 0xff);
    t.set(3, 0xc0);
    t.set(1, 0x05);
    t.set(0x0b, 0x22);
    const at: bigint[] = [];
    for (let i = 0; i < 180; i++) {
      t.advance(SECOND);
      if (t.irq()) at.push(t.clock.now() / SECOND);
      t.get(0x0c);
    }
    expect(at).toEqual([5n, 65n, 125n]);
  });

  it('alarm every second while all three are wildcards, and at 12-hour times', () => {
    const t = rtc();
    for (const index of [1, 3, 5]) t.set(index, 0xff);
    t.set(0x0b, 0x22);
    t.advance(SECOND);
    expect(t.get(0x0c) & 0x20).toBe(0x20);
    t.set(0x0b, 0x20);
    t.set(5, 0x81); // 1 pm
    t.set(3, 0x00);
    t.set(1, 0x00);
    t.advance(13n * 3600n * SECOND - 2n * SECOND);
    expect(t.get(0x0c) & 0x20).toBe(0);
    t.advance(SECOND);
    expect(t.get(0x0c) & 0x20).toBe(0x20);
  });

  it('alarm at a time that does not exist never comes', () => {
    const t = rtc();
    t.set(5, 0x99);
    t.set(0x0b, 0x22);
    t.advance(200_000n * SECOND);
    expect(t.get(0x0c)).toBe(0x10);
    expect(t.clock.pending.length).toBeLessThanOrEqual(1);
  });

  it.each([
    [0x26, 1024],
    [0x2f, 2],
    [0x23, 8192],
    [0x21, 256],
    [0x22, 128],
  ])('periodic at rate code 0x%s comes %i times a second', (a, rate) => {
    const t = rtc();
    t.set(0x0a, a);
    t.set(0x0b, 0x42);
    let count = 0;
    for (let i = 0; i < 2 * rate; i++) {
      t.advance(SECOND / BigInt(rate));
      if (t.irq()) count++;
      t.get(0x0c);
    }
    expect(count).toBeGreaterThanOrEqual(2 * rate - 1);
    expect(count).toBeLessThanOrEqual(2 * rate);
  });

  it('periodic stops with PIE, with rate 0 and with the dividers', () => {
    for (const stop of [
      [0x0b, 0x02],
      [0x0a, 0x20],
      [0x0a, 0x66],
    ] as const) {
      const t = rtc();
      t.set(0x0b, 0x42);
      t.advance(SECOND / 100n);
      t.set(stop[0], stop[1]);
      t.get(0x0c);
      t.advance(SECOND / 2n);
      expect(t.get(0x0c) & 0x40).toBe(0);
    }
  });

  it('periodic is level: not acknowledged, it is one', () => {
    const t = rtc();
    t.set(0x0b, 0x42);
    t.advance(SECOND / 2n);
    expect(t.rises()).toBe(1);
  });

  it('periodic that came too fast come again on acknowledge with policy slew, twenty at most', () => {
    const t = rtc({ lostTickPolicy: 'slew' });
    t.set(0x0b, 0x42);
    t.advance((32n * 26n * SECOND) / 32_768n + 100n);
    expect(t.state.irqCoalesced).toBe(25);
    let again = 0;
    while (t.irq()) {
      t.get(0x0c);
      again++;
    }
    expect(again).toBe(21);
    const bytes = Buffer.from(saveSection(t.bench.device.sections[0]!)!.bytes);
    expect(bytes.includes('mc146818rtc/irq_reinject_on_ack_count')).toBe(true);
  });

  it('periodic after a long pause of the clock is one, and then in step', () => {
    const t = rtc();
    t.set(0x0a, 0x23);
    t.set(0x0b, 0x42);
    t.setTime(10_000n * SECOND);
    expect(t.rises()).toBe(1);
    t.get(0x0c);
    t.advance(SECOND / 8192n + 2n);
    expect(t.irq()).toBe(true);
  });
});

describe('registers', () => {
  it('C and D cannot be written, A keeps no UIP', () => {
    const t = rtc();
    t.set(0x0c, 0xff);
    t.set(0x0d, 0x00);
    t.set(0x0a, 0xa6);
    expect([t.get(0x0c), t.get(0x0d), t.get(0x0a)]).toEqual([0x00, 0x80, 0x26]);
  });

  it('SET clears UIE', () => {
    const t = rtc();
    t.set(0x0b, 0x92);
    expect(t.get(0x0b)).toBe(0x82);
  });

  it('the index port has seven bits and reads all ones', () => {
    const t = rtc();
    t.outb(0x70, 0x8f);
    expect([t.inb(0x70), t.state.cmosIndex]).toEqual([0xff, 0x0f]);
  });

  it('memory is the machine’s to fill and outlives a reset; interrupt enables do not', () => {
    const t = rtc();
    t.service.set(0x14, 0x06);
    t.set(0x0b, 0x72);
    t.set(0x40, 0x5a);
    t.advance(SECOND);
    expect(t.irq()).toBe(true);
    t.bench.device.reset();
    expect([t.get(0x14), t.get(0x40), t.get(0x0b), t.get(0x0c), t.irq()]).toEqual([0x06, 0x5a, 0x02, 0x00, false]);
    expect(t.time()).toBe('00:00:01');
    expect(t.service.get(0x40)).toBe(0x5a);
  });

  it('base_year moves year and century', () => {
    expect(rtc({ baseYear: 1980 }).date()).toBe('0040010104');
  });

  it('lost_tick_policy is checked', () => {
    expect(() => rtc({ lostTickPolicy: 'merge' })).toThrow(/lost_tick_policy: 'merge' is not 'discard' or 'slew'/);
  });
});

describe('section mc146818rtc', () => {
  it('after reset is QEMU’s but for the CMOS that the machine fills', () => {
    const t = rtc();
    const ours = saveSection(t.bench.device.sections[0]!)!.bytes;
    const theirs = recordedBytes('mc146818rtc', 'reset-nodefaults-pc-i440fx-7.2');
    for (const index of [
      0x14, 0x15, 0x16, 0x17, 0x18, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x34, 0x35, 0x38, 0x3d, 0x5b, 0x5c, 0x5d, 0x5f,
    ])
      t.service.set(index, theirs[index]!);
    const filled = saveSection(t.bench.device.sections[0]!)!.bytes;
    expect(ours).not.toEqual(filled);
    expect(Buffer.from(filled).toString('hex')).toBe(Buffer.from(theirs).toString('hex'));
  });

  it('goes on with QEMU’s periodic interrupt and alarm', () => {
    const t = rtc({}, () => ({ time: 350_908_672n }));
    loadSection(t.bench.device.sections[0]!, recordedBytes('mc146818rtc', '7.2 devstate-pc-i440fx-7.2'));
    t.bench.device.resume!();
    expect(t.irq()).toBe(true);
    expect(t.state).toMatchObject({ cmosIndex: 0x3f, period: 32, nextAlarmTime: 45_000_000_000_030n });
    expect(t.get(0x0c)).toBe(0xc0);
    t.setTime(351_409_913n);
    expect([t.irq(), t.get(0x0c)]).toEqual([true, 0xc0]);
    expect(t.state.nextPeriodicTime).toBe(352_386_475n);
  });

  it.each([1, 2])('of version %i ends earlier', (version) => {
    const t = rtc();
    const bytes = recordedBytes('mc146818rtc', '7.2 devstate-pc-i440fx-7.2').subarray(0, version === 1 ? 197 : 205);
    loadSection(t.bench.device.sections[0]!, bytes, version);
    expect(t.state.cmos[0x3e]).toBe(0xa5);
    t.bench.device.resume!();
    t.advance(SECOND);
  });

  it('survives a date beyond all calendars', () => {
    const t = rtc();
    t.state.baseRtc = 0xffff_ffff_ffff_ffffn;
    expect(t.date()).toBe('1969123104');
    t.state.baseRtc = 0x7fff_ffff_ffff_ffffn;
    expect(t.date()).toBe('9999123106');
    t.state.baseRtc = 0x8000_0000_0000_0000n;
    expect(t.date()).toBe('0000010107');
  });
});

const outputs = ({ context }: Bench, index: number, value: number) => {
  context.outb(0x70, index);
  context.outb(0x71, value);
};
const input = ({ context }: Bench, index: number) => {
  context.outb(0x70, index);
  context.inb(0x71);
};

describeConformance(mc146818rtc, {
  sections: [{ name: 'mc146818rtc', version: 3, size: 245 }],
  ports: [[0x70, 2]],
  keptOnReset: ['cmos', 'cmosIndex', 'nextPeriodicTime', 'baseRtc', 'lastUpdate', 'offset', 'updateTimer', 'nextAlarmTime'].map(
    (key) => `mc146818rtc.${key}`,
  ),
  script: [
    ({ context }) => context.outb(0x70, 0x0b),
    ({ context }) => context.outb(0x71, 0x72),
    ({ context }) => context.advance(100_000_000),
    (bench) => input(bench, 0x0c),
    (bench) => outputs(bench, 0x0a, 0x2d),
    ({ context }) => context.advance(100_000_000),
    (bench) => outputs(bench, 0x01, 0x02),
    (bench) => outputs(bench, 0x0b, 0xf2),
    (bench) => outputs(bench, 0x00, 0x01),
    ({ context }) => context.advance(300_000_000),
    (bench) => outputs(bench, 0x0b, 0x32),
    ({ context }) => context.advance(699_900_000),
    (bench) => input(bench, 0x0a),
    ({ context }) => context.advance(1_000_000),
    (bench) => input(bench, 0x00),
    (bench) => input(bench, 0x0c),
  ],
  golden: golden('mc146818rtc'),
});

describeConformance(mc146818rtc, {
  properties: { lostTickPolicy: 'slew' },
  sections: [{ name: 'mc146818rtc', version: 3, size: 245 }],
  keptOnReset: ['mc146818rtc'],
  fuzz: { steps: 4000, seed: 3 },
});
