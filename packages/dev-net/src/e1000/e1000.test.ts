import { createHash } from 'node:crypto';
import { brotliDecompressSync } from 'node:zlib';
import { TEST_CONFIG_BASE } from '@pagurus/dev-pci/testing';
import { goldenSection, type HostEvent, propertiesOfMachine, realize, type Step, saveSections } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { fixture, frame, networkOf, onPci } from '../../test/helpers.js';
import { compat } from '../compat.js';
import { type E1000Properties, e1000 } from './index.js';

const BAR = 0xfe00_0000;
const MAC = '525400123456';
const TX_RING = 0x1000;
const RX_RING = 0x2000;
const BUFFERS = 0x4000;

interface Machine {
  readonly context: ReturnType<typeof realize>['context'];
}

/** Maps the registers and allows bus mastering, as firmware does. */
function map({ context }: Machine): void {
  context.writel(TEST_CONFIG_BASE + 0x10, BAR);
  context.writew(TEST_CONFIG_BASE + 0x04, 7);
}

/** A card with a driver's helpers: rings of eight descriptors, receive buffers of 2 KiB. */
function card(properties: Partial<E1000Properties> = {}) {
  const bench = realize(e1000, { properties, context: onPci(3 << 3) });
  const { context } = bench;
  map(bench);
  const write = (register: number, value: number) => context.writel(BAR + register, value);
  const read = (register: number) => context.readl(BAR + register);
  const memory = new DataView(context.memory.bytes.buffer);
  let tail = 0;
  const descriptor = (address: number, lower: number, upper: number) => {
    memory.setBigUint64(TX_RING + 16 * tail, BigInt(address), true);
    memory.setUint32(TX_RING + 16 * tail + 8, lower, true);
    memory.setUint32(TX_RING + 16 * tail + 12, upper, true);
    tail = (tail + 1) % 8;
  };
  return {
    ...bench,
    write,
    read,
    memory,
    network: networkOf(bench),
    descriptor,
    start() {
      write(0x3800, TX_RING);
      write(0x3808, 128);
      write(0x400, 2);
      for (let i = 0; i < 8; i++) memory.setBigUint64(RX_RING + 16 * i, BigInt(BUFFERS + 2048 * i), true);
      write(0x2800, RX_RING);
      write(0x2808, 128);
      write(0x2818, 7);
      write(0x100, 0x8002);
    },
    kick: () => write(0x3818, tail),
    received(index: number) {
      const at = RX_RING + 16 * index;
      const length = memory.getUint16(at + 8, true);
      const address = Number(memory.getBigUint64(at, true));
      return { length, status: memory.getUint8(at + 12), data: context.memory.bytes.slice(address, address + length) };
    },
    phy(register: number, value?: number) {
      write(0x20, (1 << 21) | (register << 16) | (value === undefined ? 0x0800_0000 : 0x0400_0000 | value));
      return read(0x20);
    },
    level: () => context.level('pirq2') || context.level('pirq3') || context.level('pirq0') || context.level('pirq1'),
  };
}

