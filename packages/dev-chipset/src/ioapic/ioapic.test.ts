import { type Bench, type FakeContextOptions, loadSection, realize } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import { ApicBus, type InterruptMessage } from '../apic/bus.js';
import { ioapic } from './ioapic.js';
import type { IoApicState } from './ioapic.state.js';

/** A bus that keeps what is sent instead of delivering it. */
class Recorder extends ApicBus {
  readonly sent: InterruptMessage[] = [];
  note: (text: string) => void = () => {};
  override deliver(message: InterruptMessage): void {
    this.sent.push(message);
    this.note(`vector ${message.vector} to ${message.destination}`);
  }
}

const SELECT = 0xfec0_0000;
const WINDOW = 0xfec0_0010;
const LEVEL = 0x8000;
const MASKED = 0x1_0000;

function io(version = 0x20) {
  const bus = new Recorder();
  const bench = realize(ioapic, {
    properties: { version },
    context: () => ({ backends: { 'apic-bus': bus, pic: { acknowledge: () => 0x55, output: () => true } } }),
  });
  const { context, device } = bench;
  return {
    ...context,
    bench,
    bus,
    state: device.sections[0]!.state as IoApicState,
    vectors: () => bus.sent.map(({ vector }) => vector),
    get(register: number) {
      context.writel(SELECT, register);
      return context.readl(WINDOW);
    },
    set(register: number, value: number) {
      context.writel(SELECT, register);
      context.writel(WINDOW, value);
    },
    redirect(pin: number, entry: number, destination = 0) {
      this.set(0x11 + 2 * pin, (destination << 24) >>> 0);
      this.set(0x10 + 2 * pin, entry);
    },
    irq: (number: number, level: boolean) => device.inputs![`irq${number}`]!(level),
  };
}

describe('registers', () => {
  it('say id, version and number of pins', () => {
    const t = io();
    t.set(0, 0xffff_ffff);
    expect([t.get(0), t.get(1), t.get(2)]).toEqual([0x0f00_0000, 0x0017_0020, 0x0f00_0000]);
    expect(io(0x11).get(1)).toBe(0x0017_0011);
    expect([t.get(3), t.get(0x40), t.readl(SELECT)]).toEqual([0, 0, 0x40]);
  });

  it('of redirections are masked after reset and keep status bits from being written', () => {
    const t = io();
    expect([t.get(0x10), t.get(0x3f)]).toEqual([MASKED, 0]);
    t.set(0x10, 0xffff_ffff);
    t.set(0x11, 0x1234_5678);
    expect([t.get(0x10), t.get(0x11)]).toEqual([0xffff_afff, 0x1234_5678]);
  });

  it('are written by whole words; the selector by bytes too', () => {
    const t = io();
    t.writeb(SELECT, 0x10);
    t.writeb(WINDOW, 0x42);
    expect([t.readl(WINDOW), t.readb(WINDOW)]).toEqual([MASKED, 0]);
  });

  it('refuse a version that is none', () => {
    expect(() => io(0x21)).toThrow('ioapic.version: 0x21 is not 0x11 or 0x20');
    expect(() => realize(ioapic)).toThrow('ioapic.apic-bus: the machine has to make an ApicBus');
  });
});

describe('edges', () => {
  it('send one message each', () => {
    const t = io();
    t.redirect(4, 0x0931, 0x07);
    t.irq(4, true);
    expect(t.bus.sent).toEqual([{ destination: 7, logical: true, mode: 1, vector: 0x31, level: false }]);
    t.irq(4, false);
    t.irq(4, true);
    expect(t.vectors()).toEqual([0x31, 0x31]);
  });

  it('on a masked pin are lost', () => {
    const t = io();
    t.redirect(4, MASKED | 0x31);
    t.irq(4, true);
    t.redirect(4, 0x31);
    expect(t.vectors()).toEqual([]);
  });

  it('of interrupt 0 come in on pin 2', () => {
    const t = io();
    t.redirect(2, 0x30);
    t.redirect(0, 0x20);
    t.irq(0, true);
    expect(t.vectors()).toEqual([0x30]);
  });

  it('as external interrupt bring the 8259’s vector', () => {
    const t = io();
    t.redirect(0, 0x0700);
    t.redirect(2, 0x0700);
    t.irq(0, true);
    expect(t.bus.sent).toEqual([{ destination: 0, logical: false, mode: 0, vector: 0x55, level: false }]);
  });
});

