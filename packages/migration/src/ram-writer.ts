import { StreamError } from './errors.js';
import { MAPPED_RAM, PAGE_SIZE, RAM_FLAG, XBZRLE_ENCODING } from './format.js';
import { isUnmapped } from './mapped-ram.js';
import type { RamBlockInfo, RamRecord } from './ram-records.js';
import type { StreamWriter } from './writer.js';

/** Writes the records that {@link RamReader} reads. */
export class RamWriter {
  /** Page area of the mapped block being written: where the next byte goes, and its end. */
  private area: { block: RamBlockInfo; next: number; end: number } | undefined;

  constructor(private readonly writer: StreamWriter) {}

  /** Appends a record; waits only where holes of a mapped-ram file are filled. */
  write(record: RamRecord): void | Promise<void> {
    if (record.kind === 'ram-mapped') return this.mappedPage(record.block, record.offset, record.bytes);
    if (this.area) return this.closeArea().then(() => this.write(record));
    const { writer } = this;
    switch (record.kind) {
      case 'ram-total':
        return this.header(record.total, RAM_FLAG.MEM_SIZE);
      case 'ram-block':
        return this.block(record.block);
      case 'ram-eos':
        return this.header(0, RAM_FLAG.EOS);
      case 'ram-multifd-flush':
        return this.header(0, RAM_FLAG.MULTIFD_FLUSH);
      case 'ram-zero':
        this.pageHeader(record.offset, RAM_FLAG.ZERO, record.continued, record.block.name);
        return writer.u8(record.byte);
      case 'ram-page':
        this.pageHeader(record.offset, RAM_FLAG.PAGE, record.continued, record.block.name);
        return writer.bytes(record.bytes);
      case 'ram-xbzrle':
        this.pageHeader(record.offset, RAM_FLAG.XBZRLE, record.continued, record.block.name);
        writer.u8(XBZRLE_ENCODING);
        writer.u16(record.delta.length);
        return writer.bytes(record.delta);
      case 'ram-compressed':
        this.pageHeader(record.offset, RAM_FLAG.COMPRESS_PAGE, record.continued, record.block.name);
        writer.u32(record.data.length);
        return writer.bytes(record.data);
    }
  }

  /** The first u64 of a record. */
  header(offset: number, flags: number): void {
    this.writer.u32(Math.floor(offset / 0x1_0000_0000));
    this.writer.u32(((offset >>> 0) | flags) >>> 0);
  }

  private pageHeader(offset: number, flag: number, continued: boolean, block: string): void {
    this.header(offset, flag | (continued ? RAM_FLAG.CONTINUE : 0));
    if (!continued) this.writer.string8(block);
  }

  private block(block: RamBlockInfo): void {
    const { writer } = this;
    writer.string8(block.name);
    writer.u64n(block.usedLength);
    if (block.pageSize !== undefined) writer.u64(block.pageSize);
    if (block.address !== undefined) writer.u64(block.address);
    const { mapped } = block;
    if (!mapped) return;
    writer.u32(mapped.version);
    writer.u64n(mapped.pageSize);
    writer.u64n(mapped.bitmapOffset);
    writer.u64n(mapped.pagesOffset);
    if (isUnmapped(mapped)) return;
    writer.bytes(mapped.bitmap);
    const gap = mapped.pagesOffset - mapped.bitmapOffset - mapped.bitmap.length;
    if (gap < 0 || gap > 2 * MAPPED_RAM.PAGES_ALIGNMENT) {
      throw new StreamError('ram-mapped', 'the pages of a mapped block do not follow its bitmap', {
        section: 'ram',
        path: block.name,
      });
    }
    writer.zeros(gap);
    this.area = { block, next: 0, end: block.usedLength };
  }

  private async mappedPage(block: RamBlockInfo, offset: number, bytes: Uint8Array): Promise<void> {
    const { area } = this;
    if (!area || area.block.name !== block.name || offset < area.next || offset + PAGE_SIZE > area.end) {
      throw new StreamError('ram-mapped', 'a mapped page is not in the order of the file', {
        section: 'ram',
        path: `${block.name}+0x${offset.toString(16)}`,
      });
    }
    const page = bytes.slice(); // the caller's view does not survive the wait
    await this.zeros(offset - area.next);
    this.writer.bytes(page);
    area.next = offset + PAGE_SIZE;
  }

  private async closeArea(): Promise<void> {
    const { area } = this;
    if (!area) return;
    await this.zeros(area.end - area.next);
    this.area = undefined;
  }

  private async zeros(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const piece = Math.min(left, 1 << 16);
      this.writer.zeros(piece);
      left -= piece;
      if (this.writer.full) await this.writer.flush();
    }
  }
}
