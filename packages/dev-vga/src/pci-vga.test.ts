import { createHash } from 'node:crypto';
import { TEST_CONFIG_BASE } from '@pagurus/dev-pci/testing';
import { PropertyError, type Screen } from '@pagurus/device-model';
import { defaultProperties, FakeContext, propertiesOfMachine, realize, saveSections } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { fixture, pciOptions, recordedSections } from '../test/helpers.js';
import { edid } from './edid.js';
import { compat, type PciVgaProperties, vga } from './index.js';

const LFB = 0xe000_0000;
const MMIO = 0xe100_0000;
const ROM = 0xe200_0000;

/** A card with its registers mapped, as firmware leaves it. */
function card(properties: Partial<PciVgaProperties> = {}, romfile?: Uint8Array) {
  const context = () => ({ ...pciOptions()(), backends: { romfile } });
  const bench = realize(vga, { properties, context });
  const config = (offset: number, value: number) => bench.context.writel(TEST_CONFIG_BASE + offset, value);
  config(0x10, LFB);
  config(0x18, MMIO);
  config(0x30, ROM | 1);
  config(0x04, 3);
  const read = (offset: number) => bench.context.readl(TEST_CONFIG_BASE + offset);
  return { ...bench, config, readConfig: read, screen: bench.device.services as Screen };
}

describe('VGA on PCI', () => {
  it("has QEMU's identity and register sizes", () => {
    const { readConfig, config } = card({}, new Uint8Array(39936));
    expect([0x00, 0x08, 0x2c].map((offset) => readConfig(offset).toString(16))).toEqual(['11111234', '3000002', '11001af4']);
    for (const offset of [0x10, 0x18, 0x30]) config(offset, 0xffff_ffff);
    expect([0x10, 0x18, 0x30].map((offset) => readConfig(offset).toString(16))).toEqual(['ff000008', 'fffff000', 'ffff0001']);
  });

  it('shows its memory as linear frame buffer', () => {
    const { context, screen } = card();
    context.outb(0x3c2, 0x67);
    for (const [index, value] of [
      [1, 64],
      [2, 32],
      [3, 32],
      [4, 0x41],
    ] as const) {
      context.outw(0x1ce, index);
      context.outw(0x1cf, value);
    }
    context.inb(0x3da);
    context.outb(0x3c0, 0x20);
    context.writel(LFB + 4, 0x0033_2211);
    const { rgba } = screen.image();
    expect([...rgba.subarray(4, 8)]).toEqual([0x33, 0x22, 0x11, 0xff]);
  });

  it('shows the same registers in BAR 2', () => {
    const { context } = card();
    context.writeb(MMIO + 0x402, 0x67);
    expect(context.inb(0x3cc)).toBe(0x67);
    context.writew(MMIO + 0x404, 0x0302);
    expect(context.readw(MMIO + 0x404)).toBe(0x0302);
    context.writew(MMIO + 0x502, 800);
    context.outw(0x1ce, 1);
    expect([context.inw(0x1cf), context.readw(MMIO + 0x502), context.readl(MMIO + 0x500)]).toEqual([800, 800, 0x0320_b0c5]);
    expect([context.readl(MMIO + 0x420), context.readl(MMIO + 0x700)]).toEqual([0xffff_ffff, 0xffff_ffff]);
  });

  it('switches the byte order of the frame buffer and sends it only when it is not the default', () => {
    const { context, device } = card();
    expect([context.readl(MMIO + 0x600), context.readl(MMIO + 0x604)]).toEqual([8, 0x1e1e_1e1e]);
    const size = () => saveSections(device.sections)[0]!.bytes.length;
    expect(size()).toBe(1407);
    context.writel(MMIO + 0x604, 0xbebe_bebe);
    expect([context.readl(MMIO + 0x604), size()]).toEqual([0xbebe_bebe, 1407 + 2 + 'vga.endian'.length + 4 + 1]);
    context.writel(MMIO + 0x604, 0x1234_5678);
    expect(context.readl(MMIO + 0x604)).toBe(0xbebe_bebe);
  });

  it('shows its BIOS in the ROM register, in a block that streams carry', () => {
    const image = Uint8Array.from({ length: 39936 }, (_, i) => i * 7);
    const { context } = card({}, image);
    expect(context.readl(ROM + 4)).toBe(Buffer.from(image).readUInt32LE(4));
    context.writel(ROM, 0);
    expect(context.readb(ROM + 1)).toBe(7);
    expect(context.mmio.blocks.get('0000:00:02.0/vga.rom')?.length).toBe(65536);
    expect(card({ romBar: 0 }, image).context.mmio.blocks.has('0000:00:02.0/vga.rom')).toBe(false);
  });

  it('does without its BIOS where the host has none, but not without one that the user named', () => {
    class NoRom extends FakeContext {
      override backend<B>(name: string): B | undefined {
        throw new PropertyError('VGA', name, 'no such file');
      }
    }
    const create = (romFile: string) => {
      const context = new NoRom(pciOptions()());
      return vga.create(context, { ...defaultProperties(vga), romFile });
    };
    expect(() => create('vgabios-stdvga.bin')).not.toThrow();
    expect(() => create('mine.bin')).toThrow('VGA.romfile: no such file');
  });

  it('names its memory with the bus path, up to pc-i440fx-2.12 without', () => {
    expect([...card().context.mmio.blocks.keys()]).toEqual(['0000:00:02.0/vga.vram']);
    const old = propertiesOfMachine(vga, compat, '2.12');
    expect([...card(old).context.mmio.blocks.keys()]).toEqual(['vga.vram']);
  });

  it.each([
    ['7.2', { edid: true, globalName: false, extendedRegisters: true, width: 1280 }],
    ['4.0', { edid: false, globalName: false, extendedRegisters: true, width: 0 }],
    ['2.12', { edid: false, globalName: true, extendedRegisters: true }],
    ['2.1', { edid: false, globalName: true, extendedRegisters: false }],
  ])('on pc-i440fx-%s has the recorded properties', (version, expected) => {
    expect(propertiesOfMachine(vga, compat, version)).toMatchObject(expected);
  });

  it('without BAR 2 or parts of it answers nothing there', () => {
    const { context } = card({ edid: false, extendedRegisters: false });
    expect([context.readl(MMIO), context.readl(MMIO + 0x600)]).toEqual([0xffff_ffff, 0xffff_ffff]);
    expect(card({ mmio: false }).readConfig(0x18)).toBe(0);
  });
});