describe('e1000 registers', () => {
  it("have QEMU's values after reset", () => {
    const { read } = card();
    expect([0x00, 0x08, 0x10, 0x38, 0xe00, 0x1000, 0x5400, 0x5404, 0x5820].map((offset) => read(offset).toString(16))).toEqual([
      '140240',
      '80080783',
      '188',
      '8100',
      '602',
      '100030',
      '12005452',
      '80005634',
      '222300',
    ]);
  });

  it('do not exist, or take no writes, where the manual says so', () => {
    const { read, write } = card();
    for (const offset of [0x04, 0x08, 0x18, 0x5820, 0x8000, 0x4074]) {
      const before = read(offset);
      write(offset, 0xffff_ffff);
      expect(read(offset)).toBe(before);
    }
  });

  it('cut what they do not keep', () => {
    const { read, write } = card();
    const cut = [0x00, 0xc4, 0x2808, 0x2810, 0x2410, 0x3410, 0x5f00, 0x9000].map((offset) => {
      write(offset, 0xffff_ffff);
      return read(offset);
    });
    expect(cut).toEqual([0xfbff_ffff, 0xffff, 0xfff80, 0xffff, 0x1fff, 0x7ff, 0x7ff, 0x0f]);
  });

  it('come in a smaller set on machines up to 2.4', () => {
    const { read, write } = card(propertiesOfMachine(e1000, compat, '2.4'));
    for (const offset of [0x458, 0x5800, 0x10000]) {
      write(offset, 0xffff_ffff);
      expect(read(offset)).toBe(0);
    }
    expect(read(0x38)).toBe(0);
  });

  it('set, mask, show and clear interrupt causes', () => {
    const { read, write, level } = card({ mitigation: false });
    write(0xc8, 0x05);
    expect([read(0xc8), level()]).toEqual([5, false]);
    write(0xd0, 0x04);
    expect([read(0xd0), level()]).toEqual([4, true]);
    write(0xd8, 0x04);
    expect([read(0xd0), level()]).toEqual([0, false]);
    write(0xc0, 0x01);
    expect([read(0xc0), read(0xc0)]).toEqual([4, 0]);
  });

  it('pause between interrupts', () => {
    const { write, read, level, context } = card();
    write(0xd0, 0x01);
    write(0xc4, 1000);
    write(0xc8, 0x01);
    expect(level()).toBe(true);
    read(0xc0);
    write(0xc8, 0x01);
    expect(level()).toBe(false);
    context.advance(1000 * 256 - 1);
    expect(level()).toBe(false);
    context.advance(1);
    expect(level()).toBe(true);
  });
});

describe('e1000 EEPROM and PHY', () => {
  it('give the address by the easy way and by moving the pins', () => {
    const { read, write } = card();
    write(0x14, 0x0101);
    expect(read(0x14)).toBe(0x1200_0110);
    const bits = [1, 1, 0, 0, 0, 0, 0, 1, 0]; // start, read, word 2
    write(0x10, 0x42);
    for (const bit of bits) {
      write(0x10, 0x42 | (bit << 2));
      write(0x10, 0x43 | (bit << 2));
    }
    let word = 0;
    for (let i = 0; i < 16; i++) {
      write(0x10, 0x42);
      write(0x10, 0x43);
      word = (word << 1) | ((read(0x10) >> 3) & 1);
    }
    expect(word.toString(16)).toBe('5634');
  });

  it('add up to 0xbaba', () => {
    const { read, write } = card({ mac: '02:00:00:00:00:01' });
    let sum = 0;
    for (let i = 0; i < 64; i++) {
      write(0x14, (i << 8) | 1);
      sum += read(0x14) >>> 16;
    }
    expect(sum & 0xffff).toBe(0xbaba);
    write(0x14, 0x4001);
    expect(read(0x14)).toBe(0x4010);
  });

  it('refuse PHY registers that are not there, and other PHYs', () => {
    const { phy, read, write } = card();
    expect([phy(2), phy(3)].map((value) => value & 0xffff)).toEqual([0x0141, 0x0c20]);
    expect(phy(7) >>> 28).toBe(0x5);
    expect(phy(2, 0x1234) >>> 28).toBe(0x5);
    write(0x20, (2 << 21) | 0x0800_0000);
    expect(read(0x20) >>> 28).toBe(0x5);
  });

  it('negotiate for half a second, with the link down meanwhile', () => {
    const { phy, read, context } = card();
    phy(0, 0x1340);
    expect([read(0x08) & 2, phy(1) & 0x24]).toEqual([0, 0]);
    context.advance(499_999_999);
    expect(read(0x08) & 2).toBe(0);
    context.advance(1);
    expect([read(0x08) & 2, phy(1) & 0x24, read(0xc0) & 4]).toEqual([2, 0x24, 4]);
  });

  it('have their link at once without autonegotiation', () => {
    const { phy, read } = card({ negotiation: false });
    phy(0, 0x1340);
    expect(read(0x08) & 2).toBe(2);
  });
});

