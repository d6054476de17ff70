import {
  type Bench,
  checkGolden,
  loadSection,
  propertiesOfMachine,
  realize,
  restore,
  saveBench,
  saveSection,
} from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { StateError } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { golden, recorded, recordedBytes } from '../../test/recorded.js';
import { compat } from '../compat.js';
import { type HpetProperties, type HpetService, hpet } from './hpet.js';
import type { HpetState } from './hpet.state.js';

const BASE = 0xfed0_0000;
const CONFIG = BASE + 0x10;
const STATUS = BASE + 0x20;
const COUNTER = BASE + 0xf0;
const timerAt = (index: number) => BASE + 0x100 + 0x20 * index;
const ENABLE = 0x04;
const PERIODIC = 0x08;
const LEVEL = 0x02;
const SET_VALUE = 0x40;
const MODE_32 = 0x100;
const route = (irq: number) => irq << 9;

function timers(properties: Partial<HpetProperties> = {}, time = 1_000_000_000n) {
  const bench = realize(hpet, { properties, context: () => ({ time }) });
  const { context, device } = bench;
  return {
    ...context,
    bench,
    state: device.sections[0]!.state as HpetState,
    counter: () => context.readl(COUNTER) + context.readl(COUNTER + 4) * 2 ** 32,
    on: (legacy = false) => context.writel(CONFIG, legacy ? 3 : 1),
    set(index: number, configuration: number, comparator?: number, period?: number) {
      const at = timerAt(index);
      context.writel(at, configuration);
      if (comparator === undefined) return;
      context.writel(at + 8, comparator);
      if (!(configuration & MODE_32) && period === undefined) context.writel(at + 12, 0);
      if (period !== undefined) context.writel(at + 8, period);
    },
    rises: (irq: number) => context.line(`irq${irq}`).rises,
    level: (irq: number) => context.level(`irq${irq}`),
    /** Lets ticks of 10 ns pass. */
    tick: (ticks: number) => context.advance(BigInt(ticks) * 10n),
  };
}

describe('registers', () => {
  it('say what they are: Intel, three 64-bit timers, legacy routing, 10 ns', () => {
    const t = timers();
    expect([t.readl(BASE), t.readl(BASE + 4)]).toEqual([0x8086_a201, 10_000_000]);
    expect([t.readl(timerAt(0)), t.readl(timerAt(2) + 4)]).toEqual([0x30, 0x4]);
    t.writel(BASE, 0);
    t.writel(timerAt(0) + 4, 0xffff_ffff);
    expect([t.readl(BASE), t.readl(timerAt(0) + 4)]).toEqual([0x8086_a201, 0x4]);
  });

  it('keep only what can be written', () => {
    const t = timers();
    t.writel(CONFIG, 0xffff_fffc);
    t.writel(timerAt(1), 0xffff_ffff);
    t.writel(timerAt(1) + 0x10, 0x4041);
    t.writel(timerAt(1) + 0x14, 0xfee0_0000);
    expect([t.readl(CONFIG), t.readl(timerAt(1))]).toEqual([0, 0x7f7e]);
    expect([t.readl(timerAt(1) + 0x10), t.readl(timerAt(1) + 0x14)]).toEqual([0x4041, 0xfee0_0000]);
  });

  it('answer whole words only', () => {
    const t = timers();
    t.on();
    t.tick(5);
    expect([t.readb(COUNTER), t.readw(COUNTER), t.readl(COUNTER)]).toEqual([0, 0, 5]);
    t.writeb(CONFIG, 0);
    t.tick(1);
    expect(t.counter()).toBe(6);
  });

  it('of timers that do not exist read zero', () => {
    const t = timers();
    t.writel(timerAt(3), 0x4c);
    expect([t.readl(timerAt(3)), t.log.guestErrors]).toEqual([0, ['HPET timer 3 does not exist']]);
    expect(timers({ timers: 4 }).readl(timerAt(3))).toBe(0x30);
  });
});

