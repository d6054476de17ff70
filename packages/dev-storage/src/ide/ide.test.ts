import { TEST_CONFIG_BASE } from '@pagurus/dev-pci/testing';
import { PropertyError } from '@pagurus/device-model';
import { defaultProperties, loadSection, saveSection } from '@pagurus/device-testkit';
import { describe as describeState } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import {
  controllerWith,
  disk,
  file,
  guest,
  machine,
  numberedDisc,
  numberedDisk,
  type Plugged,
  plug,
  SlowBackend,
} from '../../test-support/machine.js';
import { MemoryBlockBackend } from '../memory-backend.js';
import { ideCd, ideHd } from './ide-disks.js';
import type { Piix3IdeState } from './piix3-ide.state.js';

const slow = (bytes = numberedDisk()) => {
  const backend = new SlowBackend(new MemoryBlockBackend(bytes));
  return { backend, plugged: { type: ideHd, channel: 0, unit: 0, backend } satisfies Plugged };
};
const disc = (backend = new MemoryBlockBackend(numberedDisc(), { readOnly: true })): Plugged => ({
  type: ideCd,
  channel: 1,
  unit: 0,
  backend,
});
const state = ({ device }: ReturnType<typeof machine>) => device.sections[0]!.state as Piix3IdeState;
const save = ({ device }: ReturnType<typeof machine>) => saveSection(device.sections[0]!)!.bytes;

/** Moves a machine: its section and the guest's memory. */
function move(from: ReturnType<typeof machine>, ...drives: readonly Plugged[]) {
  const to = machine(...drives);
  to.context.memory.bytes.set(from.context.memory.bytes);
  loadSection(to.device.sections[0]!, save(from));
  to.device.resume?.();
  return to;
}

describe('controller', () => {
  it('is 8086:7010 with bus mastering in BAR4', () => {
    const { context } = machine();
    expect(context.readl(TEST_CONFIG_BASE)).toBe(0x7010_8086);
    expect(context.readl(TEST_CONFIG_BASE + 8)).toBe(0x0101_8000);
    context.writel(TEST_CONFIG_BASE + 0x20, 0xffff_ffff);
    expect(context.readl(TEST_CONFIG_BASE + 0x20)).toBe(0xffff_fff1);
  });

  it('reads as zeros without drives', () => {
    const { context } = machine();
    for (const port of [0x1f1, 0x1f2, 0x1f7, 0x3f6, 0x177, 0x376]) expect(context.inb(port)).toBe(0);
  });

  it('refuses two drives in one place, and drives without what they need', () => {
    const { context, ide } = machine(disk());
    expect(() => plug(context, ide, disk())).toThrow(/unit: ide\.0 unit 0 is in use/);
    expect(() => plug(context, ide, { type: ideHd, channel: 1, unit: 0 })).toThrow(/ide-hd\.drive: needs an image/);
    const readOnly = new MemoryBlockBackend(numberedDisk(), { readOnly: true });
    expect(() => plug(context, ide, { type: ideHd, channel: 1, unit: 0, backend: readOnly })).toThrow(/read-only/);
    expect(() => ideHd.create(context, defaultProperties(ideHd))).toThrow(PropertyError);
  });
});