describe('e1000 frames', () => {
  it('leave in the order of their descriptors, which are marked done where asked for', () => {
    const { start, descriptor, kick, context, network, memory, read } = card();
    start();
    context.memory.bytes.set(frame('ffffffffffff', 54), BUFFERS);
    descriptor(BUFFERS, 20, 0);
    descriptor(BUFFERS + 20, 0x0900_0000 | 40, 0);
    kick();
    expect(network.sent).toEqual([frame('ffffffffffff', 54)]);
    expect([memory.getUint8(TX_RING + 12), memory.getUint8(TX_RING + 28), read(0x3810)]).toEqual([0, 1, 2]);
    expect([read(0xc0) & 3, read(0x40d4), read(0x40d4), read(0x4080)]).toEqual([3, 1, 0, 1]);
  });

  it('wait until TCTL allows them, and while bus mastering is off', () => {
    const { start, write, descriptor, kick, network, context } = card();
    start();
    write(0x400, 0);
    descriptor(BUFFERS, 0x0100_0000 | 60, 0);
    kick();
    expect(network.sent).toHaveLength(0);
    context.writew(TEST_CONFIG_BASE + 4, 3);
    write(0x400, 2);
    expect(network.sent).toHaveLength(0);
    context.writew(TEST_CONFIG_BASE + 4, 7);
    expect(network.sent).toEqual([new Uint8Array(60)]);
  });

  it('arrive in the buffer of the next descriptor, with check sum bytes and end mark', () => {
    const { start, network, received, read, write } = card();
    start();
    write(0xd0, 0x80);
    network.deliver(frame(MAC, 10));
    expect(received(0)).toMatchObject({ length: 64, status: 7 });
    expect(received(0).data.subarray(0, 8)).toEqual(Uint8Array.from([0x52, 0x54, 0, 0x12, 0x34, 0x56, 0, 1]));
    expect([read(0x2810), read(0xc0) & 0x80, read(0x40d0)]).toEqual([1, 0x80, 1]);
  });

  it('spread over several buffers', () => {
    const { start, network, received, write } = card();
    start();
    write(0x100, 0x0003_8002); // 256 bytes each
    network.deliver(frame(MAC, 594));
    expect([0, 1, 2].map((i) => received(i)).map(({ length, status }) => [length, status & 2])).toEqual([
      [256, 0],
      [256, 0],
      [92, 2],
    ]);
  });

  it.each([
    [0x0002, 'ffffffffffff', false],
    [0x8002, 'ffffffffffff', true],
    [0x0002, '525400123457', false],
    [0x000a, '525400123457', true],
    [0x0002, '01005e000001', false],
    [0x0012, '01005e000001', true],
  ])('with receive control 0x%s, one to %s is taken: %s', (control, destination, taken) => {
    const { start, network, write, read } = card();
    start();
    write(0x100, control);
    network.deliver(frame(destination, 54));
    expect(read(0x2810)).toBe(taken ? 1 : 0);
  });

  it('lose their VLAN tag, which the descriptor keeps, in VLAN mode', () => {
    const { start, network, write, received, memory } = card();
    start();
    write(0x00, 0x4014_0240);
    const tagged = Uint8Array.from([...frame(MAC, 6), 0x81, 0x00, 0x01, 0x23, ...frame('88b500000000', 60)]);
    network.deliver(tagged);
    expect(received(0)).toMatchObject({ length: tagged.length, status: 0x0f });
    expect(memory.getUint16(RX_RING + 14, true)).toBe(0x0123);
  });

  it('wait while the guest has no descriptor, and are dropped after the 256th', () => {
    const { start, network, write, read, received } = card();
    start();
    write(0x2818, 0);
    for (let i = 0; i < 300; i++) network.deliver(frame(MAC, 54, i));
    expect(read(0x2810)).toBe(0);
    write(0x2818, 2);
    expect([read(0x2810), received(0).data[6], received(1).data[6]]).toEqual([2, 0, 1]);
    for (let i = 0; i < 200; i++) write(0x2818, (read(0x2810) + 2) % 8);
    expect(read(0x40d0)).toBe(256);
  });

  it('are dropped while receiving is off or the link is down', () => {
    const { start, network, write, read, phy } = card();
    start();
    write(0x100, 0);
    network.deliver(frame(MAC, 54));
    write(0x100, 0x8002);
    phy(0, 0x1340);
    network.deliver(frame(MAC, 54));
    expect(read(0x2810)).toBe(0);
  });

  it('come back in loopback', () => {
    const { start, descriptor, kick, phy, received, network, context } = card();
    start();
    phy(0, 0x4140);
    context.memory.bytes.set(frame(MAC, 54), BUFFERS + 0x8000);
    descriptor(BUFFERS + 0x8000, 0x0100_0000 | 60, 0);
    kick();
    expect(received(0).data.subarray(0, 60)).toEqual(frame(MAC, 54));
    expect(network.sent).toHaveLength(0);
  });
});

