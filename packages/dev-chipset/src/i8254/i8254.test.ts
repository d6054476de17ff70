import { type Bench, loadSection, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden, recorded, recordedBytes } from '../../test/recorded.js';
import { timeOfTick } from './channel.js';
import { i8254, type PitService } from './i8254.js';
import { i8254VmState, type PitState } from './i8254.state.js';

/** Control words: channel, access to both bytes, mode. */
const program = (channel: number, mode: number, bcd = 0) => (channel << 6) | 0x30 | (mode << 1) | bcd;

function pit() {
  const bench = realize(i8254);
  const { context, device } = bench;
  const start = context.clock.now();
  return {
    ...context,
    bench,
    state: device.sections[0]!.state as PitState,
    service: device.services as PitService,
    irq: () => context.level('irq'),
    rises: () => context.line('irq').rises,
    load(channel: number, mode: number, count: number, bcd = 0) {
      context.outb(0x43, program(channel, mode, bcd));
      context.outb(0x40 + channel, count & 0xff);
      context.outb(0x40 + channel, count >> 8);
    },
    read(channel: number) {
      const low = context.inb(0x40 + channel);
      return low | (context.inb(0x40 + channel) << 8);
    },
    status(channel: number) {
      context.outb(0x43, 0xe0 | (2 << channel));
      return context.inb(0x40 + channel);
    },
    /** To the beginning of tick `tick`, counted from the creation. */
    at: (tick: number) => context.setTime(start + timeOfTick(tick)),
    /** To 1 ns before it. */
    before: (tick: number) => context.setTime(start + timeOfTick(tick) - 1n),
  };
}

describe('tick arithmetic', () => {
  it('knows 1193182 ticks a second, exactly', () => {
    expect(timeOfTick(1_193_182)).toBe(1_000_000_000n);
    expect(timeOfTick(1_193_182 * 86_400)).toBe(86_400_000_000_000n);
    expect(timeOfTick(32_768)).toBe(27_462_700n);
  });

  it('changes the counter at the tick, not a nanosecond earlier', () => {
    const t = pit();
    t.load(0, 0, 1000);
    for (const tick of [1, 2, 3, 500, 999]) {
      t.before(tick);
      expect(t.read(0)).toBe(1000 - tick + 1);
      t.at(tick);
      expect(t.read(0)).toBe(1000 - tick);
    }
  });

  it('takes a clock that went back for the moment of loading', () => {
    const t = pit();
    t.load(0, 2, 1000);
    t.setTime(0n);
    expect(t.read(0)).toBe(1000);
  });
});

