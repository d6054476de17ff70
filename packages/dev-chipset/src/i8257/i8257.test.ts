import type { Device, DeviceType } from '@pagurus/device-model';
import { type Bench, FakeContext, loadSection, realize, restore, saveBench } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import { type DmaProperties, type DmaService, i8257 } from './i8257.js';
import type { DmaState } from './i8257.state.js';

const SECOND_CONTROLLER = { base: 0xc0, pageBase: 0x88, dshift: 1 };

function controller(properties: Partial<DmaProperties> = {}) {
  const bench = realize(i8257, { properties });
  const { context, device } = bench;
  const step = properties.dshift === 1 ? 2 : 1;
  const base = properties.base ?? 0;
  const page = properties.pageBase ?? 0x80;
  return {
    ...context,
    context,
    bench,
    state: device.sections[0]!.state as DmaState,
    service: device.services as DmaService,
    /** Writes a register by its number. */
    set: (register: number, value: number) => context.outb(base + register * step, value),
    get: (register: number) => context.inb(base + register * step),
    /** What a driver does before a transfer. Address and count in units of the controller. */
    program(channel: number, mode: number, at: number, count: number, pageNumber = 0) {
      this.set(10, 4 | channel);
      this.set(12, 0);
      this.set(11, mode | channel);
      for (const [register, value] of [
        [2 * channel, at],
        [2 * channel + 1, count],
      ] as const) {
        this.set(register, value & 0xff);
        this.set(register, value >> 8);
      }
      context.outb(page + [7, 3, 1, 2][channel]!, pageNumber);
      this.set(10, channel);
    },
    word(register: number) {
      this.set(12, 0);
      const low = this.get(register);
      return low | (this.get(register) << 8);
    },
    run: () => context.advance(0),
  };
}

/** A device that sends `data` to memory, at most `most` bytes at a time. */
function sender(dma: DmaService, channel: number, data: Uint8Array, most = 1000) {
  const seen: [number, number][] = [];
  dma.registerChannel(channel, (position, length) => {
    seen.push([position, length]);
    const end = Math.min(position + most, length, data.length);
    return dma.writeMemory(channel, position, data.subarray(position, end)).done ? end : position;
  });
  return seen;
}

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + 1) & 0xff);

describe('registers', () => {
  it('are written and read in two halves by the flip-flop', () => {
    const dma = controller();
    dma.program(1, 0x44, 0x3456, 0x07ff);
    expect([dma.word(2), dma.word(3)]).toEqual([0x3456, 0x07ff]);
    dma.set(12, 0);
    dma.set(2, 0x99);
    expect(dma.word(2)).toBe(0x3456); // the current register changes with the second byte
    expect(dma.state.regs[1]!.base[0]).toBe(0x3499);
  });

  it('of the second controller lie two apart and count words', () => {
    const dma = controller(SECOND_CONTROLLER);
    dma.program(1, 0x44, 0x2211, 0x0100, 0x0e);
    expect([dma.word(2), dma.word(3)]).toEqual([0x2211, 0x0100]);
    expect(dma.state.regs[1]).toMatchObject({ now: [0x4422, 0], base: [0x2211, 0x0100], page: 0x0e });
    expect(dma.inb(0x8b)).toBe(0x0e);
  });

  it('mask one, all, none', () => {
    const dma = controller();
    dma.set(14, 0);
    expect(dma.get(15)).toBe(0);
    dma.set(10, 4 | 2);
    expect(dma.get(15)).toBe(4);
    dma.set(10, 2);
    expect(dma.get(15)).toBe(0);
    dma.set(15, 0x0b);
    expect([dma.get(15), dma.get(9)]).toEqual([0x0b, 0x0b]);
  });

  it('are cleared by a master clear, but for addresses and counts', () => {
    const dma = controller();
    dma.program(2, 0x46, 0x1234, 0x00ff);
    dma.set(9, 4 | 1);
    dma.set(12, 0);
    dma.get(0);
    dma.set(13, 0);
    expect(dma.state).toMatchObject({ command: 0, mask: 0xff, flipFlop: 0 });
    expect(dma.get(8)).toBe(0);
    expect(dma.word(4)).toBe(0x1234);
  });

  it('name pages for the AT’s decoder', () => {
    const dma = controller();
    for (const [channel, port] of [0x87, 0x83, 0x81, 0x82].entries()) {
      dma.outb(port, 0x10 + channel);
      expect(dma.state.regs[channel]!.page).toBe(0x10 + channel);
    }
    expect(dma.inb(0x487)).toBe(0xff);
  });

  it('of high pages only where the machine has them', () => {
    const dma = controller({ pagehBase: 0x480 });
    dma.outb(0x481, 0x12);
    expect([dma.state.regs[2]!.pageHigh, dma.inb(0x481)]).toEqual([0x12, 0x12]);
  });

  it('refuse what a PC never used, and say so', () => {
    const dma = controller();
    dma.set(8, 0x10);
    expect(dma.state.command).toBe(0);
    expect(dma.log.unimplementedCalls).toEqual(['8237 command 0x10']);
  });
});