describe('a real QEMU 7.2', () => {
  interface Run {
    kind: 'transmit' | 'receive';
    machine: string;
    steps: string[];
    section: string;
    ring: string;
    sent?: string[];
    memory?: Record<string, string>;
  }
  const runs = JSON.parse(brotliDecompressSync(fixture('e1000-runs.json.br')).toString()) as Run[];
  const RECORDED_RING = 0x10_0000;

  it.each(runs.map((run, i) => [`run ${i}, ${run.kind} on ${run.machine}`, run] as const))('did the same: %s', (_, run) => {
    const properties = propertiesOfMachine(e1000, compat, run.machine.replace('pc-i440fx-', ''));
    const context = () => ({ ...onPci(3 << 3)(), memorySize: 0x40_0000 });
    const bench = realize(e1000, { properties, context });
    map(bench);
    const { bytes } = bench.context.memory;
    const network = networkOf(bench);
    const got = run.steps.map((step) => {
      const [kind = '', a = '', b = ''] = step.split(' ');
      const [offset, value] = [Number.parseInt(a, 16), Number.parseInt(b, 16)];
      if (kind === 'r') return `r ${a} ${bench.context.readl(BAR + offset).toString(16)}`;
      if (kind === 'w') bench.context.writel(BAR + offset, value);
      else if (kind === 'm') bytes.set(Buffer.from(b, 'hex'), offset);
      else if (kind === 't') bench.context.advance(Number(a) * 1_000_000);
      else {
        network.deliver(Uint8Array.from(Buffer.from(a, 'hex')));
        bench.context.advance(3_000_000);
      }
      return step;
    });
    expect(got).toEqual(run.steps);
    expect(Buffer.from(saveSections(bench.device.sections)[0]!.bytes).equals(Buffer.from(run.section, 'hex'))).toBe(true);
    expect(Buffer.from(bytes.subarray(RECORDED_RING, RECORDED_RING + run.ring.length / 2)).toString('hex')).toBe(run.ring);
    if (run.sent) expect(network.sent.map((sent) => Buffer.from(sent).toString('hex'))).toEqual(run.sent);
    for (const [page, hash] of Object.entries(run.memory ?? {})) {
      const from = RECORDED_RING + Number(page) * 4096;
      expect(
        createHash('sha256')
          .update(bytes.subarray(from, from + 4096))
          .digest('hex')
          .slice(0, 16),
      ).toBe(hash);
    }
  });
});

const recorded = JSON.parse(brotliDecompressSync(fixture('e1000-sections.json.br')).toString()) as {
  origin: string;
  machine: string;
  bytes: string;
  vmdesc: object;
}[];
const golden = (machines: readonly string[]) =>
  recorded
    .filter(({ machine }) => machines.includes(machine))
    .map(({ origin, bytes, vmdesc }) => goldenSection('e1000', Uint8Array.from(Buffer.from(bytes, 'hex')), { origin, vmdesc }));

const write = (register: number, value: number): Step => {
  return ({ context }) => context.writel(BAR + register, value);
};
const read = (register: number): Step => {
  return ({ context }) => void context.readl(BAR + register);
};
const poke = (at: number, ...words: number[]): Step => {
  return ({ context }) => {
    const view = new DataView(context.memory.bytes.buffer);
    for (const [i, word] of words.entries()) view.setUint32(at + 4 * i, word, true);
  };
};