describe('data port', () => {
  it('reads sectors one interrupt at a time', () => {
    const { context, guest } = machine(disk());
    guest.command(0x20, 100, 2);
    expect([context.level('irq14'), context.inb(0x1f7)]).toEqual([true, 0x58]);
    expect(context.level('irq14')).toBe(false);
    expect(guest.words(256)).toEqual(new Array(256).fill(100));
    expect(context.level('irq14')).toBe(true);
    expect(guest.words(256)).toEqual(new Array(256).fill(101));
    expect(context.inb(0x1f7)).toBe(0x50);
  });

  it('writes sectors', () => {
    const bytes = numberedDisk();
    const { context, guest } = machine(disk(bytes));
    guest.command(0x30, 7, 2);
    expect(context.level('irq14')).toBe(false);
    guest.fill(0xabcd);
    expect([context.level('irq14'), context.inb(0x1f7)]).toEqual([true, 0x58]);
    guest.fill(0x1234);
    expect(context.inb(0x1f7)).toBe(0x50);
    expect([...bytes.subarray(7 * 512 - 2, 7 * 512 + 2)]).toEqual([6, 0, 0xcd, 0xab]);
    expect([...bytes.subarray(9 * 512 - 2, 9 * 512 + 2)]).toEqual([0x34, 0x12, 9, 0]);
  });

  it('counts 256 sectors as 0', () => {
    const { guest, context } = machine(disk());
    guest.command(0x20, 0, 0);
    for (let sector = 0; sector < 256; sector++) expect(guest.words(256)[255]).toBe(sector);
    expect(context.inb(0x1f7)).toBe(0x50);
  });

  it('aborts beyond the end', () => {
    const { guest, context } = machine(disk());
    guest.command(0x20, 4095, 2);
    guest.words(256);
    expect([context.inb(0x1f7), context.inb(0x1f1)]).toEqual([0x41, 4]);
  });

  it('shows busy while the image takes its time', async () => {
    const { backend, plugged } = slow();
    const { context, guest } = machine(plugged);
    guest.command(0x20, 5);
    expect([context.inb(0x1f7), context.level('irq14')]).toEqual([0xd0, false]);
    context.outb(0x1f2, 99);
    await backend.complete();
    expect([context.level('irq14'), context.inb(0x1f7), context.inb(0x1f2)]).toEqual([true, 0x58, 0]);
    expect(guest.words(256)[0]).toBe(5);
  });

  it('forgets a request when it is reset', async () => {
    const { backend, plugged } = slow();
    const { context, guest, device } = machine(plugged);
    guest.command(0x20, 5);
    device.reset();
    await backend.complete();
    expect([context.inb(0x1f7), context.level('irq14')]).toEqual([0x50, false]);
  });

  it('tells the guest of a host that fails', async () => {
    const { backend, plugged } = slow();
    const { context, guest } = machine(plugged);
    backend.failure = new Error('disk on fire');
    guest.command(0x20, 5);
    await backend.complete();
    expect([context.inb(0x1f7), context.inb(0x1f1)]).toEqual([0x41, 4]);
    expect(context.log.guestErrors).toEqual(['I/O error: disk on fire']);
  });

  it('keeps its interrupt to itself while the guest says so', () => {
    const { context, guest } = machine(disk());
    context.outb(0x3f6, 2);
    guest.command(0xe7);
    expect([context.level('irq14'), context.inb(0xc002)]).toEqual([false, 0]);
  });
});

