import { realize } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { pvpanic } from './pvpanic.js';

describe('pvpanic', () => {
  it('says which events it takes', () => {
    expect(realize(pvpanic).context.inb(0x505)).toBe(7);
    expect(realize(pvpanic, { properties: { events: 1 } }).context.inb(0x505)).toBe(1);
  });

  it('shuts the machine down when the guest has panicked', () => {
    const { context } = realize(pvpanic);
    context.outb(0x505, 1);
    expect(context.shutdownRequests).toEqual([{ reason: 'guest panicked', exitCode: undefined }]);
  });

  it('shuts it down in good order, too', () => {
    const { context } = realize(pvpanic);
    context.outb(0x505, 4);
    expect(context.shutdownRequests).toEqual([{ reason: 'guest asked for it', exitCode: undefined }]);
  });

  it('lets a crash kernel go on, and remarks on what it does not know', () => {
    const { context } = realize(pvpanic);
    context.outb(0x505, 2);
    context.outb(0x505, 0x80);
    expect([context.shutdownRequests, context.log.guestErrors.length]).toEqual([[], 2]);
  });

  it('is announced in fw_cfg', () => {
    const added: unknown[] = [];
    const fw = { addFile: (name: string, bytes: Uint8Array) => added.push(name, ...bytes) };
    realize(pvpanic, { properties: { ioport: 0x1505 }, context: () => ({ backends: { 'fw-cfg': fw } }) });
    expect(added).toEqual(['etc/pvpanic-port', 0x05, 0x15]);
  });
});

describeConformance(pvpanic, { sections: [], ports: [[0x505, 1]], fuzz: { steps: 1000 } });