describe('transfers', () => {
  it('move a block and end with terminal count', () => {
    const dma = controller();
    const data = bytes(16);
    const seen = sender(dma.service, 2, data);
    dma.program(2, 0x44, 0x1000, 15, 0x03);
    dma.service.holdRequest(2);
    expect(seen).toEqual([]);
    dma.run();
    expect(seen).toEqual([[0, 16]]);
    expect(dma.memory.bytes.subarray(0x31000, 0x31010)).toEqual(data);
    expect([dma.word(4), dma.word(5)]).toEqual([0x1010, 0xffff]);
    expect([dma.get(8), dma.get(8)]).toEqual([0x44, 0x40]); // TC is cleared by reading, DREQ is still there
    expect(dma.get(15) & 4).toBe(4);
    dma.service.releaseRequest(2);
    expect(dma.get(8)).toBe(0);
  });

  it('go on in pieces as long as the device gives some', () => {
    const dma = controller();
    const seen = sender(dma.service, 2, bytes(10), 4);
    dma.program(2, 0x44, 0x1000, 15);
    dma.service.holdRequest(2);
    dma.run();
    expect(seen).toEqual([
      [0, 16],
      [4, 16],
      [8, 16],
      [10, 16],
    ]);
    expect([dma.word(4), dma.word(5)]).toEqual([0x100a, 5]);
    dma.run();
    expect(seen).toHaveLength(4);
    dma.service.holdRequest(2);
    dma.run();
    expect(seen.at(-1)).toEqual([10, 16]);
  });

  it('wait for the mask and for the controller to be enabled', () => {
    const dma = controller();
    const seen = sender(dma.service, 1, bytes(4));
    dma.program(1, 0x44, 0, 3);
    dma.set(8, 0x04);
    dma.service.holdRequest(1);
    dma.set(10, 4 | 1);
    dma.run();
    dma.set(8, 0x00);
    dma.run();
    expect(seen).toEqual([]);
    dma.set(10, 1);
    dma.run();
    expect(seen).toHaveLength(1);
  });

  it('read memory for the device', () => {
    const dma = controller();
    dma.memory.bytes.set(bytes(8), 0x2000);
    const got = new Uint8Array(8);
    dma.service.registerChannel(1, (position, length) => (dma.service.readMemory(1, position, got).done ? length : position));
    dma.program(1, 0x48, 0x2000, 7);
    expect([dma.service.transfer(1), dma.service.autoInitialize(1)]).toEqual(['read', false]);
    dma.service.holdRequest(1);
    dma.run();
    expect(got).toEqual(bytes(8));
  });

  it('start over by themselves with autoinitialize', () => {
    const dma = controller();
    const seen = sender(dma.service, 3, bytes(4));
    let blocks = 0;
    dma.program(3, 0x54, 0x100, 3);
    dma.service.holdRequest(3);
    for (; blocks < 3; blocks++) {
      dma.run();
      expect(dma.get(8)).toBe(0x88);
      dma.service.holdRequest(3);
    }
    expect(seen).toHaveLength(3);
    expect([dma.word(6), dma.word(7)]).toEqual([0x100, 3]);
    expect(dma.get(15) & 8).toBe(0);
  });

  it('go down where the mode says so', () => {
    const dma = controller();
    sender(dma.service, 0, Uint8Array.of(1, 2, 3, 4));
    dma.program(0, 0x64, 0x2003, 3);
    dma.service.holdRequest(0);
    dma.run();
    expect(dma.memory.bytes.subarray(0x2000, 0x2004)).toEqual(Uint8Array.of(4, 3, 2, 1));
    expect(dma.word(0)).toBe(0x1fff);
  });

  it('wrap inside the page', () => {
    const dma = controller();
    sender(dma.service, 0, Uint8Array.of(1, 2, 3, 4));
    dma.program(0, 0x44, 0xfffe, 3, 0x02);
    dma.service.holdRequest(0);
    dma.run();
    expect([...dma.memory.bytes.subarray(0x2fffe, 0x30000), ...dma.memory.bytes.subarray(0x20000, 0x20002)]).toEqual([
      1, 2, 3, 4,
    ]);
  });

  it('of words use 7 page bits and 128 KiB pages; down means words in reverse', () => {
    const dma = controller(SECOND_CONTROLLER);
    sender(dma.service, 1, Uint8Array.of(1, 2, 3, 4));
    dma.program(1, 0x44, 0x8001, 1, 0x03);
    dma.service.holdRequest(1);
    dma.run();
    expect(dma.memory.bytes.subarray(0x30002, 0x30006)).toEqual(Uint8Array.of(1, 2, 3, 4));
    dma.program(1, 0x64, 0x8001, 1, 0x03);
    dma.run();
    expect(dma.memory.bytes.subarray(0x30000, 0x30004)).toEqual(Uint8Array.of(3, 4, 1, 2));
  });

  it('asked for by software need no DREQ', () => {
    const dma = controller();
    const seen = sender(dma.service, 2, bytes(4));
    dma.program(2, 0x84, 0, 3);
    dma.set(9, 4 | 2);
    dma.run();
    expect(seen).toHaveLength(1);
    expect(dma.get(8)).toBe(0x04);
  });

  it('of a channel without a device do nothing', () => {
    const dma = controller();
    dma.program(2, 0x44, 0, 3);
    dma.service.holdRequest(2);
    dma.run();
    expect(dma.get(8)).toBe(0x40);
    expect(() => {
      sender(dma.service, 2, bytes(1));
      sender(dma.service, 2, bytes(1));
    }).toThrow(/channel 2 is taken/);
  });

  it('wait for memory that has not arrived, and then write everything once', () => {
    const dma = controller();
    const seen = sender(dma.service, 2, bytes(0x2000), 0x2000);
    dma.program(2, 0x44, 0x1800, 0x1fff);
    dma.memory.withhold();
    dma.service.holdRequest(2);
    dma.run();
    expect(dma.word(5)).toBe(0x1fff);
    while (dma.memory.arrive() > 0) dma.run();
    expect(seen.length).toBeGreaterThan(1);
    expect(dma.memory.bytes.subarray(0x1800, 0x3800)).toEqual(bytes(0x2000));
    expect(dma.word(5)).toBe(0xffff);
  });
});

