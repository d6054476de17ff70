import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { TEST_CONFIG_BASE, testSlot } from '@pagurus/dev-pci/testing';
import type { EntropySource } from '@pagurus/device-model';
import {
  checkGolden,
  defaultProperties,
  type FakeContext,
  type FakeContextOptions,
  type GoldenSection,
  goldenSection,
  propertiesOfMachine,
  realize,
  restore,
  type Step,
  saveBench,
} from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { fromJson, load, StateError, save, toJson } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { compat, type VirtioRngProperties, VirtioSectionState, virtioRngPci } from './index.js';

/** A source that counts, so that every byte of entropy can be told from every other. It says what it gave. */
const counting = (context: () => FakeContext): EntropySource => {
  let next = 1;
  return {
    fill(target) {
      context().note(`entropy ${target.length}`);
      for (let i = 0; i < target.length; i++) target[i] = next++;
    },
  };
};

/** The same bytes each time, so that a device that was moved draws what the other would have drawn. */
const constant: EntropySource = { fill: (target) => target.fill(0x5a) };

const onPci = (rng?: EntropySource) => (): FakeContextOptions => ({
  slot: (context) => testSlot(context, 4 << 3),
  ...(rng ? { backends: { rng } } : {}),
});

/** Where INTA# of slot 4 goes. */
const IRQ = 'pirq3';
const IO = 0xc000;
const BAR1 = 0xe000_0000;
const BAR4 = 0xe001_0000;
const NOTIFY = BAR4 + 0x3000;
const MESSAGE = 0x9000;
/** Rings of the legacy driver lie where the page number says; the modern one uses the same memory, so that one set of helpers does. */
const DESC = 0x2000;
const AVAIL = DESC + 16 * 8;
const USED = 0x3000;
const DATA = 0x5000;

type Driver = ReturnType<typeof driver>;

function driver(context: FakeContext) {
  const { memory } = context;
  const view = new DataView(memory.bytes.buffer);
  const config = (offset: number, value: number, size: 2 | 4 = 4) => context.store(TEST_CONFIG_BASE + offset, value, size);
  return {
    context,
    view,
    config,
    configRead: (offset: number, size: 1 | 2 | 4 = 4) => context.load(TEST_CONFIG_BASE + offset, size),
    map() {
      config(0x10, IO);
      config(0x14, BAR1);
      config(0x20, BAR4);
      config(0x24, 0);
      config(0x04, 7, 2);
    },
    /** Walks capabilities: offsets by kind (virtio: 'v1'.., MSI-X: 'm'). */
    capabilities(): Map<string, number> {
      const found = new Map<string, number>();
      for (let at = context.readb(TEST_CONFIG_BASE + 0x34); at !== 0; at = context.readb(TEST_CONFIG_BASE + at + 1)) {
        const virtio = context.readb(TEST_CONFIG_BASE + at) === 9;
        found.set(virtio ? `v${context.readb(TEST_CONFIG_BASE + at + 3)}` : 'm', at);
      }
      return found;
    },
    descriptor(n: number, address: number, length: number, flags = 2, next = 0) {
      const at = DESC + 16 * n;
      view.setBigUint64(at, BigInt(address), true);
      view.setUint32(at + 8, length, true);
      view.setUint16(at + 12, flags, true);
      view.setUint16(at + 14, next, true);
    },
    /** Descriptor 0, made available. */
    offerDescriptor(address: number, length: number, flags = 2, next = 0) {
      this.descriptor(0, address, length, flags, next);
      this.offer(0);
    },
    offer(...heads: number[]) {
      for (const head of heads) {
        const index = view.getUint16(AVAIL + 2, true);
        view.setUint16(AVAIL + 4 + 2 * (index % 8), head, true);
        view.setUint16(AVAIL + 2, (index + 1) & 0xffff, true);
      }
    },
    usedIndex: () => view.getUint16(USED + 2, true),
    used: (n: number) => [view.getUint32(USED + 4 + 8 * n, true), view.getUint32(USED + 8 + 8 * n, true)],
    data: (length: number, at = DATA) => [...memory.bytes.subarray(at, at + length)],
    startLegacy(features = 0) {
      context.outb(IO + 18, 0);
      context.outb(IO + 18, 1);
      context.outb(IO + 18, 3);
      context.outl(IO + 4, features);
      context.outw(IO + 14, 0);
      context.outl(IO + 8, DESC / 4096);
      context.outb(IO + 18, 7);
    },
    startModern(low = 0, high = 1) {
      context.writeb(BAR4 + 20, 0);
      context.writeb(BAR4 + 20, 3);
      context.writel(BAR4 + 8, 0);
      context.writel(BAR4 + 12, low);
      context.writel(BAR4 + 8, 1);
      context.writel(BAR4 + 12, high);
      context.writeb(BAR4 + 20, 11);
      context.writew(BAR4 + 22, 0);
      context.writew(BAR4 + 24, 8);
      for (const [offset, address] of [
        [32, DESC],
        [40, AVAIL],
        [48, USED],
      ] as const) {
        context.writel(BAR4 + offset, address);
        context.writel(BAR4 + offset + 4, 0);
      }
      context.writew(BAR4 + 28, 1);
      context.writeb(BAR4 + 20, 15);
    },
  };
}

