import type { AccessSize, DeviceContext, IrqLine, Log } from '@pagurus/device-model';
import { Budget } from './budget.js';
import { DEFAULT_WALL_CLOCK, FakeClock } from './clock.js';
import { FakeGuestMemory } from './memory.js';
import { FakeSpace } from './space.js';

export interface FakeContextOptions {
  /** Default `fake`. */
  id?: string;
  /** Virtual time at the start, nanoseconds. Default 1 second, so that a step back stays positive. */
  time?: bigint;
  /** Guest wall clock at virtual time 0. Default 2020-01-01. */
  wallClock?: bigint;
  /** What `ctx.backend(name)` gives. */
  backends?: { readonly [name: string]: unknown };
  /** Makes the slot on the parent bus; called once, before the device is created. */
  slot?: (context: FakeContext) => unknown;
  /** Bytes of guest RAM from physical address 0. Default 1 MiB. */
  memorySize?: number;
  /** Operations one access may cost before it counts as an endless loop. Default 1,000,000. */
  budget?: number;
}

/** One thing that went in or out of the device, in order. */
export type TraceEntry =
  | { readonly kind: 'port' | 'memory'; readonly address: number; readonly size: AccessSize; readonly value: number }
  | { readonly kind: 'line'; readonly pin: string; readonly level: boolean }
  | { readonly kind: 'reset' | 'shutdown'; readonly reason: string; readonly exitCode?: number | undefined }
  | { readonly kind: 'note'; readonly text: string };

/** An output pin and its history. */
export class FakeLine implements IrqLine {
  level = false;
  /** Changes to high. */
  rises = 0;
  /** Changes to low. */
  falls = 0;

  constructor(
    readonly pin: string,
    private readonly changed: (line: FakeLine) => void,
  ) {}

  set(level: boolean): void {
    if (level === this.level) return;
    this.level = level;
    if (level) this.rises++;
    else this.falls++;
    this.changed(this);
  }
}

/** Messages kept for assertions; `guestErrors` and `unimplementedCalls` hold at most the first thousand. */
export class FakeLog implements Log {
  readonly guestErrors: string[] = [];
  readonly unimplementedCalls: string[] = [];

  guestError(message: string): void {
    if (this.guestErrors.length < 1000) this.guestErrors.push(message);
  }

  unimplemented(message: string): void {
    if (this.unimplementedCalls.length < 1000) this.unimplementedCalls.push(message);
  }
}

/** A machine around one device: everything a device may touch, recorded, with no time but the test's. */
export class FakeContext implements DeviceContext {
  readonly id: string;
  readonly budget: Budget;
  readonly ports: FakeSpace;
  readonly mmio: FakeSpace;
  readonly memory: FakeGuestMemory;
  readonly clock: FakeClock;
  readonly log = new FakeLog();
  readonly slot: unknown;
  readonly backends: { readonly [name: string]: unknown };
  readonly lines = new Map<string, FakeLine>();
  /** Reads by the guest, line changes, reset and shutdown requests, notes; see {@link traceFrom}. */
  readonly trace: TraceEntry[] = [];
  readonly resetRequests: string[] = [];
  readonly shutdownRequests: { readonly reason: string; readonly exitCode: number | undefined }[] = [];

  constructor(options: FakeContextOptions = {}) {
    this.id = options.id ?? 'fake';
    this.budget = new Budget(options.budget ?? 1_000_000);
    this.ports = new FakeSpace('ports', 0x1_0000, this.budget);
    this.mmio = new FakeSpace('memory', 2 ** 52, this.budget);
    this.memory = new FakeGuestMemory(options.memorySize ?? 0x10_0000, this.budget);
    this.clock = new FakeClock(options.time ?? 1_000_000_000n, options.wallClock ?? DEFAULT_WALL_CLOCK, this.budget);
    this.backends = options.backends ?? {};
    this.slot = options.slot?.(this);
  }

  line(pin: string): FakeLine {
    let line = this.lines.get(pin);
    if (!line) {
      line = new FakeLine(pin, (changed) => this.trace.push({ kind: 'line', pin, level: changed.level }));
      this.lines.set(pin, line);
    }
    return line;
  }

  /** Level of an output pin; false if the device never took it. */
  level(pin: string): boolean {
    return this.lines.get(pin)?.level ?? false;
  }

  backend<B>(name: string): B | undefined {
    return this.backends[name] as B | undefined;
  }

  requestReset(reason: string): void {
    this.resetRequests.push(reason);
    this.trace.push({ kind: 'reset', reason });
  }

  requestShutdown(reason: string, exitCode?: number): void {
    this.shutdownRequests.push({ reason, exitCode });
    this.trace.push({ kind: 'shutdown', reason, exitCode });
  }

  onMemoryArrived(retry: () => void): void {
    this.memory.onArrived(retry);
  }

  /** Puts what the host saw (a byte sent, a frame) into the trace, so that two runs can be compared. */
  note(text: string): void {
    this.trace.push({ kind: 'note', text });
  }

  /** The trace from entry `start` on, one line each, for comparison and messages. */
  traceFrom(start: number): string[] {
    return this.trace.slice(start).map(formatTrace);
  }

  in(port: number, size: AccessSize): number {
    this.budget.refill();
    const value = this.ports.read(port, size);
    this.trace.push({ kind: 'port', address: port, size, value });
    return value;
  }

  out(port: number, value: number, size: AccessSize): void {
    this.budget.refill();
    this.ports.write(port, value, size);
  }

  load(address: number, size: AccessSize): number {
    this.budget.refill();
    const value = this.mmio.read(address, size);
    this.trace.push({ kind: 'memory', address, size, value });
    return value;
  }

  store(address: number, value: number, size: AccessSize): void {
    this.budget.refill();
    this.mmio.write(address, value, size);
  }

  inb = (port: number): number => this.in(port, 1);
  inw = (port: number): number => this.in(port, 2);
  inl = (port: number): number => this.in(port, 4);
  outb = (port: number, value: number): void => this.out(port, value, 1);
  outw = (port: number, value: number): void => this.out(port, value, 2);
  outl = (port: number, value: number): void => this.out(port, value, 4);
  readb = (address: number): number => this.load(address, 1);
  readw = (address: number): number => this.load(address, 2);
  readl = (address: number): number => this.load(address, 4);
  writeb = (address: number, value: number): void => this.store(address, value, 1);
  writew = (address: number, value: number): void => this.store(address, value, 2);
  writel = (address: number, value: number): void => this.store(address, value, 4);
  advance = (nanoseconds: bigint | number): void => this.clock.advance(nanoseconds);
  setTime = (time: bigint): void => this.clock.setTime(time);
}

/** A fresh fake machine. */
export function fakeContext(options: FakeContextOptions = {}): FakeContext {
  return new FakeContext(options);
}

function formatTrace(entry: TraceEntry): string {
  switch (entry.kind) {
    case 'port':
    case 'memory':
      return `${entry.kind} 0x${entry.address.toString(16)}/${entry.size} -> 0x${entry.value.toString(16)}`;
    case 'line':
      return `line ${entry.pin} ${entry.level ? 'high' : 'low'}`;
    case 'note':
      return `note ${entry.text}`;
    default:
      return `${entry.kind} ${entry.reason}${entry.exitCode === undefined ? '' : ` ${entry.exitCode}`}`;
  }
}