describe('modes', () => {
  it('0: OUT rises at terminal count, once', () => {
    const t = pit();
    t.load(0, 0, 100);
    expect(t.irq()).toBe(false);
    t.before(100);
    expect(t.irq()).toBe(false);
    t.at(100);
    expect(t.irq()).toBe(true);
    t.at(100_000);
    expect(t.rises()).toBe(2); // the other one was mode 3 before
    expect(t.read(0)).toBe((100 - 100_000) & 0xffff);
  });

  it('0: a new count takes OUT down again', () => {
    const t = pit();
    t.load(0, 0, 10);
    t.at(20);
    expect(t.irq()).toBe(true);
    t.outb(0x40, 10);
    t.outb(0x40, 0);
    expect(t.irq()).toBe(false);
    t.at(30);
    expect(t.irq()).toBe(true);
  });

  it('1: OUT falls with the trigger and rises when the count is over; a new trigger starts again', () => {
    const t = pit();
    t.load(2, 1, 100);
    expect(t.service.out(2)).toBe(true);
    t.service.setGate(2, true);
    expect(t.service.out(2)).toBe(false);
    t.before(100);
    expect(t.service.out(2)).toBe(false);
    t.service.setGate(2, false);
    t.service.setGate(2, true);
    t.at(150);
    expect(t.service.out(2)).toBe(false);
    t.at(200);
    expect(t.service.out(2)).toBe(true);
  });

  it('2: OUT is low for the last tick of each period', () => {
    const t = pit();
    t.load(0, 2, 1000);
    expect(t.irq()).toBe(true);
    for (const period of [1, 2, 3]) {
      t.before(period * 1000 - 1);
      expect(t.irq()).toBe(true);
      t.at(period * 1000 - 1);
      expect(t.irq()).toBe(false);
      t.before(period * 1000);
      expect(t.irq()).toBe(false);
      t.at(period * 1000);
      expect(t.irq()).toBe(true);
      expect(t.read(0)).toBe(1000);
    }
  });

  it('2: interrupts come 1193182 / count times a second', () => {
    const t = pit();
    t.load(0, 2, 11_932); // Linux, HZ=100
    const before = t.rises();
    t.advance(10_000_000_000n);
    expect(t.rises() - before).toBe(Math.floor((1_193_182 * 10) / 11_932));
  });

  it('3: a square wave, one tick longer high if odd, counting in twos', () => {
    const t = pit();
    t.load(0, 3, 1001);
    expect(t.irq()).toBe(true);
    t.before(501);
    expect(t.irq()).toBe(true);
    t.at(501);
    expect(t.irq()).toBe(false);
    t.at(1001);
    expect(t.irq()).toBe(true);
    t.load(2, 3, 1000);
    t.service.setGate(2, true);
    t.at(1001 + 10);
    expect(t.read(2)).toBe(980);
  });

  it('4: a strobe of one tick when the count is over', () => {
    const t = pit();
    t.load(0, 4, 50);
    expect([t.irq(), t.service.out(0)]).toEqual([false, true]);
    t.at(50);
    expect([t.irq(), t.service.out(0)]).toEqual([true, false]);
    t.at(51);
    expect([t.irq(), t.service.out(0)]).toEqual([false, true]);
    t.at(100_000);
    expect(t.irq()).toBe(false);
    expect(t.state.channels[0]!.nextTransitionTime).toBe(-1n);
  });

  it('5: the same after a trigger', () => {
    const t = pit();
    t.load(2, 5, 50);
    expect(t.service.out(2)).toBe(true);
    t.service.setGate(2, true);
    t.before(50);
    expect(t.service.out(2)).toBe(true);
    t.at(50);
    expect(t.service.out(2)).toBe(false);
    t.at(51);
    expect(t.service.out(2)).toBe(true);
    t.at(1000);
    t.load(2, 5, 50);
    t.at(2000);
    expect(t.service.out(2)).toBe(true);
  });

  it('6 and 7 are 2 and 3, but the status says what was written', () => {
    const t = pit();
    t.load(0, 6, 1000);
    t.at(999);
    expect(t.irq()).toBe(false);
    expect(t.status(0)).toBe(0x30 | (6 << 1));
  });
});

describe('gate', () => {
  it('holds the count in mode 0 and lets it go on', () => {
    const t = pit();
    t.service.setGate(2, true);
    t.load(2, 0, 1000);
    t.at(400);
    t.service.setGate(2, false);
    t.at(50_000);
    expect([t.read(2), t.service.out(2)]).toEqual([600, false]);
    t.service.setGate(2, true);
    t.at(50_599);
    expect(t.service.out(2)).toBe(false);
    t.at(50_600);
    expect(t.service.out(2)).toBe(true);
    t.service.setGate(2, false);
    expect(t.service.out(2)).toBe(true);
    t.service.setGate(2, true);
    expect(t.service.out(2)).toBe(true);
  });

  it('low keeps OUT high in modes 2 and 3, rising starts the period', () => {
    const t = pit();
    t.load(2, 3, 1000);
    t.at(700);
    expect([t.service.out(2), t.read(2)]).toEqual([true, 1000]);
    t.service.setGate(2, true);
    t.at(1199);
    expect(t.service.out(2)).toBe(true);
    t.at(1200);
    expect(t.service.out(2)).toBe(false);
    t.service.setGate(2, false);
    expect(t.service.out(2)).toBe(true);
  });
});