function bench(properties: Partial<VirtioRngProperties> = {}, rng: 'counting' | 'none' = 'counting') {
  let context: FakeContext | undefined;
  const source = counting(() => context!);
  const made = realize(virtioRngPci, { properties, context: onPci(rng === 'none' ? undefined : source) });
  context = made.context;
  const guest = driver(context);
  guest.map();
  return { ...made, ...guest };
}

const transports = [
  ['legacy', (guest: Driver) => guest.startLegacy(), (guest: Driver) => guest.context.outw(IO + 16, 0)],
  ['modern', (guest: Driver) => guest.startModern(), (guest: Driver) => guest.context.writew(NOTIFY, 0)],
] as const;

describe.each(transports)('virtio-rng over the %s registers', (name, start, kick) => {
  it('fills a buffer, says how far, and interrupts until the cause is read', () => {
    const guest = bench();
    start(guest);
    guest.descriptor(3, DATA, 16);
    guest.offer(3);
    kick(guest);
    expect([guest.usedIndex(), guest.used(0)]).toEqual([1, [3, 16]]);
    expect(guest.data(17)).toEqual([...Array.from({ length: 16 }, (_, i) => i + 1), 0]);
    expect(guest.context.level(IRQ)).toBe(true);
    const isr = name === 'legacy' ? () => guest.context.inb(IO + 19) : () => guest.context.readb(BAR4 + 0x1000);
    expect([isr(), isr(), guest.context.level(IRQ)]).toEqual([1, 0, false]);
  });

  it('scatters over chains and skips what it may not write', () => {
    const guest = bench();
    start(guest);
    guest.descriptor(0, DATA + 0x100, 4, 1, 1);
    guest.descriptor(1, DATA, 3, 3, 2);
    guest.descriptor(2, DATA + 8, 2, 2);
    guest.offer(0);
    kick(guest);
    expect(guest.used(0)).toEqual([0, 5]);
    expect([guest.data(3), guest.data(2, DATA + 8), guest.data(4, DATA + 0x100)]).toEqual([
      [1, 2, 3],
      [4, 5],
      [0, 0, 0, 0],
    ]);
  });

  it('follows an indirect table', () => {
    const guest = bench();
    start(guest);
    const table = 0x7000;
    guest.descriptor((table - DESC) / 16, DATA, 2, 3, 1);
    guest.descriptor((table - DESC) / 16 + 1, DATA + 2, 2, 2);
    guest.descriptor(5, table, 32, 4);
    guest.offer(5);
    kick(guest);
    expect([guest.used(0), guest.data(4)]).toEqual([
      [5, 4],
      [1, 2, 3, 4],
    ]);
  });

  it('keeps quiet where the driver wants no interrupt', () => {
    const guest = bench();
    start(guest);
    guest.view.setUint16(AVAIL, 1, true);
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    kick(guest);
    expect([guest.usedIndex(), guest.context.level(IRQ)]).toEqual([1, false]);
  });

  it('interrupts at the event index only, and says from where on it wants to be told', () => {
    const guest = bench();
    if (name === 'legacy') guest.startLegacy(1 << 29);
    else guest.startModern(1 << 29);
    guest.view.setUint16(AVAIL + 4 + 16, 1, true);
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    kick(guest);
    expect([guest.usedIndex(), guest.context.level(IRQ)]).toEqual([1, false]);
    guest.offer(0);
    kick(guest);
    expect([guest.usedIndex(), guest.context.level(IRQ)]).toEqual([2, true]);
    expect(guest.view.getUint16(USED + 4 + 64, true)).toBe(2);
  });

  it('leaves buffers waiting without a backend', () => {
    const guest = bench({}, 'none');
    start(guest);
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    kick(guest);
    expect([guest.usedIndex(), guest.data(4), guest.context.level(IRQ)]).toEqual([0, [0, 0, 0, 0], false]);
  });

  it('draws entropy once, after every page has arrived', () => {
    const guest = bench();
    start(guest);
    guest.descriptor(0, DATA, 4, 3, 1);
    guest.descriptor(1, DATA + 0x1000, 4);
    guest.offer(0);
    guest.context.memory.withhold();
    kick(guest);
    expect(guest.usedIndex()).toBe(0);
    guest.context.memory.arrive();
    expect([guest.usedIndex(), guest.data(4), guest.data(4, DATA + 0x1000)]).toEqual([1, [1, 2, 3, 4], [5, 6, 7, 8]]);
    expect(guest.context.trace.filter(({ kind }) => kind === 'note')).toHaveLength(1);
  });

  it('goes on in a second instance while pages are missing', () => {
    const guest = bench();
    start(guest);
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    guest.context.memory.withhold();
    kick(guest);
    const moved = restore(virtioRngPci, { context: onPci(constant) }, saveBench(guest));
    expect([...moved.context.memory.bytes.subarray(DATA, DATA + 5)]).toEqual([0x5a, 0x5a, 0x5a, 0x5a, 0]);
  });

  it('does nothing while bus mastering is off', () => {
    const guest = bench();
    start(guest);
    guest.config(4, 3, 2);
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    kick(guest);
    expect(guest.usedIndex()).toBe(0);
  });

  it.each<[string, (guest: Driver) => void]>([
    ['an available index beyond the ring', (guest) => guest.view.setUint16(AVAIL + 2, 9, true)],
    ['a head outside the table', (guest) => guest.offer(8)],
    ['a loop', (guest) => guest.offerDescriptor(DATA, 4, 3, 0)],
    ['a next outside the table', (guest) => guest.offerDescriptor(DATA, 4, 3, 8)],
    ['no length', (guest) => guest.offerDescriptor(DATA, 0)],
    ['an address beyond all memory', (guest) => guest.offerDescriptor(2 ** 53, 4)],
    ['an odd indirect table', (guest) => guest.offerDescriptor(DATA, 17, 4)],
    ['an indirect table in itself', (guest) => guest.offerDescriptor(DESC, 16, 4)],
    [
      'writable before readable',
      (guest) => {
        guest.descriptor(1, DATA, 4, 0);
        guest.offerDescriptor(DATA, 4, 3, 1);
      },
    ],
  ])('breaks on %s, and lives again after a reset', (_what, spoil) => {
    const guest = bench();
    start(guest);
    spoil(guest);
    kick(guest);
    expect([guest.usedIndex(), guest.context.log.guestErrors.length]).toEqual([0, 1]);
    const status = name === 'legacy' ? guest.context.inb(IO + 18) : guest.context.readb(BAR4 + 20);
    expect(status & 0x40).toBe(name === 'legacy' ? 0 : 0x40);
    guest.context.memory.bytes.fill(0);
    start(guest);
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    kick(guest);
    expect(guest.usedIndex()).toBe(1);
  });

  it('fills little of a length that a guest invents', () => {
    const guest = bench();
    start(guest);
    guest.descriptor(0, 0x8000, 0xffff_ffff);
    guest.offer(0);
    kick(guest);
    expect(guest.used(0)).toEqual([0, 16 * 1024]);
  });
});

