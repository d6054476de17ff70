import { type Bench, fakeContext, loadSection, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { StateError } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import { i8259, type PicService } from './i8259.js';
import type { PicState } from './i8259.state.js';

/** A pair as Linux programs it: bases 0x30 and 0x38, nothing masked, ICW4 as given. */
function pair(icw4: { master?: number; slave?: number } = {}) {
  const bench = realize(i8259);
  const { outb } = bench.context;
  for (const [port, base, cascade, mode] of [
    [0x20, 0x30, 0x04, icw4.master ?? 0x01],
    [0xa0, 0x38, 0x02, icw4.slave ?? 0x01],
  ] as const) {
    outb(port, 0x11);
    outb(port + 1, base);
    outb(port + 1, cascade);
    outb(port + 1, mode);
    outb(port + 1, 0x00);
  }
  return {
    ...bench.context,
    bench,
    set: (irq: number, level: boolean) => bench.device.inputs![`irq${irq}`]!(level),
    pulse(irq: number) {
      this.set(irq, true);
      this.set(irq, false);
    },
    int: () => bench.context.level('int'),
    take: () => (bench.device.services as PicService).acknowledge(),
    read: (port: number, which: 'irr' | 'isr') => {
      outb(port, which === 'isr' ? 0x0b : 0x0a);
      return bench.context.inb(port);
    },
  };
}

const EOI = 0x20;

describe('interrupts', () => {
  it('go from an input to a vector and end with EOI', () => {
    const pic = pair();
    expect(pic.int()).toBe(false);
    pic.set(4, true);
    expect(pic.int()).toBe(true);
    expect(pic.read(0x20, 'irr')).toBe(0x10);
    expect(pic.take()).toBe(0x34);
    expect(pic.int()).toBe(false);
    expect([pic.read(0x20, 'irr'), pic.read(0x20, 'isr')]).toEqual([0x00, 0x10]);
    pic.outb(0x20, EOI);
    expect(pic.read(0x20, 'isr')).toBe(0);
  });

  it('need a new edge each', () => {
    const pic = pair();
    pic.set(4, true);
    pic.take();
    pic.outb(0x20, EOI);
    pic.set(4, true);
    expect(pic.int()).toBe(false);
    pic.set(4, false);
    pic.set(4, true);
    expect(pic.int()).toBe(true);
  });

  it('stay pending when a masked edge line has fallen again', () => {
    const pic = pair();
    pic.outb(0x21, 0xff);
    pic.pulse(4);
    expect(pic.int()).toBe(false);
    pic.outb(0x21, 0x00);
    expect(pic.take()).toBe(0x34);
  });

  it('nest by priority', () => {
    const pic = pair();
    pic.pulse(4);
    pic.take();
    pic.pulse(5);
    expect(pic.int()).toBe(false);
    pic.pulse(1);
    expect(pic.take()).toBe(0x31);
    pic.outb(0x20, EOI);
    expect(pic.int()).toBe(false);
    pic.outb(0x20, EOI);
    expect(pic.take()).toBe(0x35);
  });

  it('of the slave come through the cascade', () => {
    const pic = pair();
    pic.pulse(12);
    expect(pic.read(0x20, 'irr')).toBe(0x04);
    expect(pic.take()).toBe(0x3c);
    expect([pic.read(0x20, 'isr'), pic.read(0xa0, 'isr')]).toEqual([0x04, 0x10]);
    pic.outb(0xa0, EOI);
    pic.outb(0x20, EOI);
    expect([pic.read(0x20, 'isr'), pic.read(0xa0, 'isr')]).toEqual([0, 0]);
  });

  it('rank 0 1 8..15 3..7', () => {
    const pic = pair();
    for (const irq of [7, 6, 5, 4, 3, 15, 14, 13, 12, 11, 10, 9, 8, 1, 0]) pic.pulse(irq);
    const order: number[] = [];
    while (pic.int()) {
      const vector = pic.take();
      order.push(vector - 0x30);
      if (vector >= 0x38) pic.outb(0xa0, EOI);
      pic.outb(0x20, EOI);
    }
    expect(order).toEqual([0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7]);
  });

  it('that vanish before the acknowledge are spurious: 7 of the master, 7 of the slave', () => {
    const pic = pair();
    expect(pic.take()).toBe(0x37);
    expect(pic.read(0x20, 'isr')).toBe(0);
    pic.outb(0x4d1, 0x08);
    pic.set(11, true);
    pic.set(11, false);
    expect(pic.take()).toBe(0x3f);
    expect(pic.read(0xa0, 'isr')).toBe(0);
    expect(pic.read(0x20, 'isr')).toBe(0x04);
  });
});

describe('level-triggered inputs', () => {
  it('request as long as the line is high', () => {
    const pic = pair();
    pic.outb(0x4d1, 0x0c);
    expect([pic.inb(0x4d0), pic.inb(0x4d1)]).toEqual([0x00, 0x0c]);
    pic.set(10, true);
    expect(pic.take()).toBe(0x3a);
    pic.outb(0xa0, EOI);
    pic.outb(0x20, EOI);
    expect(pic.take()).toBe(0x3a);
    pic.set(10, false);
    pic.outb(0xa0, EOI);
    pic.outb(0x20, EOI);
    expect(pic.int()).toBe(false);
  });

  it('are never 0, 1, 2, 8 and 13', () => {
    const pic = pair();
    pic.outb(0x4d0, 0xff);
    pic.outb(0x4d1, 0xff);
    expect([pic.inb(0x4d0), pic.inb(0x4d1)]).toEqual([0xf8, 0xde]);
  });

  it('are all of a chip initialised with LTIM, which then sends its subsection', () => {
    const pic = pair();
    pic.outb(0x20, 0x19);
    for (const word of [0x30, 0x04, 0x01, 0x00]) pic.outb(0x21, word);
    pic.set(4, true);
    pic.take();
    pic.outb(0x20, EOI);
    expect(pic.int()).toBe(true);
    pic.set(4, false);
    expect(pic.int()).toBe(false);
    expect(Buffer.from(saveSection(pic.bench.device.sections[0]!)!.bytes).includes('i8259/ltim')).toBe(true);
  });
});

describe('operation modes', () => {
  it('rotate on non-specific EOI makes the served input the lowest', () => {
    const pic = pair();
    pic.pulse(3);
    pic.take();
    pic.outb(0x20, 0xa0);
    pic.pulse(3);
    pic.pulse(5);
    expect(pic.take()).toBe(0x35);
  });

  it('rotate on specific EOI and set priority name the input', () => {
    const pic = pair();
    pic.pulse(1);
    pic.take();
    pic.outb(0x20, 0xe0 | 1);
    expect(pic.read(0x20, 'isr')).toBe(0);
    pic.pulse(1);
    pic.pulse(7);
    expect(pic.take()).toBe(0x37);
    pic.outb(0x20, 0x60 | 7);
    pic.outb(0x20, 0xc0 | 7);
    pic.pulse(7);
    expect(pic.take()).toBe(0x31);
  });

  it('automatic EOI leaves nothing in service, and rotates if told so', () => {
    const pic = pair({ master: 0x03 });
    pic.pulse(4);
    expect(pic.take()).toBe(0x34);
    expect(pic.read(0x20, 'isr')).toBe(0);
    pic.outb(0x20, 0x80);
    pic.pulse(3);
    pic.take();
    pic.pulse(3);
    pic.pulse(5);
    expect(pic.take()).toBe(0x35);
    pic.outb(0x20, 0x00);
  });

  it('automatic EOI on the slave gives a new edge for its next request', () => {
    const pic = pair({ slave: 0x03 });
    pic.pulse(10);
    pic.pulse(11);
    expect(pic.take()).toBe(0x3a);
    pic.outb(0x20, EOI);
    expect(pic.take()).toBe(0x3b);
  });

  it('special mask mode lets lower priorities interrupt a masked service', () => {
    const pic = pair();
    pic.pulse(1);
    pic.take();
    pic.pulse(6);
    expect(pic.int()).toBe(false);
    pic.outb(0x21, 0x02);
    pic.outb(0x20, 0x68);
    expect(pic.take()).toBe(0x36);
    pic.outb(0x20, 0x48);
    pic.pulse(7);
    expect(pic.int()).toBe(false);
  });

  it('special fully nested mode lets the slave interrupt its own service', () => {
    const pic = pair({ master: 0x11 });
    pic.pulse(12);
    pic.take();
    pic.pulse(9);
    expect(pic.take()).toBe(0x39);
  });

  it('special fully nested mode takes effect at once', () => {
    const pic = pair();
    pic.pulse(12);
    pic.take();
    pic.pulse(9);
    // Initialized again from ICW2 on, the service and the request stay.
    const state = pic.bench.device.sections[0]!.state as PicState;
    state.initState = 3;
    pic.outb(0x21, 0x11);
    expect(pic.take()).toBe(0x39);
  });

  it('without it the slave waits', () => {
    const pic = pair();
    pic.pulse(12);
    pic.take();
    pic.pulse(9);
    expect(pic.int()).toBe(false);
  });

  it('poll answers and takes the request once, on either port', () => {
    const pic = pair();
    pic.pulse(3);
    pic.outb(0x20, 0x0c);
    expect(pic.inb(0x21)).toBe(0x83);
    expect(pic.read(0x20, 'isr')).toBe(0x08);
    pic.outb(0x20, 0x0c);
    expect(pic.inb(0x20)).toBe(0x00);
    expect(pic.inb(0x21)).toBe(0x00);
  });
});

describe('initialization', () => {
  it('takes ICW2 at once to OCW1 for a single chip without ICW4', () => {
    const pic = pair();
    pic.outb(0x20, 0x12);
    pic.outb(0x21, 0x47);
    pic.outb(0x21, 0xfb);
    expect(pic.inb(0x21)).toBe(0xfb);
    pic.outb(0x21, 0x00);
    pic.set(0, true);
    expect(pic.take()).toBe(0x40);
  });

  it('forgets edges and masks, keeps level requests and the ELCR', () => {
    const pic = pair();
    pic.outb(0x4d0, 0x20);
    pic.outb(0x21, 0xff);
    pic.pulse(4);
    pic.set(5, true);
    pic.outb(0x20, 0x11);
    expect(pic.inb(0x20)).toBe(0x20);
    expect([pic.inb(0x21), pic.inb(0x4d0)]).toEqual([0x00, 0x20]);
  });

  it('does not clear the line of a pending request of another chip', () => {
    const pic = pair();
    pic.pulse(12);
    pic.outb(0x20, 0x11);
    for (const word of [0x30, 0x04, 0x01, 0x00]) pic.outb(0x21, word);
    expect(pic.int()).toBe(false);
    expect(pic.read(0xa0, 'irr')).toBe(0x10);
  });
});

describe('section i8259', () => {
  it('holds what devstate left in the chips', () => {
    const { device } = realize(i8259);
    loadSection(device.sections[0]!, recordedBytes('i8259', '7.2 devstate-pc-i440fx-7.2'));
    loadSection(device.sections[1]!, recordedBytes('i8259', '7.2 devstate-pc-i440fx-7.2', 1));
    expect(device.sections[0]!.state).toMatchObject({ irr: 0x75, imr: 0xb8, irqBase: 0x20, readRegisterSelect: 1, elcr: 0x20 });
    expect(device.sections[1]!.state).toMatchObject({
      irr: 0x41,
      imr: 0x8e,
      priorityAdd: 4,
      irqBase: 0x28,
      autoEoi: 1,
      elcr: 0x0c,
    });
  });

  it('is instance 0 and 1, also found by their ports', () => {
    const { device } = realize(i8259);
    expect(device.sections.map(({ instance, alias }) => [instance, alias])).toEqual([
      [0, 0x20],
      [1, 0xa0],
    ]);
  });

  it('drives INT again after a load', () => {
    const { context, device } = realize(i8259);
    loadSection(device.sections[0]!, recordedBytes('i8259', '7.2 devstate-pc-i440fx-7.2'));
    expect(context.level('int')).toBe(false);
    device.resume!();
    expect(context.level('int')).toBe(true);
  });

  it('clamps a hostile priority and initialization step', () => {
    const { device } = realize(i8259);
    const bytes = new Uint8Array(16).fill(0xff);
    loadSection(device.sections[0]!, bytes);
    expect(device.sections[0]!.state as PicState).toMatchObject({ priorityAdd: 7, initState: 3 });
  });

  it('refuses version 2 and a cut section', () => {
    const { device } = realize(i8259);
    expect(() => loadSection(device.sections[0]!, new Uint8Array(16), 2)).toThrow(StateError);
    expect(() => loadSection(device.sections[0]!, new Uint8Array(15))).toThrow(/elcr/);
  });
});

const level = (bench: Bench, irq: number, high: boolean) => bench.device.inputs![`irq${irq}`]!(high);
const take = ({ context, device }: Bench) => context.note(`vector ${(device.services as PicService).acknowledge()}`);

describeConformance(i8259, {
  sections: [
    { name: 'i8259', version: 1, size: 16 },
    { name: 'i8259', version: 1, size: 16 },
  ],
  ports: [
    [0x20, 2],
    [0xa0, 2],
    [0x4d0, 2],
  ],
  script: [
    ...[0x11, 0x08, 0x04, 0x01].map(
      (word, i) =>
        ({ context }: Bench) =>
          context.outb(i === 0 ? 0x20 : 0x21, word),
    ),
    ...[0x11, 0x70, 0x02, 0x03].map(
      (word, i) =>
        ({ context }: Bench) =>
          context.outb(i === 0 ? 0xa0 : 0xa1, word),
    ),
    ({ context }) => context.outb(0x4d1, 0x0c),
    (bench) => level(bench, 10, true),
    (bench) => level(bench, 4, true),
    take,
    ({ context }) => context.outb(0x20, 0x0b),
    ({ context }) => context.inb(0x20),
    (bench) => level(bench, 10, false),
    ({ context }) => context.outb(0xa0, 0x0c),
    ({ context }) => context.inb(0xa0),
    ({ context }) => context.outb(0x20, EOI),
    take,
    take,
  ],
  events: [take],
  golden: golden('i8259', { index: (instance) => instance }),
});

describe('isa-i8259', () => {
  it('gives its ports back', () => {
    const context = fakeContext();
    i8259.create(context, {}).unrealize!();
    expect(context.ports.regions).toEqual([]);
  });
});
