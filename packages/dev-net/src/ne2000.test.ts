import { gunzipSync } from 'node:zlib';
import { TEST_CONFIG_BASE } from '@pagurus/dev-pci/testing';
import type { AccessSize } from '@pagurus/device-model';
import { type HostEvent, propertiesOfMachine, realize, type Step, saveSections } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { load, save } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { fixture, frame, networkOf, onPci, recordedSections, unpack, withNetwork } from '../test/helpers.js';
import { compat, loopbackPair, Ne2000State, ne2kIsa, ne2kPci } from './index.js';
import { ne2000VmState } from './ne2000.state.js';

const BASE = 0x300;
const MAC = '525400123456';

/** A card with a driver's helpers: packet driver conventions, ring from page 0x46 to 0x80, transmit buffer at 0x40. */
function card() {
  const bench = realize(ne2kIsa, { context: withNetwork });
  const { context } = bench;
  const out = (offset: number, value: number) => context.outb(BASE + offset, value);
  const read = (offset: number) => context.inb(BASE + offset);
  const remote = (address: number, count: number, command: number) => {
    for (const [offset, value] of Object.entries({ 8: address & 0xff, 9: address >> 8, 10: count & 0xff, 11: count >> 8 })) {
      out(Number(offset), value);
    }
    out(0x00, command);
  };
  return {
    ...bench,
    out,
    read,
    network: networkOf(bench),
    start() {
      out(0x00, 0x21);
      for (const [offset, value] of [
        [0x0e, 0x49],
        [0x0c, 0x04],
        [0x01, 0x46],
        [0x02, 0x80],
        [0x03, 0x46],
        [0x0f, 0x7f],
        [0x07, 0xff],
      ] as const) {
        out(offset, value);
      }
      out(0x00, 0x61);
      out(0x07, 0x47);
      out(0x00, 0x22);
      out(0x0c, 0x04);
      out(0x03, 0x47);
    },
    remote,
    peek(address: number, count: number): number[] {
      remote(address, count, 0x0a);
      const words = Array.from({ length: count / 2 }, () => context.inw(BASE + 0x10));
      return words.flatMap((word) => [word & 0xff, word >> 8]);
    },
    send(bytes: Uint8Array) {
      remote(0x4000, bytes.length, 0x12);
      for (let i = 0; i < bytes.length; i += 2) context.outw(BASE + 0x10, bytes[i]! | ((bytes[i + 1] ?? 0) << 8));
      out(0x04, 0x40);
      out(0x05, bytes.length & 0xff);
      out(0x06, bytes.length >> 8);
      out(0x00, 0x26);
    },
  };
}