describe('the transport', () => {
  it('shows a transitional device by default', () => {
    const { configRead, capabilities, context } = bench();
    expect([configRead(0), configRead(0x2c), configRead(8)]).toEqual([0x1005_1af4, 0x0004_1af4, 0x00ff_0000]);
    expect([...capabilities().keys()]).toEqual(['m', 'v5', 'v2', 'v4', 'v3', 'v1']);
    expect(context.inl(IO)).toBe(0x7900_0000);
    context.writel(BAR4, 0);
    const low = context.readl(BAR4 + 4);
    context.writel(BAR4, 1);
    expect([low, context.readl(BAR4 + 4)]).toEqual([0x3000_0000, 0x101]);
    expect([context.inw(IO + 12), context.readw(BAR4 + 18)]).toEqual([8, 1]);
  });

  it('shows itself as modern only, or legacy only', () => {
    const modern = bench({ disableLegacy: 'on' });
    expect([modern.configRead(0), modern.configRead(0x2c), modern.configRead(8, 1)]).toEqual([0x1044_1af4, 0x1100_1af4, 1]);
    expect(modern.context.inl(IO)).toBe(0xffff_ffff);
    const legacy = bench({ disableModern: true, vectors: 0 });
    expect([...legacy.capabilities().keys()]).toEqual([]);
    expect(legacy.context.readl(BAR4 + 4)).toBe(0xffff_ffff);
  });

  it('forgets features that it did not offer, and all of a driver that took the bad one', () => {
    const { context } = bench();
    context.outl(IO + 4, 0x3000_0001);
    expect(context.inl(IO + 4)).toBe(0x3000_0000);
    context.outl(IO + 4, 0x7000_0000);
    expect(context.inl(IO + 4)).toBe(0);
  });

  it('takes no features after FEATURES_OK', () => {
    const guest = bench();
    guest.startModern(1 << 28);
    guest.context.writel(BAR4 + 8, 0);
    guest.context.writel(BAR4 + 12, 0);
    expect(guest.context.inl(IO + 4)).toBe(1 << 28);
  });

  it('switches bus mastering on for a legacy driver that forgot', () => {
    const guest = bench();
    guest.config(4, 3, 2);
    guest.startLegacy();
    expect(guest.configRead(4, 2)).toBe(7);
  });

  it('reaches its registers through configuration space', () => {
    const guest = bench();
    const at = guest.capabilities().get('v5')!;
    guest.context.writeb(TEST_CONFIG_BASE + at + 4, 4);
    guest.config(at + 8, 20);
    guest.config(at + 12, 1);
    guest.context.writeb(TEST_CONFIG_BASE + at + 16, 3);
    expect(guest.context.readb(BAR4 + 20)).toBe(3);
    guest.context.writeb(BAR4 + 20, 1);
    expect(guest.configRead(at + 16, 1)).toBe(1);
  });

  it('resets a single queue where that was agreed', () => {
    const guest = bench();
    guest.startModern(0, 0x101);
    guest.context.writew(BAR4 + 58, 1);
    expect([guest.context.readw(BAR4 + 28), guest.context.readw(BAR4 + 58)]).toEqual([0, 0]);
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    guest.context.writew(NOTIFY, 0);
    expect(guest.usedIndex()).toBe(0);
  });

  it('has a page for each notification up to machine 2.7', () => {
    const guest = bench({ pagePerQueue: true, vectors: 0 });
    const at = guest.capabilities().get('v2')!;
    expect([guest.configRead(at + 12), guest.configRead(at + 16)]).toEqual([0x40_0000, 0x1000]);
  });

  it.each<[Partial<VirtioRngProperties>, string]>([
    [{ packed: true }, 'packed'],
    [{ iommu: true }, 'iommu_platform'],
    [{ maxBytes: 1024 }, 'max-bytes'],
    [{ vectors: 129 }, 'vectors'],
    [{ disableLegacy: 'maybe' }, 'disable-legacy'],
    [{ disableLegacy: 'on', disableModern: true }, 'disable-modern'],
  ])('refuses %j', (properties, property) => {
    expect(() => bench(properties)).toThrow(expect.objectContaining({ name: 'PropertyError', property }));
  });
});

