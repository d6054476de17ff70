import { readFileSync } from 'node:fs';
import type { RamBlock } from '@pagurus/device-model';
import { defaultProperties, type FakeContext, fakeContext, goldenSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { type I440fxMemory, i440fx, type SmramService } from './i440fx.js';
import { PAM_SEGMENTS } from './i440fx.spec.js';
import { TEST_CONFIG_BASE, testSlot } from './testing.js';

const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`../fixtures/${name}.bin`, import.meta.url)));
const config = (offset: number) => TEST_CONFIG_BASE + offset;
const SIZE = 4 * 1024 * 1024;

/** RAM at 0 with a byte pattern, a ROM over 0xc0000 to 0xfffff, and the bridge. */
function machine() {
  const backends: { ram?: I440fxMemory } = {};
  const context: FakeContext = fakeContext({ slot: (made) => testSlot(made, 0), backends });
  const ram: RamBlock = context.mmio.allocate('pc.ram', SIZE);
  backends.ram = { block: ram, size: SIZE };
  ram.write(0xa_0000, new Uint8Array(0x6_0000).fill(0x11));
  context.mmio.addRam(0, SIZE, ram, 0, 'ram', { name: 'ram' });
  const rom = context.mmio.allocate('pc.rom', 0x4_0000);
  rom.write(0, new Uint8Array(0x4_0000).fill(0x22));
  context.mmio.addRam(0xc_0000, 0x4_0000, rom, 0, 'rom', { name: 'rom', priority: 1 });
  context.mmio.add(0xa_0000, 0x2_0000, { read: () => 0x33, write() {} }, { name: 'vga', priority: 1 });
  const device = i440fx.create(context, defaultProperties(i440fx));
  device.reset();
  return { context, device, ram };
}

describe('identity', () => {
  it('is 8086:1237 revision 2', () => {
    const { context } = machine();
    expect(context.readl(config(0))).toBe(0x1237_8086);
    expect(context.readl(config(8))).toBe(0x0600_0002);
    expect(context.readl(config(0x2c))).toBe(0x1100_1af4);
    expect(context.readb(config(0x72))).toBe(0x02);
  });

  it.each([
    [16, 2],
    [64, 8],
    [4, 0],
    [3000, 0xff],
  ])('tells coreboot of %s MiB with 0x57 = %s', (mebibytes, value) => {
    const block = { name: 'pc.ram', length: 0x10_0000, read() {}, write() {}, takeDirty: () => new Uint32Array(0) };
    const ram: I440fxMemory = { block, size: mebibytes * 0x10_0000 };
    const context = fakeContext({ slot: (made) => testSlot(made, 0), backends: { ram } });
    i440fx.create(context, defaultProperties(i440fx)).reset();
    expect(context.readb(config(0x57))).toBe(value);
  });
});

describe('shadow RAM', () => {
  it('has the segments of the datasheet', () => {
    expect(PAM_SEGMENTS).toHaveLength(13);
    expect(PAM_SEGMENTS.reduce((sum, segment) => sum + segment.length, 0)).toBe(0x4_0000);
    expect(PAM_SEGMENTS.find((segment) => segment.base === 0xe_c000)).toMatchObject({ register: 0x5f, shift: 4 });
    expect(PAM_SEGMENTS.find((segment) => segment.base === 0xc_8000)).toMatchObject({ register: 0x5b, shift: 0 });
  });

  it.each([
    [0xc_8000, 0x5b, 0],
    [0xc_c000, 0x5b, 4],
    [0xe_0000, 0x5e, 0],
    [0xf_0000, 0x59, 4],
  ])('at 0x%s follows its nibble', (base, register, shift) => {
    const { context, ram } = machine();
    const mode = (value: number) => context.writeb(config(register), value << shift);
    const stored = () => {
      const byte = new Uint8Array(1);
      ram.read(base, byte);
      return byte[0];
    };
    expect(context.readb(base)).toBe(0x22);
    context.writeb(base, 0x44);
    expect([context.readb(base), stored()]).toEqual([0x22, 0x11]);
    mode(3);
    context.writeb(base, 0x44);
    expect([context.readb(base), stored()]).toEqual([0x44, 0x44]);
    mode(1);
    context.writeb(base, 0x55);
    expect([context.readb(base), stored()]).toEqual([0x44, 0x44]);
    mode(2);
    context.writeb(base, 0x66);
    expect([context.readb(base), stored()]).toEqual([0x66, 0x66]);
    mode(0);
    expect(context.readb(base)).toBe(0x22);
  });

  it('does not touch its neighbours', () => {
    const { context } = machine();
    context.writeb(config(0x59), 0x30);
    expect(context.readb(0xe_ffff)).toBe(0x22);
    expect(context.readb(0xf_0000)).toBe(0x11);
    expect(context.readb(0xf_ffff)).toBe(0x11);
    expect(context.readb(0x10_0000)).toBe(0x00);
  });

  it('stays as it is over a system reset', () => {
    const { context, device } = machine();
    context.writeb(config(0x59), 0x30);
    context.writeb(config(0x72), 0x4a);
    device.reset();
    expect(context.readb(0xf_0000)).toBe(0x11);
    expect(context.readb(config(0x72))).toBe(0x4a);
  });
});

describe('SMRAM', () => {
  it('hides the VGA window while open', () => {
    const { context } = machine();
    expect(context.readb(0xa_0000)).toBe(0x33);
    for (const [value, seen] of [
      [0x0a, 0x33],
      [0x4a, 0x11],
      [0x1a, 0x33],
      [0x6a, 0x11],
    ] as const) {
      context.writeb(config(0x72), value);
      expect(context.readb(0xb_ffff)).toBe(seen);
    }
  });

  it('is seen in system management mode once the guest has enabled it', () => {
    const { context, device } = machine();
    const smram = device.services as SmramService;
    smram.systemManagement(true);
    expect(context.readb(0xa_0000)).toBe(0x33);
    context.writeb(config(0x72), 0x0a);
    expect(context.readb(0xa_0000)).toBe(0x11);
    smram.systemManagement(false);
    expect(context.readb(0xa_0000)).toBe(0x33);
  });
});

it('lives without memory to shadow', () => {
  const context = fakeContext({ slot: (made) => testSlot(made, 0) });
  const device = i440fx.create(context, defaultProperties(i440fx));
  context.writeb(config(0x59), 0x30);
  expect(() => device.resume?.()).not.toThrow();
});

describeConformance(i440fx, {
  context: () => ({ slot: (made) => testSlot(made, 0) }),
  sections: [{ name: 'I440FX', version: 3, size: 277 }],
  // [QEMU] Registers beyond the header are left alone by a reset.
  keptOnReset: ['I440FX.pci.config'],
  script: [
    ({ context }) => context.writel(config(0x58), 0x3333_3000),
    ({ context }) => context.writel(config(0x5c), 0x1111_3322),
    ({ context }) => context.writeb(config(0x72), 0x4a),
  ],
  golden: ['reset', 'seabios', 'devstate'].map((state) =>
    goldenSection('I440FX', fixture(`${state}.I440FX`), { origin: `QEMU 7.2 ${state}` }),
  ),
});