/** A driver at its most awkward: a frame half described, a segmentation context waiting, an EEPROM word half read, causes masked. */
const script: Step[] = [
  map,
  ...[write(0x3800, TX_RING), write(0x3808, 128), write(0x400, 2), write(0xd0, 0x93)],
  poke(BUFFERS, 0xffff_ffff, 0x5452_ffff, 0x5634_1200, 0x0045_0008, 0, 0, 0x0640_0000),
  poke(TX_RING, BUFFERS, 0, 30, 0),
  ...[write(0x3818, 1), read(0x3810)],
  poke(TX_RING + 16, BUFFERS, 0, 0x0900_0000 | 40, 0),
  ...[write(0x3818, 2), read(0x40d4), read(0xc0), read(0xc0)],
  poke(TX_RING + 32, 0x0021_180e, 0x0000_3222, 0x2700_0000 | 200, (100 << 16) | (54 << 8)),
  ...[write(0x3818, 3), read(0x3810)],
  poke(TX_RING + 48, BUFFERS, 0, 0x2510_0000 | 254, 0x0300),
  ...[write(0x3818, 4), read(0x40d4), read(0xc8)],
  poke(RX_RING, BUFFERS + 0x1ffe, 0, 0, 0, BUFFERS + 0x3000, 0, 0, 0),
  ...[write(0x2800, RX_RING), write(0x2808, 128), write(0x100, 0x0003_8002), write(0x2818, 2)],
  (bench) => networkOf(bench).deliver(frame(MAC, 400)),
  ...[read(0x2810), read(0xc0), read(0x40c0)],
  ...[
    write(0x10, 0x42),
    write(0x10, 0x46),
    write(0x10, 0x47),
    write(0x10, 0x46),
    write(0x10, 0x47),
    write(0x10, 0x42),
    write(0x10, 0x43),
  ],
  ...Array.from({ length: 6 }, (_, i) => [write(0x10, i === 5 ? 0x46 : 0x42), write(0x10, i === 5 ? 0x47 : 0x43)]).flat(),
  ...[write(0x10, 0x42), read(0x10), write(0x10, 0x43), write(0x10, 0x42), read(0x10)],
  ...[write(0x20, 0x0420_1140), read(0x20), write(0xd8, 0x80), read(0x40d0)],
];

const events: HostEvent[] = [
  (bench, random) =>
    networkOf(bench).deliver(
      frame(random.pick([MAC, 'ffffffffffff', '01005e000001']), random.pick([4, 54, 700, 1508]), random.below(256)),
    ),
  // Registers that matter are few among 32768: aim at them.
  ({ context }, random) =>
    context.writel(BAR + random.pick([0x100, 0x400, 0x2818, 0x3818, 0xd0, 0x20, 0x10]), random.register(32)),
  ({ context }, random) => context.writel(BAR + random.pick([0x3800, 0x2800]), random.below(0x8000)),
  ({ context }, random) => context.writel(BAR + random.pick([0x3808, 0x2808]), 128 * random.below(4)),
  ({ context }, random) => context.writel(TEST_CONFIG_BASE + random.pick([0x10, 0x04]), random.pick([BAR, 7])),
];

const base = { context: onPci(3 << 3), events, hostileRounds: 60, keptOnReset: ['e1000.pci.config'] } as const;

describe('as a machine without timers sees it', () => {
  describeConformance(e1000, {
    ...base,
    properties: { mitigation: false, negotiation: false },
    sections: [{ name: 'e1000', version: 2, size: 198_785 - 38 }],
    script,
    fuzz: { steps: 4000 },
  });
});

describe('with all properties of 7.2', () => {
  describeConformance(e1000, {
    ...base,
    sections: [{ name: 'e1000', version: 2, size: 198_785 }],
    script: [map, write(0x3808, 128), write(0x400, 2), write(0x3818, 1), read(0x3810)],
    incompleteFormat: 'the timers of interrupt pauses and negotiation are not sent',
    fuzz: { steps: 4000 },
    golden: golden(['7.2', '4.2']),
  });
});

describe('with the properties of 2.4', () => {
  describeConformance(e1000, {
    ...base,
    properties: propertiesOfMachine(e1000, compat, '2.4'),
    sections: [{ name: 'e1000', version: 2, size: 67_646 }],
    incompleteFormat: 'only 37 registers and three tables are sent',
    fuzz: { steps: 1000 },
    golden: golden(['2.4']),
  });
});

it.each([
  ['7.2', { initVet: true, migrateSegmentation: true, extraRegisters: true, mitigation: true, romFile: 'efi-e1000.rom' }],
  ['6.0', { initVet: false, migrateSegmentation: true, extraRegisters: true, mitigation: true }],
  ['2.11', { initVet: false, migrateSegmentation: false, extraRegisters: true, mitigation: true }],
  ['2.4', { initVet: false, migrateSegmentation: false, extraRegisters: false, mitigation: true }],
  ['1.6', { initVet: false, migrateSegmentation: false, extraRegisters: false, mitigation: false }],
  ['1.4', { romFile: 'pxe-e1000.rom' }],
])('on pc-i440fx-%s has the recorded properties', (version, expected) => {
  expect(propertiesOfMachine(e1000, compat, version)).toMatchObject(expected);
});