describe('MSI-X', () => {
  const enable = (guest: ReturnType<typeof bench>, control = 0x8000) =>
    guest.config(guest.capabilities().get('m')! + 2, control, 2);
  const message = (guest: ReturnType<typeof bench>, mask = 0) => {
    for (const [offset, value] of [
      [16, MESSAGE],
      [20, 0],
      [24, 0x1234_5678],
      [28, mask],
    ] as const)
      guest.context.writel(BAR1 + offset, value);
  };
  const work = (guest: ReturnType<typeof bench>) => {
    guest.startModern();
    guest.context.writew(BAR4 + 22, 0);
    guest.context.writew(BAR4 + 26, 1);
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    guest.context.writew(NOTIFY, 0);
  };

  it('sends a message instead of driving the pin', () => {
    const guest = bench();
    enable(guest);
    message(guest);
    work(guest);
    expect([guest.view.getUint32(MESSAGE, true), guest.context.level(IRQ)]).toEqual([0x1234_5678, false]);
    expect(guest.context.readl(BAR1 + 0x800)).toBe(0);
  });

  it.each(['vector', 'function'])('keeps a message pending while the %s is masked', (which) => {
    const guest = bench();
    enable(guest, which === 'function' ? 0xc000 : 0x8000);
    message(guest, which === 'vector' ? 1 : 0);
    work(guest);
    expect([guest.view.getUint32(MESSAGE, true), guest.context.readl(BAR1 + 0x800)]).toEqual([0, 2]);
    if (which === 'vector') guest.context.writel(BAR1 + 28, 0);
    else enable(guest);
    expect([guest.view.getUint32(MESSAGE, true), guest.context.readl(BAR1 + 0x800)]).toEqual([0x1234_5678, 0]);
  });

  it('sends no message without a vector, and takes none that it does not have', () => {
    const guest = bench();
    enable(guest);
    message(guest);
    guest.context.writew(BAR4 + 26, 2);
    expect(guest.context.readw(BAR4 + 26)).toBe(0xffff);
    guest.startModern();
    guest.descriptor(0, DATA, 4);
    guest.offer(0);
    guest.context.writew(NOTIFY, 0);
    expect([guest.usedIndex(), guest.view.getUint32(MESSAGE, true), guest.context.level(IRQ)]).toEqual([1, 0, false]);
  });

  it('moves the legacy registers', () => {
    const guest = bench();
    expect(guest.context.inw(IO + 20)).toBe(0xffff);
    enable(guest);
    guest.context.outw(IO + 20, 1);
    expect(guest.context.inw(IO + 20)).toBe(1);
  });
});

