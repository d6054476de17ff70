import { readFileSync } from 'node:fs';
import {
  type FakeContext,
  goldenSection,
  loadSection,
  propertiesOfMachine,
  realize,
  saveSections,
} from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import type { PciSlot } from './bus.js';
import { compat } from './compat.js';
import type { CpuTopology } from './cpu-hotplug.js';
import { PciFunction } from './function.js';
import { PciDeviceState } from './pci-device.state.js';
import { type Piix4PmProperties, type Piix4PmService, type PortMap, piix4Pm } from './piix4-pm.js';
import type { Piix4PmState } from './piix4-pm.state.js';
import { TEST_CONFIG_BASE, testSlot } from './testing.js';

const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`../fixtures/${name}.bin`, import.meta.url)));
const config = (offset: number) => TEST_CONFIG_BASE + offset;
const PM = 0x600;
const SECOND = 1_000_000_000n;
const TICK = 3_579_545n;

interface Setup {
  properties?: Partial<Piix4PmProperties>;
  cpus?: CpuTopology;
  ports?: PortMap;
}

const options = ({ properties = {}, ...backends }: Setup = {}) => ({
  properties,
  context: () => ({ slot: (made: FakeContext) => testSlot(made, 11), backends: { ...backends } }),
});

function pm(setup: Setup = {}) {
  const { context, device } = realize(piix4Pm, options(setup));
  context.writel(config(0x40), PM | 1);
  context.writeb(config(0x80), 1);
  const state = device.sections[1]!.state as Piix4PmState;
  return { context, device, state, service: device.services as Piix4PmService };
}

describe('configuration', () => {
  it('is 8086:7113 with the registers of QEMU', () => {
    const { context } = realize(piix4Pm, options({ properties: { smmEnabled: true } }));
    expect(context.readl(config(0))).toBe(0x7113_8086);
    expect(context.readl(config(4))).toBe(0x0280_0000);
    expect(context.readl(config(8))).toBe(0x0680_0003);
    expect(context.readl(config(0x5c))).toBe(0x1000_0000);
    expect(context.readl(config(0x60))).toBe(0x6000_0000);
    expect(context.readl(config(0x90))).toBe(0x0000_b101);
    expect(context.readb(config(0xd2))).toBe(0x09);
    expect(context.readb(config(0x5b))).toBe(0);
  });

  it('tells the guest that there is no SMM', () => {
    const { context } = realize(piix4Pm, options());
    expect(context.readb(config(0x5b))).toBe(2);
  });

  it('tells which legacy ports exist', () => {
    const ports = { claimed: (port: number) => port === 0x378 || port === 0x3f8 };
    const { context } = realize(piix4Pm, options({ ports }));
    expect([0x5f, 0x63, 0x67].map((at) => context.readb(config(at)))).toEqual([0x90, 0x60, 0x08]);
  });

  it('moves the power management ports', () => {
    const { context } = realize(piix4Pm, options());
    const base = () =>
      context.ports.regions.filter((region) => region.enabled && region.name === 'acpi-evt').map((region) => region.base);
    context.writel(config(0x40), 0x0b01);
    expect(base()).toEqual([]);
    context.writeb(config(0x80), 1);
    expect(base()).toEqual([0xb00]);
    context.writel(config(0x40), 0x0c7f);
    expect(base()).toEqual([0xc40]);
    context.writeb(config(0x80), 2);
    expect(base()).toEqual([]);
  });

  it('moves the SMBus ports', () => {
    const { context } = realize(piix4Pm, options());
    expect(context.inb(0xb10d)).toBe(2);
    context.writel(config(0x90), 0x0701);
    expect(context.inb(0x70d)).toBe(2);
    expect(context.inb(0xb10d)).toBe(0xff);
    context.writeb(config(0xd2), 0);
    expect(context.inb(0x70d)).toBe(0xff);
  });
});

