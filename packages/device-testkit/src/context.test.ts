import { describe, expect, it } from 'vitest';
import { fakeContext } from './context.js';
import { Random } from './random.js';

const recorder = (sizes?: readonly (1 | 2 | 4)[]) => {
  const calls: string[] = [];
  return {
    calls,
    handler: {
      ...(sizes ? { sizes } : {}),
      read: (offset: number, size: number) => {
        calls.push(`r${offset}/${size}`);
        return 0x4433_2211;
      },
      write: (offset: number, value: number, size: number) => void calls.push(`w${offset}/${size}=${value.toString(16)}`),
    },
  };
};

describe('ports', () => {
  it('answer all ones where nobody listens', () => {
    expect(fakeContext().inl(0x80)).toBe(0xffff_ffff);
  });

  it('split wide accesses into the bytes a device takes, low address first', () => {
    const context = fakeContext();
    const { calls, handler } = recorder();
    context.ports.add(0x60, 4, handler, { name: 'bytes' });
    expect(context.inl(0x60)).toBe(0x1111_1111);
    context.outw(0x62, 0xabcd);
    expect(calls).toEqual(['r0/1', 'r1/1', 'r2/1', 'r3/1', 'w2/1=cd', 'w3/1=ab']);
  });

  it('hand over the widths a device takes, and cut what is narrower', () => {
    const context = fakeContext();
    const { calls, handler } = recorder([2, 4]);
    context.ports.add(0x100, 8, handler, { name: 'wide' });
    expect(context.inl(0x100)).toBe(0x4433_2211);
    expect(context.inw(0x100)).toBe(0x2211);
    expect(context.inb(0x100)).toBe(0x11);
    expect(calls).toEqual(['r0/4', 'r0/2', 'r0/2']);
  });

  it('split at the border of two devices, but not at odd addresses', () => {
    const context = fakeContext();
    const [left, right] = [recorder([1, 2]), recorder([1, 2])];
    context.ports.add(0x10, 1, left.handler, { name: 'left' });
    context.ports.add(0x11, 3, right.handler, { name: 'right' });
    context.outl(0x10, 0x0403_0201);
    expect(left.calls).toEqual(['w0/1=1']);
    expect(right.calls).toEqual(['w0/2=302', 'w2/1=4']);
  });

  it('prefer priority, then the later region, and forget removed ones', () => {
    const context = fakeContext();
    const answer = (value: number) => ({ read: () => value, write() {} });
    context.ports.add(0x20, 1, answer(1), { name: 'high', priority: 1 });
    context.ports.add(0x20, 1, answer(2), { name: 'first' });
    const last = context.ports.add(0x20, 1, answer(3), { name: 'second', priority: 1 });
    expect(context.inb(0x20)).toBe(3);
    last.update({ enabled: false });
    expect(context.inb(0x20)).toBe(1);
    last.update({ enabled: true, base: 0x30 });
    expect([context.inb(0x20), context.inb(0x30)]).toEqual([1, 3]);
    last.remove();
    expect(context.inb(0x30)).toBe(0xff);
  });

  it('refuse ranges that leave the port space', () => {
    expect(() => fakeContext().ports.add(0xffff, 2, recorder().handler, { name: 'long' })).toThrow(
      'long: 2 bytes at 65535 leave',
    );
  });

  it('refuse answers that are no unsigned numbers', () => {
    const context = fakeContext();
    context.ports.add(0, 1, { read: () => -1, write() {} }, { name: 'signed' });
    expect(() => context.inb(0)).toThrow('values are unsigned');
  });
});

