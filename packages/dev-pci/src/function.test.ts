import { PropertyError } from '@pagurus/device-model';
import { type FakeContext, fakeContext } from '@pagurus/device-testkit';
import { load, StateError, save } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { PciBus } from './bus.js';
import { PciFunction, type PciIdentity, ROM_BAR } from './function.js';
import { PciDeviceState } from './pci-device.state.js';
import { COMMAND, PCI } from './spec.js';
import { TEST_CONFIG_BASE, testSlot } from './testing.js';

const IDENTITY: PciIdentity = {
  type: 'card',
  vendorId: 0x1234,
  deviceId: 0x5678,
  classCode: 0x0200,
  revision: 3,
  interruptPin: 1,
};
const DEVFN = 3 << 3;
const silent = { sizes: [1, 2, 4] as const, read: (offset: number) => 0xa0 + offset, write() {} };

function card(identity: Partial<PciIdentity> = {}, build: (pci: PciFunction, context: FakeContext) => void = () => {}) {
  const context = fakeContext({ slot: (made) => testSlot(made, DEVFN) });
  const state = { pci: new PciDeviceState() };
  const pci = new PciFunction(context, state, { ...IDENTITY, ...identity });
  build(pci, context);
  const config = (offset: number) => TEST_CONFIG_BASE + offset;
  return { context, state, pci, config };
}

describe('configuration header', () => {
  it('tells who it is', () => {
    const { context, config } = card();
    expect(context.readl(config(0))).toBe(0x5678_1234);
    expect(context.readl(config(8))).toBe(0x0200_0003);
    expect(context.readl(config(PCI.SUBSYSTEM_VENDOR_ID))).toBe(0x1100_1af4);
    expect(context.readb(config(PCI.INTERRUPT_PIN))).toBe(1);
    expect(context.readb(config(PCI.HEADER_TYPE))).toBe(0);
  });

  it('lets the guest change exactly the bits that QEMU does', () => {
    const { context, config } = card();
    for (let at = 0; at < 0x40; at += 4) context.writel(config(at), 0xffff_ffff);
    expect(context.readl(config(0))).toBe(0x5678_1234);
    expect(context.readl(config(PCI.COMMAND))).toBe(0x0000_0507);
    expect(context.readl(config(0x0c))).toBe(0x0000_00ff);
    expect(context.readl(config(0x3c))).toBe(0x0000_01ff);
    expect(context.readl(config(PCI.SUBSYSTEM_VENDOR_ID))).toBe(0x1100_1af4);
    for (let at = PCI.BAR0; at < 0x28; at += 4) expect(context.readl(config(at))).toBe(0);
  });

  it('clears status errors where ones are written', () => {
    const { state, context, config } = card({ status: 0x0200 });
    state.pci.config[PCI.STATUS + 1] = 0xfa;
    context.writew(config(PCI.STATUS), 0x8000);
    expect(context.readw(config(PCI.STATUS))).toBe(0x7a00);
    context.writew(config(PCI.STATUS), 0xffff);
    expect(context.readw(config(PCI.STATUS))).toBe(0x0200);
  });

  it('keeps device registers and clears the header on reset', () => {
    const { pci, context, config } = card();
    context.writew(config(PCI.COMMAND), 7);
    context.writeb(config(PCI.INTERRUPT_LINE), 11);
    context.writeb(config(PCI.CACHE_LINE_SIZE), 8);
    context.writeb(config(0x50), 0x5a);
    pci.reset();
    expect(context.readl(config(PCI.COMMAND))).toBe(0);
    expect(context.readb(config(PCI.INTERRUPT_LINE))).toBe(0);
    expect(context.readb(config(PCI.CACHE_LINE_SIZE))).toBe(0);
    expect(context.readb(config(0x50))).toBe(0x5a);
  });

  it('needs a slot', () => {
    expect(() => new PciFunction(fakeContext(), { pci: new PciDeviceState() }, IDENTITY)).toThrow(PropertyError);
  });
});

