import { PropertyError } from '@pagurus/device-model';
import { type FakeContext, fakeContext, goldenSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { PciBus } from './bus.js';
import { PciFunction } from './function.js';
import { pciBridge } from './pci-bridge.js';
import { PciDeviceState } from './pci-device.state.js';
import type { PciHostService } from './pci-host.js';
import { CONFIG_ENABLE } from './spec.js';
import { TEST_CONFIG_BASE as CONFIG, testSlot } from './testing.js';

const DEVFN = 5 << 3;
const options = { slot: (made: FakeContext) => testSlot(made, DEVFN) };
const context = () => options;
const properties = { chassis: 1 };
const hex = (text: string) => Uint8Array.from(text.match(/../g)!, (byte) => Number.parseInt(byte, 16));
const zeros = (count: number) => '00'.repeat(count);

/** [QEMU 7.2] `pci-bridge,chassis_nr=1,addr=5` after reset; the second without its hotplug controller. */
const RESET = hex(
  `00000002361b01000000b00000000406000001000400000000000000000000000000a000` +
    `00000000010001000000000000000000000000004c0000000000000000010000` +
    `0c00000000000000044020010548800100000000${zeros(172)}${zeros(16)}` +
    `000000001f000000000000001f0101e0000000010000000000000000000000000f000000${'0f0d007f'.repeat(31)}`,
);
const RESET_PLAIN = hex(
  `00000002361b01000000b00000000406000001000000000000000000000000000000a000` +
    `0000000001000100000000000000000000000000400000000000000000000000` +
    `04002001${zeros(188)}${zeros(16)}`,
);

/** A root bus with a bridge, behind it a second one, and a card behind that. */
function tree() {
  const levels = [false, false, false, false];
  const root = new PciBus({ name: 'pci.0', interrupt: (line, level) => (levels[line] = level), hasSection: false });
  const made = fakeContext({});
  const add = (bus: PciBus, device: number, id: string) =>
    pciBridge.create(
      {
        ...made,
        ports: made.ports,
        mmio: made.mmio,
        memory: made.memory,
        clock: made.clock,
        log: made.log,
        id,
        slot: bus.slot(device << 3),
        line: made.line.bind(made),
        backend: () => undefined,
        onMemoryArrived() {},
        requestReset() {},
        requestShutdown() {},
      },
      {
        ...Object.fromEntries(Object.entries(pciBridge.properties).map(([key, { default: value }]) => [key, value])),
        chassis: 1,
      } as never,
    );
  const first = add(root, 5, 'br0');
  const { bus: one } = first.services as PciHostService;
  const second = add(one, 3, 'br2');
  const { bus: two } = second.services as PciHostService;
  const state = { pci: new PciDeviceState() };
  const card = new PciFunction(
    { ...made, ports: made.ports, mmio: made.mmio, memory: made.memory, id: 'card', slot: two.slot(4 << 3) } as never,
    state,
    {
      type: 'card',
      vendorId: 0x1234,
      deviceId: 0x5678,
      classCode: 0x0200,
      interruptPin: 1,
    },
  );
  const memory = card.memoryBar(0, 0x1000, { sizes: [4], read: () => 0x4711, write() {} }, 'card');
  const io = card.ioBar(1, 32, { sizes: [1], read: () => 0x42, write() {} }, 'card-io');
  const address = (bus: number, devfn: number, register: number) => (CONFIG_ENABLE | (bus << 16) | (devfn << 8) | register) >>> 0;
  return { root, one, two, first, second, card, memory, io, levels, address };
}

describe('a tree of bridges', () => {
  it('gives devices QEMU’s paths', () => {
    const { card, one, two } = tree();
    expect(card.slot.path).toBe('0000:00:05.0:03.0:04.0');
    expect([one.name, two.name]).toEqual(['br0', 'br2']);
  });

  it('finds functions by the bus numbers that the guest has set', () => {
    const { root, address } = tree();
    expect(root.configRead(address(2, 4 << 3, 0), 4)).toBe(0xffff_ffff);
    root.configWrite(address(0, 5 << 3, 0x18), 0x0002_0100, 4);
    expect(root.configRead(address(1, 3 << 3, 0), 4)).toBe(0x0001_1b36);
    root.configWrite(address(1, 3 << 3, 0x18), 0x0002_0201, 4);
    expect(root.configRead(address(2, 4 << 3, 0), 4)).toBe(0x5678_1234);
    expect(root.configRead(address(3, 4 << 3, 0), 4)).toBe(0xffff_ffff);
  });

  it('turns interrupt pins at each bridge', () => {
    const { card, levels } = tree();
    // INTA# of device 4 is INTA# of the bridge (4 + 0), device 3 makes it INTD#, device 5 on the root bus turns it by 4: line 3.
    card.setInterrupt(true);
    expect(levels).toEqual([false, false, false, true]);
    card.setInterrupt(false);
    expect(levels).toEqual([false, false, false, false]);
  });

  it('lets through what lies in the windows, and nothing while decoding is off', () => {
    const { root, address, memory, io } = tree();
    const write = (bus: number, device: number, register: number, value: number, size: 1 | 2 | 4) =>
      root.configWrite(address(bus, device << 3, register), value, size);
    write(0, 5, 0x18, 0x0002_0100, 4);
    write(1, 3, 0x18, 0x0002_0201, 4);
    write(2, 4, 0x10, 0xfe00_0000, 4);
    write(2, 4, 0x14, 0xd000, 4);
    write(2, 4, 0x04, 7, 2);
    expect([memory.address, io.address]).toEqual([undefined, undefined]);
    for (const [bus, device] of [
      [0, 5],
      [1, 3],
    ] as const) {
      write(bus, device, 0x1c, 0xd0d0, 2);
      write(bus, device, 0x20, 0xfe00_fe00, 4);
      write(bus, device, 0x04, 7, 2);
    }
    expect([memory.address, io.address]).toEqual([0xfe00_0000, 0xd000]);
    // The prefetchable window, above 4 GiB, closes the other.
    write(0, 5, 0x20, 0xfe00_fe10, 4);
    expect(memory.address).toBeUndefined();
    write(0, 5, 0x24, 0xfe01_fe01, 4);
    expect(memory.address).toBe(0xfe00_0000);
    write(0, 5, 0x28, 1, 4);
    write(0, 5, 0x2c, 1, 4);
    expect(memory.address).toBeUndefined();
    write(0, 5, 0x04, 6, 2);
    expect(io.address).toBeUndefined();
  });

  it('resets what is behind when the guest pulls the line, once', () => {
    const { root, one, address } = tree();
    let resets = 0;
    one.onReset(3 << 3, () => resets++);
    const control = (value: number) => root.configWrite(address(0, 5 << 3, 0x3e), value, 2);
    control(0x40);
    control(0x42);
    control(0);
    expect(resets).toBe(1);
    control(0x40);
    expect(resets).toBe(2);
  });

  it('leaves no trace when it is gone', () => {
    const { root, one, second, card } = tree();
    card.unrealize();
    second.unrealize!();
    expect([one.children, one.list()]).toEqual([[], []]);
    expect(root.children).toEqual([one]);
  });

  it('random configuration cycles find only what is there', { timeout: 120_000 }, () => {
    const { root, address, levels, card } = tree();
    let seed = 7;
    const random = (most: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % most;
    };
    const devices = [5 << 3, 3 << 3, 4 << 3, 6 << 3];
    for (let step = 0; step < 100_000; step++) {
      const at = address(random(5), devices[random(4)]!, random(256));
      const size = ([1, 2, 4] as const)[random(3)]!;
      if (random(4) === 0) root.configRead(at, size);
      else root.configWrite(at, random(8) === 0 ? random(4) * 0x0101_0101 : random(0x100_0000), size);
      if (random(100) === 0) card.setInterrupt(random(2) === 0);
    }
    card.setInterrupt(false);
    expect(levels).toEqual([false, false, false, false]);
  });
});

it('refuses a bridge without a chassis, and settings that are none', () => {
  const create = (change: object) => () =>
    pciBridge.create(
      fakeContext(options) as never,
      { ...Object.fromEntries(Object.entries(pciBridge.properties).map(([key, row]) => [key, row.default])), ...change } as never,
    );
  expect(create({})).toThrow(PropertyError);
  expect(create({})).toThrow(/chassis_nr/);
  expect(create({ chassis: 1, msi: 'perhaps' })).toThrow(/pci-bridge\.msi/);
});

describeConformance(pciBridge, {
  properties,
  context,
  sections: [
    { name: 'pci_bridge', version: 0, size: 436 },
    { name: 'PCIBUS', version: 1, size: 4 },
  ],
  // Registers of its own behind the header survive a reset, as on every PCI function.
  keptOnReset: ['pci_bridge.pci.config'],
  script: [
    ({ context: bench }) => bench.writel(CONFIG + 0x18, 0x0002_0100),
    ({ context: bench }) => bench.writel(CONFIG + 0x10, 0xfe60_0000),
    ({ context: bench }) => bench.writew(CONFIG + 4, 7),
    ({ context: bench }) => bench.writel(0xfe60_0020, 3),
    ({ context: bench }) => bench.writew(0xfe60_0014, 0x0140),
    ({ context: bench }) => bench.writeb(0xfe60_0027, 0x12),
    ({ context: bench }) => bench.writew(CONFIG + 0x3e, 0x40),
  ],
  golden: [goldenSection('pci_bridge', RESET, { origin: 'QEMU 7.2, after reset' })],
});

describeConformance(pciBridge, {
  properties: { ...properties, shpc: false },
  context,
  sections: [
    { name: 'pci_bridge', version: 0, size: 276 },
    { name: 'PCIBUS', version: 1, size: 4 },
  ],
  keptOnReset: ['pci_bridge.pci.config', 'pci_bridge.shpc'],
  script: [({ context: bench }) => bench.writel(CONFIG + 0x18, 0x0002_0100)],
  golden: [goldenSection('pci_bridge', RESET_PLAIN, { origin: 'QEMU 7.2, shpc=off, after reset' })],
});
