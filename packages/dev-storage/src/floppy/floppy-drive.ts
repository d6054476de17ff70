import type { BlockBackend } from '@pagurus/device-model';
import { BlockRequests } from '../block-requests.js';
import { SECTOR } from './fdc.spec.js';
import type { FloppyDriveState } from './fdc.state.js';
import { CMOS_TYPE, type DriveType, type FloppyFormat, pickFormat } from './floppy-formats.js';

/** What a seek came to. */
export type SeekResult = 'same' | 'moved' | 'no-track' | 'no-sector' | 'not-allowed' | 'no-disk';

/** A place for a drive, with or without one, with or without a disk. */
export class FloppyDrive {
  private requestsOf: BlockRequests | undefined;
  private type: DriveType | undefined;
  private format: FloppyFormat | undefined;
  private writeProtected = false;
  /** A drive is connected. */
  present = false;

  constructor(readonly state: FloppyDriveState) {}

  /** Connects a drive. `auto`: its type follows the first disk, or is `fallback`. */
  connect(type: DriveType | 'auto', fallback: DriveType, backend: BlockBackend | undefined): void {
    this.present = true;
    if (type !== 'auto') this.type = type;
    else this.type = backend ? pickFormat(backend.sectors, undefined).drive : fallback;
    this.insert(backend);
  }

  /** Another disk, or none. */
  insert(backend: BlockBackend | undefined): void {
    this.requestsOf?.cancel();
    this.requestsOf = backend && new BlockRequests(backend);
    this.format = backend && pickFormat(backend.sectors, this.type);
    this.writeProtected = backend?.readOnly ?? false;
    this.state.inserted = backend !== undefined;
    if (this.format) this.state.mediaRate = this.format.rate;
  }

  get inserted(): boolean {
    return this.requestsOf !== undefined;
  }

  get readOnly(): boolean {
    return this.writeProtected || !this.inserted;
  }

  get doubleSided(): boolean {
    return this.format?.sides === 2;
  }

  /** Sectors per track. */
  get lastSector(): number {
    return this.format?.sectors ?? this.unlimited;
  }

  get tracks(): number {
    return this.format?.tracks ?? this.unlimited;
  }

  /** An empty drive moves its heads anywhere, a missing one nowhere. [QEMU] */
  private get unlimited(): number {
    return this.present ? 0xff : 0;
  }

  /** For the CMOS: 0 = no drive. */
  get cmosType(): number {
    return this.type === undefined ? 0 : CMOS_TYPE[this.type];
  }

  /** Moves the heads. Without `implied` only within the sector they are on. */
  seek(head: number, track: number, sect: number, implied: boolean): SeekResult {
    const { state } = this;
    if (track > this.tracks || (head !== 0 && !this.doubleSided)) return 'no-track';
    if (sect > this.lastSector) return 'no-sector';
    let result: SeekResult = 'same';
    if (this.sectorNumber(head, track, sect) !== this.sectorNumber(state.head, state.track, state.sect)) {
      if (!implied) return 'not-allowed';
      state.head = head;
      if (state.track !== track) {
        if (this.inserted) state.mediaChanged = 0;
        result = 'moved';
      }
      state.track = track;
      state.sect = sect;
    }
    return this.inserted ? result : 'no-disk';
  }

  recalibrate(): void {
    this.seek(0, 0, 1, true);
  }

  read(target: Uint8Array, done: (error: unknown) => void): void {
    this.access((requests, sector) => requests.read(sector, target, done), target, done);
  }

  write(source: Uint8Array, done: (error: unknown) => void): void {
    this.access((requests, sector) => requests.write(sector, source, done), source, done);
  }

  cancel(): void {
    this.requestsOf?.cancel();
  }

  private access(
    run: (requests: BlockRequests, sector: number) => void,
    bytes: Uint8Array,
    done: (error: unknown) => void,
  ): void {
    const { head, track, sect } = this.state;
    const sector = this.sectorNumber(head, track, sect);
    const { requestsOf } = this;
    if (!requestsOf) done(new Error('no disk'));
    else if (sector < 0 || sector * SECTOR + bytes.length > requestsOf.backend.sectors * SECTOR)
      done(new RangeError(`sector ${sector} is not on the disk`));
    else run(requestsOf, sector);
  }

  private sectorNumber(head: number, track: number, sect: number): number {
    return (track * (this.doubleSided ? 2 : 1) + head) * this.lastSector + sect - 1;
  }
}