describe('bus mastering', () => {
  it('reads into scattered memory', () => {
    const { context, guest } = machine(disk());
    guest.table([
      [0x2000, 0x300],
      [0x5000, 0x100],
    ]);
    guest.command(0xc8, 300, 2);
    context.outb(0xc000, 9);
    expect([context.level('irq14'), context.inb(0xc002), context.inb(0x1f7)]).toEqual([true, 4, 0x50]);
    expect([...context.memory.bytes.subarray(0x21fe, 0x2202)]).toEqual([0x2c, 1, 0x2d, 1]);
    expect([...context.memory.bytes.subarray(0x50fe, 0x5101)]).toEqual([0x2d, 1, 0]);
  });

  it('writes from memory, started first', () => {
    const bytes = numberedDisk();
    const { context, guest } = machine(disk(bytes));
    context.memory.bytes.fill(0x77, 0x8000, 0x8400);
    guest.table([[0x8000, 0x400]]);
    context.outb(0xc000, 1);
    guest.command(0xca, 10, 2);
    expect(context.inb(0xc002)).toBe(4);
    expect(bytes.subarray(10 * 512, 12 * 512).every((byte) => byte === 0x77)).toBe(true);
    expect(bytes[12 * 512]).toBe(12);
  });

  it('moves megabytes in one command', () => {
    const { context, guest } = machine(disk());
    guest.table(Array.from({ length: 8 }, (_, i) => [0x2_0000 + i * 0x1_0000, 0x1_0000] as const));
    guest.extended(0x25, 0, 1024);
    context.outb(0xc000, 9);
    expect(context.inb(0xc002)).toBe(4);
    expect(context.memory.bytes[0x2_0000 + 1023 * 512 + 1]).toBe(3);
  });

  it('does nothing while the function may not master the bus', () => {
    const { context, guest } = machine(disk());
    guest.table([[0x2000, 0x200]]);
    context.writew(TEST_CONFIG_BASE + 4, 1);
    guest.command(0xc8, 300);
    context.outb(0xc000, 9);
    expect(context.memory.bytes[0x2000]).toBe(0);
  });

  it('waits for pages that have not arrived, each once', () => {
    const { context, guest } = machine(disk());
    guest.table([
      [0x2f00, 0x200],
      [0x6000, 0x200],
    ]);
    context.memory.withhold();
    guest.command(0xc8, 300, 2);
    context.outb(0xc000, 9);
    expect([context.inb(0xc002), context.inb(0x1f7)]).toEqual([1, 0x58]);
    context.memory.arrive();
    expect([context.inb(0xc002), context.inb(0x1f7)]).toEqual([4, 0x50]);
    expect([context.memory.bytes[0x2f00], context.memory.bytes[0x6000]]).toEqual([0x2c, 0x2d]);
  });

  it('stops when the guest takes the start bit away', async () => {
    const { backend, plugged } = slow();
    const { context, guest } = machine(plugged);
    guest.table([[0x2000, 0x200]]);
    guest.command(0xc8, 300);
    context.outb(0xc000, 9);
    context.outb(0xc000, 8);
    await backend.complete();
    expect([context.inb(0xc002), context.memory.bytes[0x2000], context.level('irq14')]).toEqual([0, 0, false]);
  });
});

