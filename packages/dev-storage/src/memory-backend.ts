import type { BlockBackend } from '@pagurus/device-model';

const SECTOR = 512;

export interface MemoryBackendOptions {
  readonly readOnly?: boolean;
}

/** A raw image in memory. Completes every request at once. */
export class MemoryBlockBackend implements BlockBackend {
  readonly sectors: number;
  readonly readOnly: boolean;

  /** @param bytes the image; a last, shorter sector is filled up with zeros that a guest can't change. */
  constructor(
    readonly bytes: Uint8Array,
    options: MemoryBackendOptions = {},
  ) {
    this.sectors = Math.ceil(bytes.length / SECTOR);
    this.readOnly = options.readOnly ?? false;
  }

  readNow(sector: number, target: Uint8Array): true {
    this.check(sector, target.length);
    const start = sector * SECTOR;
    const part = this.bytes.subarray(start, start + target.length);
    target.set(part);
    target.fill(0, part.length);
    return true;
  }

  writeNow(sector: number, source: Uint8Array): true {
    this.check(sector, source.length);
    if (this.readOnly) throw new Error('the image is read-only');
    const start = sector * SECTOR;
    this.bytes.set(source.subarray(0, Math.max(0, this.bytes.length - start)), start);
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

  private check(sector: number, length: number): void {
    const inside = Number.isInteger(sector) && sector >= 0 && length % SECTOR === 0 && sector + length / SECTOR <= this.sectors;
    if (!inside) throw new RangeError(`${length} bytes at sector ${sector} leave the image of ${this.sectors} sectors`);
  }
}