describe('PM1 registers', () => {
  // Values of these reads and writes were observed on QEMU 7.2.
  it('take narrow writes as QEMU does', () => {
    const { context } = pm();
    context.outw(PM + 2, 0xffff);
    context.outb(PM + 2, 0x34);
    context.outb(PM + 3, 0x12);
    expect(context.inw(PM + 2)).toBe(0x34);
    context.outl(PM, 0x0001_0001);
    expect([context.inw(PM + 2), context.inw(PM)]).toEqual([1, 0]);
    context.outw(PM + 4, 0x1c01);
    expect(context.inb(PM + 5)).toBe(1);
    context.outb(PM + 5, 0x08);
    expect(context.inw(PM + 4)).toBe(8);
  });

  it('power off on sleep type 0', () => {
    const { context } = pm();
    context.outw(PM + 4, 0x2001);
    expect(context.shutdownRequests).toHaveLength(1);
    expect(context.inw(PM + 4)).toBe(1);
  });

  it('tell suspend to disk from suspend to RAM', () => {
    const { context } = pm();
    context.outw(PM + 4, 0x2000 | (2 << 10));
    expect(context.shutdownRequests.map(({ reason }) => reason)).toEqual(['guest-suspend-disk']);
    context.outw(PM + 4, 0x2000 | (1 << 10));
    expect(context.log.unimplementedCalls).toEqual(['suspend to RAM (S3)']);
    context.outw(PM + 4, 0x2000 | (5 << 10));
    expect(context.log.guestErrors).toHaveLength(1);
  });

  it('notice the power button when asked to', () => {
    const { context, service } = pm();
    context.outw(PM, 0xffff);
    service.pressPowerButton();
    expect(context.inw(PM)).toBe(0);
    context.outw(PM + 2, 0x100);
    service.pressPowerButton();
    expect([context.inw(PM), context.level('sci')]).toEqual([0x100, true]);
    context.outw(PM, 0x100);
    expect(context.level('sci')).toBe(false);
  });
});

describe('power management timer', () => {
  it('counts 3.579545 MHz in 24 bits', () => {
    const { context } = pm();
    context.setTime(SECOND);
    expect(context.inl(PM + 8)).toBe(Number(TICK));
    context.setTime(5n * SECOND);
    expect(context.inl(PM + 8)).toBe(Number((5n * TICK) & 0xff_ffffn));
    context.outl(PM + 8, 0);
    expect(context.inl(PM + 8)).toBe(Number((5n * TICK) & 0xff_ffffn));
  });

  it('raises the SCI when its top bit changes', () => {
    const { context } = pm();
    context.outw(PM, 1);
    context.outw(PM + 2, 1);
    expect(context.level('sci')).toBe(false);
    // From 1 s, the next change is at 0x800000 ticks: 2.3435 s.
    context.setTime(2_343_484_437n);
    expect([context.level('sci'), context.inw(PM)]).toEqual([false, 0]);
    context.advance(1_000_000n);
    expect([context.level('sci'), context.inw(PM)]).toEqual([true, 1]);
    context.outw(PM, 1);
    expect(context.level('sci')).toBe(false);
    context.advance(2_344_000_000n);
    expect(context.level('sci')).toBe(true);
  });

  it('is not armed while nobody listens', () => {
    const { context } = pm();
    context.outw(PM, 1);
    expect(context.clock.pending).toHaveLength(0);
    context.outw(PM + 2, 1);
    expect(context.clock.pending).toHaveLength(1);
    context.outw(PM + 2, 0);
    expect(context.clock.pending).toHaveLength(0);
  });
});

describe('APM ports', () => {
  it('hand over to ACPI and back', () => {
    const { context } = pm();
    context.outb(0xb2, 0xf1);
    expect(context.inw(PM + 4)).toBe(1);
    context.outb(0xb2, 0xf0);
    expect(context.inw(PM + 4)).toBe(0);
    context.outw(0xb2, 0x1234);
    expect([context.inb(0xb2), context.inb(0xb3)]).toEqual([0x34, 0x12]);
  });

  it('pulse SMI# where the guest enabled it', () => {
    const { context } = pm({ properties: { smmEnabled: true } });
    context.outb(0xb2, 1);
    expect(context.line('smi').rises).toBe(0);
    context.writeb(config(0x5b), 2);
    context.outb(0xb2, 1);
    expect([context.line('smi').rises, context.level('smi')]).toEqual([1, false]);
  });
});

const slotOf = (context: { slot: unknown }, device: number) => (context.slot as PciSlot).bus.slot(device << 3);

describe('general-purpose events', () => {
  it('raise the SCI from the first byte', () => {
    const { context, service } = pm();
    context.outb(0xafe2, 0xff);
    context.outb(0xafe3, 0xff);
    expect(context.inl(0xafe0)).toBe(0xffff_0000);
    service.hotplug.plugged(slotOf(context, 6));
    expect([context.level('sci'), context.inb(0xafe0)]).toEqual([true, 2]);
    context.outb(0xafe0, 2);
    expect([context.level('sci'), context.inb(0xafe0)]).toEqual([false, 0]);
  });
});