describe('counter', () => {
  it('counts 10 ns while enabled, and stands otherwise', () => {
    const t = timers();
    t.tick(100);
    expect(t.counter()).toBe(0);
    t.on();
    t.advance(1_234_567);
    expect(t.counter()).toBe(123_456);
    t.writel(CONFIG, 0);
    t.tick(100);
    expect(t.counter()).toBe(123_456);
    t.on();
    t.tick(4);
    expect(t.counter()).toBe(123_460);
  });

  it('can be set while it stands', () => {
    const t = timers();
    t.writel(COUNTER, 0xffff_ffff);
    t.writel(COUNTER + 4, 1);
    t.on();
    t.tick(1);
    expect(t.counter()).toBe(0x2_0000_0000);
    t.writel(COUNTER, 5);
    expect(t.log.guestErrors).toEqual(['HPET counter written while it runs']);
    expect(t.counter()).toBe(0x2_0000_0000);
  });
});

describe('one-shot', () => {
  it('gives one edge at its comparator', () => {
    const t = timers();
    t.on();
    t.set(0, ENABLE | route(2), 1000);
    t.tick(999);
    expect(t.rises(2)).toBe(0);
    t.tick(1);
    expect([t.rises(2), t.level(2)]).toEqual([1, false]);
    t.tick(1_000_000);
    expect(t.rises(2)).toBe(1);
  });

  it('32 bits wide also interrupts at the wrap', () => {
    const t = timers();
    t.writel(COUNTER, 0xffff_f000);
    t.on();
    t.set(1, ENABLE | MODE_32 | route(2), 0x1000);
    t.tick(0x0fff);
    expect(t.rises(2)).toBe(1);
    t.tick(0x1001);
    expect(t.rises(2)).toBe(2);
  });

  it('whose comparator has passed fires at once', () => {
    const t = timers();
    t.on();
    t.tick(5000);
    t.set(0, ENABLE | route(2), 1000);
    t.tick(1);
    expect(t.rises(2)).toBe(1);
  });

  it('does not interrupt unless timer and counter are enabled', () => {
    const t = timers();
    t.on();
    t.set(0, route(2), 1000);
    t.tick(2000);
    t.set(0, ENABLE | route(2), 3000);
    t.writel(CONFIG, 0);
    t.tick(5000);
    expect(t.rises(2)).toBe(0);
  });
});

describe('periodic', () => {
  it('fires every period from the first comparator on', () => {
    const t = timers();
    t.on();
    t.set(0, ENABLE | PERIODIC | SET_VALUE | route(2), 10_000, 100_000);
    t.writel(timerAt(0) + 12, 0); // period's upper half
    expect(t.state.timers[0]).toMatchObject({ cmp: 0xffff_ffff_0000_2710n, period: 100_000n });
    const u = timers();
    u.on();
    u.writel(timerAt(0), ENABLE | PERIODIC | SET_VALUE | MODE_32 | route(2));
    u.writel(timerAt(0) + 8, 10_000);
    u.writel(timerAt(0) + 8, 100_000);
    u.tick(10_000);
    expect(u.rises(2)).toBe(1);
    u.tick(1_000_000);
    expect(u.rises(2)).toBe(11);
    expect(u.readl(timerAt(0) + 8)).toBe(1_110_000);
  });

  it('of 32 bits goes over the wrap without extra interrupts', () => {
    const t = timers();
    t.writel(COUNTER, 0xffff_0000);
    t.on();
    t.writel(timerAt(0), ENABLE | PERIODIC | SET_VALUE | MODE_32 | route(2));
    t.writel(timerAt(0) + 8, 0xffff_8000);
    t.writel(timerAt(0) + 8, 0x1_0000);
    t.tick(0x8000);
    expect(t.rises(2)).toBe(1);
    t.tick(0x10_0000);
    expect(t.rises(2)).toBe(17);
  });

  it('longer than half the 32-bit range is cut, so that it does not seem to have passed', () => {
    const t = timers();
    t.on();
    t.writel(timerAt(0), ENABLE | PERIODIC | SET_VALUE | route(2));
    t.writel(timerAt(0) + 8, 0x1000);
    t.writel(timerAt(0) + 8, 0xc000_0000);
    t.writel(timerAt(0), ENABLE | PERIODIC | MODE_32 | route(2));
    t.advance(1_000_000);
    expect(t.rises(2)).toBeLessThanOrEqual(2);
    expect(t.state.timers[0]!.period).toBe(0x4000_0000n);
  });

  it('absurdly short is thinned out, so that the machine lives', () => {
    const t = timers();
    t.on();
    t.writel(timerAt(0), ENABLE | PERIODIC | SET_VALUE | MODE_32 | route(2));
    t.writel(timerAt(0) + 8, 1);
    t.writel(timerAt(0) + 8, 1);
    t.advance(100_000_000);
    expect(t.rises(2)).toBeGreaterThan(4000);
    expect(t.rises(2)).toBeLessThan(6000);
  });
});