describe('a move', () => {
  it('in the middle of a sector goes on with the next word', () => {
    const a = machine(disk());
    a.guest.command(0x20, 100, 2);
    a.guest.words(100);
    const b = move(a, disk());
    expect(b.guest.words(156)).toEqual(new Array(156).fill(100));
    expect(b.guest.words(256)[0]).toBe(101);
    expect(b.context.inb(0x1f7)).toBe(0x50);
  });

  it('keeps the interrupt that the guest has not seen', () => {
    const a = machine(disk());
    a.guest.command(0x20, 100);
    const b = move(a, disk());
    expect(b.context.level('irq14')).toBe(true);
    b.context.inb(0x1f7);
    expect(b.context.level('irq14')).toBe(false);
    expect(move(b, disk()).context.level('irq14')).toBe(false);
  });

  it.each([0x20, 0x24])('while a read (0x%s) is on its way asks again', async (command) => {
    const { plugged } = slow();
    const a = machine(plugged);
    a.guest.extended(command, 5, 1);
    const b = move(a, disk());
    expect([b.context.level('irq14'), b.context.inb(0x1f7)]).toEqual([true, 0x58]);
    expect(b.guest.words(256)[0]).toBe(5);
    expect(state(b).buses[0].errorStatus).toBe(0);
  });

  it('while a write is on its way writes again', () => {
    const bytes = numberedDisk();
    const a = machine(slow().plugged);
    a.guest.command(0x30, 5);
    a.guest.fill(0x4242);
    const b = move(a, disk(bytes));
    expect(b.context.inb(0x1f7)).toBe(0x50);
    expect(bytes[5 * 512 + 511]).toBe(0x42);
  });

  it('while a bus master transfer is on its way does it again', () => {
    const a = machine(slow().plugged);
    a.guest.table([[0x2000, 0x400]]);
    a.guest.command(0xc8, 5, 2);
    a.context.outb(0xc000, 9);
    const b = move(a, disk());
    expect(b.context.inb(0xc002)).toBe(4);
    expect([b.context.memory.bytes[0x2000], b.context.memory.bytes[0x2200]]).toEqual([5, 6]);
  });

  it('before the start bit waits for it', () => {
    const a = machine(disk());
    a.guest.table([[0x2000, 0x200]]);
    a.guest.command(0xc8, 5);
    const b = move(a, disk());
    expect(b.context.memory.bytes[0x2000]).toBe(0);
    b.context.outb(0xc000, 9);
    expect(b.context.memory.bytes[0x2000]).toBe(5);
  });

  it('while a cache is flushed flushes again', () => {
    const a = machine(slow().plugged);
    a.guest.command(0xe7);
    expect(a.context.inb(0x1f7)).toBe(0xc0);
    const b = move(a, disk());
    expect(b.context.inb(0x1f7)).toBe(0x50);
  });

  it('in the middle of a packet reply goes on, also behind the buffer', () => {
    const a = machine(disc());
    a.guest.packet([0x28, 0, 0, 0, 0, 5, 0, 0, 100], { limit: 0x8000 });
    const bytes: number[] = [];
    const take = (from: typeof a, words: number) => {
      for (let i = 0; i < words; i++) {
        const word = from.context.inw(0x170);
        bytes.push(word & 0xff, word >> 8);
      }
    };
    take(a, 10_000);
    const b = move(a, disc());
    take(b, 50_000);
    const c = move(b, disc());
    take(c, 42_400);
    expect(bytes).toHaveLength(100 * 2048);
    expect(Buffer.compare(Buffer.from(bytes), Buffer.from(numberedDisc().subarray(5 * 2048, 105 * 2048)))).toBe(0);
    expect(c.context.inb(0x177)).toBe(0x50);
  });

  it.each([0, 1])('while a disc is being read reads again (features %s)', (features) => {
    const backend = new SlowBackend(new MemoryBlockBackend(numberedDisc()));
    const a = machine({ type: ideCd, channel: 1, unit: 0, backend });
    a.guest.table([[0x2000, 0x800]], 0xc008);
    a.guest.packet([0x28, 0, 0, 0, 0, 5, 0, 0, 1], { features });
    if (features === 1) a.context.outb(0xc008, 9);
    const b = move(a, disc());
    if (features === 1) expect(b.context.memory.bytes[0x2000]).toBe(5);
    else expect(b.guest.reply().slice(0, 2)).toEqual([5, 12]);
    expect(b.context.inb(0x177)).toBe(0x50);
  });

  it('to a drive without the disc fails the request', () => {
    const backend = new SlowBackend(new MemoryBlockBackend(numberedDisc()));
    const a = machine({ type: ideCd, channel: 1, unit: 0, backend });
    a.guest.packet([0x28, 0, 0, 0, 0, 5, 0, 0, 1]);
    const b = move(a, { type: ideCd, channel: 1, unit: 0 });
    expect([b.context.inb(0x177), b.context.inb(0x171)]).toEqual([0x41, 0x20]);
  });
});

