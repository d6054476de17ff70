import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { AccessSize } from '@pagurus/device-model';
import { loadSection, realize, type Step, saveSections } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { card, fixture, recordedSections } from '../test/helpers.js';
import { isaVga } from './index.js';

describe('VGA ports', () => {
  it('move between 0x3bx and 0x3dx with the colour bit', () => {
    const { context, crtc } = card();
    crtc(0x0f, 0x12);
    expect([context.inb(0x3d5), context.inb(0x3b5)]).toEqual([0x12, 0xff]);
    context.outb(0x3c2, 0x66);
    expect([context.inb(0x3d5), context.inb(0x3b5)]).toEqual([0xff, 0x12]);
  });

  it('keep only the bits that exist', () => {
    const { context, sequencer, graphics, attribute } = card();
    sequencer(2, 0xff);
    expect(context.inb(0x3c5)).toBe(0x0f);
    graphics(5, 0xff);
    expect(context.inb(0x3cf)).toBe(0x7b);
    attribute(0x10, 0xff);
    expect(context.inb(0x3c1)).toBe(0xef);
    attribute(0x03, 0xff);
    expect(context.inb(0x3c1)).toBe(0x3f);
  });

  it('alternate between attribute index and data, from the start after status 1 was read', () => {
    const { context } = card();
    context.inb(0x3da);
    context.outb(0x3c0, 0x0b);
    context.inb(0x3da);
    context.outb(0x3c0, 0x0c);
    context.outb(0x3c0, 0x15);
    expect([context.inb(0x3c0), context.inb(0x3c1)]).toEqual([0x0c, 0x15]);
  });

  it('toggle retrace and display enable, so that waiting loops end', () => {
    const { context } = card();
    expect([context.inb(0x3da), context.inb(0x3da), context.inb(0x3da)]).toEqual([0x09, 0x00, 0x09]);
  });

  it('step through the DAC three components at a time', () => {
    const { context, dac } = card();
    dac(10, 1, 2, 3, 4, 5, 6);
    expect(context.inb(0x3c8)).toBe(12);
    context.outb(0x3c7, 10);
    expect([context.inb(0x3c7), ...Array.from({ length: 6 }, () => context.inb(0x3c9))]).toEqual([3, 1, 2, 3, 4, 5, 6]);
  });

  it('protect CRTC registers 0 to 7 but for bit 4 of the overflow register', () => {
    const { context, crtc } = card();
    crtc(0x11, 0x80);
    crtc(0x01, 0x4f);
    expect(context.inb(0x3d5)).toBe(0);
    crtc(0x07, 0xff);
    expect(context.inb(0x3d5)).toBe(0x10);
    crtc(0x11, 0x00);
    crtc(0x01, 0x4f);
    expect(context.inb(0x3d5)).toBe(0x4f);
  });

  it('take words as index and data', () => {
    const { context } = card();
    context.outw(0x3c4, 0x0502);
    expect([context.inb(0x3c4), context.inb(0x3c5)]).toEqual([2, 5]);
  });
});

