import {
  type BlockImage,
  Drive,
  DriveActivity,
  type DriveFailure,
  type ImageFormat,
  NullImage,
  OverlayImage,
  openImage,
  SECTOR,
} from '@pagurus/block';
import { nodeImageHost, scratchFile } from '@pagurus/host-node';
import type { DeviceArguments, DriveArguments } from '@pagurus/machine';
import { type DriveSpec, type Interface, PLACES } from './drive-spec.js';
import { UsageError } from './usage-error.js';

/** A drive of a machine: what the device has, and what the monitor may put in its place. */
export interface OpenDrive {
  readonly id: string;
  readonly spec: DriveSpec;
  /** Undefined: empty. */
  drive: Drive | undefined;
}

/** All images of a run, opened. */
export class Drives {
  readonly activity = new DriveActivity();
  readonly open = new Map<string, OpenDrive>();
  readonly ide: (DriveArguments | undefined)[] = [];
  readonly floppy: ({ readonly id: string; readonly image?: Drive } | undefined)[] = [];
  /** `-device`s that drives with `if=virtio` stand for. */
  readonly devices: DeviceArguments[] = [];
  /** For devices that name a drive. */
  readonly byId: Record<string, object> = {};
  /** Tells of a request that failed. */
  failed: (failure: DriveFailure) => void = () => {};

  private constructor(private readonly options: DriveHost) {}

  /** @throws {UsageError} {@link BlockError}; nothing is left open then. */
  static async open(specs: readonly DriveSpec[], options: DriveHost): Promise<Drives> {
    const drives = new Drives(options);
    try {
      await drives.addAll(specs);
      return drives;
    } catch (error) {
      await drives.close();
      throw error;
    }
  }

  /** The machine runs: requests that wait after an error are asked again. */
  retry(): void {
    for (const { drive } of this.open.values()) drive?.retry();
  }

  async close(): Promise<void> {
    // One that fails (its host's disk is full) keeps no other from being closed.
    const ends = await Promise.allSettled([...this.open.values()].map(({ drive }) => drive?.close()));
    this.open.clear();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** Another medium for a drive. @throws {BlockError} */
  async load(id: string, spec: DriveSpec, file: string, format: ImageFormat | undefined, readOnly: boolean): Promise<Drive> {
    const image = await this.openImage({ ...spec, file, format, readOnly, nullSize: undefined });
    return await this.drive(id, spec, image);
  }

  private async addAll(specs: readonly DriveSpec[]): Promise<void> {
    const taken: Readonly<Record<Interface, Map<number, string>>> = {
      ide: new Map(),
      floppy: new Map(),
      virtio: new Map(),
      none: new Map(),
    };
    // Who says where goes first, then the others find what is free.
    const places = new Map<DriveSpec, number>();
    for (const spec of [
      ...specs.filter(({ index }) => index !== undefined),
      ...specs.filter(({ index }) => index === undefined),
    ]) {
      const map = taken[spec.interface];
      let index = spec.index ?? 0;
      while (spec.index === undefined && map.has(index)) index++;
      if (map.has(index))
        throw new UsageError(`${spec.what}: place ${index} of interface ${spec.interface} is in use by ${map.get(index)}`);
      if (index >= PLACES[spec.interface].most)
        throw new UsageError(
          `${spec.what}: interface ${spec.interface} has ${PLACES[spec.interface].most} places, ${index} is none`,
        );
      map.set(index, spec.what);
      places.set(spec, index);
    }
    for (const spec of specs) await this.add(spec, places.get(spec)!);
  }

  private async add(spec: DriveSpec, index: number): Promise<void> {
    const id = spec.id ?? standardId(spec, index);
    if (this.open.has(id)) throw new UsageError(`${spec.what}: duplicate id '${id}'`);
    if (
      spec.file === undefined &&
      spec.nullSize === undefined &&
      spec.media === 'disk' &&
      spec.interface !== 'floppy' &&
      spec.interface !== 'none'
    )
      throw new UsageError(`${spec.what}: a disk needs file=`);
    const empty = spec.file === undefined && spec.nullSize === undefined;
    const drive = empty ? undefined : await this.drive(id, spec, await this.openImage(spec));
    this.open.set(id, { id, spec, drive });
    if (drive) this.byId[id] = drive;
    if (spec.interface === 'ide') this.ide[index] = { id, media: spec.media, ...(drive ? { image: drive } : {}) };
    else if (spec.interface === 'floppy') this.floppy[index] = drive ? { id, image: drive } : { id };
    else if (spec.interface === 'virtio') this.devices.push({ driver: 'virtio-blk-pci', properties: { drive: id } });
  }

  private async openImage(spec: DriveSpec): Promise<BlockImage> {
    const snapshot = spec.snapshot || this.options.snapshot;
    if (spec.nullSize !== undefined) return new NullImage('null-co', spec.nullSize, spec.readOnly);
    const { synchronous, warn } = this.options;
    const host = nodeImageHost({ locking: spec.locking, noFlush: spec.noFlush, synchronous, warn });
    const image = await openImage(host, spec.file!, {
      ...(spec.format === undefined ? {} : { format: spec.format }),
      readOnly: spec.readOnly || snapshot,
      inactive: this.options.inactive,
    });
    return snapshot && !spec.readOnly ? new OverlayImage(image, await scratchFile(synchronous)) : image;
  }

  private async drive(id: string, spec: DriveSpec, image: BlockImage): Promise<Drive> {
    const firstSector = new Uint8Array(SECTOR);
    try {
      if (image.sectors > 0) await image.read(0, firstSector);
    } catch (error) {
      await image.close();
      throw error;
    }
    const reports = spec.interface === 'floppy';
    return new Drive(image, {
      id,
      activity: this.activity,
      firstSector,
      readErrors: spec.readErrors ?? 'report',
      writeErrors: spec.writeErrors ?? (reports ? 'report' : 'enospc'),
      inactive: this.options.inactive,
      failed: (failure) => this.failed(failure),
    });
  }
}

export interface DriveHost {
  /** `-snapshot` */
  readonly snapshot: boolean;
  /** The machine comes from elsewhere. */
  readonly inactive: boolean;
  /** A deterministic machine. */
  readonly synchronous: boolean;
  warn(line: string): void;
}

/** QEMU's ids of drives that the user gave none. */
function standardId({ interface: place, media }: DriveSpec, index: number): string {
  if (place === 'ide') return `ide${index >> 1}-${media === 'disk' ? 'hd' : 'cd'}${index & 1}`;
  return `${place}${index}`;
}