describe('NE2000', () => {
  it('shows its address twice byte by byte, and that its slot is wide', () => {
    const { out, peek } = card();
    out(0x0e, 0x49);
    expect(Buffer.from(peek(0, 32)).toString('hex')).toBe(
      '525254540000121234345656000000000000000000000000000000005757' + '5757',
    );
  });

  it('comes out of reset by START and says so', () => {
    const { out, read, context } = card();
    expect(read(0x07)).toBe(0x80);
    out(0x00, 0x22);
    expect(read(0x07)).toBe(0x00);
    context.inb(BASE + 0x1f);
    expect(read(0x07)).toBe(0x80);
  });

  it('sends a frame and raises its interrupt until it is acknowledged', () => {
    const { start, send, network, context, read, out } = card();
    start();
    send(frame('ffffffffffff', 54));
    expect(network.sent).toEqual([frame('ffffffffffff', 54)]);
    expect([read(0x07) & 0x02, read(0x04), context.level('irq')]).toEqual([2, 1, true]);
    out(0x07, 0xff);
    expect([read(0x07), context.level('irq')]).toEqual([0, false]);
  });

  it('receives into its ring, padded to 60 bytes, with a header in front', () => {
    const { start, network, peek, read, out, context } = card();
    start();
    network.deliver(frame(MAC, 10, 7));
    expect([read(0x07), context.level('irq'), read(0x0c)]).toEqual([1, true, 1]);
    out(0x00, 0x62);
    expect(read(0x07)).toBe(0x48);
    out(0x00, 0x22);
    expect(peek(0x4700, 12)).toEqual([1, 0x48, 64, 0, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 7, 8]);
  });

  it('wraps a frame around the end of its ring', () => {
    const { start, network, out, read, peek } = card();
    start();
    out(0x00, 0x62);
    out(0x07, 0x7f);
    out(0x00, 0x22);
    out(0x03, 0x7f);
    network.deliver(frame(MAC, 294));
    out(0x00, 0x62);
    expect(read(0x07)).toBe(0x47);
    out(0x00, 0x22);
    expect(peek(0x7f00, 4)).toEqual([1, 0x47, 304 & 0xff, 304 >> 8]);
    expect(peek(0x4600, 2)).toEqual([(256 - 4 - 6) & 0xff, (256 - 4 - 5) & 0xff]);
  });

  it.each([
    [0x00, MAC, true],
    [0x00, '525400123457', false],
    [0x00, 'ffffffffffff', false],
    [0x04, 'ffffffffffff', true],
    [0x04, '01005e000001', false],
    [0x08, '01005e000001', true],
    [0x08, '01005e000005', false],
    [0x10, '525400123457', true],
  ])('with receive configuration 0x%s takes a frame to %s: %s', (configuration, destination, taken) => {
    const { start, out, read, network } = card();
    start();
    out(0x0c, configuration);
    out(0x00, 0x62);
    out(0x08 + 3, 0x80); // the hash of 01:00:5e:00:00:01 is 31
    out(0x00, 0x22);
    network.deliver(frame(destination, 54));
    expect((read(0x07) & 1) !== 0).toBe(taken);
  });

  it('drops what it has no room for, and everything while stopped', () => {
    const { start, network, read, out } = card();
    start();
    for (let i = 0; i < 20; i++) network.deliver(frame(MAC, 1508));
    out(0x00, 0x62);
    const full = read(0x07);
    out(0x00, 0x22);
    network.deliver(frame(MAC, 1508));
    out(0x00, 0x62);
    expect(read(0x07)).toBe(full);
    out(0x00, 0x21);
    out(0x07, 0xff);
    network.deliver(frame(MAC, 54));
    expect(read(0x07) & 1).toBe(0);
  });

  it('ends remote DMA with an interrupt, at once where there is nothing to move', () => {
    const { start, remote, read, out, context } = card();
    start();
    remote(0x4000, 4, 0x12);
    context.outw(BASE + 0x10, 1);
    expect(read(0x07) & 0x40).toBe(0);
    context.outw(BASE + 0x10, 2);
    expect(read(0x07) & 0x40).toBe(0x40);
    out(0x07, 0x40);
    remote(0x4000, 0, 0x0a);
    expect(read(0x07) & 0x40).toBe(0x40);
  });

  it('has no memory between the address ROM and the packets', () => {
    const { start, remote, context, peek } = card();
    start();
    remote(0x1000, 2, 0x12);
    context.outw(BASE + 0x10, 0x1234);
    expect(peek(0x1000, 2)).toEqual([0xff, 0xff]);
  });

  it('moves bytes, words and double words', () => {
    const { start, remote, context, out, read } = card();
    start();
    remote(0x4000, 8, 0x12);
    context.outl(BASE + 0x10, 0x4433_2211);
    context.outl(BASE + 0x10, 0x8877_6655);
    out(0x0e, 0x48);
    remote(0x4000, 4, 0x0a);
    expect([context.inb(BASE + 0x10), context.inw(BASE + 0x10), read(0x08)]).toEqual([0x11, 0x22, 2]);
    out(0x0e, 0x49);
    remote(0x4000, 8, 0x0a);
    expect([context.inw(BASE + 0x10), context.inl(BASE + 0x10)]).toEqual([0x2211, 0x6655_4433]);
  });

  it('reads version 0, which took broadcasts and groups always', () => {
    const old = new Ne2000State(new Uint8Array(6));
    old.receiveConfiguration = 0x1f;
    const state = new Ne2000State(new Uint8Array(6));
    load(ne2000VmState, state, save(ne2000VmState, old).subarray(1), 0);
    expect(state.receiveConfiguration).toBe(0x0c);
  });

  it('refuses an address that is none', () => {
    expect(() => realize(ne2kIsa, { properties: { mac: '52:54:00' } })).toThrow("ne2k_isa.mac: '52:54:00' is not an address");
  });

  it('two of them talk over a cable', () => {
    const ends = loopbackPair();
    const cards = ends.map((netdev) => realize(ne2kIsa, { context: () => ({ backends: { netdev } }) }));
    for (const { context } of cards) {
      for (const [offset, value] of [
        [0x0e, 0x49],
        [0x01, 0x46],
        [0x02, 0x80],
        [0x03, 0x46],
        [0x00, 0x62],
        [0x07, 0x47],
        [0x00, 0x22],
        [0x03, 0x47],
        [0x0c, 0x10],
        [0x0f, 0x01],
        [0x04, 0x40],
        [0x05, 60],
      ] as const) {
        context.outb(BASE + offset, value);
      }
    }
    const [a, b] = cards;
    a!.context.outb(BASE, 0x26);
    expect([a!.context.level('irq'), b!.context.level('irq')]).toEqual([false, true]);
  });
});