/** A driver at work, through both sets of registers; the second kick finds two buffers. */
const script: Step[] = [
  ({ context }) => driver(context).map(),
  ({ context }) => context.inl(IO),
  ({ context }) => context.outb(IO + 18, 3),
  ({ context }) => context.outl(IO + 4, 0x2000_0000),
  ({ context }) => context.outl(IO + 8, DESC / 4096),
  ({ context }) => context.outb(IO + 18, 7),
  ({ context }) => {
    const guest = driver(context);
    guest.descriptor(0, DATA, 64, 3, 1);
    guest.descriptor(1, DATA + 0x1000, 64);
    guest.offer(0);
    context.outw(IO + 16, 0);
  },
  ({ context }) => context.inb(IO + 19),
  ({ context }) => {
    driver(context).offer(0, 1);
    context.outw(IO + 16, 0);
  },
  ({ context }) => context.outb(IO + 18, 0),
  ({ context }) => {
    context.memory.bytes.fill(0);
    driver(context).startModern(0x1000_0000);
  },
  ({ context }) => {
    const guest = driver(context);
    for (const [offset, value] of [
      [0, MESSAGE],
      [8, 0x77],
      [12, 0],
    ] as const)
      context.writel(BAR1 + offset, value);
    guest.config(guest.capabilities().get('m')! + 2, 0x8000, 2);
    context.writew(BAR4 + 26, 0);
  },
  ({ context }) => {
    const guest = driver(context);
    guest.descriptor(2, DATA, 32);
    guest.offer(2);
    context.writew(NOTIFY, 0);
  },
  ({ context }) => context.readb(BAR4 + 0x1000),
  ({ context }) => {
    driver(context).offer(9);
    context.writew(NOTIFY, 0);
  },
  ({ context }) => context.readb(BAR4 + 20),
  ({ context }) => context.writeb(BAR4 + 20, 0),
];

