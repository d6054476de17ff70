import { type FakeContext, fakeContext } from '@pagurus/device-testkit';
import { fieldsOf, load, save, vmstate } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { PciFunction } from './function.js';
import { Msi, type MsiOptions } from './msi.js';
import { Msix } from './msix.js';
import { MsixState, msixCodec } from './msix.state.js';
import { PciDeviceState } from './pci-device.state.js';
import { TEST_CONFIG_BASE as CONFIG, testSlot } from './testing.js';

const TABLE = 0xe000_0000;
const MESSAGE = 0x1000;
const at = (offset: number) => CONFIG + offset;

function card() {
  const context = fakeContext({ slot: (made) => testSlot(made, 3 << 3) });
  const state = { pci: new PciDeviceState() };
  const pci = new PciFunction(context, state, { type: 'card', vendorId: 1, deviceId: 2, classCode: 0x0200, interruptPin: 1 });
  // Bus mastering and memory on.
  context.writew(at(4), 6);
  return { context, state, pci };
}

const message = (context: FakeContext, address = MESSAGE) =>
  new DataView(context.memory.bytes.buffer, context.memory.bytes.byteOffset).getUint32(address, true);

describe('MSI', () => {
  function msi(options: Partial<MsiOptions> = {}) {
    const bench = card();
    return { ...bench, msi: new Msi(bench.pci, { vectors: 4, wide: true, maskable: true, ...options }) };
  }

  it.each([
    [{ vectors: 1, wide: true, maskable: true }, 0x0180, 0x18],
    [{ vectors: 4, wide: true, maskable: false }, 0x0084, 0x0e],
    [{ vectors: 32, wide: false, maskable: true }, 0x010a, 0x14],
    [{ vectors: 2, wide: false, maskable: false }, 0x0002, 0x0a],
  ] as const)('%o: its control word, its writable bits', (options, control, size) => {
    const { context } = msi(options);
    expect(context.readl(at(0x40))).toBe(control * 0x1_0000 + 0x05);
    for (let i = 0; i < 0x40; i += 4) context.writel(at(0x40 + i), 0xffff_ffff);
    expect(context.readw(at(0x42))).toBe(control | 0x71);
    expect(context.readl(at(0x44))).toBe(0xffff_fffc);
    // What lies behind is the card's own and writable.
    expect(context.readb(at(0x40 + ((size + 3) & ~3)))).toBe(0xff);
    const mask = 0x40 + (options.wide ? 0x10 : 0x0c);
    if (options.maskable) expect([context.readl(at(mask)), context.readl(at(mask + 4))]).toEqual([2 ** options.vectors - 1, 0]);
  });

  it('refuses numbers that cannot be', () => {
    expect(() => msi({ vectors: 3 })).toThrow(RangeError);
    expect(() => msi({ vectors: 64 })).toThrow(RangeError);
  });

  it('writes its message, the vector in the low bits of the data', () => {
    const { context, msi: unit } = msi();
    context.writel(at(0x44), MESSAGE);
    context.writew(at(0x4c), 0x4143);
    unit.notify(0);
    expect(message(context)).toBe(0);
    // Four granted.
    context.writew(at(0x42), 0x21);
    unit.notify(2);
    expect(message(context)).toBe(0x4142);
    unit.notify(4);
    expect(message(context)).toBe(0x4142);
  });

  it('keeps a masked message pending until it is unmasked', () => {
    const { context, msi: unit } = msi();
    context.writel(at(0x44), MESSAGE);
    context.writew(at(0x4c), 0x4140);
    context.writew(at(0x42), 0x21);
    context.writel(at(0x50), 0b0100);
    unit.notify(2);
    expect([message(context), context.readl(at(0x54))]).toEqual([0, 0b0100]);
    context.writel(at(0x50), 0);
    expect([message(context), context.readl(at(0x54))]).toEqual([0x4142, 0]);
  });

  it('waits for a page, and without bus mastering sends nothing', () => {
    const { context, msi: unit } = msi();
    context.writel(at(0x44), MESSAGE);
    context.writew(at(0x4c), 7);
    context.writew(at(0x42), 1);
    context.memory.withhold();
    unit.notify(0);
    expect(context.readl(at(0x54))).toBe(1);
    context.memory.arrive();
    unit.deliverPending();
    expect([message(context), context.readl(at(0x54))]).toEqual([7, 0]);
    context.writew(at(4), 2);
    context.writew(at(0x4c), 8);
    unit.notify(0);
    expect(message(context)).toBe(7);
  });

  it('switches the pin off, and is off after a reset', () => {
    const { context, pci, msi: unit } = msi();
    pci.setInterrupt(true);
    context.writew(at(0x42), 1);
    expect(context.level('pirq2')).toBe(false);
    context.writel(at(0x44), MESSAGE);
    unit.reset();
    expect([unit.enabled, context.readl(at(0x44)), context.readw(at(0x42))]).toEqual([false, 0, 0x0184]);
  });

  it('loses a message to an address that no PC has', () => {
    const { context, msi: unit } = msi();
    context.writel(at(0x48), 0xffff_ffff);
    context.writew(at(0x42), 1);
    unit.notify(0);
    expect(context.readl(at(0x54))).toBe(0);
  });
});