describe('interrupts', () => {
  it('by level stay until the status bit is cleared', () => {
    const t = timers({ intcap: 0xffff_ffff });
    t.on();
    t.set(1, ENABLE | LEVEL | route(11), 100);
    t.tick(100);
    expect([t.level(11), t.readl(STATUS)]).toEqual([true, 2]);
    t.writel(STATUS, 1);
    expect(t.level(11)).toBe(true);
    t.writel(STATUS, 2);
    expect([t.level(11), t.readl(STATUS)]).toEqual([false, 0]);
  });

  it('by level end with the timer’s or the counter’s enable', () => {
    for (const off of [
      (t: ReturnType<typeof timers>) => t.writel(CONFIG, 0),
      (t: ReturnType<typeof timers>) => t.set(1, LEVEL | route(11)),
    ]) {
      const t = timers();
      t.on();
      t.set(1, ENABLE | LEVEL | route(11), 100);
      t.tick(100);
      off(t);
      expect([t.level(11), t.readl(STATUS)]).toEqual([false, 0]);
    }
  });

  it('by message go to memory', () => {
    const t = timers({ msi: true });
    expect(t.readl(timerAt(0))).toBe(0x8030);
    t.on();
    t.writel(timerAt(0) + 0x10, 0x4142_4344);
    t.writel(timerAt(0) + 0x14, 0x2000);
    t.set(0, ENABLE | 0x4000, 100);
    t.tick(100);
    expect(t.memory.bytes.subarray(0x2000, 0x2004)).toEqual(Uint8Array.of(0x44, 0x43, 0x42, 0x41));
  });

  it('in legacy mode replace timer and clock', () => {
    const t = timers();
    const rtc = t.bench.device.inputs!.rtc!;
    expect(t.bench.context.level('pit-enabled')).toBe(true);
    rtc(true);
    expect(t.level(8)).toBe(true);
    t.on(true);
    expect([t.level(8), t.bench.context.level('pit-enabled')]).toEqual([false, false]);
    t.set(0, ENABLE | route(5), 100);
    t.set(1, ENABLE | route(5), 200);
    t.set(2, ENABLE | route(5), 300);
    t.tick(1000);
    expect([0, 8, 5].map(t.rises)).toEqual([1, 2, 1]);
    rtc(false);
    rtc(true);
    expect(t.level(8)).toBe(false);
    t.on(false);
    expect([t.level(8), t.bench.context.level('pit-enabled')]).toEqual([true, true]);
  });
});