describe('a real QEMU 7.2', () => {
  const runs = JSON.parse(gunzipSync(fixture('ne2000-runs.json.gz')).toString()) as {
    steps: string[];
    section: string;
    sent: string[] | null;
  }[];
  const PCI_BASE = 0xc000;

  it.each(runs.map((run, i) => [i, run] as const))('read, received, sent and saved the same: run %i', (_, run) => {
    const bench = realize(ne2kPci, { context: onPci(3 << 3) });
    const { context, device } = bench;
    const network = networkOf(bench);
    context.writel(TEST_CONFIG_BASE + 0x10, PCI_BASE);
    context.writew(TEST_CONFIG_BASE + 0x04, 7);
    const got = run.steps.map((step) => {
      const [kind = '', a = '', b = '', c = ''] = step.split(' ');
      const size = Number(kind[1]) as AccessSize;
      const port = PCI_BASE + Number.parseInt(a, 16);
      if (kind === 'f') network.deliver(frame(a, Number.parseInt(c, 16), Number.parseInt(b, 16)));
      else if (kind[0] === 'i') return `${kind} ${a} ${context.in(port, size).toString(16)}`;
      else context.out(port, Number.parseInt(b, 16), size);
      return step;
    });
    expect(got).toEqual(run.steps);
    expect(Buffer.from(saveSections(device.sections)[0]!.bytes).equals(unpack(run.section))).toBe(true);
    if (run.sent) expect(network.sent.map((sent) => Buffer.from(sent).toString('hex'))).toEqual(run.sent);
  });
});

const out = (port: number, value: number, size: AccessSize = 1): Step => {
  return ({ context }) => context.out(port, value, size);
};
const read = (port: number, size: AccessSize = 1): Step => {
  return ({ context }) => void context.in(port, size);
};
const arrive = (destination: string, length: number): Step => {
  return (bench) => networkOf(bench).deliver(frame(destination, length));
};