describe('CD drive', () => {
  it('tells who it is where a disk would be identified', () => {
    const { context } = machine(disc());
    context.outb(0x176, 0xa0);
    context.outb(0x177, 0xec);
    expect([context.inb(0x177), context.inb(0x174), context.inb(0x175)]).toEqual([0x41, 0x14, 0xeb]);
  });

  it('reports a changed disc in two steps', () => {
    const { guest, services, context } = machine(disc());
    services[0]!.control.changeMedium(new MemoryBlockBackend(new Uint8Array(2048)));
    const ready = () => {
      guest.packet([0]);
      const [status, error] = [context.inb(0x177), context.inb(0x171)];
      guest.packet([3, 0, 0, 0, 18]);
      const sense = guest.reply();
      return [status, error, sense[2], sense[12]];
    };
    expect(ready()).toEqual([0x41, 0x20, 2, 0x3a]);
    expect(ready()).toEqual([0x41, 0x60, 6, 0x28]);
    expect(ready()).toEqual([0x50, 0, 0, 0x28]);
    guest.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]);
    expect(guest.reply()).toEqual([0, 4, 4, 0x10, 2, 2, 0, 0]);
  });

  it('keeps a locked tray closed until the host forces it', () => {
    const { guest, services, context } = machine(disc());
    const { control } = services[0]!;
    guest.packet([0x1e, 0, 0, 0, 1]);
    guest.packet([0x1b, 0, 0, 0, 2]);
    expect([context.inb(0x177), control.trayOpen, control.trayLocked]).toEqual([0x41, false, true]);
    control.requestEject(true);
    guest.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]);
    expect(guest.reply()[4]).toBe(1);
    guest.packet([0x1b, 0, 0, 0, 2]);
    expect([context.inb(0x177), control.trayOpen]).toEqual([0x50, true]);
  });

  it('answers an odd number of bytes', () => {
    const { guest } = machine(disc());
    guest.packet([3, 0, 0, 0, 13]);
    expect(guest.reply()).toHaveLength(13);
  });

  it('reads raw sectors', () => {
    const { guest } = machine(disc());
    guest.packet([0xbe, 0, 0, 0, 0, 5, 0, 0, 2, 0xf8]);
    const bytes = guest.reply();
    expect(bytes).toHaveLength(2 * 2352);
    expect(bytes.slice(0, 18)).toEqual([0, ...new Array(10).fill(0xff), 0, 0, 2, 5, 1, 5, 12]);
    expect(bytes.slice(2352 + 12, 2352 + 18)).toEqual([0, 2, 6, 1, 6, 13]);
  });

  it('knows a DVD by its size', () => {
    const { guest } = machine(disc(new MemoryBlockBackend(new Uint8Array(0), { readOnly: true })));
    guest.packet([0x46, 0, 0, 0, 0, 0, 0, 1, 0]);
    expect(guest.reply().slice(6, 8)).toEqual([0, 0]);
    const big = { sectors: 2 ** 21, readOnly: true, read: async () => {}, write: async () => {}, flush: async () => {} };
    const other = machine({ type: ideCd, channel: 1, unit: 0, backend: big });
    other.guest.packet([0x46, 0, 0, 0, 0, 0, 0, 1, 0]);
    expect(other.guest.reply().slice(6, 8)).toEqual([0, 0x10]);
    other.guest.packet([0xad, 0, 0, 0, 0, 0, 0, 0, 0x10, 0]);
    const structure = other.guest.reply();
    expect(structure).toHaveLength(2052);
    expect(structure.slice(0, 20)).toEqual([8, 2, 0, 0, 1, 0x0f, 1, 0, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0, 7, 0xff, 0xff]);
  });
});

