import type { ByteFile } from './byte-file.js';
import { BlockError } from './errors.js';
import { type BlockImage, checkRange, checkWritable, type ImageDetails, SECTOR } from './image.js';
import { probeFormat } from './probe.js';

export interface RawOptions {
  readonly readOnly?: boolean;
  /**
   * The format was guessed: a guest that writes the header of another format into the first sector would choose what its disk is
   * when it is opened next (a backing file, say, of the host). Such writes are refused.
   */
  readonly guessed?: boolean;
}

/** An image whose bytes are the disk's. A last, shorter sector is filled up with zeros. */
export class RawImage implements BlockImage {
  readonly format = 'raw';
  readonly sectors: number;
  readonly readOnly: boolean;
  readonly details: ImageDetails = {};
  private readonly guessed: boolean;

  constructor(
    private readonly file: ByteFile,
    options: RawOptions = {},
  ) {
    this.guessed = options.guessed ?? false;
    this.sectors = Math.ceil(file.length / SECTOR);
    this.readOnly = options.readOnly === true || file.readOnly;
  }

  get name(): string {
    return this.file.name;
  }

  readNow(sector: number, target: Uint8Array): boolean {
    checkRange(this, sector, target.length);
    return this.file.readNow?.(sector * SECTOR, target) ?? false;
  }

  writeNow(sector: number, source: Uint8Array): boolean {
    this.checkWrite(sector, source);
    return this.file.writeNow?.(sector * SECTOR, source) ?? false;
  }

  flushNow(): boolean {
    return this.readOnly || (this.file.flushNow?.() ?? false);
  }

  async read(sector: number, target: Uint8Array): Promise<void> {
    checkRange(this, sector, target.length);
    await this.file.read(sector * SECTOR, target);
  }

  async write(sector: number, source: Uint8Array): Promise<void> {
    this.checkWrite(sector, source);
    await this.file.write(sector * SECTOR, source);
  }

  async flush(): Promise<void> {
    if (!this.readOnly) await this.file.flush();
  }

  async inactivate(): Promise<void> {
    await this.flush();
    await this.file.release?.();
  }

  async activate(): Promise<void> {
    await this.file.claim?.();
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  private checkWrite(sector: number, source: Uint8Array): void {
    checkRange(this, sector, source.length);
    checkWritable(this);
    if (!this.guessed || sector !== 0) return;
    const format = probeFormat(source);
    if (format !== 'raw')
      throw new BlockError(
        'permission',
        `${this.name}: its format was guessed, so the header of a ${format} image may not be written`,
      );
  }
}
