import { realize } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden } from '../../test/recorded.js';
import { port92 } from './port92.js';

describe('port 92', () => {
  it('moves A20 on a change of its bit only', () => {
    const { context } = realize(port92);
    context.outb(0x92, 0x02);
    expect(context.level('a20')).toBe(true);
    context.outb(0x92, 0x00);
    expect(context.level('a20')).toBe(false);
    context.outb(0x92, 0xfc);
    expect([context.level('a20'), context.inb(0x92)]).toEqual([false, 0xfc]);
  });

  it('resets on a rising edge of bit 0, once', () => {
    const { context } = realize(port92);
    context.outb(0x92, 0x01);
    context.outb(0x92, 0x01);
    expect(context.resetRequests).toEqual(['port 92']);
    context.outb(0x92, 0x00);
    context.outb(0x92, 0x01);
    expect(context.resetRequests).toHaveLength(2);
  });

  describeConformance(port92, {
    sections: [{ name: 'port92', version: 1, size: 1 }],
    ports: [[0x92, 1]],
    golden: golden('port92'),
    script: [
      ({ context }) => context.outb(0x92, 0x02),
      ({ context }) => context.inb(0x92),
      ({ context }) => context.outb(0x92, 0x00),
      ({ context }) => context.inb(0x92),
    ],
  });
});