describe('levels', () => {
  it('are sent again after the processor’s EOI while they last', () => {
    const t = io();
    t.redirect(9, LEVEL | 0x39);
    t.irq(9, true);
    t.irq(9, true);
    expect(t.vectors()).toEqual([0x39]);
    expect(t.get(0x10 + 18)).toBe(LEVEL | 0x4039);
    t.bus.endOfInterrupt(0x38);
    expect(t.vectors()).toEqual([0x39]);
    t.bus.endOfInterrupt(0x39);
    expect(t.vectors()).toEqual([0x39, 0x39]);
    t.irq(9, false);
    t.bus.endOfInterrupt(0x39);
    expect([t.vectors().length, t.get(0x10 + 18)]).toEqual([2, LEVEL | 0x39]);
  });

  it('wait while masked and go out when unmasked', () => {
    const t = io();
    t.redirect(9, MASKED | LEVEL | 0x39);
    t.irq(9, true);
    expect(t.vectors()).toEqual([]);
    t.redirect(9, LEVEL | 0x39);
    expect(t.vectors()).toEqual([0x39]);
  });

  it('can be ended by the EOI register of version 0x20 only', () => {
    for (const [version, count] of [
      [0x20, 2],
      [0x11, 1],
    ] as const) {
      const t = io(version);
      t.redirect(9, LEVEL | 0x39);
      t.irq(9, true);
      t.writel(SELECT + 0x40, 0x39);
      expect(t.vectors()).toHaveLength(count);
    }
  });
});

describe('section ioapic', () => {
  it('holds what devstate left', () => {
    const t = io();
    loadSection(t.bench.device.sections[0]!, recordedBytes('ioapic', '7.2 devstate-pc-i440fx-7.2'));
    expect([t.readl(SELECT), t.get(0x14), t.get(0x19), t.get(0x22), t.get(0x3e), t.get(0x3f)]).toEqual([
      0x1f, 0x31, 0x0100_0000, 0xa939, 0x1a1f7, 0xff00_0000,
    ]);
  });

  it('of version 1 has no requests and no gap', () => {
    const t = io();
    const bytes = recordedBytes('ioapic', '7.2 devstate-pc-i440fx-7.2');
    loadSection(t.bench.device.sections[0]!, Uint8Array.from([...bytes.subarray(0, 2), ...bytes.subarray(14)]), 1);
    expect([t.get(0x14), t.state.irr]).toEqual([0x31, 0]);
  });
});

const context = (): FakeContextOptions => {
  const recorder = new Recorder();
  return {
    backends: { 'apic-bus': recorder, pic: { acknowledge: () => 0x55, output: () => false } },
    slot(machine) {
      recorder.note = (text) => machine.note(text);
    },
  };
};
const bus = ({ context }: Bench) => context.backends['apic-bus'] as Recorder;
const write =
  (address: number, value: number) =>
  ({ context }: Bench) =>
    context.writel(address, value);

describeConformance(ioapic, {
  context,
  sections: [{ name: 'ioapic', version: 3, size: 206 }],
  ports: [],
  script: [
    write(SELECT, 0x22),
    write(WINDOW, 0x8041),
    ({ device }) => device.inputs!.irq9!(true),
    write(WINDOW, 0x1_8041),
    (bench) => bus(bench).endOfInterrupt(0x41),
    write(WINDOW, 0x8041),
    ({ context }) => context.readl(WINDOW),
    ({ device }) => device.inputs!.irq9!(false),
    (bench) => bus(bench).endOfInterrupt(0x41),
    ({ context }) => context.readl(WINDOW),
  ],
  events: [(bench, random) => bus(bench).endOfInterrupt(random.below(256))],
  golden: golden('ioapic'),
});