describe('memory space', () => {
  it('shows RAM blocks, read-only where they are ROM', () => {
    const context = fakeContext();
    const block = context.mmio.allocate('test.ram', 8192);
    context.mmio.addRam(0xa0000, 4096, block, 4096, 'ram', { name: 'window' });
    context.mmio.addRam(0xc0000, 4096, block, 4096, 'rom', { name: 'rom' });
    context.writel(0xa0001, 0x1234_5678);
    expect(context.readl(0xc0001)).toBe(0x1234_5678);
    context.writeb(0xc0001, 0);
    expect(context.readb(0xa0001)).toBe(0x78);
    expect([...block.takeDirty('display')]).toEqual([2]);
    expect([...block.takeDirty('display')]).toEqual([0]);
  });

  it('refuses accesses beyond a block', () => {
    const block = fakeContext().mmio.allocate('test.ram', 4096);
    expect(() => block.write(4090, new Uint8Array(7))).toThrow('test.ram: access of 7 bytes at 4090');
  });
});

describe('clock', () => {
  it('fires each timer at its own deadline, equal ones in the order of arming', () => {
    const { clock } = fakeContext({ time: 100n });
    const fired: string[] = [];
    const timer = (name: string) => clock.timer(() => fired.push(`${name}@${clock.now()}`));
    timer('late').arm(300n);
    timer('early').arm(150n);
    timer('same').arm(300n);
    timer('past').arm(20n);
    clock.advance(250);
    expect(fired).toEqual(['past@100', 'early@150', 'late@300', 'same@300']);
    expect(clock.now()).toBe(350n);
  });

  it('jumps without living through the time between, also back', () => {
    const { clock } = fakeContext();
    let ticks = 0;
    const timer = clock.timer(() => ticks++);
    timer.arm(clock.now() + 10n);
    clock.setTime(0n);
    expect([clock.now(), ticks]).toEqual([0n, 0]);
    clock.setTime(5_000_000_000n);
    expect(ticks).toBe(1);
    expect(clock.pending).toEqual([]);
  });
});

describe('guest memory', () => {
  it('withholds each page once and transfers nothing meanwhile', () => {
    const context = fakeContext();
    context.memory.bytes.fill(7);
    context.memory.withhold();
    let retries = 0;
    context.onMemoryArrived(() => retries++);
    const target = new Uint8Array(8);
    expect(context.memory.read(4092, target)).toEqual({ done: false, missing: 0 });
    expect(context.memory.arrive()).toBe(1);
    expect(context.memory.read(4092, target)).toEqual({ done: false, missing: 4096 });
    expect([...target]).toEqual(new Array(8).fill(0));
    context.memory.arrive();
    expect(context.memory.read(4092, target)).toEqual({ done: true });
    expect([...target]).toEqual(new Array(8).fill(7));
    expect(retries).toBe(2);
  });

  it('reads all ones beyond its end', () => {
    const context = fakeContext({ memorySize: 4096 });
    const target = new Uint8Array(2);
    context.memory.read(4095, target);
    expect([...target]).toEqual([0, 0xff]);
  });
});

describe('lines, log and requests', () => {
  it('are recorded in one trace', () => {
    const context = fakeContext();
    const irq = context.line('irq');
    irq.set(true);
    irq.set(true);
    irq.set(false);
    context.inb(0x80);
    context.requestReset('i8042');
    context.requestShutdown('exit', 3);
    context.note('sent 41');
    expect([irq.rises, irq.falls]).toEqual([1, 1]);
    expect(context.traceFrom(0)).toEqual([
      'line irq high',
      'line irq low',
      'port 0x80/1 -> 0xff',
      'reset i8042',
      'shutdown exit 3',
      'note sent 41',
    ]);
  });
});

describe('random numbers', () => {
  it('repeat from a seed and from a clone', () => {
    const [a, b] = [new Random(5), new Random(5)];
    const first = Array.from({ length: 50 }, () => a.u32());
    expect(Array.from({ length: 50 }, () => b.u32())).toEqual(first);
    const copy = a.clone();
    expect(copy.u32()).toBe(a.u32());
    expect(new Set(first).size).toBe(50);
  });

  it('stay inside the register', () => {
    const random = new Random(1);
    for (let i = 0; i < 1000; i++) {
      expect(random.register(8)).toBeLessThan(256);
      const wide = random.register(32);
      expect(wide >= 0 && wide <= 0xffff_ffff && Number.isInteger(wide)).toBe(true);
    }
  });
});