describe('memory at 0xa0000', () => {
  const planar = () => {
    const all = card();
    all.graphics(6, 0x05);
    all.graphics(8, 0xff);
    all.sequencer(4, 0x06);
    all.sequencer(2, 0x0f);
    return all;
  };
  const planes = ({ memory }: ReturnType<typeof card>, at = 0) => [...memory.bytes.subarray(4 * at, 4 * at + 4)];

  it('writes the planes of the map mask', () => {
    const all = planar();
    all.sequencer(2, 0x05);
    all.context.writeb(0xa0000, 0xab);
    expect(planes(all)).toEqual([0xab, 0, 0xab, 0]);
    all.graphics(4, 2);
    expect(all.context.readb(0xa0000)).toBe(0xab);
    all.graphics(4, 1);
    expect(all.context.readb(0xa0000)).toBe(0);
  });

  it('rotates, sets and masks in write mode 0', () => {
    const all = planar();
    all.graphics(0, 0x02);
    all.graphics(1, 0x03);
    all.graphics(3, 0x04);
    all.context.readb(0xa0001);
    all.graphics(8, 0xf0);
    all.context.writeb(0xa0001, 0x0f);
    expect(planes(all, 1)).toEqual([0x00, 0xf0, 0xf0, 0xf0]);
  });

  it('copies the latches in write mode 1', () => {
    const all = planar();
    all.memory.write(0, Uint8Array.of(1, 2, 3, 4));
    all.graphics(5, 1);
    all.context.readb(0xa0000);
    all.context.writeb(0xa0009, 0xff);
    expect(planes(all, 9)).toEqual([1, 2, 3, 4]);
  });

  it('paints a colour in write mode 2, and set/reset through the mask in write mode 3', () => {
    const all = planar();
    all.graphics(5, 2);
    all.graphics(8, 0x81);
    all.context.readb(0xa0000);
    all.context.writeb(0xa0000, 0x0a);
    expect(planes(all)).toEqual([0, 0x81, 0, 0x81]);
    all.graphics(5, 3);
    all.graphics(0, 0x01);
    all.graphics(8, 0xff);
    all.context.readb(0xa0002);
    all.context.writeb(0xa0002, 0x3c);
    expect(planes(all, 2)).toEqual([0x3c, 0, 0, 0]);
  });

  it.each([
    [1, 0x0c & 0x0a],
    [2, 0x0c | 0x0a],
    [3, 0x0c ^ 0x0a],
  ])('combines with the latch by function %i', (select, expected) => {
    const all = planar();
    all.context.writeb(0xa0000, 0x0a);
    all.context.readb(0xa0000);
    all.graphics(3, select << 3);
    all.context.writeb(0xa0000, 0x0c);
    expect(planes(all)).toEqual([expected, expected, expected, expected]);
  });

  it('compares colours in read mode 1', () => {
    const all = planar();
    all.memory.write(0, Uint8Array.of(0xff, 0x0f, 0x00, 0x00));
    all.graphics(5, 0x08);
    all.graphics(2, 0x03);
    all.graphics(7, 0x0f);
    expect(all.context.readb(0xa0000)).toBe(0x0f);
    all.graphics(7, 0x01);
    expect(all.context.readb(0xa0000)).toBe(0xff);
  });

  it('answers only in the mapped part', () => {
    const all = planar();
    const mapped = [0x00, 0x04, 0x08, 0x0c].map((mode) => {
      all.graphics(6, mode | 1);
      return [0xa0000, 0xaffff, 0xb0000, 0xb7fff, 0xb8000, 0xbffff].map((address) => {
        all.memory.bytes.fill(0);
        return all.context.readb(address) === 0 ? 'x' : '-';
      });
    });
    expect(mapped.map((row) => row.join(''))).toEqual(['xxxxxx', 'xx----', '--xx--', '----xx']);
  });

  it('is plain memory in chain 4, with the bank of the dispi', () => {
    const all = planar();
    all.sequencer(4, 0x0e);
    all.context.writel(0xa0010, 0x1234_5678);
    expect(planes(all, 4)).toEqual([0x78, 0x56, 0x34, 0x12]);
    all.dispi(4, 0x01);
    all.dispi(5, 3);
    all.context.writeb(0xa0000, 0x99);
    expect(all.memory.bytes[0x30000]).toBe(0x99);
    all.sequencer(2, 0x01);
    all.dispi(4, 0x00);
    all.context.writel(0xa0020, 0xffff_ffff);
    expect(planes(all, 8)).toEqual([0xff, 0, 0, 0]);
  });
});

describe('Bochs display interface', () => {
  it('tells its version, memory and limits', () => {
    const { readDispi, dispi } = card();
    expect([readDispi(0), readDispi(10), readDispi(11)]).toEqual([0xb0c5, 128, 0]);
    dispi(0, 0xb0c2);
    dispi(0, 0xb0c6);
    expect(readDispi(0)).toBe(0xb0c2);
    dispi(4, 2);
    expect([readDispi(1), readDispi(2), readDispi(3)]).toEqual([16000, 12000, 32]);
  });

  it('makes a mode possible: width by eights, lines that fit, a depth that exists', () => {
    const { readDispi, dispi } = card();
    dispi(1, 1027);
    dispi(2, 60000);
    dispi(3, 17);
    dispi(4, 0x41);
    expect([1, 2, 3, 6, 7].map((index) => readDispi(index))).toEqual([1024, 8192, 8, 1024, 8192]);
    dispi(8, 100);
    dispi(9, 9000);
    expect([readDispi(8), readDispi(9)]).toEqual([0, 0]);
  });

  it('clears the screen on enabling, unless told not to', () => {
    const { dispi, memory } = card();
    memory.bytes.fill(1);
    dispi(1, 64);
    dispi(2, 2);
    dispi(3, 8);
    dispi(4, 0xc1);
    expect(memory.bytes[0]).toBe(1);
    dispi(4, 0);
    dispi(4, 0x41);
    expect([memory.bytes[0], memory.bytes[127], memory.bytes[128]]).toEqual([0, 0, 1]);
  });

  it('overrides what the guest writes to the VGA registers meanwhile', () => {
    const { dispi, crtc, context } = card();
    dispi(1, 640);
    dispi(2, 480);
    dispi(3, 8);
    dispi(4, 0x41);
    crtc(1, 0x11);
    expect(context.inb(0x3d5)).toBe(79);
  });

  it('answers words only', () => {
    const { context } = card();
    expect([context.inb(0x1ce), context.inl(0x1ce)]).toEqual([0xff, 0xffff_ffff]);
    context.outb(0x1ce, 3);
    expect(context.inw(0x1ce)).toBe(0);
  });
});