describe('streams of QEMU 7.2', () => {
  const load = (to: ReturnType<typeof machine>, name: string) => {
    loadSection(to.device.sections[0]!, file(`${name}.ide.bin.gz`));
    return to;
  };

  it.each([
    ['reset', () => machine()],
    ['reset-2.4', () => machine()],
    ['reset-1.4', () => machine()],
    ['seabios', () => machine()],
    ['seabios-cd', () => machine({ type: ideCd, channel: 1, unit: 0 })],
    ['devstate', () => machine(disk(new Uint8Array(16 << 20)))],
    ['retry-pio-read', () => machine(disk())],
    ['retry-pio-write', () => machine(disk())],
    ['retry-dma-read', () => machine(disk())],
    ['retry-dma-write', () => machine(disk())],
    ['retry-dma-read-not-started', () => machine(disk())],
  ])('%s is rewritten byte for byte', (name, build) => {
    const to = load(build(), name);
    expect(save(to)).toEqual(file(`${name}.ide.bin.gz`));
  });

  it('devstate: the guest reads on where it stopped', () => {
    const to = load(machine(disk(new Uint8Array(16 << 20))), 'devstate');
    to.device.resume?.();
    const identity = new DataView(state(to).primary[0].identifyData.buffer);
    const rest = Array.from({ length: 156 }, (_, i) => identity.getUint16(200 + 2 * i, true));
    expect(to.guest.words(156)).toEqual(rest);
    expect(to.context.inb(0x1f7)).toBe(0x50);
  });

  it('devstate: our IDENTIFY is the one that QEMU made', () => {
    const to = load(machine(disk(new Uint8Array(16 << 20))), 'devstate');
    const own = machine(disk(new Uint8Array(16 << 20)));
    own.guest.command(0xec);
    expect(state(own).primary[0].identifyData).toEqual(state(to).primary[0].identifyData);
  });

  it('seabios-cd: our IDENTIFY PACKET is the one that QEMU made', () => {
    const to = load(machine({ type: ideCd, channel: 1, unit: 0 }), 'seabios-cd');
    const own = machine({ type: ideCd, channel: 1, unit: 0 });
    own.context.outb(0x176, 0xa0);
    own.context.outb(0x177, 0xa1);
    expect(state(own).secondary[0].identifyData).toEqual(state(to).secondary[0].identifyData);
  });

  it('retry-pio-read: the read that failed there succeeds here', () => {
    const to = load(machine(disk()), 'retry-pio-read');
    to.device.resume?.();
    expect(to.guest.words(256)[0]).toBe(1234);
    expect(to.guest.words(512)).toEqual([...new Array(256).fill(1235), ...new Array(256).fill(1236)]);
  });

  it('retry-pio-write: the write that failed there succeeds here', () => {
    const bytes = numberedDisk();
    const to = load(machine(disk(bytes)), 'retry-pio-write');
    to.device.resume?.();
    expect(to.context.inb(0x1f7)).toBe(0x58);
    expect(new DataView(bytes.buffer).getUint16(1235 * 512 + 510, true)).toBe(255);
  });

  it('retry-dma-read: the transfer begins again', () => {
    const to = machine(disk());
    to.guest.table([
      [0x2000, 0x400],
      [0x3000, 0x400],
    ]);
    load(to, 'retry-dma-read');
    to.device.resume?.();
    expect(to.context.inb(0xc002)).toBe(4);
    const words = new DataView(to.context.memory.bytes.buffer, to.context.memory.bytes.byteOffset);
    expect([0x2000, 0x2200, 0x3000, 0x3200].map((at) => words.getUint16(at, true))).toEqual([1233, 1234, 1235, 1236]);
  });

  it('is described as QEMU describes it', () => {
    const recorded = JSON.parse(new TextDecoder().decode(file('vmdesc.json.gz'))) as { 'devstate.ide': object };
    const to = load(machine(disk(new Uint8Array(16 << 20))), 'devstate');
    const { description, state: loaded } = to.device.sections[0]!;
    expect(describeState(description, loaded)).toEqual(recorded['devstate.ide']);
  });

  it('is refused with data outside the buffer', () => {
    const bytes = file('devstate.ide.bin.gz');
    const at = Buffer.from(bytes).indexOf('ide_drive/pio_state') + 19 + 4 + 4 + 131076;
    new DataView(bytes.buffer).setInt32(at, 131070);
    expect(() => loadSection(machine(disk()).device.sections[0]!, bytes)).toThrow(/data lies in the buffer/);
  });
});

it('serves a type for the conformance suite', () => {
  const { context } = machine();
  expect(controllerWith(() => []).type).toBe('piix3-ide');
  expect(guest(context).words(1)).toEqual([0]);
});
