/** Test helper: the floppy controller with drives on a fake machine, and as much of a DMA controller as it needs. */
import { type BlockBackend, type Device, type DeviceContext, type DeviceType, defineDevice } from '@pagurus/device-model';
import { defaultProperties, FakeContext } from '@pagurus/device-testkit';
import type { FloppyDma } from '../src/floppy/fdc.js';
import {
  type FloppyControl,
  type FloppyControllerService,
  floppy,
  type IsaFdcProperties,
  isaFdc,
} from '../src/floppy/isa-fdc.js';

/** Channel 2 of an 8237 at its PC ports: enough for one block, served at the next opportunity. */
export class OneChannel implements FloppyDma {
  address = 0x2000;
  length = 1024;
  private position = 0;
  private flipFlop = 0;
  private masked = false;
  private requested = false;
  private handler: ((position: number, length: number) => number) | undefined;
  private readonly timer;

  constructor(private readonly context: FakeContext) {
    this.timer = context.clock.timer(() => this.run());
    context.memory.onArrived(() => this.schedule());
  }

  registerChannel(_: number, handler: (position: number, length: number) => number): void {
    this.handler = handler;
  }

  holdRequest(): void {
    this.requested = true;
    this.position = 0;
    this.schedule();
  }

  releaseRequest(): void {
    this.requested = false;
  }

  readMemory = (_: number, position: number, target: Uint8Array) => this.context.memory.read(this.address + position, target);
  writeMemory = (_: number, position: number, source: Uint8Array) => this.context.memory.write(this.address + position, source);

  /** A write to one of its ports; false if the port is not one. */
  out(port: number, value: number): boolean {
    const byte = (old: number): number => (this.flipFlop++ % 2 === 0 ? (old & ~0xff) | value : (old & ~0xff00) | (value << 8));
    switch (port) {
      case 0x04:
        this.address = byte(this.address);
        return true;
      case 0x05:
        this.length = (byte(this.length - 1) & 0xffff) + 1;
        return true;
      case 0x0a:
        this.masked = (value & 4) !== 0;
        this.schedule();
        return true;
      case 0x0b:
        return true;
      case 0x0c:
        this.flipFlop = 0;
        return true;
      case 0x81:
        this.address = (this.address & 0xffff) + value * 0x1_0000;
        return true;
      default:
        return false;
    }
  }

  private schedule(): void {
    if (this.requested && !this.masked) this.timer.arm(this.context.clock.now());
  }

  private run(): void {
    while (this.requested && !this.masked) {
      const before = this.position;
      this.position = this.handler?.(before, this.length) ?? before;
      if (this.position === before || this.position >= this.length) return;
    }
  }
}

export interface PluggedFloppy {
  readonly unit: number;
  readonly backend?: BlockBackend | undefined;
}

export function plugFloppy(
  context: DeviceContext,
  service: FloppyControllerService,
  { unit, backend }: PluggedFloppy,
): FloppyControl {
  const place = Object.assign(Object.create(context) as DeviceContext, { slot: service.slot(unit), backend: () => backend });
  return (floppy.create(place, defaultProperties(floppy)).services as { control: FloppyControl }).control;
}

/** A type for the conformance suite: the controller with its drives. */
export function fdcWith(drives: () => readonly PluggedFloppy[]): DeviceType<object> {
  return defineDevice<object>({
    type: 'isa-fdc',
    doc: '',
    bus: 'isa',
    properties: {},
    create(context): Device {
      const device = isaFdc.create(context, defaultProperties(isaFdc));
      for (const drive of drives()) plugFloppy(context, device.services as FloppyControllerService, drive);
      return device;
    },
  });
}

/** The fake machine around the controller: its DMA channel is a backend. */
export function fdcContext(): FakeContext {
  const backends: { dma?: OneChannel } = {};
  const context = new FakeContext({ backends });
  backends.dma = new OneChannel(context);
  return context;
}

export function fdcMachine(drives: readonly PluggedFloppy[] = [], properties: Partial<IsaFdcProperties> = {}) {
  const context = fdcContext();
  const device = isaFdc.create(context, defaultProperties(isaFdc, properties));
  const service = device.services as FloppyControllerService;
  const controls = drives.map((drive) => plugFloppy(context, service, drive));
  device.reset();
  const dma = context.backend<OneChannel>('dma')!;
  const out = (port: number, value: number): void => {
    if (!dma.out(port, value)) context.outb(port, value);
    context.advance(0n);
  };
  return {
    context,
    device,
    service,
    controls,
    dma,
    out,
    /** Writes a command to the FIFO. */
    command: (...bytes: number[]): void => {
      for (const byte of bytes) out(0x3f5, byte);
    },
    /** All bytes that the controller has for the guest, at most `most`. */
    results(most = 20): number[] {
      const bytes: number[] = [];
      while (bytes.length < most && (context.inb(0x3f4) & 0xc0) === 0xc0) bytes.push(context.inb(0x3f5));
      return bytes;
    },
  };
}
