import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Device, DeviceType } from '@pagurus/device-model';
import { defaultProperties, FakeContext } from '@pagurus/device-testkit';
import { describe, expect, it } from 'vitest';
import { type ApicService, apic } from './apic/apic.js';
import { ApicBus } from './apic/bus.js';
import { hpet } from './hpet/hpet.js';
import { i8257 } from './i8257/i8257.js';
import { i8259, type PicService } from './i8259/i8259.js';
import { ioapic } from './ioapic/ioapic.js';
import { mc146818rtc } from './mc146818rtc/mc146818rtc.js';
import { isaParallel } from './parallel/parallel.js';
import { isaSerial } from './serial/serial.js';

type Step =
  | readonly ['w' | 'W', address: number, value: number]
  | readonly ['r' | 'R', address: number, answer: number]
  | readonly ['line', irq: number, level: number]
  | readonly ['take', vectors: readonly number[]]
  | readonly ['irq', level: number];

interface Run {
  readonly device: string;
  readonly instance: number;
  readonly seed: number;
  readonly steps: readonly Step[];
}

const runs = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/qemu-7.2-runs.json.gz', import.meta.url))).toString(),
) as readonly Run[];

/** The chips of a run on one fake machine. */
interface Rig {
  readonly context: FakeContext;
  line?(irq: number, level: boolean): void;
  /** Takes interrupts as long as there are some. */
  take?(): number[];
  irq?(): boolean;
}

function make<P extends object>(
  context: FakeContext,
  type: DeviceType<P>,
  changes: Partial<P> = {},
  backends: object = {},
): Device {
  const own = Object.assign(Object.create(context) as FakeContext, {
    backend: (name: string) => (backends as Record<string, unknown>)[name],
  });
  const device = type.create(own, defaultProperties(type, changes));
  device.reset();
  return device;
}

function taken(pending: () => boolean, acknowledge: () => number): number[] {
  const vectors: number[] = [];
  while (pending() && vectors.length < 100) vectors.push(acknowledge());
  return vectors;
}

const RIGS: { readonly [device: string]: (run: Run) => Rig } = {
  'isa-i8259'() {
    const context = new FakeContext({ time: 0n });
    const pic = make(context, i8259);
    return {
      context,
      line: (irq, level) => pic.inputs![`irq${irq}`]!(level),
      take: () => taken(() => context.level('int'), (pic.services as PicService).acknowledge),
    };
  },
  i8257({ instance }) {
    const context = new FakeContext({ time: 0n });
    make(context, i8257, instance === 1 ? { base: 0xc0, pageBase: 0x88, dshift: 1 } : {});
    return { context };
  },
  mc146818rtc() {
    const context = new FakeContext({ time: 0n });
    make(context, mc146818rtc);
    return { context };
  },
  'isa-serial'() {
    const context = new FakeContext({ time: 0n });
    make(context, isaSerial, { index: 0 });
    return { context, irq: () => context.level('irq4') };
  },
  'isa-parallel'() {
    const context = new FakeContext({ time: 0n });
    make(context, isaParallel, { index: 0 });
    return { context, irq: () => context.level('irq7') };
  },
  hpet() {
    const context = new FakeContext({ time: 0n });
    make(context, hpet);
    return { context };
  },
  apic() {
    const context = new FakeContext({ time: 0n });
    const bus = new ApicBus();
    const pic = make(context, i8259);
    context.outb(0x21, 0xff);
    context.outb(0xa1, 0xff);
    const local = make(context, apic, {}, { 'apic-bus': bus, pic: pic.services });
    const io = make(context, ioapic, {}, { 'apic-bus': bus, pic: pic.services });
    return {
      context,
      line(irq, level) {
        pic.inputs![`irq${irq}`]!(level);
        io.inputs![`irq${irq}`]!(level);
      },
      take: () => taken(() => context.level('intr'), (local.services as ApicService).acknowledge),
    };
  },
};

function replay({ context, line, take, irq }: Rig, step: Step): unknown {
  switch (step[0]) {
    case 'w':
      return context.outb(step[1], step[2]);
    case 'W':
      return context.writel(step[1], step[2]);
    case 'r':
      return context.inb(step[1]);
    case 'R':
      return context.readl(step[1]);
    case 'line':
      return line!(step[1], step[2] !== 0);
    case 'take':
      return take!();
    default:
      return irq!() ? 1 : 0;
  }
}

describe('what QEMU 7.2 answered', () => {
  it.each(runs)('$device $instance, seed $seed', (run) => {
    const rig = RIGS[run.device]!(run);
    let compared = 0;
    for (const [index, step] of run.steps.entries()) {
      const answer = replay(rig, step);
      if (answer === undefined) continue;
      compared++;
      const before = JSON.stringify(run.steps.slice(Math.max(0, index - 8), index + 1));
      expect(answer, `step ${index}: ${before}`).toEqual(step.at(-1));
    }
    expect(compared).toBeGreaterThan(run.steps.length / 8);
  });

  it('was recorded for every rig', () => {
    expect(new Set(runs.map(({ device }) => device))).toEqual(new Set(Object.keys(RIGS)));
  });
});
