import { type Bench, type FakeContextOptions, fakeContext, loadSection, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import { type ApicProperties, type ApicService, apic } from './apic.js';
import type { ApicState } from './apic.state.js';
import { ApicBus } from './bus.js';
import { shiftOf } from './timer.js';

const BASE = 0xfee0_0000;
const REG = {
  ID: 0x20,
  TPR: 0x80,
  PPR: 0xa0,
  EOI: 0xb0,
  LDR: 0xd0,
  DFR: 0xe0,
  SVR: 0xf0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR: 0x300,
  ICR_HIGH: 0x310,
  TIMER: 0x320,
  LINT0: 0x350,
  LINT1: 0x360,
  COUNT: 0x380,
  CURRENT: 0x390,
  DIVIDE: 0x3e0,
} as const;
const SELF = 0x4_0000;

class FakePic {
  level = false;
  output = () => this.level;
  acknowledge = () => {
    this.level = false;
    return 0x08;
  };
}

/** One processor with its APIC switched on. */
function one(properties: Partial<ApicProperties> = {}) {
  const pic = new FakePic();
  const bus = new ApicBus();
  const bench = realize(apic, { properties, context: () => ({ backends: { 'apic-bus': bus, pic } }) });
  const { context, device } = bench;
  const service = device.services as ApicService;
  context.writel(BASE + REG.SVR, 0x1ff);
  return {
    ...context,
    bench,
    bus,
    pic,
    service,
    state: device.sections[0]!.state as ApicState,
    get: (register: number) => context.readl(BASE + register),
    set: (register: number, value: number) => context.writel(BASE + register, value),
    intr: () => context.level('intr'),
    lint0(level: boolean) {
      pic.level = level;
      device.inputs!.lint0!(level);
    },
    /** Vectors that are set in the eight words from `register` on. */
    vectors(register: number) {
      const found: number[] = [];
      for (let vector = 0; vector < 256; vector++) {
        if (this.get(register + 16 * (vector >> 5)) & (1 << (vector & 31))) found.push(vector);
      }
      return found;
    },
  };
}

describe('requests', () => {
  it('are taken by priority and end with EOI', () => {
    const t = one();
    for (const vector of [0x31, 0x81, 0x52]) t.set(REG.ICR, SELF | vector);
    expect(t.intr()).toBe(true);
    expect(t.vectors(REG.IRR)).toEqual([0x31, 0x52, 0x81]);
    expect(t.service.acknowledge()).toBe(0x81);
    expect([t.intr(), t.vectors(REG.ISR), t.get(REG.PPR)]).toEqual([false, [0x81], 0x80]);
    t.set(REG.EOI, 0);
    expect(t.service.acknowledge()).toBe(0x52);
    t.set(REG.ICR, SELF | 0x5f);
    expect(t.intr()).toBe(false); // same class
    t.set(REG.ICR, SELF | 0x60);
    expect(t.service.acknowledge()).toBe(0x60);
    t.set(REG.EOI, 0);
    t.set(REG.EOI, 0);
    expect(t.service.acknowledge()).toBe(0x5f);
  });

  it('below the task priority wait', () => {
    const t = one();
    t.set(REG.TPR, 0x40);
    t.set(REG.ICR, SELF | 0x4f);
    expect([t.intr(), t.get(REG.PPR)]).toEqual([false, 0x40]);
    t.service.setTaskPriority(0x30);
    expect([t.intr(), t.service.taskPriority()]).toEqual([true, 0x30]);
  });

  it('that have gone when the processor asks are spurious', () => {
    const t = one();
    t.set(REG.SVR, 0x1ef);
    t.set(REG.ICR, SELF | 0x41);
    t.set(REG.TPR, 0xf0);
    expect(t.service.acknowledge()).toBe(0xef);
    expect(t.vectors(REG.ISR)).toEqual([]);
  });

  it('wait while the APIC is switched off by software', () => {
    const t = one();
    t.set(REG.SVR, 0xff);
    t.set(REG.ICR, SELF | 0x41);
    expect(t.intr()).toBe(false);
    t.set(REG.SVR, 0x1ff);
    expect(t.intr()).toBe(true);
  });

  it('that are level-triggered tell the I/O APICs about their EOI', () => {
    const t = one();
    const ended: number[] = [];
    t.bus.listen({ endOfInterrupt: (vector) => ended.push(vector) });
    t.bus.deliver({ destination: 0, logical: false, mode: 0, vector: 0x61, level: true });
    t.bus.deliver({ destination: 0, logical: false, mode: 0, vector: 0x41, level: false });
    expect(t.vectors(REG.TMR)).toEqual([0x61]);
    for (let i = 0; i < 3; i++) {
      t.service.acknowledge();
      t.set(REG.EOI, 0);
    }
    expect(ended).toEqual([0x61]);
  });
});

describe('the 8259', () => {
  it('passes through LINT0 as external interrupt, before all priorities', () => {
    const t = one();
    t.set(REG.LINT0, 0x700);
    t.set(REG.TPR, 0xff);
    t.lint0(true);
    expect(t.intr()).toBe(true);
    expect(t.service.acknowledge()).toBe(0x08);
    t.lint0(false);
    expect(t.intr()).toBe(false);
  });

  it('does not pass while LINT0 is masked, and passes when it is unmasked', () => {
    const t = one();
    t.lint0(true);
    expect(t.intr()).toBe(false);
    t.set(REG.LINT0, 0x700);
    expect(t.intr()).toBe(true);
  });

  it('goes around an APIC that is disabled', () => {
    const t = one();
    t.service.setBase(BASE);
    expect(t.service.base()).toBe(BASE + 0x100);
    t.lint0(true);
    expect([t.intr(), t.service.acknowledge()]).toEqual([true, 0x08]);
    t.service.setBase(BASE + 0x800);
    expect(t.service.base() & 0x800).toBe(0);
  });

  it('is a fixed vector where LINT0 says so', () => {
    const t = one();
    t.set(REG.LINT0, 0x8031);
    t.lint0(true);
    expect([t.vectors(REG.IRR), t.vectors(REG.TMR)]).toEqual([[0x31], [0x31]]);
    t.lint0(false);
    expect(t.vectors(REG.IRR)).toEqual([]);
  });

  it('and LINT1 can give NMI and SMI', () => {
    const t = one();
    t.set(REG.LINT1, 0x400);
    t.bench.device.inputs!.lint1!(true);
    t.set(REG.LINT0, 0x200);
    t.lint0(true);
    expect(['nmi', 'smi'].map((name) => t.bench.context.line(name).rises)).toEqual([1, 1]);
  });
});

describe('timer', () => {
  it.each([
    [0x0, 1],
    [0x1, 2],
    [0x2, 3],
    [0x3, 4],
    [0x8, 5],
    [0x9, 6],
    [0xa, 7],
    [0xb, 0],
  ])('divide register 0x%s shifts by %i', (divide, shift) => {
    expect(shiftOf(divide)).toBe(shift);
  });

  it('a count that is over before its register is written fires nevertheless', () => {
    const t = one();
    t.set(REG.TIMER, 0x40);
    // A host that is busy: between two readings the clock goes on for longer than the count.
    const now = t.clock.now.bind(t.clock);
    let late = 0n;
    t.clock.now = () => {
      late += 1_000_000n;
      return now() + late;
    };
    t.set(REG.COUNT, 1000);
    t.clock.now = now;
    t.advance(3_000_000);
    expect([t.intr(), t.service.acknowledge()]).toEqual([true, 0x40]);
  });

  it('one-shot counts down at 1 GHz and fires once', () => {
    const t = one();
    t.set(REG.DIVIDE, 0x3);
    t.set(REG.TIMER, 0x40);
    t.set(REG.COUNT, 1000);
    t.advance(16 * 400);
    expect(t.get(REG.CURRENT)).toBe(600);
    t.advance(16 * 600);
    expect([t.get(REG.CURRENT), t.intr()]).toEqual([0, false]);
    t.advance(16);
    expect([t.intr(), t.service.acknowledge()]).toEqual([true, 0x40]);
    t.advance(1_000_000);
    expect(t.intr()).toBe(false);
  });

  it('periodic fires every count + 1 ticks', () => {
    const t = one();
    t.set(REG.DIVIDE, 0xb);
    t.set(REG.TIMER, 0x2_0040);
    t.set(REG.COUNT, 99_999);
    let fired = 0;
    for (let i = 0; i < 10; i++) {
      t.advance(100_000);
      if (!t.intr()) continue;
      fired++;
      t.service.acknowledge();
      t.set(REG.EOI, 0);
    }
    expect([fired, t.get(REG.CURRENT)]).toEqual([10, 99_999]);
    t.set(REG.COUNT, 0);
    expect(t.clock.pending).toEqual([]);
  });

  it('masked counts on without interrupting', () => {
    const t = one();
    t.set(REG.DIVIDE, 0xb);
    t.set(REG.TIMER, 0x1_0040);
    t.set(REG.COUNT, 1_000_000);
    t.advance(400_000);
    expect([t.get(REG.CURRENT), t.clock.pending]).toEqual([600_000, []]);
    t.set(REG.TIMER, 0x40);
    t.advance(600_001);
    expect(t.intr()).toBe(true);
  });

  it('fires at the deadline of the time-stamp counter', () => {
    const t = one();
    t.service.setTscDeadline(t.clock.now() + 100n);
    expect([t.clock.pending, t.service.tscDeadlineArmed()]).toEqual([[], false]); // not in that mode
    t.set(REG.TIMER, 0x4_0055);
    t.service.setTscDeadline(t.clock.now() + 5000n);
    t.advance(4999);
    expect([t.intr(), t.service.tscDeadlineArmed()]).toEqual([false, true]);
    t.advance(1);
    expect([t.service.acknowledge(), t.service.tscDeadlineArmed()]).toEqual([0x55, false]);
    t.service.setTscDeadline(t.clock.now() + 5000n);
    t.service.setTscDeadline(undefined);
    expect([t.clock.pending, t.service.tscDeadlineArmed()]).toEqual([[], false]);
  });

  it('a deadline outlives masking but not its mode, and the counts mean nothing to it', () => {
    const t = one();
    t.set(REG.TIMER, 0x4_0055);
    t.service.setTscDeadline(t.clock.now() + 5000n);
    const [due] = t.clock.pending;
    t.set(REG.COUNT, 10);
    t.set(REG.TIMER, 0x5_0055);
    expect([t.clock.pending, t.get(REG.CURRENT)]).toEqual([[due], 0]);
    t.advance(5000);
    expect([t.intr(), t.vectors(REG.IRR), t.service.tscDeadlineArmed()]).toEqual([false, [], false]);
    t.set(REG.TIMER, 0x4_0055);
    t.service.setTscDeadline(t.clock.now() + 5000n);
    t.set(REG.TIMER, 0x55);
    expect(t.service.tscDeadlineArmed()).toBe(false);
    t.advance(10_000);
    expect(t.intr()).toBe(false);
  });

  it('keeps a deadline across a stream, and takes any', () => {
    const from = one();
    from.set(REG.TIMER, 0x4_0055);
    from.service.setTscDeadline(from.clock.now() + 5000n);
    const to = one();
    loadSection(to.bench.device.sections[0]!, saveSection(from.bench.device.sections[0]!)!.bytes);
    to.bench.device.resume!();
    expect(to.service.tscDeadlineArmed()).toBe(true);
    to.service.setTscDeadline(2n ** 64n);
    expect(to.state.timerExpiry).toBe(2n ** 63n - 1n);
    to.service.setTscDeadline(-5n);
    to.advance(1);
    expect(to.service.acknowledge()).toBe(0x55);
  });

  it('absurdly fast is thinned out', () => {
    const t = one();
    t.set(REG.DIVIDE, 0xb);
    t.set(REG.TIMER, 0x2_0040);
    t.set(REG.COUNT, 1);
    t.advance(100_000_000);
    expect(t.clock.pending[0]! - t.clock.now()).toBeLessThanOrEqual(20_002n);
  });

  it('after a long pause of the clock fires once and stays in step', () => {
    const t = one();
    t.set(REG.DIVIDE, 0xb);
    t.set(REG.TIMER, 0x2_0040);
    t.set(REG.COUNT, 99_999);
    const start = t.state.initialCountLoadTime;
    t.setTime(t.clock.now() + 3_600_000_000_050n);
    expect((t.clock.pending[0]! - start) % 100_000n).toBe(0n);
    expect(t.clock.pending[0]!).toBeGreaterThan(t.clock.now());
  });
});

describe('registers', () => {
  it('after reset', () => {
    const { context } = realize(apic, { context: () => ({ backends: { 'apic-bus': new ApicBus() } }) });
    const get = (register: number) => context.readl(BASE + register);
    expect([get(REG.ID), get(0x30), get(REG.LDR), get(REG.DFR), get(REG.SVR)]).toEqual([0, 0x5_0014, 0, 0xffff_ffff, 0xff]);
    expect([0, 1, 2, 3, 4, 5].map((i) => get(REG.TIMER + 16 * i))).toEqual(Array(6).fill(0x1_0000));
  });

  it('that do not exist are an error until it is cleared', () => {
    const t = one();
    expect([t.get(0x40), t.get(REG.ESR)]).toEqual([0, 0x80]);
    t.set(REG.ESR, 0);
    expect(t.get(REG.ESR)).toBe(0);
    t.set(0x3f0, 1);
    t.set(0x30, 1);
    expect(t.get(REG.ESR)).toBe(0x80);
  });

  it('are accessed by whole words', () => {
    const t = one();
    t.writeb(BASE + REG.TPR, 0x40);
    expect([t.get(REG.TPR), t.readb(BASE + 0x30), t.readw(BASE + 0x30)]).toEqual([0, 0, 0]);
  });

  it('beyond the page take messages of devices', () => {
    const t = one();
    t.writel(BASE, 0x0041);
    t.set(REG.LDR, 0x0100_0000);
    t.writel(BASE + 0x1000, 0x0042); // APIC 1: nobody
    t.writel(BASE + 0x1004, 0x8043); // logical 1
    expect([t.vectors(REG.IRR), t.vectors(REG.TMR), t.readl(BASE + 0x1000)]).toEqual([[0x41, 0x43], [0x43], 0]);
  });

  it('need a bus', () => {
    expect(() => realize(apic)).toThrow('apic.apic-bus: the machine has to make an ApicBus');
  });
});

/** `count` processors on one bus and one memory space. */
function several(count: number) {
  const bus = new ApicBus();
  const context = fakeContext();
  const log: string[] = [];
  const apics = Array.from({ length: count }, (_, id) => {
    const cpu = { init: () => log.push(`init ${id}`), startup: (vector: number) => log.push(`start ${id} at ${vector}`) };
    const backends: Record<string, unknown> = { 'apic-bus': bus, cpu };
    const own = Object.assign(Object.create(context) as typeof context, { backend: (name: string) => backends[name] });
    const device = apic.create(own, { id, version: 0x14, vapic: true, legacyInstanceId: false });
    device.reset();
    return { device, service: device.services as ApicService, state: device.sections[0]!.state as ApicState };
  });
  const as = (cpu: number, action: () => void) => {
    bus.current = cpu;
    action();
  };
  for (let cpu = 0; cpu < count; cpu++) {
    as(cpu, () => {
      context.writel(BASE + REG.SVR, 0x1ff);
      context.writel(BASE + REG.LDR, (0x0100_0000 << cpu) >>> 0);
    });
  }
  const requested = () => apics.map(({ state }) => state.irr.some((word) => word !== 0));
  return { bus, context, log, apics, as, requested };
}

describe('several processors', () => {
  it('see their own registers at the same address', () => {
    const t = several(3);
    const ids = [0, 1, 2].map((cpu) => {
      t.bus.current = cpu;
      return t.context.readl(BASE + REG.ID) >>> 24;
    });
    expect(ids).toEqual([0, 1, 2]);
    expect(t.apics.map(({ service }) => service.base() & 0x100)).toEqual([0x100, 0, 0]);
  });

  it.each([
    ['one by id', 0x0041, 0x0200_0000, [false, false, true, false]],
    ['all by id 255', 0x0041, 0xff00_0000, [true, true, true, true]],
    ['a set of logical ids', 0x0841, 0x0a00_0000, [false, true, false, true]],
    ['themselves', 0x4_0041, 0, [true, false, false, false]],
    ['all', 0x8_0041, 0, [true, true, true, true]],
    ['all others', 0xc_0041, 0, [false, true, true, true]],
  ])('interrupt %s', (_, command, high, expected) => {
    const t = several(4);
    t.as(0, () => {
      t.context.writel(BASE + REG.ICR_HIGH, high);
      t.context.writel(BASE + REG.ICR, command);
    });
    expect(t.requested()).toEqual(expected);
  });

  it('of the lowest priority take what is meant for any', () => {
    const t = several(3);
    t.apics[0]!.service.setTaskPriority(0x30);
    t.apics[1]!.service.setTaskPriority(0x20);
    t.apics[2]!.service.setTaskPriority(0x40);
    t.bus.deliver({ destination: 0xff, logical: true, mode: 1, vector: 0x41, level: false });
    expect(t.requested()).toEqual([false, true, false]);
  });

  it('in clusters are addressed by cluster and member', () => {
    const t = several(2);
    for (const [cpu, id] of [0x11, 0x21].entries())
      t.as(cpu, () => {
        t.context.writel(BASE + REG.DFR, 0x0fff_ffff);
        t.context.writel(BASE + REG.LDR, (id << 24) >>> 0);
      });
    t.bus.deliver({ destination: 0x23, logical: true, mode: 0, vector: 0x41, level: false });
    expect(t.requested()).toEqual([false, true]);
  });

  it('are started by INIT and start-up interrupts, once', () => {
    const t = several(2);
    const send = (command: number) =>
      t.as(0, () => {
        t.context.writel(BASE + REG.ICR_HIGH, 0x0100_0000);
        t.context.writel(BASE + REG.ICR, command);
      });
    expect(t.apics.map(({ service }) => service.waitsForStartup())).toEqual([false, true]);
    send(0xc500); // INIT, assert
    send(0x8500); // INIT, de-assert
    send(0x0609);
    send(0x0609);
    expect(t.log).toEqual(['init 1', 'start 1 at 9']);
    expect(t.apics[1]!.service.waitsForStartup()).toBe(false);
  });
});

describe('section apic', () => {
  it('after reset is QEMU’s, of every processor', () => {
    const t = several(4);
    for (const { device } of t.apics) device.reset();
    const sections = t.apics.map(({ device }) => device.sections[0]!);
    expect(sections.map(({ instance }) => instance)).toEqual([0, 1, 2, 3]);
    for (const id of [1, 2, 3]) expect(saveSection(sections[id]!)!.bytes).toEqual(recordedBytes('apic', 'misc-smp4', id));
    expect(saveSection(sections[0]!)!.bytes).toEqual(recordedBytes('apic', 'reset-nodefaults-pc-i440fx-7.2'));
  });

  it('goes on counting where QEMU stopped', () => {
    const t = one();
    t.setTime(350_908_672n);
    loadSection(t.bench.device.sections[0]!, recordedBytes('apic', '7.2 devstate-pc-i440fx-7.2'));
    t.bench.device.resume!();
    // As `info lapic` said on the source.
    expect(t.get(REG.CURRENT)).toBe(284_210_780);
    expect([t.vectors(REG.IRR), t.get(REG.PPR), t.intr()]).toEqual([[49, 65], 0x20, true]);
    expect([t.service.acknowledge(), t.service.acknowledge()]).toEqual([65, 0xff]);
  });

  it('is numbered in order of creation on machines up to 2.6', () => {
    const { device } = realize(apic, {
      properties: { legacyInstanceId: true },
      context: () => ({ backends: { 'apic-bus': new ApicBus() } }),
    });
    expect(device.sections[0]!.instance).toBeUndefined();
  });

  it('clamps a hostile divisor', () => {
    const t = one();
    const bytes = recordedBytes('apic', '7.2 devstate-pc-i440fx-7.2').slice();
    bytes.set([0x7f, 0xff, 0xff, 0xff], 149);
    loadSection(t.bench.device.sections[0]!, bytes);
    expect(t.state.countShift).toBe(7);
    expect(t.get(REG.CURRENT)).toBeGreaterThan(0);
  });
});

const context = (): FakeContextOptions => ({
  backends: { 'apic-bus': new ApicBus(), pic: { acknowledge: () => 0x08, output: () => false } },
});
const write =
  (register: number, value: number) =>
  ({ context }: Bench) =>
    context.writel(BASE + register, value);
const read =
  (register: number) =>
  ({ context }: Bench) => {
    context.readl(BASE + register);
  };
const take = ({ context, device }: Bench) => context.note(`vector ${(device.services as ApicService).acknowledge()}`);

describeConformance(apic, {
  context,
  sections: [{ name: 'apic', version: 3, size: 181 }],
  ports: [],
  script: [
    write(REG.SVR, 0x1ff),
    write(REG.DIVIDE, 0x3),
    write(REG.TIMER, 0x2_0040),
    write(REG.COUNT, 5000),
    ({ context }) => context.advance(100_000),
    take,
    write(REG.ICR, SELF | 0x31),
    write(REG.TPR, 0x20),
    ({ context }) => context.advance(50_000),
    read(REG.CURRENT),
    write(REG.EOI, 0),
    take,
    write(REG.EOI, 0),
    take,
    write(REG.TIMER, 0x40),
    ({ context }) => context.advance(50_000),
    read(REG.IRR + 0x20),
    ({ context }) => context.advance(50_000),
    read(REG.CURRENT),
  ],
  events: [
    take,
    (bench, random) => (bench.device.services as ApicService).setTaskPriority(random.below(256)),
    (bench, random) => (bench.device.services as ApicService).setBase(BASE + (random.oneIn(4) ? 0 : 0x800)),
  ],
  golden: golden('apic'),
});

describeConformance(apic, {
  properties: { id: 3 },
  context,
  sections: [{ name: 'apic', version: 3, size: 181 + 2 + 'apic_sipi'.length + 4 + 8 }],
  fuzz: { steps: 4000, seed: 5 },
});