describeConformance(virtioRngPci, {
  sections: [{ name: 'virtio-rng', version: 1, size: 45_526 }],
  context: onPci(constant),
  script,
  fuzz: { steps: 3000 },
  // Configuration space behind the header survives a reset, as on QEMU: the window into BAR 4 and bytes that mean nothing.
  // So do the feature selectors.
  keptOnReset: [
    'virtio-rng.virtio.pci.config',
    'virtio-rng.virtio.modern.deviceFeatureSelect',
    'virtio-rng.virtio.modern.driverFeatureSelect',
    'virtio-rng.virtio.modern.driverFeatures',
  ],
});

const recorded = JSON.parse(readFileSync(new URL('../fixtures/sections.json', import.meta.url), 'utf8')) as {
  origin: string;
  machine: string;
  transport: 'legacy' | 'transitional' | 'modern';
  bytes: string;
  vmdesc?: object;
}[];

function golden(entry: (typeof recorded)[number]): { section: GoldenSection; properties: VirtioRngProperties } {
  const bytes = Uint8Array.from(gunzipSync(Buffer.from(entry.bytes, 'base64')));
  const { origin, vmdesc, transport } = entry;
  return {
    section: goldenSection('virtio-rng', bytes, { origin, ...(vmdesc ? { vmdesc } : {}) }),
    properties: {
      ...propertiesOfMachine(virtioRngPci, compat, entry.machine),
      disableLegacy: transport === 'modern' ? 'on' : 'off',
      disableModern: transport === 'legacy',
    },
  };
}

/** Steps: `c` configuration, `o` port, `w` memory-mapped (address, value, size), `m` guest memory (address, hex), `i`, `r` reads, `reset`. */
type RecordedStep =
  | ['c' | 'o' | 'w', number, number, 1 | 2 | 4]
  | ['m', number, string]
  | ['i' | 'r', number, 1 | 2 | 4]
  | ['reset'];

const runs = JSON.parse(readFileSync(new URL('../fixtures/runs.json', import.meta.url), 'utf8')) as {
  name: string;
  properties: Partial<VirtioRngProperties>;
  steps: RecordedStep[];
  used: string;
  reads: number[];
  bytes: string;
}[];

describe('a driver that QEMU 7.2 was given', () => {
  it.each(runs.map((run) => [run.name, run] as const))('%s: leaves the same section, ring and answers', (_name, run) => {
    const { context, device } = realize(virtioRngPci, { properties: run.properties, context: onPci(constant) });
    const reads: number[] = [];
    for (const step of run.steps) {
      if (step[0] === 'm') context.memory.bytes.set(Buffer.from(step[2], 'hex'), step[1]);
      else if (step[0] === 'reset') device.reset();
      else if (step[0] === 'i') reads.push(context.in(step[1], step[2] as 1 | 2 | 4));
      else if (step[0] === 'r') reads.push(context.load(step[1], step[2] as 1 | 2 | 4));
      else if (step[0] === 'o') context.out(step[1], step[2], step[3]);
      else context.store(step[1] + (step[0] === 'c' ? TEST_CONFIG_BASE : 0), step[2] as number, step[3] as 1 | 2 | 4);
    }
    expect(reads).toEqual(run.reads);
    expect(Buffer.from(context.memory.bytes.subarray(USED, USED + 24)).toString('hex')).toBe(run.used);
    const { description, state } = device.sections[0]!;
    const theirs = gunzipSync(Buffer.from(run.bytes, 'base64'));
    const ours = Buffer.from(save(description, state));
    const different = [...ours.keys()]
      .filter((at) => ours[at] !== theirs[at])
      .map((at) => `0x${at.toString(16)}: ${ours[at]}, QEMU ${theirs[at]}`);
    expect([ours.length, different]).toEqual([theirs.length, []]);
  });

  it.each(runs.map((run) => [run.name, run] as const))('%s: goes on here', (_name, run) => {
    const bytes = Uint8Array.from(gunzipSync(Buffer.from(run.bytes, 'base64')));
    const section = goldenSection('virtio-rng', bytes, { origin: run.name });
    checkGolden(virtioRngPci, { properties: run.properties, context: onPci() }, section);
  });
});