/** A driver at its most awkward: inside remote DMA, with a frame half read, a page of registers selected, an interrupt waiting. */
const script = (base: number): Step[] => [
  ...Object.entries({ 14: 0x49, 12: 0x0c, 1: 0x46, 2: 0x80, 3: 0x46, 15: 0x7f }).map(([offset, value]) =>
    out(base + Number(offset), value),
  ),
  ...[out(base, 0x61), out(base + 7, 0x47), out(base + 8, 0xff), out(base, 0x22), read(base + 7)],
  ...[out(base + 8, 0), out(base + 9, 0x40), out(base + 10, 6), out(base + 11, 0), out(base, 0x12)],
  ...[
    out(base + 16, 0x1122, 2),
    out(base + 16, 0x3344_5566, 4),
    out(base + 4, 0x40),
    out(base + 5, 60),
    out(base, 0x26),
    read(base + 4),
  ],
  ...[arrive(MAC, 54), read(base + 7), arrive('ffffffffffff', 100), read(base + 12)],
  ...[
    out(base + 8, 0),
    out(base + 9, 0x47),
    out(base + 10, 16),
    out(base, 0x0a),
    read(base + 16, 2),
    read(base + 16, 4),
    read(base + 8),
  ],
  ...[
    out(base + 7, 0x41),
    read(base + 16, 2),
    read(base + 16, 2),
    read(base + 7),
    out(base, 0x62),
    read(base + 7),
    read(base + 0x1f),
  ],
];

const events: HostEvent[] = [
  (bench, random) =>
    networkOf(bench).deliver(
      frame(random.pick([MAC, 'ffffffffffff', '01005e000001']), random.pick([4, 54, 700, 1508]), random.below(256)),
    ),
];

describeConformance(ne2kIsa, {
  context: withNetwork,
  sections: [{ name: 'ne2000', version: 2, size: 49196 }],
  ports: [[BASE, 32]],
  script: script(BASE),
  events,
  fuzz: { steps: 20_000 },
  golden: recordedSections('ne2k_isa'),
});

describeConformance(ne2kPci, {
  context: onPci(3 << 3),
  sections: [{ name: 'ne2000', version: 3, size: 49472 }],
  script: [
    ({ context }) => context.writel(TEST_CONFIG_BASE + 0x10, 0xc000),
    ({ context }) => context.writew(TEST_CONFIG_BASE + 0x04, 1),
    ...script(0xc000),
    ({ context }) => context.writew(TEST_CONFIG_BASE + 0x04, 0x401),
  ],
  events,
  keptOnReset: ['ne2000.pci.config'], // bytes behind the header are scratch, as QEMU leaves them
  fuzz: { steps: 20_000 },
  golden: recordedSections('ne2k_pci'),
});

it('up to pc-i440fx-1.4 has the older boot ROM', () => {
  expect(propertiesOfMachine(ne2kPci, compat, '1.4').romFile).toBe('pxe-ne2k_pci.rom');
  expect(propertiesOfMachine(ne2kPci, compat, '1.5').romFile).toBe('efi-ne2k_pci.rom');
});

describe('the boot ROM', () => {
  /** An image that names nobody, as iPXE's for the NE2000. */
  const image = Uint8Array.from({ length: 512 }, (_, i) => (i * 5) & 0xff);
  image.set([0x55, 0xaa, 1, 0xe9, 0, 0, 0x70]);
  image.set([0x1c, 0], 0x18);
  image.set([0x50, 0x43, 0x49, 0x52, 0, 0, 0, 0], 0x1c);
  const sum = (bytes: Uint8Array) => bytes.reduce((all, byte) => (all + byte) & 0xff, 0);
  const romOf = (bytes: Uint8Array, romFile?: string) => {
    const onBus = onPci(3 << 3)();
    const { context } = realize(ne2kPci, {
      context: () => ({ ...onBus, backends: { ...onBus.backends, romfile: bytes } }),
      ...(romFile === undefined ? {} : { properties: { romFile } }),
    });
    return [...context.mmio.blocks].find(([name]) => name.endsWith('ne2000.rom'))![1].bytes.subarray(0, 512);
  };

  it('that a card usually has names the card, with the sum it had', () => {
    const rom = romOf(image);
    expect([...rom.subarray(0x20, 0x24)]).toEqual([0xec, 0x10, 0x29, 0x80]);
    expect(sum(rom)).toBe(sum(image));
    expect(rom.subarray(0x24)).toEqual(image.subarray(0x24));
  });

  it('that the user names, or that is none, stays as it is', () => {
    expect(romOf(image, 'mine.rom')).toEqual(image);
    const other = image.with(0x18, 0xff).with(0x19, 0xff);
    expect(romOf(other)).toEqual(other);
  });
});
