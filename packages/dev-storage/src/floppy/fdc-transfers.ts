import type { Fdc, FdcHost } from './fdc.js';
import {
  CONFIG,
  DATA_STATE,
  DIRECTION,
  DOR,
  DSR,
  FIFO_SIZE,
  MSR,
  MULTI_TRACK,
  PHASE,
  SECTOR,
  ST0,
  ST1,
  ST2,
} from './fdc.spec.js';

/** The execution phase of commands that move data: through the FIFO byte by byte, or by DMA. */
export class FdcTransfers {
  /** The sector in the FIFO is being read or written. */
  private busy = false;
  /** The FIFO holds the sector that the next bytes come from. */
  private loaded = false;
  /** Position of the piece that a slow disk has taken. */
  private written = -1;

  constructor(
    private readonly fdc: Fdc,
    private readonly host: FdcHost,
  ) {
    host.dma?.registerChannel(host.channel, (position, length) => this.dmaHandler(position, length));
  }

  /** The programmed rate is that of the disk. */
  rateMatches(): boolean {
    const { state, drive } = this.fdc;
    return !this.host.checkRate || (state.dsr & DSR.RATE) === drive.state.mediaRate;
  }

  /** All nine bytes of the command are there. */
  start(direction: number): void {
    const { fdc } = this;
    const { state } = fdc;
    const { fifo } = state;
    const drive = fdc.select(fifo[1]!);
    const [track, head, sect] = [fifo[2]!, fifo[3]!, fifo[4]!];
    const refuse = (status1: number): void => {
      fdc.stopTransfer(ST0.ABNORMAL, status1, 0);
      fifo.set([track, head, sect], 3);
    };
    switch (drive.seek(head, track, sect, (state.config & CONFIG.IMPLIED_SEEK) !== 0)) {
      case 'no-track':
      case 'not-allowed':
      case 'no-disk':
        refuse(0);
        return;
      case 'no-sector':
        refuse(ST1.END_OF_CYLINDER);
        return;
      case 'moved':
        state.status0 |= ST0.SEEK_END;
        break;
    }
    if (!this.rateMatches()) {
      refuse(ST1.MISSING_ADDRESS);
      return;
    }
    state.dataDir = direction;
    state.dataPos = 0;
    state.dataState = (state.dataState & ~DATA_STATE.MULTI_TRACK) | ((fifo[0]! & MULTI_TRACK) !== 0 ? DATA_STATE.MULTI_TRACK : 0);
    const length = this.lengthOf(sect);
    if (length === undefined) {
      refuse(ST1.MISSING_ADDRESS);
      return;
    }
    state.dataLen = length;
    state.eot = fifo[6]!;
    this.loaded = false;
    if ((state.dor & DOR.DMA) !== 0) this.startDma(direction);
    else this.startPort(direction);
  }

  /** Next byte for the guest in the execution phase. */
  readByte(): number {
    const { state } = this.fdc;
    const offset = state.dataPos % FIFO_SIZE;
    if (offset === 0 && !this.loaded) {
      if (!this.busy && (state.dataPos === 0 || this.nextSector())) this.fetch();
      if (!this.loaded) return 0;
    }
    const value = state.fifo[offset]!;
    state.dataPos = (state.dataPos + 1) >>> 0;
    // A length of 0 never ends. [QEMU]
    if (state.dataPos === state.dataLen) {
      state.msr &= ~MSR.REQUEST;
      this.fdc.stopTransfer(0, 0, 0);
    } else if (state.dataPos % FIFO_SIZE === 0) this.loaded = false;
    return value;
  }

  writeByte(value: number): void {
    const { fdc } = this;
    const { state } = fdc;
    const offset = state.dataPos % FIFO_SIZE;
    state.dataPos = (state.dataPos + 1) >>> 0;
    state.fifo[offset] = value;
    if (offset !== FIFO_SIZE - 1 && state.dataPos !== state.dataLen) return;
    this.store();
  }

  cancel(): void {
    for (const drive of this.fdc.drives) drive.cancel();
    this.busy = this.loaded = false;
    this.written = -1;
  }

