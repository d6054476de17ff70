import type { BlockBackend, Log } from '@pagurus/device-model';
import { BlockRequests } from '../block-requests.js';
import { BUFFER_SIZE, DEVICE, ERROR, MAX_MULTIPLE, SECTOR, SIGNATURE, STATUS, TRANSFER_END } from './ata.spec.js';
import type { IdeDriveState } from './ide-drive.state.js';
import type { DriveIdentity, Geometry } from './identify.js';

/** What is plugged into a place on a channel. */
export interface DriveOptions {
  readonly kind: 'disk' | 'packet';
  /** A packet drive may be empty. */
  readonly backend: BlockBackend | undefined;
  readonly identity: DriveIdentity;
  readonly geometry: Geometry;
}

/** What a drive asks of its channel. */
export interface DriveChannel {
  raiseInterrupt(): void;
  /** A data request begins: where it would begin again. */
  noteTransfer(drive: IdeDrive): void;
  /** A request waits, to be tried again after a move; 0 = none. */
  setWaiting(drive: IdeDrive, retry: number): void;
}

/** The retry code of a data port transfer's end. */
type TransferEnd = (typeof TRANSFER_END)[keyof typeof TRANSFER_END];

/**
 * One place on a channel: its task file and data port. Commands are in `ata-commands.ts` and `packet-commands.ts`; they work on this.
 */
export class IdeDrive {
  private options: DriveOptions | undefined;
  private requestsOf: BlockRequests | undefined;

  constructor(
    readonly unit: number,
    readonly state: IdeDriveState,
    readonly channel: DriveChannel,
    readonly log: Log,
  ) {}

  get present(): boolean {
    return this.options !== undefined;
  }

  get kind(): 'disk' | 'packet' | undefined {
    return this.options?.kind;
  }

  get identity(): DriveIdentity {
    return this.plugged.identity;
  }

  get geometry(): Geometry {
    return this.plugged.geometry;
  }

  get plugged(): DriveOptions {
    if (!this.options) throw new Error('no drive is plugged in here');
    return this.options;
  }

  get requests(): BlockRequests {
    if (!this.requestsOf) throw new Error('the drive holds no medium');
    return this.requestsOf;
  }

  /** The medium, or undefined of an empty packet drive. */
  get medium(): BlockBackend | undefined {
    return this.requestsOf?.backend;
  }

  /** Sectors of 512 bytes; 0 without medium. */
  get totalSectors(): number {
    return this.medium?.sectors ?? 0;
  }

  plug(options: DriveOptions): void {
    this.options = options;
    this.insert(options.backend);
  }

  /** Changes the medium. What was asked of the old one never completes. */
  insert(backend: BlockBackend | undefined): void {
    this.requestsOf?.cancel();
    this.requestsOf = backend && new BlockRequests(backend);
  }

  /** Power-on and bus reset. */
  reset(): void {
    const { state } = this;
    this.requestsOf?.cancel();
    state.multSectors = MAX_MULTIPLE;
    state.feature = state.error = 0;
    state.hobFeature = state.hobSector = state.hobNsector = state.hobLcyl = state.hobHcyl = 0;
    state.select = DEVICE.OBSOLETE;
    state.status = STATUS.READY | STATUS.SEEK_DONE;
    state.lba48 = false;
    state.senseKey = state.asc = state.cdromChanged = 0;
    state.reqSectors = state.elementarySize = state.packetSize = 0;
    state.trayOpen = state.trayLocked = false;
    this.putSignature();
    this.forgetTransfer();
  }

  putSignature(): void {
    const { state } = this;
    state.select &= ~DEVICE.HEAD;
    state.nsector = state.sector = 1;
    const [low, high] = !this.present ? SIGNATURE.NOTHING : this.kind === 'packet' ? SIGNATURE.PACKET : SIGNATURE.DISK;
    state.lcyl = low!;
    state.hcyl = high!;
  }

  /** Opens the data port on `length` bytes of the buffer. */
  startTransfer(length: number, end: TransferEnd, offset = 0): void {
    const { state } = this;
    state.transferEnd = end;
    state.bufferOffset = offset;
    state.bufferLength = Math.min(length, BUFFER_SIZE - offset);
    this.channel.noteTransfer(this);
    if ((state.status & STATUS.ERROR) === 0) state.status |= STATUS.DATA_REQUEST;
  }

  stopTransfer(): void {
    const { state } = this;
    state.transferEnd = TRANSFER_END.STOP;
    state.bufferOffset = state.bufferLength = 0;
    state.status &= ~STATUS.DATA_REQUEST;
  }

