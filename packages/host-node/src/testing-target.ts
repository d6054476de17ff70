import type { MigrationRamBlock, MigrationSection, MigrationTarget, RunState } from '@pagurus/device-model';

const PAGE = 4096;

/** A machine of some pages of RAM and one section with a number in it. For tests. */
export class TinyMachine implements MigrationTarget {
  readonly machineName = 'tiny-1.0';
  readonly settings = {
    sendConfiguration: true,
    sendSectionFooter: true,
    storeGlobalState: true,
    suppressVmdesc: false,
    sendSwitchoverStart: false,
  };
  readonly memory: Uint8Array;
  readonly log: string[] = [];
  runState: RunState;
  counter = 0;
  readonly ramBlocks: readonly MigrationRamBlock[];

  constructor(pages: number, state: RunState) {
    this.memory = new Uint8Array(pages * PAGE);
    this.runState = state;
    const { memory } = this;
    this.ramBlocks = [
      {
        name: 'tiny.ram',
        usedLength: memory.length,
        maxLength: memory.length,
        resize() {},
        page: (offset) => memory.subarray(offset, offset + PAGE),
        writePage: (offset, bytes) => memory.set(bytes, offset),
        fillPage: (offset, byte) => void memory.fill(byte, offset, offset + PAGE),
        pageIs: (offset, byte) => memory.subarray(offset, offset + PAGE).every((value) => value === byte),
      },
    ];
  }

  readonly sections: readonly MigrationSection[] = [
    {
      idstr: 'counter',
      instance: 0,
      version: 1,
      needed: () => true,
      save: () => ({
        bytes: Uint8Array.of(this.counter),
        description: { vmsd_name: 'counter', version: 1, fields: [{ name: 'counter', type: 'uint8', size: 1 }] },
      }),
      decode: (bytes, offset) => ({
        end: offset + 1,
        commit: () => {
          this.counter = bytes[offset]!;
        },
      }),
    },
  ];

  stop(state: RunState): void {
    this.runState = state;
    this.log.push(`stop ${state}`);
  }
  start(): void {
    this.runState = 'running';
    this.log.push('start');
  }
  setDirtyLogging(): void {}
  takeDirty(block: MigrationRamBlock): Uint32Array {
    return new Uint32Array(Math.ceil(block.usedLength / PAGE / 32));
  }
  reset(): void {
    this.counter = 0;
    this.memory.fill(0);
    this.log.push('reset');
  }
  resumeAfterLoad(state: RunState): void {
    this.runState = state === 'running' ? 'paused' : state;
    this.log.push(`loaded ${state}`);
  }
}