describe('EDID', () => {
  const recorded = Buffer.from(JSON.parse(fixture('edid.json').toString()) as string, 'hex');

  it("is QEMU's, byte for byte", () => {
    expect(Buffer.from(edid(1280, 800)).toString('hex')).toBe(recorded.toString('hex'));
    const { context } = card();
    const shown = Array.from({ length: 0x400 }, (_, i) => context.readb(MMIO + i));
    expect(Buffer.from(shown.slice(0, 384))).toEqual(recorded);
    expect(new Set(shown.slice(384))).toEqual(new Set([0xff]));
  });

  it.each([
    [1024, 768, '252000664100 1a30 001e33400 4c310000018'],
    [1920, 1080, 'd25480a07238 2540 e0395540e 71211000018'],
    [640, 480, '8e0c80e020e0 1010 a0132200a 27900000018'],
  ])('prefers %i x %i', (width, height, timing) => {
    const bytes = edid(width, height);
    expect(Buffer.from(bytes.subarray(54, 72)).toString('hex')).toBe(timing.replaceAll(' ', ''));
    expect(bytes.subarray(0, 128).reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
  });

  it('refuses a size that no timing holds', () => {
    expect(() => card({ width: 5000 })).toThrow('VGA.xres: 5000 does not fit');
  });
});

describeConformance(vga, {
  properties: { memoryMiB: 1 },
  context: pciOptions(),
  sections: [{ name: 'vga', version: 2, size: 1407 }],
  keptOnReset: ['vga.pci.config'], // bytes behind the header are scratch, as QEMU leaves them
  script: [
    ({ context }) => context.writel(TEST_CONFIG_BASE + 0x10, LFB),
    ({ context }) => context.writel(TEST_CONFIG_BASE + 0x18, MMIO),
    ({ context }) => context.writew(TEST_CONFIG_BASE + 0x04, 2),
    ({ context }) => context.writel(LFB + 0x123, 0x0102_0304),
    ({ context }) => context.writeb(MMIO + 0x402, 0x67),
    ({ context }) => context.writew(MMIO + 0x502, 640),
    ({ context }) => context.writel(MMIO + 0x604, 0xbebe_bebe),
    ({ context }) => void context.readl(LFB + 0x120),
    ({ context }) => void context.readl(MMIO + 0x604),
    ({ context }) => context.writel(TEST_CONFIG_BASE + 0x10, LFB + 0x0100_0000),
    ({ context }) => void context.readl(LFB + 0x0100_0120),
    ({ context }) => void context.readw(MMIO + 0x502),
    ({ device, context }) => {
      const { rgba } = (device.services as Screen).image();
      context.note(createHash('sha256').update(rgba).digest('hex'));
    },
  ],
  fuzz: { steps: 6000 },
  hostileRounds: 100,
});

describeConformance(vga, {
  context: pciOptions(),
  sections: [{ name: 'vga', version: 2, size: 1407 }],
  keptOnReset: ['vga.pci.config'], // bytes behind the header are scratch, as QEMU leaves them
  fuzz: { steps: 200 },
  hostileRounds: 10,
  golden: recordedSections('VGA'),
});
