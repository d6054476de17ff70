import { FakeContext, type FakeContextOptions, goldenSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { disk, file, plug } from '../../test-support/machine.js';
import { isaIde } from './isa-ide.js';
import type { IdeControllerService } from './piix3-ide.js';

const FIRST = { iobase: 0x1f0, iobase2: 0x3f6, irq: 14 };

// A reset leaves what nobody can see before a command fills it again, as the PCI controller's.
const keptOnReset = [
  'isa-ide.bus',
  ...[0, 1].flatMap((unit) =>
    ['buffer', 'identifyData', 'identifySet', 'newMedia', 'ejectRequest'].map((key) => `isa-ide.drives.${unit}.${key}`),
  ),
];

describeConformance(isaIde, {
  sections: [{ name: 'isa-ide', version: 3, size: 58 }],
  keptOnReset,
  incompleteFormat: 'the level of the interrupt request is not in the section',
  golden: [goldenSection('isa-ide', file('isapc.isa-ide.bin.gz'), { origin: 'QEMU 7.2 isapc' })],
});

describe('the ISA channel', () => {
  const machine = (options: FakeContextOptions = {}) => {
    const context = new FakeContext(options);
    const device = isaIde.create(context, FIRST);
    plug(context, device.services as IdeControllerService, disk());
    device.reset();
    return { context, device };
  };

  it('reads a sector through the data port and asks for attention on request 14', () => {
    const { context } = machine();
    context.outb(0x1f6, 0xe0);
    context.outb(0x1f2, 1);
    context.outb(0x1f3, 7);
    context.outb(0x1f4, 0);
    context.outb(0x1f5, 0);
    context.outb(0x1f7, 0x20);
    expect(context.level('irq14')).toBe(true);
    expect(context.inb(0x1f7) & 0x88).toBe(0x08);
    expect(Array.from({ length: 256 }, () => context.inw(0x1f0))).toEqual(Array.from({ length: 256 }, () => 7));
    expect(context.inb(0x1f7) & 0x88).toBe(0);
    expect(context.level('irq14')).toBe(false);
  });

  it('is where its properties say', () => {
    const context = new FakeContext();
    isaIde.create(context, { iobase: 0x170, iobase2: 0x376, irq: 15 }).reset();
    expect(context.inb(0x1f7)).toBe(0xff);
    expect(context.inb(0x177)).not.toBe(0xff);
  });

  it('leaves no ports behind', () => {
    const { context, device } = machine();
    device.unrealize?.();
    expect(context.inb(0x1f7)).toBe(0xff);
    expect(context.inb(0x3f6)).toBe(0xff);
  });
});
