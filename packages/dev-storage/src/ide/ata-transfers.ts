import { ERROR, RETRY, SECTOR, STATUS, TRANSFER_END } from './ata.spec.js';
import type { DmaWork } from './dma-transfer.js';
import { type IdeDrive, sectorBytes } from './ide-drive.js';

/** What a transfer needs of the channel beyond interrupts. */
export interface MasterChannel {
  /** Hands the data phase of a command to the bus master. */
  startDma(drive: IdeDrive, work: DmaWork, retry: number): void;
  endDma(more: boolean): void;
}

const IDLE = STATUS.READY | STATUS.SEEK_DONE;

/** Moves sectors between a disk and the guest: through the data port, or by bus master. */
export class AtaTransfers {
  constructor(
    private readonly drive: IdeDrive,
    private readonly master: MasterChannel,
  ) {}

  /** Count in the task file: 0 means all that fit. [ATA] 6.2 */
  expandCount(lba48: boolean): void {
    const { state } = this.drive;
    state.lba48 = lba48;
    if (!lba48) state.nsector = state.nsector & 0xff || 256;
    else state.nsector = state.hobNsector * 256 + (state.nsector & 0xff) || 0x1_0000;
  }

  /** The next data request of a data port read. */
  readSectors(): void {
    const { drive } = this;
    const { state } = drive;
    state.status = IDLE;
    state.error = 0;
    if (state.nsector === 0) {
      drive.stopTransfer();
      return;
    }
    const count = this.nextCount();
    const sector = drive.sectorNumber;
    if (!this.inRange(sector, count)) {
      this.fail();
      return;
    }
    state.status |= STATUS.BUSY;
    drive.channel.setWaiting(drive, RETRY.PIO | RETRY.READ);
    drive.requests.read(sector, state.buffer.subarray(0, sectorBytes(count)), (error) => {
      drive.channel.setWaiting(drive, 0);
      state.status &= ~STATUS.BUSY;
      if (error !== undefined) {
        this.fail(error);
        return;
      }
      drive.sectorNumber = sector + count;
      state.nsector -= count;
      drive.startTransfer(sectorBytes(count), TRANSFER_END.READ_SECTORS);
      drive.channel.raiseInterrupt();
    });
  }

  /** The first data request of a data port write: nothing is on the way yet. */
  openWrite(): void {
    const { drive } = this;
    drive.state.status = IDLE;
    drive.startTransfer(sectorBytes(this.nextCount()), TRANSFER_END.WRITE_SECTORS);
  }

  /** The guest has filled the buffer. */
  writeSectors(): void {
    const { drive } = this;
    const { state } = drive;
    state.status = IDLE | STATUS.BUSY;
    const count = this.nextCount();
    const sector = drive.sectorNumber;
    if (!this.inRange(sector, count)) {
      this.fail();
      return;
    }
    drive.channel.setWaiting(drive, RETRY.PIO);
    drive.requests.write(sector, state.buffer.slice(0, sectorBytes(count)), (error) => {
      drive.channel.setWaiting(drive, 0);
      if (error !== undefined) {
        this.fail(error);
        return;
      }
      state.nsector -= count;
      state.status &= ~STATUS.BUSY;
      drive.sectorNumber = sector + count;
      if (state.nsector === 0) drive.stopTransfer();
      else drive.startTransfer(sectorBytes(this.nextCount()), TRANSFER_END.WRITE_SECTORS);
      drive.channel.raiseInterrupt();
    });
  }

  /** READ DMA or WRITE DMA, from the task file as it stands. */
  startDma(toMemory: boolean): void {
    const { drive } = this;
    drive.state.status = IDLE | STATUS.DATA_REQUEST;
    drive.forgetTransfer();
    this.master.startDma(drive, this.dmaWork(toMemory), toMemory ? RETRY.DMA | RETRY.READ : RETRY.DMA);
  }

  flush(): void {
    const { drive } = this;
    const { state } = drive;
    state.status |= STATUS.BUSY;
    drive.channel.setWaiting(drive, RETRY.FLUSH);
    drive.requests.flush((error) => {
      drive.channel.setWaiting(drive, 0);
      if (error !== undefined) {
        this.fail(error);
        return;
      }
      state.status = IDLE;
      drive.channel.raiseInterrupt();
    });
  }

  private dmaWork(toMemory: boolean): DmaWork {
    const { drive } = this;
    const { state } = drive;
    const first = drive.sectorNumber;
    return {
      toMemory,
      partial: false,
      length: sectorBytes(state.nsector),
      allowed: () => this.inRange(first, state.nsector),
      move: (offset, bytes, done) => {
        if (toMemory) drive.requests.read(first + offset / SECTOR, bytes, done);
        else drive.requests.write(first + offset / SECTOR, bytes, done);
      },
      advance: (length) => {
        drive.sectorNumber += length / SECTOR;
        state.nsector -= length / SECTOR;
      },
      finish: (outcome, more) => {
        state.status = IDLE;
        if (typeof outcome === 'object') {
          this.master.endDma(false);
          this.fail(outcome.error);
          return;
        }
        // A table without room for the data ends the transfer without a word. [QEMU]
        if (outcome === 'done') drive.channel.raiseInterrupt();
        this.master.endDma(more);
      },
      cancel: () => drive.requests.cancel(),
    };
  }

  private nextCount(): number {
    const { state } = this.drive;
    return Math.min(state.nsector, Math.max(state.reqSectors, 1));
  }

  private inRange(sector: number, count: number): boolean {
    return sector >= 0 && sector + count <= this.drive.totalSectors;
  }

  /** The guest sees an aborted command; the host's reason goes to the log. */
  private fail(error?: unknown): void {
    const { drive } = this;
    if (error !== undefined && !(error instanceof RangeError)) {
      drive.log.guestError(`I/O error: ${error instanceof Error ? error.message : String(error)}`);
    }
    drive.abort(ERROR.ABORT);
    drive.channel.raiseInterrupt();
  }
}