describe('counts', () => {
  it('of zero are 65536, in BCD 10000', () => {
    const t = pit();
    t.load(0, 0, 0);
    t.at(65_535);
    expect([t.read(0), t.service.out(0)]).toEqual([1, false]);
    t.load(1, 0, 0, 1);
    t.at(65_535 + 9_999);
    expect([t.read(1), t.service.out(1)]).toEqual([1, false]);
    t.at(65_535 + 10_000);
    expect(t.service.out(1)).toBe(true);
  });

  it('in BCD read in BCD', () => {
    const t = pit();
    t.load(0, 2, 0x1234, 1);
    t.at(1);
    expect(t.read(0)).toBe(0x1233);
    t.at(1234 + 4);
    expect(t.read(0)).toBe(0x1230);
    t.load(1, 0, 0x0001, 1);
    t.at(1234 + 4 + 2);
    expect(t.read(1)).toBe(0x9999);
  });

  it('can be one byte, the other is zero', () => {
    const t = pit();
    t.outb(0x43, 0x10); // channel 0, low byte, mode 0
    t.outb(0x40, 200);
    t.at(50);
    expect([t.inb(0x40), t.inb(0x40)]).toEqual([150, 150]);
    t.outb(0x43, 0x20);
    t.outb(0x40, 0x12);
    expect(t.inb(0x40)).toBe(0x12);
    t.at(51);
    expect(t.inb(0x40)).toBe(0x11);
  });

  it('are latched by command until they are read', () => {
    const t = pit();
    t.load(0, 0, 0x1234);
    t.at(0x34);
    t.outb(0x43, 0x00);
    t.at(0x134);
    t.outb(0x43, 0x00); // ignored: still latched
    expect(t.inb(0x40)).toBe(0x00);
    t.at(0x200);
    expect(t.inb(0x40)).toBe(0x12);
    expect(t.read(0)).toBe(0x1034);
  });

  it('are unlatched by a new control word', () => {
    const t = pit();
    t.load(0, 0, 0x1234);
    t.outb(0x43, 0x00);
    t.load(0, 0, 0x0777);
    expect(t.read(0)).toBe(0x0777);
  });

  it('of 1 in the periodic modes give no interrupts and no storm', () => {
    const t = pit();
    t.load(0, 2, 1);
    t.advance(1_000_000_000);
    t.load(0, 3, 1);
    t.advance(1_000_000_000);
    expect(t.irq()).toBe(true);
    expect(t.clock.pending).toEqual([]);
  });
});

describe('read-back', () => {
  it('latches status and count of several channels; status comes first', () => {
    const t = pit();
    t.load(0, 2, 0x2000);
    t.load(1, 0, 0x0100);
    t.at(0x10);
    t.outb(0x43, 0xc0 | 0x06); // both, channels 0 and 1
    t.at(0x2000);
    expect(t.inb(0x40)).toBe(0xb4);
    expect(t.read(0)).toBe(0x1ff0);
    expect(t.inb(0x41)).toBe(0x30);
    expect(t.read(1)).toBe(0x00f0);
  });

  it('keeps the first status until it is read', () => {
    const t = pit();
    t.load(0, 0, 100);
    t.outb(0x43, 0xe2);
    t.at(200);
    t.outb(0x43, 0xe2);
    expect(t.inb(0x40)).toBe(0x30);
    expect(t.status(0)).toBe(0xb0);
  });

  it('leaves channels alone that it does not name', () => {
    const t = pit();
    t.outb(0x43, 0xc4);
    expect(t.state.channels.map((channel) => channel.statusLatched)).toEqual([0, 1, 0]);
  });

  it('the control port itself reads zero', () => {
    expect(pit().inb(0x43)).toBe(0);
  });
});

describe('interrupt 0', () => {
  it('stops while the HPET has it', () => {
    const t = pit();
    t.load(0, 2, 1000);
    t.bench.device.inputs!['irq-enable']!(false);
    const before = t.rises();
    t.at(10_000);
    expect([t.irq(), t.rises() - before]).toEqual([false, 0]);
    t.bench.device.inputs!['irq-enable']!(true);
    t.at(12_000);
    expect(t.rises() - before).toBe(3);
  });

  it('gives one edge for a long time in which nothing ran', () => {
    const t = pit();
    t.load(0, 2, 2);
    const before = t.rises();
    t.setTime(t.clock.now() + 3_600_000_000_000n);
    expect(t.rises() - before).toBeLessThan(10);
    const after = t.rises();
    t.advance(timeOfTick(100));
    expect(t.rises() - after).toBeGreaterThan(45);
  });
});

