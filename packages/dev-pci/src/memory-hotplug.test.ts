import { PropertyError } from '@pagurus/device-model';
import { fakeContext, loadSection, realize, saveSections } from '@pagurus/device-testkit';
import { describe, expect, it } from 'vitest';
import type { MemoryRegion, PcDimmProperties, PcDimmService } from './pc-dimm.js';
import { pcDimm } from './pc-dimm.js';
import { type Piix4PmService, piix4Pm } from './piix4-pm.js';
import { testSlot } from './testing.js';

const GIB = 2 ** 30;
const PORT = 0x0a00;

const board = (count = 2) => {
  const bench = realize(piix4Pm, {
    context: () => ({ slot: (made) => testSlot(made, 11), backends: { 'memory-slots': { count } } }),
  });
  const { memorySlots } = bench.device.services as Piix4PmService;
  return { ...bench, slots: memorySlots };
};
const MODULE = { address: 0x1_0800_0000, size: 0x1000_0000, node: 0 };

describe('memory hotplug registers', () => {
  it('are not there without slots', () => {
    const { context } = board(0);
    context.outl(PORT, 0);
    expect(context.inl(PORT)).toBe(0xffff_ffff);
  });

  it('show the selected slot', () => {
    const { context, slots } = board();
    slots.insert(1, MODULE, false);
    context.outl(PORT, 1);
    expect([0, 4, 8, 12, 16].map((offset) => context.inl(PORT + offset))).toEqual([0x0800_0000, 1, 0x1000_0000, 0, 0]);
    expect(context.inb(PORT + 0x14)).toBe(1);
    context.outl(PORT, 0);
    expect([context.inl(PORT), context.inb(PORT + 0x14)]).toEqual([0, 0]);
    context.outl(PORT, 2);
    expect([context.inl(PORT), context.inb(PORT + 0x14)]).toEqual([0, 0]);
  });

  it('tell of a module that came, until the guest has heard it', () => {
    const { context, slots } = board();
    context.outb(0xafe2, 0xff);
    slots.insert(0, MODULE, true);
    expect([context.level('sci'), context.inb(0xafe0)]).toEqual([true, 8]);
    expect(context.inb(PORT + 0x14)).toBe(3);
    context.outb(PORT + 0x14, 2);
    expect(context.inb(PORT + 0x14)).toBe(1);
  });

  it('ask for a module, and hear when the guest lets go', () => {
    const { context, slots } = board();
    const ejected: number[] = [];
    slots.onEject((slot) => ejected.push(slot));
    slots.insert(0, MODULE, false);
    context.outb(PORT + 0x14, 8);
    context.outl(PORT, 1);
    context.outb(PORT + 0x14, 8);
    expect(ejected).toEqual([0]);
    slots.requestRemoval(0);
    context.outl(PORT, 0);
    expect(context.inb(PORT + 0x14)).toBe(5);
    context.outb(PORT + 0x14, 4);
    expect(context.inb(PORT + 0x14)).toBe(1);
    context.outl(PORT + 4, 0x103);
    context.outl(PORT + 8, 0x84);
    slots.remove(0);
    expect([context.inb(PORT + 0x14), slots.find(0)]).toEqual([0, 0]);
  });

  it('travel with their slots', () => {
    const { device, slots, context } = board();
    slots.insert(0, MODULE, true);
    context.outl(PORT, 1);
    const [, section] = saveSections(device.sections);
    // Ten bytes for each slot. [QEMU 7.2: misc-memhotplug, 2452 bytes]
    expect(section!.bytes.length).toBe(2452);
    const target = board();
    target.slots.insert(0, MODULE, false);
    loadSection(target.device.sections[1]!, section!.bytes);
    expect(target.context.inb(PORT + 0x14)).toBe(0);
    target.context.outl(PORT, 0);
    expect(target.context.inb(PORT + 0x14)).toBe(3);
    expect(() => loadSection(board(1).device.sections[1]!, section!.bytes)).toThrow();
  });

  it('refuse slots on machines that cannot have them', () => {
    expect(() =>
      realize(piix4Pm, {
        properties: { memoryHotplug: false },
        context: () => ({ slot: (made) => testSlot(made, 11), backends: { 'memory-slots': { count: 1 } } }),
      }),
    ).toThrow(PropertyError);
  });
});

describe('memory modules', () => {
  const region = (count = 3, room = GIB): MemoryRegion => ({
    slots: board(count).slots,
    first: 4 * GIB,
    end: 4 * GIB + room + count * GIB,
    room,
    taken: [],
  });
  const defaults = { memdev: 'm0', address: 0, slot: -1, node: 0 };
  const plug = (memory: MemoryRegion, change: Partial<PcDimmProperties> = {}, size = 128 * 2 ** 20) => {
    const properties = { ...defaults, ...change };
    const context = fakeContext({ backends: { memory, memdev: { size } } });
    const device = pcDimm.create(context, properties);
    const service = device.services as PcDimmService;
    memory.slots.insert(service.slot, service.module, false);
    return { context, device, ...service };
  };

  it('take the first free slot and addresses, one behind the other', () => {
    const memory = region();
    const first = plug(memory);
    const second = plug(memory, { memdev: 'm1' }, 100 * 2 ** 20);
    expect([first.slot, first.module.address, second.slot, second.module.address]).toEqual([0, 4 * GIB, 1, 4 * GIB + 0x800_0000]);
    first.context.writel(4 * GIB + 16, 0x4711);
    expect(first.context.readl(4 * GIB + 16)).toBe(0x4711);
    // A hole is used again.
    memory.slots.remove(0);
    first.device.unrealize!();
    expect(plug(memory, {}, 64 * 2 ** 20).module.address).toBe(4 * GIB);
  });

  it.each([
    [{ memdev: '' }, /memdev: expected the id/],
    [{ slot: 7 }, /slot: slot 7 is taken, or there is none/],
    [{ node: 1 }, /node: there is no NUMA node 1/],
    [{ address: 4 * GIB + 4096 }, /addr: .* not a multiple of 2 MiB/],
    [{ address: 2 * GIB }, /addr: no room/],
    [{ address: 9 * GIB }, /addr: no room/],
  ])('%o is refused', (change, message) => {
    expect(() => plug(region(), change)).toThrow(message);
  });

  it('refuse more than maxmem, more modules than slots, and a machine without slots', () => {
    const memory = region(1);
    expect(() => plug(memory, {}, 2 * GIB)).toThrow(/not enough space/);
    plug(memory);
    expect(() => plug(memory, { memdev: 'm1' })).toThrow(/no slot is free/);
    expect(() => plug(region(0))).toThrow(/no memory slots/);
  });
});