  /** The command ends in an error. */
  abort(error: number = ERROR.ABORT): void {
    this.stopTransfer();
    this.state.status = STATUS.READY | STATUS.ERROR;
    this.state.error = error;
  }

  /** The data port takes bytes from the guest. */
  get takesData(): boolean {
    const { transferEnd } = this.state;
    return transferEnd === TRANSFER_END.WRITE_SECTORS || transferEnd === TRANSFER_END.PACKET_COMMAND;
  }

  /** The next bytes for the guest; an odd last byte comes with zeros behind it. */
  readData(size: number): number {
    const { state } = this;
    if ((state.status & STATUS.DATA_REQUEST) === 0 || this.takesData || !this.fits(size)) return 0;
    const length = Math.min(size, state.bufferLength);
    let value = 0;
    for (let i = length - 1; i >= 0; i--) value = value * 256 + state.buffer[state.bufferOffset + i]!;
    this.advance(length);
    return value;
  }

  writeData(value: number, size: number): void {
    const { state } = this;
    if ((state.status & STATUS.DATA_REQUEST) === 0 || !this.takesData || !this.fits(size)) return;
    const length = Math.min(size, state.bufferLength);
    for (let i = 0; i < length; i++) state.buffer[state.bufferOffset + i] = value >>> (8 * i);
    this.advance(length);
  }

  /** Sector address in the task file. [ATA] 6.2 */
  get sectorNumber(): number {
    const { state } = this;
    const low = state.sector + state.lcyl * 2 ** 8 + state.hcyl * 2 ** 16;
    if ((state.select & DEVICE.LBA) === 0) {
      const { heads, sectors } = this.translation();
      const cylinder = state.hcyl * 256 + state.lcyl;
      return (cylinder * heads + (state.select & DEVICE.HEAD)) * sectors + state.sector - 1;
    }
    if (!state.lba48) return (state.select & DEVICE.HEAD) * 2 ** 24 + low;
    return low + state.hobSector * 2 ** 24 + state.hobLcyl * 2 ** 32 + state.hobHcyl * 2 ** 40;
  }

  set sectorNumber(value: number) {
    const { state } = this;
    const byte = (index: number): number => Math.floor(value / 2 ** (8 * index)) % 256;
    if ((state.select & DEVICE.LBA) === 0) {
      const { heads, sectors } = this.translation();
      const cylinder = Math.floor(value / (heads * sectors));
      const rest = value % (heads * sectors);
      state.hcyl = (cylinder >> 8) & 0xff;
      state.lcyl = cylinder & 0xff;
      state.select = (state.select & ~DEVICE.HEAD) | (Math.floor(rest / sectors) & DEVICE.HEAD);
      state.sector = (rest % sectors) + 1;
      return;
    }
    state.sector = byte(0);
    state.lcyl = byte(1);
    state.hcyl = byte(2);
    if (!state.lba48) state.select = (state.select & ~DEVICE.HEAD) | (byte(3) & DEVICE.HEAD);
    else {
      state.hobSector = byte(3);
      state.hobLcyl = byte(4);
      state.hobHcyl = byte(5);
    }
  }

  /** Heads and sectors per track that INITIALIZE DEVICE PARAMETERS chose: kept where IDENTIFY tells them. */
  translation(): { heads: number; sectors: number } {
    const { identifySet, identifyData } = this.state;
    const heads = identifyData[110]!;
    const sectors = identifyData[112]!;
    return identifySet !== 0 && this.kind === 'disk' && heads > 0 && sectors > 0 ? { heads, sectors } : this.plugged.geometry;
  }

  forgetTransfer(): void {
    const { state } = this;
    state.transferEnd = TRANSFER_END.NONE;
    state.bufferOffset = state.bufferLength = 0;
    state.buffer.fill(0xff, 0, 4);
  }

  /** A double word access to the last word moves nothing, as on QEMU; only a last byte may be moved by a wider access. */
  private fits(size: number): boolean {
    const { bufferLength } = this.state;
    return bufferLength >= size || bufferLength === 1;
  }

  private advance(size: number): void {
    const { state } = this;
    state.bufferOffset += size;
    state.bufferLength -= size;
    if (state.bufferLength === 0) state.status &= ~STATUS.DATA_REQUEST;
  }
}

/** Bytes of `count` sectors. */
export const sectorBytes = (count: number): number => count * SECTOR;