  /** The transfer that a stream was taken from goes on. */
  resume(): void {
    const { state } = this.fdc;
    if (state.phase !== PHASE.EXECUTION) return;
    const bits = state.msr & (MSR.REQUEST | MSR.NON_DMA | MSR.TO_HOST);
    // A sector of a port transfer was on its way between FIFO and disk.
    if (bits === MSR.TO_HOST && state.dataDir === DIRECTION.WRITE) this.store();
    else if (bits === MSR.TO_HOST) this.fetch();
    else if ((bits & MSR.NON_DMA) !== 0) this.loaded = state.dataPos % FIFO_SIZE !== 0;
    else if (bits === 0 && state.dataPos < state.dataLen) this.host.dma?.holdRequest(this.host.channel);
  }

  /** Bytes from the first sector to the end of the track, or of both sides. */
  private lengthOf(sect: number): number | undefined {
    const { fifo } = this.fdc.state;
    if (fifo[5] === 0) return fifo[8]!;
    let sectors = fifo[6]! - sect + 1;
    if (sectors < 0) return undefined;
    if ((fifo[0]! & MULTI_TRACK) !== 0) sectors += fifo[6]!;
    return (128 << Math.min(fifo[5]!, 7)) * sectors;
  }

  private startDma(direction: number): void {
    const { state } = this.fdc;
    // Nothing of the FIFO until the transfer is over.
    state.msr &= ~MSR.REQUEST;
    if (direction === DIRECTION.VERIFY) this.dmaHandler(0, state.dataLen);
    else this.host.dma?.holdRequest(this.host.channel);
  }

  private startPort(direction: number): void {
    const { state } = this.fdc;
    state.msr |= MSR.NON_DMA | MSR.REQUEST;
    if (direction !== DIRECTION.WRITE) state.msr |= MSR.TO_HOST;
    this.fdc.raiseInterrupt();
  }

  /** Brings the present sector into the FIFO for the port. */
  private fetch(): void {
    const { state, drive } = this.fdc;
    this.exchange(
      (done) => drive.read(state.fifo, done),
      (error) => {
        if (error !== undefined) {
          this.report(error);
          state.fifo.fill(0);
        }
        this.loaded = true;
      },
    );
  }

  /** Writes the FIFO to the present sector for the port. */
  private store(): void {
    const { fdc } = this;
    const { state } = fdc;
    this.exchange(
      (done) => fdc.drive.write(state.fifo.slice(), done),
      (error) => {
        const last = state.dataPos === state.dataLen;
        if (last) state.msr &= ~MSR.REQUEST;
        if (error !== undefined) this.report(error);
        // A last sector that is not followed by another leaves the controller waiting for ever. [QEMU]
        else if (this.nextSector() && last) fdc.stopTransfer(0, 0, 0);
      },
    );
  }

  /**
   * Takes the request away while the disk works. The register then shows the direction alone, which no other wait does, so that a
   * stream tells what was going on.
   */
  private exchange(run: (done: (error: unknown) => void) => void, then: (error: unknown) => void): void {
    const { state } = this.fdc;
    this.busy = true;
    state.msr = (state.msr & ~(MSR.REQUEST | MSR.NON_DMA)) | MSR.TO_HOST;
    run((error) => {
      this.busy = false;
      state.msr |= MSR.REQUEST | MSR.NON_DMA;
      if (state.dataDir === DIRECTION.WRITE) state.msr &= ~MSR.TO_HOST;
      then(error);
    });
  }

  /**
   * The DMA controller has room or bytes: from `position` of its block on, up to `length`.
   * @returns the new position.
   */
  private dmaHandler(position: number, length: number): number {
    const { fdc } = this;
    const { state, drive } = fdc;
    if (this.busy || state.phase !== PHASE.EXECUTION || (state.msr & (MSR.REQUEST | MSR.NON_DMA)) !== 0) return position;
    const end = Math.min(length, state.dataLen);
    if (!drive.present) {
      fdc.stopTransfer(state.dataDir === DIRECTION.WRITE ? ST0.ABNORMAL | ST0.SEEK_END : ST0.ABNORMAL, 0, 0);
      return position;
    }
    const scans = state.dataDir >= DIRECTION.SCAN_EQUAL && state.dataDir <= DIRECTION.SCAN_HIGH;
    while (state.dataPos < end) {
      const offset = state.dataPos % SECTOR;
      const count = Math.min(end - state.dataPos, SECTOR - offset);
      // Only whole sectors are written without being read.
      if (!this.loaded && (state.dataDir !== DIRECTION.WRITE || count < SECTOR)) {
        this.load();
        if (!this.loaded) return state.dataPos;
      }
      const outcome = this.piece(offset, count);
      if (outcome === 'later') return state.dataPos;
      if (outcome === 'stopped') return state.dataPos;
      state.dataPos += count;
      if (state.dataPos % SECTOR === 0) {
        this.loaded = false;
        if (!this.nextSector()) break;
      }
      if (outcome === 'hit') break;
    }
    // Every scan reports that it hit. [QEMU]
    fdc.stopTransfer(0, 0, scans ? ST2.SCAN_HIT : 0);
    return state.dataPos;
  }