describe('a real QEMU 7.2', () => {
  const runs = JSON.parse(gunzipSync(fixture('qemu-7.2-runs.json.gz')).toString()) as {
    steps: string[];
    section: string;
    pages: Record<string, string>;
  }[];

  it.each(runs.map((run, i) => [i, run] as const))(
    'read the same, saved the same, drew into the same memory: run %i',
    (_, run) => {
      const { context, device } = realize(isaVga, { properties: { memoryMiB: 16 } });
      const got = run.steps.map((step) => {
        const [kind = '', a = '', b = ''] = step.split(' ');
        const [address, value] = [Number.parseInt(a, 16), Number.parseInt(b, 16)];
        const size = Number(kind[1] ?? 1) as AccessSize;
        if (kind[0] === 'i') return `${kind} ${a} ${context.in(address, size).toString(16)}`;
        if (kind[0] === 'r') return `${kind} ${a} ${context.readb(address).toString(16)}`;
        if (kind[0] === 'o') context.out(address, value, size);
        else context.writeb(address, value);
        return step;
      });
      expect(got).toEqual(run.steps);
      expect(Buffer.from(saveSections(device.sections)[0]!.bytes).toString('hex')).toBe(run.section);
      const { bytes } = context.mmio.blocks.get('vga.vram')!;
      const pages = Array.from({ length: 80 }, (_, page) => [page, bytes.subarray(page * 4096, page * 4096 + 4096)] as const)
        .filter(([, page]) => page.some((byte) => byte !== 0))
        .map(([page, content]) => [String(page), createHash('sha256').update(content).digest('hex').slice(0, 16)]);
      expect(Object.fromEntries(pages)).toEqual(run.pages);
    },
  );
});

const out = (port: number, value: number, size: AccessSize = 1): Step => {
  return ({ context }) => context.out(port, value, size);
};
const read = (port: number, size: AccessSize = 1): Step => {
  return ({ context }) => void context.in(port, size);
};
const poke = (address: number, value: number): Step => {
  return ({ context }) => context.writeb(address, value);
};
const peek = (address: number): Step => {
  return ({ context }) => void context.readb(address);
};

/** A driver at its most awkward: between index and data, inside a colour, with latches loaded, a bank selected, the dispi half set up. */
export const script: Step[] = [
  ...[
    out(0x3c2, 0x67),
    read(0x3da),
    out(0x3c0, 0x31),
    out(0x3c0, 0x12),
    out(0x3c0, 0x32),
    read(0x3c0),
    out(0x3c0, 0x07),
    read(0x3c1),
  ],
  ...[
    out(0x3c8, 5),
    out(0x3c9, 10),
    out(0x3c9, 20),
    out(0x3c9, 30),
    out(0x3c7, 5),
    read(0x3c9),
    read(0x3c9),
    read(0x3c9),
    read(0x3c7),
  ],
  ...[out(0x3c4, 0x0f02, 2), out(0x3c4, 0x0604, 2), out(0x3ce, 0x0506, 2), out(0x3ce, 0xff08, 2)],
  ...[
    poke(0xa0010, 0x5a),
    peek(0xa0010),
    out(0x3ce, 0x0105, 2),
    poke(0xa0011, 0),
    peek(0xa0011),
    out(0x3ce, 0x0005, 2),
    peek(0xa0011),
  ],
  ...[out(0x1ce, 1, 2), out(0x1cf, 640, 2), out(0x1ce, 2, 2), out(0x1cf, 480, 2), out(0x1ce, 4, 2), out(0x1cf, 0xc1, 2)],
  ...[out(0x1ce, 5, 2), out(0x1d0, 2, 2), poke(0xa0000, 0x77), peek(0xa0000), read(0x1cf, 2), out(0x3d4, 0x4f01, 2), read(0x3d5)],
  ...[
    out(0x1ce, 4, 2),
    out(0x1cf, 0, 2),
    peek(0xa0000),
    out(0x3d4, 0x8e11, 2),
    out(0x3d4, 0xff07, 2),
    read(0x3d5),
    read(0x3da),
    read(0x3da),
  ],
];

const ports = [
  [0x1ce, 4],
  [0x3b4, 7],
  [0x3c0, 16],
  [0x3d4, 7],
] as const;

describeConformance(isaVga, {
  properties: { memoryMiB: 1 },
  sections: [{ name: 'vga', version: 2, size: 1131 }],
  script,
  ports,
  fuzz: { steps: 6000 },
  hostileRounds: 100,
});

it('refuses what QEMU sends for isa-vga: memory of another object', () => {
  const { device } = realize(isaVga);
  const [recorded] = recordedSections('isa-vga');
  expect(() => loadSection(device.sections[0]!, recorded!.bytes)).toThrow(
    /isVbe at offset 1097: 0x0 does not equal 0x1 here.*other memory/,
  );
});

it('refuses a memory size that cannot be, naming the property', () => {
  expect(() => realize(isaVga, { properties: { memoryMiB: 257 } })).toThrow('isa-vga.vgamem_mb: 257 is not between 1 and 256');
  const { context } = realize(isaVga, { properties: { memoryMiB: 5 } });
  expect(context.mmio.blocks.get('vga.vram')?.length).toBe(8 << 20);
});