describe('PCI hotplug registers', () => {
  const card = (context: FakeContext, device: number, acpiIndex = 0) => {
    const { bus } = context.slot as ReturnType<typeof testSlot>;
    const at = { ...context, slot: { ...bus.slot(device << 3), acpiIndex } } as unknown as FakeContext;
    const state = { pci: new PciDeviceState() };
    return new PciFunction(at, state, { type: 'card', vendorId: 1, deviceId: 1, classCode: 0 });
  };

  it('tell of a new device once', () => {
    const { context, service } = pm();
    card(context, 6);
    service.hotplug.plugged(slotOf(context, 6));
    expect(context.inl(0xae00)).toBe(0x40);
    expect(context.inl(0xae00)).toBe(0);
  });

  it('keep telling on machines without bridge support', () => {
    const { context, service } = pm({ properties: { bridgeHotplug: false } });
    service.hotplug.plugged(slotOf(context, 6));
    context.outl(0xae10, 5);
    expect([context.inl(0xae00), context.inl(0xae00), context.inl(0xae10)]).toEqual([0x40, 0x40, 0]);
  });

  it('eject what the guest lets go of', () => {
    const { context, service } = pm();
    card(context, 6);
    const ejected: number[] = [];
    service.hotplug.onEject((_, device) => ejected.push(device));
    service.hotplug.requestUnplug(slotOf(context, 6));
    expect([context.inl(0xae04), context.inl(0xae04)]).toEqual([0x40, 0x40]);
    expect(ejected).toEqual([]);
    context.outl(0xae08, 0x40);
    expect(ejected).toEqual([6]);
    expect(context.inl(0xae04)).toBe(0);
  });

  it('never eject what is soldered on', () => {
    const { context, service } = pm();
    const ejected: number[] = [];
    service.hotplug.onEject((_, device) => ejected.push(device));
    context.outl(0xae08, 1 << 1);
    expect(ejected).toEqual([]);
    expect(context.inl(0xae0c)).toBe(0xffff_fffd);
  });

  it('eject on reset what was asked to go', () => {
    const { context, device, service } = pm();
    card(context, 6);
    const ejected: number[] = [];
    service.hotplug.onEject((_, device) => ejected.push(device));
    service.hotplug.requestUnplug(slotOf(context, 6));
    device.reset();
    expect(ejected).toEqual([6]);
  });

  it('answer for the selected bus', () => {
    const { context } = pm();
    context.outl(0xae10, 7);
    expect([context.inl(0xae10), context.inl(0xae0c)]).toEqual([7, 0xffff_ffff]);
    context.outl(0xae10, 300);
    expect([context.inl(0xae10), context.inl(0xae0c)]).toEqual([0, 0]);
  });

  it('give the acpi-index of a slot once', () => {
    const { context } = pm();
    card(context, 3, 5);
    context.outl(0xae14, 0x18);
    expect([context.inl(0xae14), context.inl(0xae14)]).toEqual([5, 0]);
    context.outl(0xae14, 0x10);
    expect(context.inl(0xae14)).toBe(0);
  });

  it('take double words only', () => {
    const { context } = pm();
    expect(context.inb(0xae0c)).toBe(0);
    context.outb(0xae10, 7);
    expect(context.inl(0xae10)).toBe(0);
  });
});

describe('CPU hotplug registers', () => {
  const cpus: CpuTopology = { apicIds: [0, 1, 2], present: (index) => index < 2 };

  it('are a bitmap until the guest writes 0 there', () => {
    const { context } = pm({ cpus });
    expect([context.inb(0xaf00), context.inl(0xaf00), context.inb(0xaf1f)]).toEqual([3, 3, 0]);
    context.outb(0xaf00, 0x55);
    context.outb(0xaf04, 0);
    expect(context.inb(0xaf00)).toBe(3);
    context.outb(0xaf00, 0);
    expect([context.inb(0xaf00), context.inb(0xaf04), context.inb(0xaf0c)]).toEqual([0, 1, 0xff]);
  });

  it('then show one processor at a time', () => {
    const { context } = pm({ cpus });
    context.outl(0xaf00, 0);
    context.outl(0xaf00, 1);
    context.outb(0xaf05, 3);
    expect([context.inb(0xaf04), context.inl(0xaf08)]).toEqual([1, 1]);
    context.outl(0xaf00, 2);
    expect([context.inb(0xaf04), context.inl(0xaf08)]).toEqual([0, 2]);
    context.outl(0xaf00, 7);
    expect([context.inb(0xaf04), context.inl(0xaf08)]).toEqual([0, 0]);
  });

  it('find the next processor with an event', () => {
    const { context, state } = pm({ cpus });
    context.outl(0xaf00, 0);
    state.cpuHotplug.cpus[2]!.inserting = true;
    context.outb(0xaf05, 0);
    expect([context.inl(0xaf08), context.inb(0xaf04)]).toEqual([2, 2]);
    context.outb(0xaf04, 2);
    expect(context.inb(0xaf04)).toBe(0);
  });

  it('remember status reports', () => {
    const { context, state } = pm({ cpus });
    context.outl(0xaf00, 0);
    context.outb(0xaf05, 1);
    context.outl(0xaf08, 0x103);
    context.outb(0xaf05, 2);
    context.outl(0xaf08, 0x84);
    expect(state.cpuHotplug.cpus[0]).toMatchObject({ ostEvent: 0x103, ostStatus: 0x84 });
  });

  it('are in the section once used, as on QEMU', () => {
    const a = pm({ cpus });
    a.context.outl(0xaf00, 0);
    a.context.outl(0xaf00, 2);
    a.context.outb(0xaf05, 3);
    a.context.outb(0xaf05, 4);
    a.context.outl(0xaf00, 7);
    a.context.outb(0xaf05, 1);
    const saved = saveSections(a.device.sections)[1]!.bytes;
    expect(saved.subarray(2432)).toEqual(fixture('cpuhp.piix4_pm').subarray(2432));
    const b = pm({ cpus });
    loadSection(b.device.sections[1]!, saved);
    b.device.resume?.();
    expect(b.context.inb(0xaf0c)).toBe(0xff);
    expect(b.state.cpuHotplugLegacy).toBe(false);
  });
});

