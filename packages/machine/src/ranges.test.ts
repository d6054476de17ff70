import type { AccessSize, IoHandler, RamBlock } from '@pagurus/device-model';
import { describe, expect, it } from 'vitest';
import { PortBus } from './port-bus.js';
import { SystemMemory } from './system-memory.js';

const log: string[] = [];
const recorder = (name: string, sizes?: AccessSize[]): IoHandler => ({
  read: (offset, size) => {
    log.push(`${name} read ${offset} ${size}`);
    return 0x44332211 >>> (8 * (sizes ? 0 : offset));
  },
  write: (offset, value, size) => {
    log.push(`${name} write ${offset} ${value.toString(16)} ${size}`);
  },
  ...(sizes ? { sizes } : {}),
});
const taken = () => log.splice(0);

class Block implements RamBlock {
  readonly bytes: Uint8Array;
  constructor(
    readonly name: string,
    readonly length: number,
  ) {
    this.bytes = new Uint8Array(length);
  }
  read(offset: number, target: Uint8Array) {
    target.set(this.bytes.subarray(offset, offset + target.length));
  }
  write(offset: number, source: Uint8Array) {
    this.bytes.set(source, offset);
  }
  takeDirty() {
    return new Uint32Array(1);
  }
}
const memory = () => new SystemMemory({ allocate: (name, length) => new Block(name, length), mapChanged() {} });

describe('port bus', () => {
  it('answers all ones where nobody is', () => {
    const bus = new PortBus();
    expect([bus.read(0x80, 1), bus.read(0x80, 2), bus.read(0x80, 4)]).toEqual([0xff, 0xffff, 0xffffffff]);
  });

  it('splits wide accesses to byte devices, low address first', () => {
    const bus = new PortBus();
    bus.add(0x60, 4, recorder('a'), { name: 'a' });
    expect(bus.read(0x60, 4)).toBe(0x44332211);
    expect(taken()).toEqual(['a read 0 1', 'a read 1 1', 'a read 2 1', 'a read 3 1']);
    bus.write(0x61, 0xbeef, 2);
    expect(taken()).toEqual(['a write 1 ef 1', 'a write 2 be 1']);
  });

  it('splits an access that runs over the end of a range', () => {
    const bus = new PortBus();
    bus.add(0x70, 2, recorder('a', [1, 2, 4]), { name: 'a' });
    expect(bus.read(0x71, 2)).toBe(0xff11);
    expect(taken()).toEqual(['a read 1 1']);
  });

  it('takes a lane of a device that only does dwords', () => {
    const bus = new PortBus();
    bus.add(0x100, 4, recorder('a', [4]), { name: 'a' });
    expect(bus.read(0x102, 1)).toBe(0x33);
    expect(taken()).toEqual(['a read 0 4']);
  });

  it('lets the later of two equal ranges win, and the higher priority of two others', () => {
    const bus = new PortBus();
    bus.add(0x92, 1, recorder('low', [1]), { name: 'low', priority: 1 });
    const later = bus.add(0x90, 8, recorder('later', [1]), { name: 'later' });
    bus.read(0x92, 1);
    bus.read(0x91, 1);
    expect(taken()).toEqual(['low read 0 1', 'later read 1 1']);
    later.update({ base: 0x200 });
    expect(bus.read(0x91, 1)).toBe(0xff);
    bus.read(0x201, 1);
    expect(taken()).toEqual(['later read 1 1']);
    later.update({ enabled: false });
    expect(bus.read(0x201, 1)).toBe(0xff);
    later.remove();
    expect(bus.flat()).toEqual([{ base: 0x92, length: 1, name: 'low' }]);
  });

  it('refuses a range outside the space', () => {
    const bus = new PortBus();
    expect(() => bus.add(0xffff, 2, recorder('a'), { name: 'a' })).toThrow(/a: range 0xffff/);
  });
});

describe('system memory', () => {
  it('overlays windows by priority and gives RAM back when they go', () => {
    const space = memory();
    const ram = space.allocate('ram', 0x4000);
    space.addRam(0, 0x4000, ram, 0, 'ram', { name: 'ram' });
    const window = space.add(0x1000, 0x1000, recorder('vga', [1]), { name: 'vga', priority: 1 });
    expect(space.pieces().map(({ base, length, entry }) => [base, length, entry.name])).toEqual([
      [0, 0x1000, 'ram'],
      [0x1000, 0x1000, 'vga'],
      [0x2000, 0x2000, 'ram'],
    ]);
    window.update({ enabled: false });
    expect(space.pieces()).toHaveLength(1);
  });

  it('moves DMA across RAM, ROM, devices and nothing', () => {
    const space = memory();
    const ram = space.allocate('ram', 0x1000) as Block;
    const rom = space.allocate('rom', 0x1000) as Block;
    rom.bytes.fill(0x5a);
    space.addRam(0, 0x1000, ram, 0, 'ram', { name: 'ram' });
    space.addRam(0x1000, 0x1000, rom, 0, 'rom', { name: 'rom' });
    space.add(0x2000, 2, { read: () => 0x77, write() {} }, { name: 'device' });
    expect(space.write(0xffe, Uint8Array.of(1, 2, 3, 4))).toEqual({ done: true });
    expect([...ram.bytes.subarray(0xffe)]).toEqual([1, 2]);
    expect(rom.bytes[0]).toBe(0x5a);
    const target = new Uint8Array(8);
    space.read(0x1ffe, target);
    expect([...target]).toEqual([0x5a, 0x5a, 0x77, 0x77, 0xff, 0xff, 0xff, 0xff]);
  });

  it('serves RAM that shares a page with a device', () => {
    const space = memory();
    const ram = space.allocate('ram', 0x1000) as Block;
    space.addRam(0, 0x1000, ram, 0, 'ram', { name: 'ram' });
    space.add(0x10, 4, recorder('device', [4]), { name: 'device', priority: 1 });
    space.mmioWrite(0x20, 0xcafe, 2);
    expect([ram.bytes[0x20], ram.bytes[0x21], ram.bytes[0x22]]).toEqual([0xfe, 0xca, 0]);
    expect(space.mmioRead(0x20, 4)).toBe(0xcafe);
    expect(space.mmioRead(0x10, 4)).toBe(0x44332211);
    expect(taken()).toEqual(['device read 0 4']);
  });

  it('refuses a window outside its block', () => {
    const space = memory();
    const ram = space.allocate('ram', 0x1000);
    expect(() => space.addRam(0, 0x2000, ram, 0, 'ram', { name: 'w' })).toThrow(/w: .*outside block ram/);
  });
});