describe('base address registers', () => {
  const io = () => card({}, (pci) => pci.ioBar(1, 0x40, silent, 'card-io'));
  const memory = () => card({}, (pci) => pci.memoryBar(0, 0x2_0000, silent, 'card-mmio'));

  it('report their size and kind', () => {
    const { context, config } = io();
    expect(context.readl(config(0x14))).toBe(1);
    context.writel(config(0x14), 0xffff_ffff);
    expect(context.readl(config(0x14))).toBe(0xffff_ffc1);
    const wide = card({}, (pci) => pci.memoryBar(4, 0x4000, silent, 'wide', { wide: true, prefetchable: true }));
    wide.context.writel(wide.config(0x20), 0xffff_ffff);
    wide.context.writel(wide.config(0x24), 0xffff_ffff);
    expect(wide.context.readl(wide.config(0x20))).toBe(0xffff_c00c);
    expect(wide.context.readl(wide.config(0x24))).toBe(0xffff_ffff);
  });

  it('decode only while the command register says so', () => {
    const { context, config } = io();
    context.writel(config(0x14), 0xc001);
    expect(context.inb(0xc002)).toBe(0xff);
    context.writew(config(PCI.COMMAND), COMMAND.IO);
    expect(context.inb(0xc002)).toBe(0xa2);
    context.writel(config(0x14), 0xd001);
    expect(context.inb(0xc002)).toBe(0xff);
    expect(context.inb(0xd002)).toBe(0xa2);
    context.writew(config(PCI.COMMAND), COMMAND.MEMORY);
    expect(context.inb(0xd002)).toBe(0xff);
  });

  // Observed on QEMU 7.2: `info mtree` with an e1000 at these addresses.
  it.each([
    [0xc001, 0xc000],
    [0xffc1, 0xffc0],
    [0x0001, undefined],
    [0xffff_ffc1, undefined],
    [0x1_c001, undefined],
  ])('I/O address 0x%s decodes at %s', (value, address) => {
    const { context, config } = io();
    context.writew(config(PCI.COMMAND), COMMAND.IO);
    context.writel(config(0x14), value);
    const found = context.ports.regions.filter((region) => region.enabled).map((region) => region.base);
    expect(found).toEqual(address === undefined ? [] : [address]);
  });

  it.each([
    [0xfebc_0000, 0xfebc_0000],
    [0xfffc_0000, 0xfffc_0000],
    [0xfffe_0000, undefined],
    [0, undefined],
  ])('memory address 0x%s decodes at %s', (value, address) => {
    const { context, config } = memory();
    context.writew(config(PCI.COMMAND), COMMAND.MEMORY);
    context.writel(config(0x10), value);
    const found = context.mmio.regions.filter((region) => region.enabled && region.name === 'card-mmio').map(({ base }) => base);
    expect(found).toEqual(address === undefined ? [] : [address]);
  });

  it('reach above 4 GiB when 64 bits wide', () => {
    const { context, config, pci } = card({}, (made) => made.memoryBar(4, 0x4000, silent, 'wide', { wide: true }));
    context.writew(config(PCI.COMMAND), COMMAND.MEMORY);
    context.writel(config(0x20), 0xfe00_0000);
    context.writel(config(0x24), 0x12);
    expect(context.readb(0x12_fe00_0003)).toBe(0xa3);
    pci.reset();
    expect(context.readl(config(0x20))).toBe(4);
    expect(context.readl(config(0x24))).toBe(0);
    expect(context.readb(0x12_fe00_0003)).toBe(0xff);
  });

  it('show an expansion ROM only while its own bit is set', () => {
    const { context, config } = card({}, (pci, made) => {
      const block = made.mmio.allocate('card.rom', 0x1000);
      block.write(0, Uint8Array.of(0x55, 0xaa));
      pci.ramBar(ROM_BAR, block, 'rom');
    });
    context.writel(config(PCI.ROM_ADDRESS), 0xffff_ffff);
    expect(context.readl(config(PCI.ROM_ADDRESS))).toBe(0xffff_f001);
    context.writew(config(PCI.COMMAND), COMMAND.MEMORY);
    context.writel(config(PCI.ROM_ADDRESS), 0xfe00_0000);
    expect(context.readw(0xfe00_0000)).toBe(0xffff);
    context.writel(config(PCI.ROM_ADDRESS), 0xfe00_0001);
    expect(context.readw(0xfe00_0000)).toBe(0xaa55);
    context.writew(0xfe00_0000, 0);
    expect(context.readw(0xfe00_0000)).toBe(0xaa55);
  });

  it('follow a loaded configuration when resumed', () => {
    const a = memory();
    a.context.writew(a.config(PCI.COMMAND), COMMAND.MEMORY);
    a.context.writel(a.config(0x10), 0xfebc_0000);
    const b = memory();
    load(b.pci.description, b.state.pci, save(a.pci.description, a.state.pci));
    expect(b.context.readb(0xfebc_0001)).toBe(0xff);
    b.pci.resume();
    expect(b.context.readb(0xfebc_0001)).toBe(0xa1);
  });

  it('refuse sizes that no register can have', () => {
    expect(() => card({}, (pci) => pci.ioBar(0, 24, silent, 'odd'))).toThrow(RangeError);
  });
});