describe('section i8254', () => {
  it('after reset is QEMU’s, byte for byte', () => {
    const { device } = realize(i8254, { context: () => ({ time: 0n }) });
    expect(Buffer.from(saveSection(device.sections[0]!)!.bytes).toString('hex')).toBe(
      Buffer.from(recordedBytes('i8254', 'reset-nodefaults-pc-i440fx-7.2')).toString('hex'),
    );
  });

  it('goes on ticking where QEMU stopped: the next edge of a rate generator is not lost', () => {
    const bench = realize(i8254, { context: () => ({ time: 350_908_672n }) });
    loadSection(bench.device.sections[0]!, recordedBytes('i8254', '7.2 devstate-pc-i440fx-7.2'));
    bench.device.resume!();
    const due = 352_299_032n;
    expect(bench.context.clock.pending).toEqual([due]);
    const before = bench.context.line('irq').rises;
    bench.context.setTime(due);
    expect(bench.context.line('irq').rises).toBe(before + 1);
    bench.context.advance(timeOfTick(0x1234) + 1n);
    expect(bench.context.line('irq').rises).toBe(before + 2);
  });

  it.each([
    ['0 ticks after the end of a count, high until then', 0, true, 1],
    ['1 tick after it, low until then', 1, false, 1],
  ])('has mode 2 as QEMU writes it: the next transition %s', (_, phase, before, rises) => {
    const t = pit();
    t.load(0, 2, 1000);
    const channel = t.state.channels[0]!;
    const { countLoadTime } = channel;
    channel.nextTransitionTime = countLoadTime + timeOfTick(5000 + phase);
    t.at(4500);
    channel.nextTransitionTime = countLoadTime + timeOfTick(5000 + phase);
    t.bench.device.resume!();
    expect(t.irq()).toBe(before);
    const until = t.rises();
    t.before(5000 + phase);
    expect(t.rises()).toBe(until);
    t.at(5000 + phase);
    expect(t.rises()).toBe(until + rises);
    expect(t.irq()).toBe(true);
    t.at(6002);
    expect(t.rises()).toBe(until + rises + 1);
  });

  it('finishes a half-read latched count', () => {
    const { context, device } = realize(i8254);
    loadSection(device.sections[0]!, recordedBytes('i8254', '7.2 devstate-pc-i440fx-7.2'));
    expect(context.inb(0x40)).toBe(0x12);
    expect(context.inb(0x41)).toBe(0x14); // status of channel 1, as QEMU latched it
  });

  it('keeps interrupt 0 off where Linux uses the HPET', () => {
    const { context, device } = realize(i8254);
    loadSection(device.sections[0]!, recordedBytes('i8254', 'linux-debian-shell'));
    device.resume!();
    expect([context.level('irq'), context.clock.pending]).toEqual([false, []]);
  });

  it('of version 2 lacks irq_disabled', () => {
    const { device } = realize(i8254);
    loadSection(device.sections[0]!, recordedBytes('i8254', '7.2 devstate-pc-i440fx-7.2').subarray(4), 2);
    expect(device.sections[0]!.state).toMatchObject({ irqDisabled: 0, nextTransitionTime: 352_299_032n });
  });

  it('clamps a hostile count, so that nothing is divided by zero', () => {
    const { context, device } = realize(i8254);
    const bytes = recordedBytes('i8254', '7.2 devstate-pc-i440fx-7.2').slice();
    bytes.fill(0, 4, 8);
    loadSection(device.sections[0]!, bytes);
    device.resume!();
    context.advance(1_000_000_000);
    expect(context.inb(0x40)).toBeLessThan(256);
  });

  it('has as many recordings as there were states', () => {
    expect(recorded('i8254').length).toBeGreaterThan(8);
    expect(i8254VmState.minVersion).toBe(2);
  });
});

const gate = (bench: Bench, level: boolean) => (bench.device.services as PitService).setGate(2, level);

describeConformance(i8254, {
  sections: [{ name: 'i8254', version: 3, size: 108 }],
  ports: [[0x40, 4]],
  script: [
    ({ context }) => context.outb(0x43, 0x34),
    ({ context }) => context.outb(0x40, 0xe8),
    ({ context }) => context.outb(0x40, 0x03),
    ({ context }) => context.advance(1_000_000),
    ({ context }) => context.outb(0x43, 0x00),
    ({ context }) => context.inb(0x40),
    ({ context }) => context.inb(0x40),
    ({ context }) => context.outb(0x43, 0xb0),
    (bench) => gate(bench, true),
    ({ context }) => context.outb(0x42, 0x00),
    ({ context }) => context.outb(0x42, 0x10),
    ({ context }) => context.advance(500_000),
    (bench) => gate(bench, false),
    ({ context }) => context.advance(500_000),
    (bench) => gate(bench, true),
    ({ context }) => context.outb(0x43, 0xce),
    ({ context }) => context.inb(0x42),
    ({ context }) => context.inb(0x42),
    ({ context }) => context.inb(0x42),
    ({ context }) => context.outb(0x43, 0x38),
    ({ context }) => context.outb(0x40, 0x20),
    ({ context }) => context.outb(0x40, 0x00),
    ({ context }) => context.advance(26_900),
    ({ context }) => context.advance(100),
    ({ device }) => device.inputs!['irq-enable']!(false),
    ({ context }) => context.advance(1_000_000),
    ({ device }) => device.inputs!['irq-enable']!(true),
    ({ context }) => context.advance(1_000_000),
  ],
  events: [
    (bench, random) => gate(bench, random.oneIn(2)),
    (bench) => bench.context.note(`out ${(bench.device.services as PitService).out(2)}`),
  ],
  golden: golden('i8254'),
});