describe('section dma', () => {
  it.each([
    [
      0,
      {},
      {
        regs: [
          {},
          { now: [0x3456, 0], base: [0x3456, 0x07ff], mode: 0x45, page: 3 },
          { mode: 0x5a, page: 0x0c },
          { base: [0x9a, 0] },
        ],
      },
    ],
    [1, SECOND_CONTROLLER, { regs: [{}, { now: [0x4422, 0], base: [0x2211, 0x4433], mode: 0x49, page: 0x0e }, {}, {}] }],
  ])('holds what devstate left in controller %i', (instance, properties, expected) => {
    const { device } = realize(i8257, { properties });
    loadSection(device.sections[0]!, recordedBytes('dma', '7.2 devstate-pc-i440fx-7.2', instance));
    expect(device.sections[0]!.state).toMatchObject(expected);
  });

  it('goes on in the middle of a block', () => {
    const data = bytes(16);
    const half = controller();
    sender(half.service, 2, data.subarray(0, 6), 4);
    half.program(2, 0x44, 0x1000, 15);
    half.service.holdRequest(2);
    half.run();
    const second = restore(i8257, {}, saveBench(half.bench));
    const service = second.device.services as DmaService;
    sender(service, 2, data);
    service.holdRequest(2); // the device's own resume
    second.context.advance(0);
    expect(second.context.memory.bytes.subarray(0x1000, 0x1010)).toEqual(data);
  });

  it('keeps its own width and clamps positions', () => {
    const { device } = realize(i8257);
    const hostile = recordedBytes('dma', '7.2 devstate-pc-i440fx-7.2').slice();
    hostile.fill(0xff, 3);
    loadSection(device.sections[0]!, hostile);
    const state = device.sections[0]!.state as DmaState;
    expect(state.dshift).toBe(0);
    for (const { now } of state.regs) expect(now).toEqual([0xffff, 0]);
  });

  it('refuses a width that does not exist', () => {
    expect(() => controller({ dshift: 2 })).toThrow(/i8257.dshift: 2 is not 0 or 1/);
  });
});

