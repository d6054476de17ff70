import { type FakeContextOptions, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden } from '../../test/recorded.js';
import type { PitService } from './i8254.js';
import { pcspk } from './pcspk.js';

class FakePit implements PitService {
  readonly gates = [true, true, false];
  outLevel = false;
  gate = (channel: number) => this.gates[channel]!;
  setGate = (channel: number, level: boolean) => {
    this.gates[channel] = level;
  };
  out = () => this.outLevel;
}

const withPit = (pit = new FakePit()): FakeContextOptions => ({ backends: { pit } });

describe('port 0x61', () => {
  it('opens the gate of channel 2 and keeps the data bit', () => {
    const pit = new FakePit();
    const { context } = realize(pcspk, { context: () => withPit(pit) });
    context.outb(0x61, 0x03);
    expect(pit.gates).toEqual([true, true, true]);
    expect(context.inb(0x61) & 0x0f).toBe(0x03);
    context.outb(0x61, 0xfe);
    expect(pit.gates[2]).toBe(false);
    expect(context.inb(0x61) & 0x0f).toBe(0x02);
    context.outb(0x61, 0x00);
    expect(context.inb(0x61) & 0x0f).toBe(0x00);
  });

  it('shows the output of channel 2', () => {
    const pit = new FakePit();
    const { context } = realize(pcspk, { context: () => withPit(pit) });
    expect(context.inb(0x61) & 0x20).toBe(0);
    pit.outLevel = true;
    expect(context.inb(0x61) & 0x20).toBe(0x20);
  });

  it('toggles the refresh bit on every read, starting high', () => {
    const { context } = realize(pcspk, { context: withPit });
    expect([1, 2, 3, 4].map(() => context.inb(0x61) & 0x10)).toEqual([0x10, 0, 0x10, 0]);
  });
});

describe('isa-pcspk', () => {
  it('needs a timer, and has no sound', () => {
    expect(() => realize(pcspk)).toThrow(/isa-pcspk.pit: no timer is connected/);
    expect(() => realize(pcspk, { context: withPit, properties: { audiodev: 'a0' } })).toThrow(/isa-pcspk.audiodev: 'a0'/);
  });

  it('is not sent by machines up to 2.7', () => {
    const { device } = realize(pcspk, { context: withPit, properties: { migrate: false } });
    expect(saveSection(device.sections[0]!)).toBeUndefined();
  });
});

/** A timer whose gate cannot move, because it has no section of its own here. */
const fixedPit = (): FakeContextOptions => ({
  backends: { pit: { gate: () => true, setGate() {}, out: () => true } satisfies PitService },
});

describeConformance(pcspk, {
  context: fixedPit,
  sections: [{ name: 'pcspk', version: 1, size: 2 }],
  ports: [[0x61, 1]],
  script: [
    ({ context }) => context.outb(0x61, 0x02),
    ({ context }) => context.inb(0x61),
    ({ context }) => context.outb(0x61, 0x00),
    ({ context }) => context.inb(0x61),
    ({ context }) => context.inb(0x61),
  ],
  golden: golden('pcspk'),
  fuzz: { steps: 2000 },
});
