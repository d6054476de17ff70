import { type FakeContextOptions, loadSection, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import { isaParallel, type ParallelProperties } from './parallel.js';

const LPT1 = 0x378;

class Host {
  readonly sent: number[] = [];
  write(bytes: Uint8Array) {
    this.sent.push(...bytes);
  }
  connect() {}
}

function port(properties: Partial<ParallelProperties> = { index: 0 }) {
  const host = new Host();
  const bench = realize(isaParallel, { properties, context: () => ({ backends: { chardev: host } }) });
  return {
    ...bench,
    host,
    in: (offset: number) => bench.context.inb(LPT1 + offset),
    out: (offset: number, value: number) => bench.context.outb(LPT1 + offset, value),
    irq: () => bench.context.level('irq7'),
  };
}

describe('parallel port', () => {
  it('comes up ready', () => {
    const lpt = port();
    expect([lpt.in(0), lpt.in(1), lpt.in(2), lpt.in(3), lpt.in(7)]).toEqual([0xff, 0xd9, 0xcc, 0xff, 0xff]);
  });

  it('prints what is strobed, once', () => {
    const lpt = port();
    for (const byte of [0x48, 0x69]) {
      lpt.out(0, byte);
      lpt.out(2, 0x0d);
      lpt.out(2, 0x0d);
      lpt.out(2, 0x0c);
    }
    lpt.out(0, 0x21);
    lpt.out(2, 0x05); // not selected
    expect(lpt.host.sent).toEqual([0x48, 0x69]);
  });

  it('is busy after a strobe and acknowledges in two steps', () => {
    const lpt = port();
    lpt.out(2, 0x0d);
    expect([lpt.in(1), lpt.in(1)]).toEqual([0x59, 0x59]); // as long as the strobe lasts
    lpt.out(2, 0x0c);
    expect([lpt.in(1), lpt.in(1), lpt.in(1)]).toEqual([0x59, 0x19, 0xd9]);
  });

  it('interrupts at the end of a strobe if enabled, until the status is read', () => {
    const lpt = port();
    lpt.out(2, 0x1d);
    expect(lpt.irq()).toBe(false);
    lpt.out(2, 0x1c);
    expect(lpt.irq()).toBe(true);
    lpt.in(1);
    expect(lpt.irq()).toBe(false);
  });

  it('resets the printer', () => {
    const lpt = port();
    lpt.out(2, 0x0d);
    lpt.out(2, 0x08);
    expect(lpt.in(1)).toBe(0xd8);
  });

  it('reads the other register in input mode', () => {
    const lpt = port();
    lpt.out(0, 0x5a);
    expect(lpt.in(0)).toBe(0x5a);
    lpt.out(2, 0x2c);
    expect(lpt.in(0)).toBe(0xff);
  });

  it('has its places, and names what is wrong', () => {
    expect(port({ index: 1 }).context.inb(0x27a)).toBe(0xcc);
    expect(port({ iobase: 0x3bc, irq: 5 }).context.inb(0x3be)).toBe(0xcc);
    expect(() => port({})).toThrow('isa-parallel.index: give index=0 to 2, or iobase=');
    expect(() => port({ index: 3 })).toThrow('isa-parallel.index: 3 is not 0 to 2');
    expect(() => port({ index: 0, irq: 16 })).toThrow('isa-parallel.irq: 16 is not an ISA interrupt request');
  });
});

describe('section parallel_isa', () => {
  it('after reset is QEMU’s', () => {
    expect(saveSection(port().device.sections[0]!)!.bytes).toEqual(
      recordedBytes('parallel_isa', 'reset-defaults-pc-i440fx-7.2-i386'),
    );
  });

  it('brings a pending interrupt back', () => {
    const lpt = port();
    lpt.out(2, 0x1d);
    lpt.out(2, 0x1c);
    const second = port();
    loadSection(second.device.sections[0]!, saveSection(lpt.device.sections[0]!)!.bytes);
    second.device.resume!();
    expect(second.irq()).toBe(true);
  });
});

describeConformance(isaParallel, {
  properties: { index: 0 },
  context: (): FakeContextOptions => ({ backends: { chardev: new Host() } }),
  sections: [{ name: 'parallel_isa', version: 1, size: 12 }],
  ports: [[LPT1, 8]],
  script: [
    ({ context }) => context.outb(LPT1, 0x41),
    ({ context }) => context.outb(LPT1 + 2, 0x1d),
    ({ context }) => context.inb(LPT1 + 1),
    ({ context }) => context.outb(LPT1 + 2, 0x1c),
    ({ context }) => context.inb(LPT1 + 1),
    ({ context }) => context.inb(LPT1 + 1),
    ({ context }) => context.inb(LPT1 + 1),
  ],
  golden: golden('parallel_isa'),
  fuzz: { steps: 5000 },
});
