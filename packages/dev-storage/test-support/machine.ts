/** Test helper: the controller with drives on a fake machine, and a guest that knows how to talk to it. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { TEST_CONFIG_BASE, testSlot } from '@pagurus/dev-pci/testing';
import { type BlockBackend, type Device, type DeviceContext, type DeviceType, defineDevice } from '@pagurus/device-model';
import { defaultProperties, FakeContext, type FakeContextOptions } from '@pagurus/device-testkit';
import { type IdeDriveService, type ideCd, ideHd } from '../src/ide/ide-disks.js';
import { type IdeControllerService, piix3Ide } from '../src/ide/piix3-ide.js';
import { MemoryBlockBackend } from '../src/memory-backend.js';

export const file = (name: string): Uint8Array =>
  new Uint8Array(gunzipSync(readFileSync(new URL(`../fixtures/${name}`, import.meta.url))));

/** 2 MiB whose sectors are filled with their own number, as the recorded runs had it. */
export const numberedDisk = (): Uint8Array => new Uint8Array(NUMBERS.slice().buffer);

const NUMBERS = Uint16Array.from({ length: 4096 * 256 }, (_, i) => i >> 8);

/** 300 blocks; byte i of block b is 7 i + b. */
export const numberedDisc = (): Uint8Array => DISC.slice();

const DISC = Uint8Array.from({ length: 300 * 2048 }, (_, i) => i * 7 + (i >> 11));

export interface Plugged {
  readonly type: typeof ideHd | typeof ideCd;
  readonly channel: number;
  readonly unit: number;
  readonly backend?: BlockBackend | undefined;
}

/** Creates a drive in its place. */
export function plug(
  context: DeviceContext,
  ide: IdeControllerService,
  { type, channel, unit, backend }: Plugged,
): IdeDriveService {
  const place = Object.assign(Object.create(context) as DeviceContext, {
    slot: ide.slot(channel, unit),
    backend: () => backend,
  });
  return (type as DeviceType).create(place, defaultProperties(type as DeviceType)).services as IdeDriveService;
}

/** A device type for the conformance suite: the controller with its drives. */
export function controllerWith(drives: () => readonly Plugged[]) {
  return defineDevice<object>({
    type: 'piix3-ide',
    doc: '',
    bus: 'pci',
    properties: {},
    create(context): Device {
      const device = piix3Ide.create(context, defaultProperties(piix3Ide));
      for (const drive of drives()) plug(context, device.services as IdeControllerService, drive);
      return device;
    },
  });
}

export const atSlot = (): FakeContextOptions => ({ slot: (made) => testSlot(made, 9) });

export const disk = (bytes = numberedDisk()): Plugged => ({
  type: ideHd,
  channel: 0,
  unit: 0,
  backend: new MemoryBlockBackend(bytes),
});

/** The machine of most tests: bus mastering at 0xc000, ports on. */
export function machine(...drives: readonly Plugged[]) {
  const context = new FakeContext(atSlot());
  const device = piix3Ide.create(context, defaultProperties(piix3Ide));
  const ide = device.services as IdeControllerService;
  const services = drives.map((drive) => plug(context, ide, drive));
  device.reset();
  const enable = (): void => {
    context.writew(TEST_CONFIG_BASE + 4, 5);
    context.writel(TEST_CONFIG_BASE + 0x20, 0xc001);
  };
  enable();
  return { context, device, ide, services, enable, guest: guest(context) };
}

/** What a driver does. */
export function guest(context: FakeContext) {
  const address = (base: number, sector: number, count: number): void => {
    context.outb(base + 6, 0xe0 | ((sector >> 24) & 0xf));
    context.outb(base + 2, count);
    context.outb(base + 3, sector);
    context.outb(base + 4, sector >> 8);
    context.outb(base + 5, sector >> 16);
  };
  return {
    command(command: number, sector = 0, count = 1, base = 0x1f0): void {
      address(base, sector, count);
      context.outb(base + 7, command);
    },
    /** The same with 48 bits of address and 16 of count. */
    extended(command: number, sector: number, count: number, base = 0x1f0): void {
      address(base, 0, count >> 8);
      address(base, sector, count);
      context.outb(base + 7, command);
    },
    words: (count: number, base = 0x1f0): number[] => Array.from({ length: count }, () => context.inw(base)),
    fill(value: number, base = 0x1f0): void {
      for (let i = 0; i < 256; i++) context.outw(base, value);
    },
    /** Descriptors at 0x1000, then the start bit. */
    table(entries: readonly (readonly [address: number, size: number])[], base = 0xc000): void {
      const view = new DataView(context.memory.bytes.buffer, context.memory.bytes.byteOffset);
      entries.forEach(([at, size], i) => {
        view.setUint32(0x1000 + 8 * i, at, true);
        view.setUint32(0x1004 + 8 * i, size + (i === entries.length - 1 ? 0x8000_0000 : 0), true);
      });
      context.outl(base + 4, 0x1000);
    },
    packet(bytes: readonly number[], { limit = 0xfffe, features = 0, base = 0x170 } = {}): void {
      context.outb(base + 6, 0xa0);
      context.outb(base + 1, features);
      context.outb(base + 4, limit);
      context.outb(base + 5, limit >> 8);
      context.outb(base + 7, 0xa0);
      for (let i = 0; i < 12; i += 2) context.outw(base, (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8));
    },
    /** All bytes of a packet command's reply. */
    reply(base = 0x170): number[] {
      const bytes: number[] = [];
      while ((context.inb(base + 7) & 0x08) !== 0) {
        const size = context.inb(base + 4) + 256 * context.inb(base + 5);
        for (let i = 0; i < size; i += 2) {
          const word = context.inw(base);
          bytes.push(...[word & 0xff, word >> 8].slice(0, size - i));
        }
      }
      return bytes;
    },
  };
}

/** A backend that answers when the test says so. */
export class SlowBackend implements BlockBackend {
  readonly readOnly = false;
  private readonly waiting: (() => void)[] = [];
  failure: Error | undefined;

  constructor(readonly memory: MemoryBlockBackend) {}

  get sectors(): number {
    return this.memory.sectors;
  }

  get pending(): number {
    return this.waiting.length;
  }

  read = (sector: number, target: Uint8Array): Promise<void> => this.later(() => this.memory.readNow(sector, target));
  write = (sector: number, source: Uint8Array): Promise<void> => this.later(() => this.memory.writeNow(sector, source));
  flush = (): Promise<void> => this.later(() => true);

  /** Lets the oldest request complete. */
  async complete(): Promise<void> {
    this.waiting.shift()?.();
    for (let i = 0; i < 4; i++) await Promise.resolve();
  }

  private later(run: () => true): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push(() => {
        if (this.failure) reject(this.failure);
        else {
          run();
          resolve();
        }
      });
    });
  }
}
