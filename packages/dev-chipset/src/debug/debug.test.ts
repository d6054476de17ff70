import { realize } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { debugcon, debugExit } from './debug.js';

const sink = () => {
  const received: number[] = [];
  return { received, write: (bytes: Uint8Array) => received.push(...bytes), connect() {} };
};

describe('isa-debugcon', () => {
  it('hands bytes on and answers its readback', () => {
    const chardev = sink();
    const { context } = realize(debugcon, { properties: { iobase: 0x402 }, context: () => ({ backends: { chardev } }) });
    for (const byte of [0x48, 0x69]) context.outb(0x402, byte);
    context.outw(0x402, 0x2a21);
    expect(chardev.received).toEqual([0x48, 0x69, 0x21]);
    expect(context.inb(0x402)).toBe(0xe9);
    expect(context.inb(0xe9)).toBe(0xff);
  });

  it('swallows bytes where nothing is attached', () => {
    const { context } = realize(debugcon);
    context.outb(0xe9, 1);
    expect(context.inb(0xe9)).toBe(0xe9);
  });

  describeConformance(debugcon, { sections: [], ports: [[0xe9, 1]] });
});

describe('isa-debug-exit', () => {
  it.each([
    [0, 1],
    [1, 3],
    [0x31, 0x63],
  ])('a write of %i ends with code %i', (value, code) => {
    const { context } = realize(debugExit);
    expect(context.inb(0x501)).toBe(0);
    context.outb(0x501, value);
    expect(context.shutdownRequests).toEqual([{ reason: 'isa-debug-exit', exitCode: code }]);
  });

  describeConformance(debugExit, { sections: [], ports: [[0x501, 2]] });
});