const pattern = bytes(0x2_0000);

/** The controller with a device on channel 1 that always has data, and looks at some of what it gets. */
function withDevice(properties: Partial<DmaProperties>): DeviceType<DmaProperties> {
  return {
    ...i8257,
    create(context, given): Device {
      const device = i8257.create(context, { ...given, ...properties });
      const dma = device.services as DmaService;
      dma.registerChannel(1, (position, length) => {
        const piece = pattern.subarray(position, Math.min(position + 0x8000, length));
        if (dma.transfer(1) === 'write') return dma.writeMemory(1, position, piece).done ? position + piece.length : position;
        const taken = new Uint8Array(Math.min(16, piece.length));
        if (!dma.readMemory(1, position, taken).done) return position;
        if (context instanceof FakeContext) context.note(`took ${taken.join(' ')}`);
        return position + piece.length;
      });
      return device;
    },
  };
}

/** A short DREQ, as of a device that has one piece of data. */
const pulse = ({ context, device }: Bench) => {
  const dma = device.services as DmaService;
  dma.holdRequest(1);
  context.advance(0);
  dma.releaseRequest(1);
};

for (const [properties, instance, step, ports] of [
  [
    {},
    0,
    1,
    [
      [0x00, 16],
      [0x81, 3],
      [0x87, 1],
    ],
  ],
  [
    SECOND_CONTROLLER,
    1,
    2,
    [
      [0xc0, 32],
      [0x89, 3],
      [0x8f, 1],
    ],
  ],
] as const) {
  const base = instance * 0xc0;
  const set =
    (register: number, value: number) =>
    ({ context }: Bench) =>
      context.outb(base + register * step, value);
  const get =
    (register: number) =>
    ({ context }: Bench) => {
      context.inb(base + register * step);
    };
  describeConformance(withDevice(properties), {
    properties,
    sections: [{ name: 'dma', version: 1, size: 75 }],
    ports,
    script: [
      set(13, 0),
      set(11, 0x45),
      set(2, 0x00),
      set(2, 0x10),
      set(3, 0x13),
      get(3),
      set(12, 0),
      set(3, 0x13),
      set(3, 0x00),
      set(10, 1),
      pulse,
      get(2),
      pulse,
      get(8),
      set(10, 1),
      set(11, 0x59),
      set(2, 0x00),
      set(2, 0x10),
      set(9, 5),
      ({ context }) => context.advance(1),
      pulse,
      get(3),
    ],
    events: [pulse],
    golden: golden('dma', { instance }),
    fuzz: { steps: 10_000 },
  });
}