describe('MSI-X', () => {
  function msix(entries = 10) {
    const bench = card();
    const state = new MsixState(entries);
    const unit = new Msix(bench.pci, state, { bar: 1, size: 0x1000, pendingAt: 0x800, name: 'card-msix' });
    unit.reset();
    bench.context.writel(at(0x14), TABLE);
    return { ...bench, table: state, unit };
  }

  it('says where its table and its pending bits are', () => {
    const { context } = msix();
    expect([context.readl(at(0x40)), context.readl(at(0x44)), context.readl(at(0x48))]).toEqual([0x0009_0011, 1, 0x801]);
    context.writew(at(0x42), 0xffff);
    expect(context.readw(at(0x42))).toBe(0xc009);
    expect([context.readl(TABLE + 12), context.readl(TABLE + 16 * 9 + 12), context.readl(TABLE + 16 * 10)]).toEqual([1, 1, 0]);
  });

  it('writes messages; masked ones wait; pending bits are read-only', () => {
    const { context, unit } = msix();
    const entry = TABLE + 16 * 9;
    context.writel(entry, MESSAGE);
    context.writel(entry + 8, 0x4155);
    unit.notify(9);
    expect(context.readl(TABLE + 0x800)).toBe(0);
    context.writew(at(0x42), 0x8000);
    unit.notify(9);
    expect([message(context), context.readw(TABLE + 0x800)]).toEqual([0, 0x200]);
    context.writel(TABLE + 0x800, 0xffff_ffff);
    expect(context.readw(TABLE + 0x800)).toBe(0x200);
    context.writel(entry + 12, 0);
    expect([message(context), context.readw(TABLE + 0x800)]).toEqual([0x4155, 0]);
    // The whole function.
    context.writew(at(0x42), 0xc000);
    context.writel(entry + 8, 0x4156);
    unit.notify(9);
    expect([message(context), context.readw(TABLE + 0x800)]).toEqual([0x4155, 0x200]);
    context.writew(at(0x42), 0x8000);
    expect(message(context)).toBe(0x4156);
  });

  it('refuses a table that does not fit', () => {
    const { pci } = card();
    const place = { bar: 1, size: 0x1000, pendingAt: 0x800, name: 'card-msix' };
    expect(() => new Msix(pci, new MsixState(129), place)).toThrow(/129 vectors/);
    expect(() => new Msix(pci, new MsixState(0), place)).toThrow(RangeError);
  });

  it('travels as table and pending bits', () => {
    class Card {
      msix = new MsixState(10);
    }
    const description = vmstate<Card>({
      name: 'card',
      version: 1,
      fields: [fieldsOf<Card>().custom('msix', 'msix', msixCodec(10))],
    });
    const source = new Card();
    source.msix.table.fill(7, 144, 160);
    source.msix.pending[1] = 2;
    const bytes = save(description, source);
    expect(bytes.length).toBe(162);
    expect([...bytes.subarray(158)]).toEqual([7, 7, 0, 2]);
    const target = new Card();
    load(description, target, bytes);
    expect(target).toEqual(source);
    expect(() => load(description, new Card(), bytes.subarray(1))).toThrow();
  });
});

it('random writes to capabilities, tables and base addresses change nothing that is fixed', { timeout: 120_000 }, () => {
  const { context, pci } = card();
  const state = new MsixState(33);
  const msi = new Msi(pci, { vectors: 8, wide: true, maskable: true });
  const msix = new Msix(pci, state, { bar: 1, size: 0x2000, pendingAt: 0x1000, name: 'card-msix' });
  pci.ioBar(0, 32, { sizes: [1, 2, 4], read: () => 0, write() {} }, 'card-io');
  const fixed = pci.cmask.map((mask, i) => mask & ~pci.wmask[i]! & ~pci.w1cmask[i]!);
  const before = fixed.map((mask, i) => pci.config[i]! & mask);
  let seed = 1;
  const random = (most: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % most;
  };
  for (let step = 0; step < 100_000; step++) {
    const size = ([1, 2, 4] as const)[random(3)]!;
    const value = (random(0x10000) * 0x10000 + random(0x10000)) >>> 0;
    switch (random(5)) {
      case 0:
        pci.configWrite(random(256), value, size);
        break;
      case 1:
        context.writel(at(0x14), random(8) * 0x1000_0000 + 0x8000_0000);
        break;
      case 2:
        context.writel(context.readl(at(0x14)) + 4 * random(0x800), value);
        break;
      case 3:
        msi.notify(random(40));
        break;
      default:
        msix.notify(random(40));
    }
  }
  expect(fixed.map((mask, i) => pci.config[i]! & mask)).toEqual(before);
  expect([...state.pending].length).toBe(5);
});
