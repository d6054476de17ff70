import type { GuestMemory, MemoryAccess } from '@pagurus/device-model';
import { SECTOR } from './ata.spec.js';
import type { BusMaster, MasterTransfer, Segment } from './bus-master.js';

/** What a bus master transfer does with the bytes of each step. */
export interface DmaWork {
  /** True: from the drive to memory. */
  readonly toMemory: boolean;
  /** Bytes that the command moves. */
  readonly length: number;
  /** A table that is too short moves what it has room for, instead of nothing. */
  readonly partial: boolean;
  /** Asked once the table is known to be long enough; false ends the transfer with an error. */
  allowed(): boolean;
  /** Moves `bytes` between them and the medium, from `offset` of the command's data; calls `done` when they are where they belong. */
  move(offset: number, bytes: Uint8Array, done: (error: unknown) => void): void;
  /** So many bytes more are complete. */
  advance(length: number): void;
  /** All done, or (`short`) the table has no room, or an error. `more`: the table goes on behind the data. */
  finish(outcome: 'done' | 'short' | { readonly error: unknown }, more: boolean): void;
  /** Steps in flight are of no interest any more. */
  cancel(): void;
}

/** Bytes moved per step. */
const STEP = 128 * SECTOR;

/**
 * Runs a transfer step by step. Where a page of guest memory has not arrived a step does nothing, and is done again when it has.
 */
export class DmaTransfer implements MasterTransfer {
  private generation = 0;
  /** What to do when another page of guest memory has arrived. */
  private retry: (() => void) | undefined;

  constructor(
    private readonly master: BusMaster,
    private readonly memory: GuestMemory,
    private readonly work: DmaWork,
  ) {}

  run(): void {
    this.retry = undefined;
    const { work } = this;
    const table = this.master.readTable(work.length);
    if ('missing' in table) this.retry = () => this.run();
    else if (table.length < work.length && !work.partial) work.finish('short', false);
    else if (!work.allowed()) work.finish({ error: undefined }, false);
    else {
      if (work.partial) table.stopAt(table.length);
      this.step(table.segments, 0, table.length, table.total > work.length);
    }
  }

  stop(): void {
    this.generation++;
    this.retry = undefined;
    this.work.cancel();
  }

  /** A page of guest memory has arrived. */
  memoryArrived(): void {
    const { retry } = this;
    this.retry = undefined;
    retry?.();
  }

  private step(segments: readonly Segment[], offset: number, end: number, more: boolean): void {
    const { work } = this;
    if (offset === end) {
      work.finish(end < work.length ? 'short' : 'done', more);
      return;
    }
    const bytes = new Uint8Array(Math.min(STEP, end - offset));
    const next = (): void => {
      work.advance(bytes.length);
      this.step(segments, offset + bytes.length, end, more);
    };
    if (work.toMemory) this.move(offset, bytes, () => this.whenThere(() => this.scatter(segments, offset, bytes), next));
    else
      this.whenThere(
        () => this.gather(segments, offset, bytes),
        () => this.move(offset, bytes, next),
      );
  }

  private move(offset: number, bytes: Uint8Array, done: () => void): void {
    const { generation } = this;
    this.work.move(offset, bytes, (error) => {
      if (generation !== this.generation) return;
      if (error === undefined) done();
      else this.work.finish({ error }, false);
    });
  }

  /** Goes on when `copy` has found all pages. */
  private whenThere(copy: () => boolean, next: () => void): void {
    if (copy()) next();
    else this.retry = () => this.whenThere(copy, next);
  }

  private scatter(segments: readonly Segment[], offset: number, bytes: Uint8Array): boolean {
    return copy(segments, offset, bytes, (address, part) => this.memory.write(address, part));
  }

  private gather(segments: readonly Segment[], offset: number, bytes: Uint8Array): boolean {
    return copy(segments, offset, bytes, (address, part) => this.memory.read(address, part));
  }
}

/** Visits the guest memory of bytes [offset, offset + bytes.length); false where a page is missing. */
function copy(
  segments: readonly Segment[],
  offset: number,
  bytes: Uint8Array,
  access: (address: number, part: Uint8Array) => MemoryAccess,
): boolean {
  let start = 0;
  for (const { address, length } of segments) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + bytes.length, start + length);
    if (from < to && !access((address + from - start) >>> 0, bytes.subarray(from - offset, to - offset)).done) return false;
    start += length;
    if (start >= offset + bytes.length) break;
  }
  return true;
}