describe('interrupt pin', () => {
  it('is seen in the status register and on the router line of its slot', () => {
    const { pci, context, config } = card();
    pci.setInterrupt(true);
    pci.setInterrupt(true);
    expect(context.level('pirq2')).toBe(true);
    expect(context.readw(config(PCI.STATUS)) & 8).toBe(8);
    pci.setInterrupt(false);
    expect(context.level('pirq2')).toBe(false);
    expect(context.readw(config(PCI.STATUS)) & 8).toBe(0);
  });

  it('is held back while the guest disables INTx', () => {
    const { pci, context, config } = card();
    pci.setInterrupt(true);
    context.writew(config(PCI.COMMAND), COMMAND.INTX_DISABLE);
    expect(context.level('pirq2')).toBe(false);
    expect(context.readw(config(PCI.STATUS)) & 8).toBe(8);
    context.writew(config(PCI.COMMAND), 0);
    expect(context.level('pirq2')).toBe(true);
    context.writew(config(PCI.COMMAND), COMMAND.INTX_DISABLE);
    pci.setInterrupt(false);
    context.writew(config(PCI.COMMAND), 0);
    expect(context.level('pirq2')).toBe(false);
  });

  it('is released by reset and by unplugging', () => {
    for (const end of ['reset', 'unrealize'] as const) {
      const { pci, context } = card();
      pci.setInterrupt(true);
      pci[end]();
      expect(context.level('pirq2')).toBe(false);
    }
  });

  it('shares a line with other slots by counting', () => {
    const levels: [number, boolean][] = [];
    const bus = new PciBus({ name: 'b', interrupt: (line, level) => levels.push([line, level]) });
    bus.changeInterrupt(3 << 3, 0, 1);
    bus.changeInterrupt(7 << 3, 0, 1);
    bus.changeInterrupt(3 << 3, 0, -1);
    expect(bus.state.irqCount).toEqual([0, 0, 1, 0]);
    expect(levels.at(-1)).toEqual([2, true]);
    bus.changeInterrupt(7 << 3, 0, -1);
    expect(levels.at(-1)).toEqual([2, false]);
  });
});

describe('capabilities', () => {
  it('are linked, read-only and announced', () => {
    const { pci, context, config } = card();
    const first = pci.addCapability(0x05, 10);
    const second = pci.addCapability(0x11, 12);
    expect([first, second]).toEqual([0x40, 0x4c]);
    expect(context.readb(config(PCI.CAPABILITY_LIST))).toBe(second);
    expect(context.readw(config(second))).toBe(0x4011);
    expect(context.readw(config(first))).toBe(0x0005);
    expect(context.readw(config(PCI.STATUS)) & 0x10).toBe(0x10);
    context.writel(config(first), 0xffff_ffff);
    expect(context.readw(config(first))).toBe(0x0005);
  });
});

describe('bus mastering', () => {
  it('answers nothing until the guest allows it', () => {
    const { pci, context, config } = card();
    context.memory.bytes.set([1, 2, 3, 4], 0x1000);
    const target = new Uint8Array(4);
    pci.dma.read(0x1000, target);
    expect([...target]).toEqual([255, 255, 255, 255]);
    pci.dma.write(0x1000, Uint8Array.of(9));
    expect(context.memory.bytes[0x1000]).toBe(1);
    context.writew(config(PCI.COMMAND), COMMAND.MASTER);
    pci.dma.read(0x1000, target);
    expect([...target]).toEqual([1, 2, 3, 4]);
  });
});

describe('PCIDevice description', () => {
  it('is 276 bytes', () => {
    const { pci, state } = card();
    const bytes = save(pci.description, state.pci);
    expect(bytes).toHaveLength(276);
    expect([...bytes.subarray(0, 8)]).toEqual([0, 0, 0, 2, 0x34, 0x12, 0x78, 0x56]);
  });

  it.each([0, 1, 2])('accepts content version %s and sends 2', (version) => {
    const { pci, state } = card();
    const bytes = save(pci.description, state.pci);
    bytes[3] = version;
    load(pci.description, state.pci, bytes);
    expect(save(pci.description, state.pci)[3]).toBe(2);
  });

  it.each([-1, 3])('refuses content version %s', (version) => {
    const { pci, state } = card();
    const bytes = save(pci.description, state.pci);
    new DataView(bytes.buffer).setInt32(0, version);
    expect(() => load(pci.description, state.pci, bytes)).toThrow(StateError);
  });

  it('names the byte of a foreign configuration', () => {
    const { pci, state } = card();
    const bytes = save(pci.description, state.pci);
    bytes[4] = 0x86;
    const before = state.pci.config.slice();
    expect(() => load(pci.description, state.pci, bytes)).toThrow(
      /byte 0x0 .* read: 86 device: 34 cmask: ff wmask: 0 w1cmask: 0/,
    );
    expect(state.pci.config).toEqual(before);
  });

  it('accepts what only the guest decides', () => {
    const { pci, state } = card();
    const bytes = save(pci.description, state.pci);
    bytes[4 + PCI.COMMAND] = 7;
    bytes[4 + PCI.STATUS] = 0x20;
    bytes[4 + 0x60] = 0x99;
    load(pci.description, state.pci, bytes);
    expect(state.pci.config[0x60]).toBe(0x99);
  });

  it('refuses a pin level that is none', () => {
    const { pci, state } = card();
    const bytes = save(pci.description, state.pci);
    bytes[263] = 2;
    expect(() => load(pci.description, state.pci, bytes)).toThrow(/INTA# is 2/);
  });
});
