import { readFileSync } from 'node:fs';
import { fakeContext, goldenSection, propertiesOfMachine, realize, saveSections } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { compat } from './compat.js';
import { PciFunction } from './function.js';
import { PciDeviceState } from './pci-device.state.js';
import { i440fxPciHost, type PciHostService } from './pci-host.js';

const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`../fixtures/${name}.bin`, import.meta.url)));

function host() {
  const { context, device } = realize(i440fxPciHost);
  const { bus } = device.services as PciHostService;
  const card = fakeContext({ slot: () => bus.slot(8) });
  const pci = new PciFunction(
    card,
    { pci: new PciDeviceState() },
    {
      type: 'card',
      vendorId: 0x8086,
      deviceId: 0x7000,
      classCode: 0x0601,
      interruptPin: 2,
    },
  );
  return { context, device, bus, pci };
}

describe('configuration mechanism #1', () => {
  it('takes the address as a double word only', () => {
    const { context } = host();
    context.outl(0xcf8, 0x8000_0904);
    context.outw(0xcf8, 0x1234);
    context.outb(0xcf8, 0x34);
    expect(context.inl(0xcf8)).toBe(0x8000_0904);
  });

  it('reads and writes all widths at all offsets', () => {
    const { context } = host();
    context.outl(0xcf8, 0x8000_0800);
    expect(context.inl(0xcfc)).toBe(0x7000_8086);
    expect(context.inw(0xcfe)).toBe(0x7000);
    expect(context.inb(0xcfd)).toBe(0x80);
    context.outl(0xcf8, 0x8000_0840);
    context.outb(0xcff, 0x5a);
    expect(context.inl(0xcfc)).toBe(0x5a00_0000);
  });

  it('answers ones where nobody is, and while disabled', () => {
    const { context } = host();
    for (const address of [0x8000_1000, 0x8001_0800, 0x0000_0800]) {
      context.outl(0xcf8, address);
      expect(context.inl(0xcfc)).toBe(0xffff_ffff);
    }
  });
});

describe('root bus', () => {
  it('drives the router lines', () => {
    const { context, pci } = host();
    pci.setInterrupt(true);
    expect(context.level('pirq1')).toBe(true);
    pci.setInterrupt(false);
    expect(context.level('pirq1')).toBe(false);
  });

  it('drives them again after a load', () => {
    const { device, pci } = host();
    pci.setInterrupt(true);
    const [, saved] = saveSections(device.sections);
    const second = realize(i440fxPciHost);
    expect(saved!.bytes).toHaveLength(20);
    const { bus } = second.device.services as PciHostService;
    bus.state.irqCount.splice(0, 4, 0, 1, 0, 0);
    second.device.resume?.();
    expect(second.context.level('pirq1')).toBe(true);
    expect(saveSections(second.device.sections)[1]).toEqual(saved);
  });
});

describe('compat', () => {
  it('does not send the address register up to machine 5.0', () => {
    const sent = (version: string) =>
      saveSections(
        realize(i440fxPciHost, { properties: propertiesOfMachine(i440fxPciHost, compat, version) }).device.sections,
      ).map((entry) => entry?.name);
    expect(sent('5.0')).toEqual([undefined, 'PCIBUS']);
    expect(sent('5.1')).toEqual(['PCIHost', 'PCIBUS']);
  });

  it('gives the oldest row the last word', () => {
    expect(propertiesOfMachine(i440fxPciHost, compat, '1.6').shortRootBus).toBe(1);
    expect(propertiesOfMachine(i440fxPciHost, compat, '1.5').shortRootBus).toBe(0);
    expect(propertiesOfMachine(i440fxPciHost, compat, '2.10').fixHole64).toBe(false);
  });
});

describeConformance(i440fxPciHost, {
  sections: [
    { name: 'PCIHost', version: 1, size: 4 },
    { name: 'PCIBUS', version: 1, size: 20 },
  ],
  ports: [[0xcf8, 8]],
  // [QEMU] The address register survives a reset.
  keptOnReset: ['PCIHost.configReg'],
  script: [
    ({ context }) => context.outl(0xcf8, 0x8000_0000),
    ({ context }) => context.inl(0xcfc),
    ({ context }) => context.outb(0xcfd, 1),
  ],
  golden: ['reset', 'seabios', 'devstate'].flatMap((state) => [
    goldenSection('PCIHost', fixture(`${state}.PCIHost`), { origin: `QEMU 7.2 ${state}` }),
    goldenSection('PCIBUS', fixture(`${state}.PCIBUS`), { origin: `QEMU 7.2 ${state}` }),
  ]),
});