describe('sections', () => {
  it.each(recorded.map((entry) => [entry.origin, entry] as const))('of %s load and are written again', (_origin, entry) => {
    const { section, properties } = golden(entry);
    checkGolden(virtioRngPci, { properties, context: onPci(constant) }, section);
  });

  it.each(recorded.filter(({ origin }) => origin.startsWith('QEMU 7.2')).map((entry) => [entry.origin, entry] as const))(
    'at reset are those of %s',
    (_origin, entry) => {
      const { section, properties } = golden(entry);
      // Recorded in other slots: the section does not tell.
      const { device } = realize(virtioRngPci, { properties, context: onPci(constant) });
      const { description, state } = device.sections[0]!;
      expect(Buffer.from(save(description, state)).equals(Buffer.from(section.bytes))).toBe(true);
    },
  );

  const described = (properties: Partial<VirtioRngProperties> = {}) => {
    const { device } = realize(virtioRngPci, { properties, context: onPci(constant) });
    return device.sections[0]! as { description: (typeof device.sections)[0]['description']; state: VirtioSectionState };
  };

  it.each<[string, (bytes: DataView) => void, RegExp]>([
    ['a selected queue that is none', (view) => view.setUint16(0x139, 1024), /selected queue is 1024/],
    [
      'features that were not offered',
      (view) => view.setBigUint64(0x172, (1n << 40n) | 1n),
      /Features 0x10000000001 unsupported/,
    ],
    ['too many queues', (view) => view.setUint32(0x143, 1025), /Invalid number of virtqueues/],
    ['an index without a ring', (view) => view.setUint16(0x153, 5), /inconsistent with Host index 0x5/],
    ['a vector that is none', (view) => view.setUint16(0x155, 2), /interrupt vector is 2/],
    ['a subsection of another version', (view) => view.setUint32(0x16e, 2), /64bit_features is of version 2/],
    ['a subsection that nobody knows', (view) => view.setUint8(0x160, 0x58), /is not known here/],
  ])('with %s are refused', (_what, spoil, message) => {
    const { description, state } = described();
    const bytes = save(description, state).slice();
    spoil(new DataView(bytes.buffer));
    const before = toJson(description, state);
    expect(() => load(description, state, bytes)).toThrow(StateError);
    expect(() => load(description, state, bytes)).toThrow(message);
    expect(toJson(description, state)).toEqual(before);
  });

  it('carry what a guest did to registers, rings and flags', () => {
    const { description, state } = described();
    const { virtio } = state;
    virtio.features = 0x1_3000_0000n;
    Object.assign(virtio, { status: 0x4f, isr: 3, queueSelect: 7, broken: true, started: true, disabled: true, configVector: 1 });
    virtio.queues.size[0] = 16;
    virtio.queues.descriptors[0] = 0x12_3456_7000n;
    virtio.queues.available[0] = 0x12_3456_8000n;
    virtio.queues.used[1023] = 5n;
    virtio.queues.lastAvailable[0] = 0xffff;
    virtio.modern.addresses[6 * 1023 + 5] = 0xdead_beef;
    virtio.modern.enabled[3] = 1;
    virtio.modern.driverFeatures[1] = 1;
    const bytes = save(description, state);
    const other = described();
    load(other.description, other.state, bytes);
    expect(other.state).toEqual(state);
    expect(save(other.description, other.state)).toEqual(bytes);
    const third = described();
    fromJson(third.description, third.state, JSON.parse(JSON.stringify(toJson(description, state))));
    expect(third.state).toEqual(state);
  });

  it('of older machines have no table for messages, and properties by version', () => {
    expect(propertiesOfMachine(virtioRngPci, compat, '2.4')).toMatchObject({
      vectors: 0,
      queueReset: false,
      disableModern: true,
      migrateExtra: false,
      pagePerQueue: true,
      useStarted: false,
    });
    expect(propertiesOfMachine(virtioRngPci, compat, '7.2')).toEqual(defaultProperties(virtioRngPci));
    expect(new VirtioSectionState(0).virtio.msix.table).toHaveLength(0);
  });
});
