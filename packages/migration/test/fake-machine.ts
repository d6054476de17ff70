import type { MigrationRamBlock, MigrationSection, MigrationTarget, RunState, StreamSettings } from '@pagurus/device-model';
import { decode, fieldsOf, saveDescribed, vmstate } from '@pagurus/vmstate';
import type { HostTimer } from '../src/index.js';

export const PAGE = 4096;

export const SETTINGS: StreamSettings = {
  sendConfiguration: true,
  sendSectionFooter: true,
  storeGlobalState: true,
  suppressVmdesc: false,
  sendSwitchoverStart: false,
};

/** RAM with a dirty log. */
export class FakeBlock implements MigrationRamBlock {
  bytes: Uint8Array;
  logging = false;
  readonly powerOnLength: number;
  private dirty: Uint32Array;

  constructor(
    readonly name: string,
    pages: number,
    readonly maxLength = pages * PAGE,
  ) {
    this.powerOnLength = pages * PAGE;
    this.bytes = new Uint8Array(this.powerOnLength);
    this.dirty = new Uint32Array(Math.ceil(pages / 32));
  }
  get usedLength(): number {
    return this.bytes.length;
  }
  resize(usedLength: number): void {
    const bytes = new Uint8Array(usedLength);
    bytes.set(this.bytes.subarray(0, usedLength));
    this.bytes = bytes;
    this.dirty = new Uint32Array(Math.ceil(usedLength / PAGE / 32));
  }
  page(offset: number): Uint8Array {
    return this.bytes.subarray(offset, offset + PAGE);
  }
  writePage(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
  }
  fillPage(offset: number, byte: number): void {
    this.page(offset).fill(byte);
  }
  pageIs(offset: number, byte: number): boolean {
    return this.page(offset).every((value) => value === byte);
  }
  /** What a guest's store does. */
  store(address: number, value: number): void {
    this.bytes[address] = value;
    const page = Math.floor(address / PAGE);
    if (this.logging) this.dirty[page >> 5]! |= 1 << (page & 31);
  }
  startLogging(on: boolean): void {
    this.logging = on;
    this.dirty.fill(on ? 0xffff_ffff : 0);
  }
  takeDirty(): Uint32Array {
    const taken = this.dirty;
    this.dirty = new Uint32Array(taken.length);
    return taken;
  }
}

/** A device: a counter that the guest moves, with a subsection that is sent only when needed. */
export class CounterState {
  count = 0;
  limit = 100n;
  data = new Uint8Array(8);
  alarm = 0;
}
const c = fieldsOf<CounterState>();
export const counterDescription = vmstate<CounterState>({
  name: 'counter',
  version: 3,
  minVersion: 2,
  fields: [c.u32('count'), c.u64('limit', 'limit', { since: 3 }), c.bytes('data')],
  subsections: [
    vmstate<CounterState>({ name: 'counter/alarm', version: 1, needed: (state) => state.alarm !== 0, fields: [c.u16('alarm')] }),
  ],
  preLoad(state) {
    state.alarm = 0;
  },
});

export interface FakeMachineOptions {
  readonly name?: string;
  readonly settings?: Partial<StreamSettings>;
  readonly blocks?: readonly FakeBlock[];
  readonly sections?: readonly MigrationSection[];
  readonly runState?: RunState;
}

/** A machine as migration sees it: RAM, two counters, a run state, and a guest that is run by {@link FakeTime}. */
export class FakeMachine implements MigrationTarget {
  readonly machineName: string;
  readonly settings: StreamSettings;
  readonly ramBlocks: readonly FakeBlock[];
  readonly sections: readonly MigrationSection[];
  readonly counters = [new CounterState(), new CounterState()];
  runState: RunState;
  /** What the guest does in a millisecond of its time. */
  guest: (machine: FakeMachine) => void = () => {};
  resets = 0;
  /** In order: what was asked of the machine. */
  readonly history: string[] = [];

  constructor(options: FakeMachineOptions = {}) {
    this.machineName = options.name ?? 'pc-i440fx-7.2';
    this.settings = { ...SETTINGS, ...options.settings };
    this.ramBlocks = options.blocks ?? [
      new FakeBlock('pc.ram', 40),
      new FakeBlock('pc.bios', 2),
      new FakeBlock('/rom@etc/acpi/tables', 1, 64 * PAGE),
    ];
    this.runState = options.runState ?? 'running';
    this.sections = options.sections ?? this.counters.map((state, instance) => counterSection(state, instance));
  }
  get ram(): FakeBlock {
    return this.ramBlocks[0]!;
  }
  stop(state: RunState): void {
    this.history.push(`stop ${state}`);
    this.runState = state;
  }
  start(): void {
    this.history.push('start');
    this.runState = 'running';
  }
  setDirtyLogging(on: boolean): void {
    for (const block of this.ramBlocks) block.startLogging(on);
  }
  takeDirty(block: MigrationRamBlock): Uint32Array {
    return (block as FakeBlock).takeDirty();
  }
  reset(): void {
    this.resets++;
    for (const block of this.ramBlocks) {
      if (block.usedLength !== block.powerOnLength) block.resize(block.powerOnLength);
      block.bytes.fill(0);
    }
    for (const counter of this.counters) Object.assign(counter, new CounterState());
  }
  resumeAfterLoad(state: RunState): void {
    this.history.push(`resume ${state}`);
    this.runState = state;
  }
  /** RAM and devices, to be compared. */
  contents(): object {
    const ram = this.ramBlocks.map((block) => [block.name, Buffer.from(block.bytes).toString('base64')]);
    return { ram, counters: this.counters.map((counter) => ({ ...counter })) };
  }
}

export function counterSection(state: CounterState, instance: number): MigrationSection {
  const idstr = `0000:00:0${instance + 3}.0/counter`;
  return {
    idstr,
    instance: 0,
    compat: { idstr: 'counter', instance },
    version: counterDescription.version,
    needed: () => true,
    save: () => saveDescribed(counterDescription, state, { path: idstr }),
    decode: (bytes, offset, version) => decode(counterDescription, state, bytes, offset, version, { path: idstr }),
  };
}

/**
 * Virtual time: passes when somebody sleeps or data takes its time on the line, and the guests of running machines run in it.
 */
export class FakeTime implements HostTimer {
  private milliseconds = 0;
  constructor(private readonly machines: readonly FakeMachine[] = []) {}
  now(): number {
    return this.milliseconds;
  }
  pass(milliseconds: number): void {
    const before = Math.floor(this.milliseconds);
    this.milliseconds += milliseconds;
    for (let i = before; i < Math.floor(this.milliseconds); i++) {
      for (const machine of this.machines) if (machine.runState === 'running') machine.guest(machine);
    }
  }
  /** A turn for everybody else, and at least a little time. */
  async sleep(milliseconds: number): Promise<void> {
    this.pass(Math.max(milliseconds, 0.1));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
