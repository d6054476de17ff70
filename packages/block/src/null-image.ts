import { type BlockImage, checkRange, checkWritable, type ImageDetails, SECTOR } from './image.js';

/** QEMU's `null-co` and `null-aio`: reads zeros, forgets what is written. */
export class NullImage implements BlockImage {
  readonly name: string;
  readonly sectors: number;
  readonly details: ImageDetails = {};

  constructor(
    readonly format: 'null-co' | 'null-aio',
    /** Bytes. */
    size: number,
    readonly readOnly: boolean,
  ) {
    this.name = `${format}://`;
    this.sectors = Math.ceil(size / SECTOR);
  }

  readNow(sector: number, target: Uint8Array): true {
    checkRange(this, sector, target.length);
    target.fill(0);
    return true;
  }

  writeNow(sector: number, source: Uint8Array): true {
    checkRange(this, sector, source.length);
    checkWritable(this);
    return true;
  }

  flushNow(): true {
    return true;
  }

  async read(sector: number, target: Uint8Array): Promise<void> {
    this.readNow(sector, target);
  }

  async write(sector: number, source: Uint8Array): Promise<void> {
    this.writeNow(sector, source);
  }

  async flush(): Promise<void> {}
  async inactivate(): Promise<void> {}
  async activate(): Promise<void> {}
  async close(): Promise<void> {}
}