describe('compat', () => {
  const machine = (version: string) => realize(piix4Pm, options({ properties: propertiesOfMachine(piix4Pm, compat, version) }));

  it.each([
    ['7.2', 'reset', 2432],
    ['4.2', 'reset-4.2', 2428],
    ['2.12', 'reset-2.12', 2380],
    ['2.0', 'reset-2.0', 2356],
    ['1.4', 'reset-1.4', 312],
  ])('pc-i440fx-%s has the section that QEMU 7.2 sends there', (version, name, size) => {
    const { device } = machine(version);
    const bytes = fixture(`${name}.piix4_pm`);
    expect(bytes).toHaveLength(size);
    loadSection(device.sections[1]!, bytes);
    device.resume?.();
    expect(saveSections(device.sections)[1]!.bytes).toEqual(bytes);
  });

  it('keeps the root bus of old machines in the same place', () => {
    const { context, device } = machine('1.4');
    const { rootStatus, busStatus } = device.sections[1]!.state as Piix4PmState;
    (device.services as Piix4PmService).hotplug.plugged(slotOf(context, 6));
    const bytes = saveSections(device.sections)[1]!.bytes;
    expect([rootStatus.up, busStatus[0]!.up]).toEqual([0x40, 0]);
    expect([...bytes.subarray(304)]).toEqual([0, 0, 0, 0x40, 0, 0, 0, 0]);
    const second = machine('1.4');
    loadSection(second.device.sections[1]!, bytes);
    expect(second.context.inl(0xae00)).toBe(0x40);
  });
});

describeConformance(piix4Pm, {
  ...options({ properties: { smmEnabled: true }, cpus: { apicIds: [0, 1], present: (index) => index === 0 } }),
  sections: [
    { name: 'i2c_bus', version: 1, size: 1 },
    { name: 'piix4_pm', version: 3, size: 2432 },
  ],
  // [QEMU] Neither the APM ports nor the SMBus controller nor the hotplug selection are reset.
  keptOnReset: [
    'i2c_bus.savedAddress',
    'piix4_pm.pci.config',
    'piix4_pm.apm',
    'piix4_pm.smbus',
    'piix4_pm.hotplugSelect',
    'piix4_pm.busStatus',
    'piix4_pm.rootStatus',
    'piix4_pm.cpuHotplugLegacy',
    'piix4_pm.cpuHotplug',
  ],
  script: [
    ({ context }) => context.writel(config(0x40), PM | 1),
    ({ context }) => context.writeb(config(0x80), 1),
    ({ context }) => context.outl(PM, 0x0121_0001),
    ({ context }) => context.advance(1_000_000_000n),
    ({ context }) => context.inl(PM + 8),
    ({ context }) => context.advance(2_000_000_000n),
    ({ context }) => context.inw(PM),
    ({ context }) => context.outw(PM, 1),
    ({ context }) => context.outb(0xb2, 0xf1),
    ({ context }) => context.outb(0xb102, 0x48),
    ({ context }) => context.inb(0xb100),
    ({ context }) => context.outl(0xae10, 3),
    ({ context }) => context.outl(0xaf00, 0),
    ({ context, device }) => (device.services as Piix4PmService).hotplug.plugged(slotOf(context, 6)),
  ],
  events: [
    ({ context, device }, random) => (device.services as Piix4PmService).hotplug.plugged(slotOf(context, random.below(32))),
    ({ context, device }, random) => (device.services as Piix4PmService).hotplug.requestUnplug(slotOf(context, random.below(32))),
    ({ device }) => (device.services as Piix4PmService).pressPowerButton(),
  ],
  golden: ['reset', 'seabios', 'devstate', 'seabios-smp2', 'smbus'].flatMap((state) => [
    goldenSection('piix4_pm', fixture(`${state}.piix4_pm`), { origin: `QEMU 7.2 ${state}` }),
    ...(state === 'seabios-smp2' ? [] : [goldenSection('i2c_bus', fixture(`${state}.i2c_bus`), { origin: `QEMU 7.2 ${state}` })]),
  ]),
});