describe('section hpet', () => {
  it('after reset is QEMU’s, byte for byte', () => {
    const t = timers();
    const theirs = recordedBytes('hpet', 'reset-nodefaults-pc-i440fx-7.2');
    expect(saveSection(t.bench.device.sections[0]!)!.bytes).toEqual(theirs);
  });

  it('goes on counting where QEMU stopped', () => {
    const t = timers({}, 350_908_672n);
    loadSection(t.bench.device.sections[0]!, recordedBytes('hpet', '7.2 devstate-pc-i440fx-7.2'));
    t.bench.device.resume!();
    expect(t.counter()).toBe(Math.floor((350_908_672 - 11_648_048) / 10));
    expect(t.clock.pending).toEqual([389_135_572n, 21_486_484_573n]);
    t.writel(timerAt(0), PERIODIC | ENABLE | route(10));
    t.advance(10_000_000_000n);
    const period = 0x40_0000;
    const counted = Math.floor((t.counter() - 0x240_0000) / period) + 1;
    expect(t.state.timers[0]!.cmp).toBe(BigInt(0x240_0000 + counted * period));
    expect(t.rises(10)).toBe(counted);
  });

  it('without the offset goes on from the counter', () => {
    const t = timers({ offsetSaved: false });
    t.on();
    t.advance(1_234_560);
    const saved = saveBench(t.bench);
    expect(saved.sections[0]!.bytes).toHaveLength(25 + 3 * 42);
    const second = restore(hpet, { properties: { offsetSaved: false } }, saved);
    second.context.advance(10);
    expect(second.context.readl(COUNTER)).toBe(123_457);
  });

  it('of version 1 has three timers', () => {
    const t = timers({ timers: 5 });
    const bytes = recordedBytes('hpet', 'reset-nodefaults-pc-i440fx-7.2');
    const old = Uint8Array.from([...bytes.subarray(0, 24), ...bytes.subarray(25)]);
    loadSection(t.bench.device.sections[0]!, old, 1);
    expect(t.state.timers).toHaveLength(3);
  });

  it('brings its number of timers along, within bounds', () => {
    const five = timers({ timers: 5 });
    const saved = saveSection(five.bench.device.sections[0]!)!.bytes;
    const t = timers();
    loadSection(t.bench.device.sections[0]!, saved);
    t.bench.device.resume!();
    expect([t.readl(BASE), t.readl(timerAt(4))]).toEqual([0x8086_a401, 0x30]);
    for (const count of [2, 33]) {
      const bad = saved.slice();
      bad[24] = count;
      expect(() => loadSection(timers().bench.device.sections[0]!, bad)).toThrow(StateError);
    }
  });

  it('is there as Linux and SeaBIOS left it, too', () => {
    expect(recorded('hpet').some(({ origin }) => origin.includes('linux'))).toBe(true);
  });
});

describe('hpet', () => {
  it('tells firmware where it is', () => {
    const table = (timers().bench.device.services as HpetService).firmwareTable();
    expect(table).toHaveLength(121);
    expect([...table.subarray(0, 16)]).toEqual([1, 0x01, 0xa2, 0x86, 0x80, 0, 0, 0xd0, 0xfe, 0, 0, 0, 0, 100, 0, 0]);
  });

  it('refuses a number of timers that cannot be', () => {
    expect(() => timers({ timers: 2 })).toThrow('hpet.timers: 2 is not between 3 and 32');
  });
});

/** Machines whose counter alone is sent. */
const hasNoOffset = (origin: string) => origin.includes('-2.4-');

const write =
  (address: number, value: number) =>
  ({ context }: Bench) =>
    context.writel(address, value);

describeConformance(hpet, {
  properties: { intcap: 0xff_ffff, msi: true },
  sections: [{ name: 'hpet', version: 2, size: 151 }],
  ports: [],
  script: [
    write(COUNTER, 0xffff_fff0),
    write(timerAt(0), PERIODIC | SET_VALUE | MODE_32 | LEVEL | ENABLE | route(9)),
    write(timerAt(0) + 8, 5000),
    write(timerAt(0) + 8, 20_000),
    write(timerAt(1), ENABLE | MODE_32 | route(3)),
    write(timerAt(1) + 8, 7000),
    write(CONFIG, 1),
    ({ context }) => context.advance(100),
    ({ context }) => context.advance(60_000),
    write(STATUS, 1),
    ({ context }) => context.readl(COUNTER),
    ({ context }) => context.advance(500_000),
    ({ device }) => device.inputs!.rtc!(true),
    write(CONFIG, 3),
    ({ context }) => context.advance(500_000),
    write(CONFIG, 0),
    ({ context }) => context.readl(COUNTER),
  ],
  golden: golden('hpet').filter(({ origin }) => !hasNoOffset(origin)),
});

describe('machines up to 2.11', () => {
  it.each(golden('hpet').filter(({ origin }) => hasNoOffset(origin)))('leave the offset out: $origin', (section) => {
    checkGolden(hpet, { properties: propertiesOfMachine(hpet, compat, '2.4') }, section);
  });
});
