import type { GuestMemory, IoHandler } from '@pagurus/device-model';
import { BUS_MASTER, BUS_MASTER_COMMAND, BUS_MASTER_STATUS, DESCRIPTOR } from './ata.spec.js';
import type { BusMasterState } from './bus-master.state.js';

/** A piece of guest memory that a transfer covers. */
export interface Segment {
  readonly address: number;
  readonly length: number;
}

/** A command that moves its data by bus master. */
export interface MasterTransfer {
  /** Called when both the command and the start bit are there. */
  run(): void;
  /** The guest took the start bit away. */
  stop(): void;
}

/** What the table describes; `missing` where a page of it has not arrived yet. */
export type Table =
  | {
      /** In order, cut off at the length that was asked for. */
      readonly segments: readonly Segment[];
      /** Bytes of `segments`. */
      readonly length: number;
      /** Bytes of the whole table. */
      readonly total: number;
      /** Leaves the state where a walk of so many bytes ends; else the whole table counts as used. */
      stopAt(bytes: number): void;
    }
  | { readonly missing: number };

/** One descriptor. */
interface Entry {
  readonly address: number;
  readonly size: number;
  readonly last: boolean;
  /** Address of the one after it. */
  readonly next: number;
}

/** One channel's bus master: registers, and the walk over its table of descriptors. [82371SB] 2.8.2, 3.5 */
export class BusMaster {
  private transfer: MasterTransfer | undefined;

  constructor(
    private readonly state: BusMasterState,
    private readonly memory: GuestMemory,
  ) {}

  /** Command and status take bytes only; the table's address takes all widths. */
  readonly registers: IoHandler = {
    sizes: [1, 2, 4],
    read: (offset, size) => this.read(offset, size),
    write: (offset, value, size) => this.write(offset, value, size),
  };

  /** A command waits for the start bit, or runs at once where it is set. */
  begin(transfer: MasterTransfer): void {
    this.transfer = transfer;
    this.state.curPrdLast = this.state.curPrdAddr = this.state.curPrdLen = 0;
    if ((this.state.status & BUS_MASTER_STATUS.ACTIVE) !== 0) transfer.run();
  }

  /** The command that waited is gone. */
  forget(): void {
    this.transfer = undefined;
  }

  /** The transfer is over; `more` where the table goes on beyond it. */
  end(more: boolean): void {
    this.transfer = undefined;
    const { state } = this;
    state.status = more ? state.status | BUS_MASTER_STATUS.ACTIVE : state.status & ~BUS_MASTER_STATUS.ACTIVE;
  }

  /** Back to the first descriptor. */
  rewind(): void {
    this.state.curAddr = this.state.addr;
  }

  reset(): void {
    const { state } = this;
    this.transfer = undefined;
    state.cmd = state.status = state.addr = 0;
    state.curAddr = state.curPrdLast = state.curPrdAddr = state.curPrdLen = 0;
  }

  /** Reads the table, of which the transfer needs `most` bytes. */
  readTable(most: number): Table {
    const { state } = this;
    const segments: Segment[] = [];
    const entries: Entry[] = [];
    let length = 0;
    let total = 0;
    let last = false;
    // A table of more than a page is cut off.
    for (let at = state.curAddr; !last && (at - state.addr) >>> 0 < DESCRIPTOR.TABLE_LIMIT; at = (at + DESCRIPTOR.LENGTH) >>> 0) {
      const bytes = new Uint8Array(DESCRIPTOR.LENGTH);
      const access = this.memory.read(at, bytes);
      if (!access.done) return { missing: access.missing };
      const view = new DataView(bytes.buffer);
      const address = view.getUint32(0, true);
      const size = view.getUint32(4, true) & DESCRIPTOR.SIZE_MASK || DESCRIPTOR.MAX_SIZE;
      last = (view.getUint32(4, true) & DESCRIPTOR.END) !== 0;
      entries.push({ address, size, last, next: (at + DESCRIPTOR.LENGTH) >>> 0 });
      const part = Math.min(size, most - length);
      if (part > 0) segments.push({ address, length: part });
      length += part;
      total += size;
    }
    this.stopAt(entries, total);
    return { segments, length, total, stopAt: (bytes) => this.stopAt(entries, bytes) };
  }

  private stopAt(entries: readonly Entry[], bytes: number): void {
    let left = bytes;
    for (const { address, size, last, next } of entries) {
      const used = Math.min(left, size);
      this.state.curAddr = next;
      this.state.curPrdLast = Number(last);
      this.state.curPrdAddr = (address + used) >>> 0;
      this.state.curPrdLen = size - used;
      left -= used;
      if (left === 0) return;
    }
  }

  private read(offset: number, size: number): number {
    const { state } = this;
    if (offset >= BUS_MASTER.TABLE) return state.addr >>> (8 * (offset - BUS_MASTER.TABLE));
    if (size !== 1) return 0xffff_ffff;
    if (offset === BUS_MASTER.COMMAND) return state.cmd;
    return offset === BUS_MASTER.STATUS ? state.status : 0xff;
  }

  private write(offset: number, value: number, size: number): void {
    const { state } = this;
    if (offset >= BUS_MASTER.TABLE) {
      const shift = 8 * (offset - BUS_MASTER.TABLE);
      const mask = (size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1) << shift;
      state.addr = (((state.addr & ~mask) | ((value << shift) & mask)) & ~3) >>> 0;
      return;
    }
    if (size !== 1) return;
    if (offset === BUS_MASTER.COMMAND) this.writeCommand(value);
    else if (offset === BUS_MASTER.STATUS) {
      const cleared = value & (BUS_MASTER_STATUS.ERROR | BUS_MASTER_STATUS.INTERRUPT);
      const kept = state.status & ~cleared & (BUS_MASTER_STATUS.ACTIVE | BUS_MASTER_STATUS.ERROR | BUS_MASTER_STATUS.INTERRUPT);
      state.status = (value & BUS_MASTER_STATUS.CAPABLE) | kept;
    }
  }

  private writeCommand(value: number): void {
    const { state } = this;
    const changed = ((value ^ state.cmd) & BUS_MASTER_COMMAND.START) !== 0;
    const start = (value & BUS_MASTER_COMMAND.START) !== 0;
    state.cmd = value & (BUS_MASTER_COMMAND.START | BUS_MASTER_COMMAND.TO_MEMORY);
    if (!changed) return;
    if (!start) {
      this.transfer?.stop();
      state.status &= ~BUS_MASTER_STATUS.ACTIVE;
      return;
    }
    this.rewind();
    if ((state.status & BUS_MASTER_STATUS.ACTIVE) !== 0) return;
    state.status |= BUS_MASTER_STATUS.ACTIVE;
    this.transfer?.run();
  }
}
