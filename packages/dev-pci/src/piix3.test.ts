import { readFileSync } from 'node:fs';
import { goldenSection, loadSection, realize, saveSections } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { piix3 } from './piix3.js';
import type { Piix3State } from './piix3.state.js';
import { TEST_CONFIG_BASE, testSlot } from './testing.js';

const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`../fixtures/${name}.bin`, import.meta.url)));
const config = (offset: number) => TEST_CONFIG_BASE + offset;
const options = { context: () => ({ slot: (made: Parameters<typeof testSlot>[0]) => testSlot(made, 8) }) };
const bridge = () => {
  const { context, device } = realize(piix3, options);
  const high = () => [...context.lines].filter(([pin, line]) => pin.startsWith('irq') && line.level).map(([pin]) => pin);
  return { context, device, inputs: device.inputs!, high };
};

describe('identity', () => {
  it('is 8086:7000, function 0 of several', () => {
    const { context } = bridge();
    expect(context.readl(config(0))).toBe(0x7000_8086);
    expect(context.readb(config(0x0e))).toBe(0x80);
    expect(context.readl(config(0x60))).toBe(0x8080_8080);
  });

  it('resets the registers that QEMU resets and no others', () => {
    const { context, device } = bridge();
    for (let at = 0x40; at < 0x100; at += 4) context.writel(config(at), 0x5a5a_5a5a);
    device.reset();
    const row = (at: number) => Array.from({ length: 4 }, (_, i) => context.readb(config(at + i)));
    expect(row(0x4c)).toEqual([0x4d, 0x5a, 0x03, 0x00]);
    expect(row(0x60)).toEqual([0x80, 0x80, 0x80, 0x80]);
    expect(row(0x68)).toEqual([0x5a, 0x02, 0x5a, 0x5a]);
    expect(row(0x78)).toEqual([0x02, 0x00, 0x5a, 0x5a]);
    expect(row(0x80)).toEqual([0x00, 0x5a, 0x00, 0x5a]);
    expect(row(0xa0)).toEqual([0x08, 0x5a, 0x00, 0x00]);
    expect(row(0xa8)).toEqual([0x0f, 0x5a, 0x00, 0x00]);
    expect(row(0xac)).toEqual([0x00, 0x5a, 0x00, 0x5a]);
    expect(row(0xfc)).toEqual([0x5a, 0x5a, 0x5a, 0x5a]);
  });
});

describe('interrupt router', () => {
  it('sends nothing while not routed', () => {
    const { inputs, high } = bridge();
    inputs.pirq2!(true);
    expect(high()).toEqual([]);
  });

  it('moves a held line when the guest routes it elsewhere', () => {
    const { context, inputs, high } = bridge();
    inputs.pirq2!(true);
    context.writeb(config(0x62), 11);
    expect(high()).toEqual(['irq11']);
    context.writeb(config(0x62), 0x80);
    expect(high()).toEqual([]);
    context.writeb(config(0x62), 0x15);
    expect(high()).toEqual([]);
    context.writeb(config(0x62), 5);
    expect(high()).toEqual(['irq5']);
  });

  it('shares a request between lines', () => {
    const { context, inputs, high } = bridge();
    context.writel(config(0x60), 0x0b0b_0a0a);
    inputs.pirq0!(true);
    inputs.pirq1!(true);
    inputs.pirq3!(true);
    expect(high()).toEqual(['irq10', 'irq11']);
    inputs.pirq0!(false);
    expect(high()).toEqual(['irq10', 'irq11']);
    inputs.pirq1!(false);
    expect(high()).toEqual(['irq11']);
  });

  it('drives its requests again after a load', () => {
    const a = bridge();
    a.context.writeb(config(0x61), 9);
    a.inputs.pirq1!(true);
    const b = bridge();
    loadSection(b.device.sections[0]!, saveSections(a.device.sections)[0]!.bytes);
    expect(b.high()).toEqual([]);
    b.device.resume?.();
    expect(b.high()).toEqual(['irq9']);
  });
});

describe('reset control', () => {
  it('resets on bit 2 and remembers the kind until then', () => {
    const { context, device } = bridge();
    context.outb(0xcf9, 0xfb);
    expect(context.inb(0xcf9)).toBe(2);
    expect(context.resetRequests).toEqual([]);
    context.outb(0xcf9, 0x06);
    expect(context.resetRequests).toHaveLength(1);
    device.reset();
    expect(context.inb(0xcf9)).toBe(0);
  });

  it('is sent only while something is in it', () => {
    const { context, device } = bridge();
    const size = () => saveSections(device.sections)[0]!.bytes.length;
    expect(size()).toBe(292);
    context.outb(0xcf9, 2);
    expect(size()).toBe(292 + 2 + 'PIIX3/rcr'.length + 4 + 1);
  });

  it('is off again when a stream without it is loaded', () => {
    const { context, device } = bridge();
    const saved = saveSections(device.sections)[0]!.bytes;
    context.outb(0xcf9, 2);
    loadSection(device.sections[0]!, saved);
    expect(context.inb(0xcf9)).toBe(0);
  });
});

describe('section PIIX3', () => {
  it('reads version 2, which had no levels', () => {
    const { device } = bridge();
    const bytes = saveSections(device.sections)[0]!.bytes.subarray(0, 276);
    loadSection(device.sections[0]!, bytes, 2);
    expect((device.sections[0]!.state as Piix3State).pirqLevels).toEqual([0, 0, 0, 0]);
  });
});

describeConformance(piix3, {
  ...options,
  sections: [{ name: 'PIIX3', version: 3, size: 292 }],
  ports: [[0xcf9, 1]],
  // Levels are those of the input pins; [QEMU] resets only some of the registers.
  keptOnReset: ['PIIX3.pirqLevels', 'PIIX3.pci.config'],
  script: [
    ({ device }) => device.inputs!.pirq2!(true),
    ({ context }) => context.writeb(config(0x62), 11),
    ({ context }) => context.outb(0xcf9, 2),
    ({ device }) => device.inputs!.pirq3!(true),
    ({ context }) => context.writel(config(0x60), 0x0a0a_0b0b),
    ({ device }) => device.inputs!.pirq2!(false),
  ],
  golden: ['reset', 'seabios', 'devstate'].map((state) =>
    goldenSection('PIIX3', fixture(`${state}.PIIX3`), { origin: `QEMU 7.2 ${state}` }),
  ),
});