  /** Reads the present sector; completes at once or calls for the DMA controller again. */
  private load(): void {
    const { fdc } = this;
    this.busy = true;
    let inside = true;
    fdc.drive.read(fdc.state.fifo, (error) => {
      this.busy = false;
      if (error !== undefined) {
        this.report(error);
        fdc.state.fifo.fill(0);
      }
      this.loaded = true;
      if (!inside) this.again();
    });
    inside = false;
  }

  private again(): void {
    if (this.fdc.state.dataDir === DIRECTION.VERIFY) this.dmaHandler(0, this.fdc.state.dataLen);
    else this.host.dma?.holdRequest(this.host.channel);
  }

  private piece(offset: number, count: number): 'done' | 'later' | 'stopped' | 'hit' {
    const { fdc, host } = this;
    const { state, drive } = fdc;
    const { fifo } = state;
    switch (state.dataDir) {
      case DIRECTION.VERIFY:
        return 'done';
      case DIRECTION.READ:
        return host.dma?.writeMemory(host.channel, state.dataPos, fifo.subarray(offset, offset + count)).done ? 'done' : 'later';
      case DIRECTION.WRITE:
        if (drive.readOnly) {
          fdc.stopTransfer(ST0.ABNORMAL | ST0.SEEK_END, ST1.NOT_WRITABLE, 0);
          return 'stopped';
        }
        return this.writePiece(offset, count);
      default:
        return this.scanPiece(offset, count);
    }
  }

  private writePiece(offset: number, count: number): 'done' | 'later' | 'stopped' {
    const { fdc, host } = this;
    const { state } = fdc;
    if (this.written === state.dataPos) {
      this.written = -1;
      return 'done';
    }
    const bytes = new Uint8Array(count);
    if (!host.dma?.readMemory(host.channel, state.dataPos, bytes).done) return 'later';
    state.fifo.set(bytes, offset);
    let failed: unknown;
    let complete = false;
    let inside = true;
    this.busy = true;
    fdc.drive.write(state.fifo.slice(), (error) => {
      this.busy = false;
      complete = true;
      failed = error;
      if (inside) return;
      if (error !== undefined) this.writeFailed(error);
      else {
        this.written = state.dataPos;
        this.again();
      }
    });
    inside = false;
    if (!complete) return 'later';
    if (failed === undefined) return 'done';
    this.writeFailed(failed);
    return 'stopped';
  }

  private writeFailed(error: unknown): void {
    this.report(error);
    this.fdc.stopTransfer(ST0.ABNORMAL | ST0.SEEK_END, 0, 0);
  }

  private scanPiece(offset: number, count: number): 'done' | 'later' | 'hit' {
    const { fdc, host } = this;
    const { state } = fdc;
    const bytes = new Uint8Array(count);
    if (!host.dma?.readMemory(host.channel, state.dataPos, bytes).done) return 'later';
    const order = compare(bytes, state.fifo.subarray(offset, offset + count));
    const hit =
      order === 0 || (order < 0 && state.dataDir === DIRECTION.SCAN_LOW) || (order > 0 && state.dataDir === DIRECTION.SCAN_HIGH);
    return hit ? 'hit' : 'done';
  }

  /** False at the end of the track or, with multi-track commands, of the cylinder. */
  private nextSector(): boolean {
    const { state, drive } = this.fdc;
    let { head, track, sect } = drive.state;
    let more = true;
    if (sect < drive.lastSector && sect !== state.eot) sect++;
    else {
      sect = 1;
      if ((state.dataState & DATA_STATE.MULTI_TRACK) === 0) {
        state.status0 |= ST0.SEEK_END;
        track++;
        more = false;
      } else if (head === 0 && drive.doubleSided) head = 1;
      else {
        head = 0;
        track++;
        state.status0 |= ST0.SEEK_END;
        more = drive.doubleSided;
      }
    }
    drive.seek(head, track, sect, true);
    return more;
  }

  private report(error: unknown): void {
    this.host.log.guestError(`floppy: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}
