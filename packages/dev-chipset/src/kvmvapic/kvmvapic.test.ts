import { loadSection, realize } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import { kvmvapic } from './kvmvapic.js';

describe('section kvm-tpr-opt', () => {
  it('carries what the option ROM of a real QEMU left', () => {
    const { device } = realize(kvmvapic);
    loadSection(device.sections[0]!, recordedBytes('kvm-tpr-opt', 'seabios-noboot-defaults'));
    expect(device.sections[0]!.state).toMatchObject({ state: 2, romStatePaddr: 0xcb020 });
    device.reset();
    expect(device.sections[0]!.state).toMatchObject({ state: 0, romStatePaddr: 0 });
  });

  it('is not switched on, and says so', () => {
    const { context } = realize(kvmvapic);
    context.outw(0x7e, 0x20);
    expect(context.log.unimplementedCalls).toEqual(['TPR optimisation: 2-byte write of 0x20']);
    expect(context.inb(0x7e)).toBe(0xff);
  });
});

describeConformance(kvmvapic, {
  sections: [{ name: 'kvm-tpr-opt', version: 1, size: 144 }],
  ports: [[0x7e, 2]],
  golden: golden('kvm-tpr-opt'),
  fuzz: { steps: 1000 },
});
