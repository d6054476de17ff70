import type { ByteFile } from './byte-file.js';
import { type BlockImage, checkRange, type ImageDetails, SECTOR } from './image.js';

/** Bytes of the smallest piece that the overlay keeps. */
const GRANULE = 4096;
const GRANULE_SECTORS = GRANULE / SECTOR;
/** Granules per part of the map, made when the first of them is written. */
const PART = 2 ** 18;

/**
 * `snapshot=on`: what the guest writes goes to a scratch file that nobody sees again; the image stays as it is. The scratch file has
 * the image's own offsets, so it should be sparse (a temporary file), or small (memory).
 */
export class OverlayImage implements BlockImage {
  readonly readOnly = false;
  readonly sectors: number;
  readonly details: ImageDetails;
  /** One bit per granule: it is in the scratch file. */
  private readonly map = new Map<number, Uint8Array>();
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly base: BlockImage,
    private readonly scratch: ByteFile,
  ) {
    this.sectors = base.sectors;
    this.details = base.details;
  }

  get name(): string {
    return this.base.name;
  }

  get format(): string {
    return this.base.format;
  }

  readNow(sector: number, target: Uint8Array): boolean {
    checkRange(this, sector, target.length);
    for (const { first, count, own } of this.runs(sector, target.length / SECTOR)) {
      const part = target.subarray((first - sector) * SECTOR, (first - sector + count) * SECTOR);
      const done = own ? this.scratch.readNow?.(first * SECTOR, part) : this.base.readNow?.(first, part);
      if (!done) return false;
    }
    return true;
  }

  read(sector: number, target: Uint8Array): Promise<void> {
    return this.inTurn(async () => {
      checkRange(this, sector, target.length);
      for (const { first, count, own } of this.runs(sector, target.length / SECTOR)) {
        const part = target.subarray((first - sector) * SECTOR, (first - sector + count) * SECTOR);
        if (own) await this.scratch.read(first * SECTOR, part);
        else await this.base.read(first, part);
      }
    });
  }

  writeNow(sector: number, source: Uint8Array): boolean {
    checkRange(this, sector, source.length);
    if (!this.scratch.writeNow || !this.base.readNow) return false;
    const wide = this.widened(sector, source.length / SECTOR);
    const bytes = new Uint8Array(wide.count * SECTOR);
    if (wide.edges && !this.readNow(wide.first, bytes)) return false;
    bytes.set(source, (sector - wide.first) * SECTOR);
    if (!this.scratch.writeNow(wide.first * SECTOR, bytes)) return false;
    this.mark(wide.first, wide.count);
    return true;
  }

  write(sector: number, source: Uint8Array): Promise<void> {
    return this.inTurn(async () => {
      checkRange(this, sector, source.length);
      const wide = this.widened(sector, source.length / SECTOR);
      const bytes = new Uint8Array(wide.count * SECTOR);
      if (wide.edges)
        for (const { first, count, own } of this.runs(wide.first, wide.count)) {
          const part = bytes.subarray((first - wide.first) * SECTOR, (first - wide.first + count) * SECTOR);
          if (own) await this.scratch.read(first * SECTOR, part);
          else await this.base.read(first, part);
        }
      bytes.set(source, (sector - wide.first) * SECTOR);
      await this.scratch.write(wide.first * SECTOR, bytes);
      this.mark(wide.first, wide.count);
    });
  }

  /** Nothing of an overlay outlives the process. */
  flushNow(): true {
    return true;
  }

  async flush(): Promise<void> {}

  async inactivate(): Promise<void> {
    await this.base.inactivate();
  }

  async activate(): Promise<void> {
    await this.base.activate();
  }

  async close(): Promise<void> {
    await this.queue;
    await this.scratch.close();
    await this.base.close();
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => {});
    return done;
  }

  /** Whole granules around the sectors. `edges`: some of it must be read first. */
  private widened(sector: number, count: number): { first: number; count: number; edges: boolean } {
    const first = Math.floor(sector / GRANULE_SECTORS) * GRANULE_SECTORS;
    const end = Math.min(Math.ceil((sector + count) / GRANULE_SECTORS) * GRANULE_SECTORS, this.sectors);
    return { first, count: end - first, edges: first !== sector || end !== sector + count };
  }

  private has(granule: number): boolean {
    const part = this.map.get(Math.floor(granule / PART));
    const bit = granule % PART;
    return part !== undefined && (part[bit >> 3]! & (1 << (bit & 7))) !== 0;
  }

  private mark(sector: number, count: number): void {
    for (let granule = sector / GRANULE_SECTORS; granule * GRANULE_SECTORS < sector + count; granule++) {
      const key = Math.floor(granule / PART);
      let part = this.map.get(key);
      if (!part) {
        part = new Uint8Array(PART / 8);
        this.map.set(key, part);
      }
      const bit = granule % PART;
      part[bit >> 3]! |= 1 << (bit & 7);
    }
  }

  /** Neighbouring sectors from the same place. */
  private *runs(sector: number, count: number): Generator<{ first: number; count: number; own: boolean }> {
    const end = sector + count;
    for (let first = sector; first < end; ) {
      const own = this.has(Math.floor(first / GRANULE_SECTORS));
      let next = first;
      do next = Math.min((Math.floor(next / GRANULE_SECTORS) + 1) * GRANULE_SECTORS, end);
      while (next < end && this.has(next / GRANULE_SECTORS) === own);
      yield { first, count: next - first, own };
      first = next;
    }
  }
}
