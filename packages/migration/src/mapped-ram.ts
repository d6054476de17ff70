import { hex } from './errors.js';
import { MAPPED_RAM, PAGE_SIZE } from './format.js';
import { type MappedRamHeader, pagePath, type RamBlockInfo, type RamHandler } from './ram-records.js';
import type { StreamReader } from './reader.js';

/*
 * A mapped-ram file, read from front to back. Per block, behind its length:
 *
 *     u32 version, u64 page size, u64 bitmap offset, u64 pages offset        28 bytes
 *     bitmap, ceil(pages / 64) * 8 bytes
 *     hole up to the pages offset
 *     used_length bytes of pages, zero pages left out                        then the next block's record
 */

const MAX_BITMAP = 1 << 26;
const SKIP_PIECE = 1 << 16;

/** Size in bytes of the bitmap of a block. */
export function mappedBitmapSize(usedLength: number): number {
  return Math.ceil(usedLength / PAGE_SIZE / 64) * 8;
}

/** True if the block has no pages in the file (ignored, shared). */
export function isUnmapped(header: MappedRamHeader): boolean {
  return header.pagesOffset === 0;
}

/** Reads header and bitmap. */
export async function readMappedRamHeader(reader: StreamReader, usedLength: number): Promise<MappedRamHeader> {
  const at = reader.offset;
  await reader.need(MAPPED_RAM.HEADER_SIZE, 'a mapped-ram header');
  const version = reader.u32();
  const pageSize = Number(reader.u64());
  const bitmapOffset = Number(reader.u64());
  const pagesOffset = Number(reader.u64());
  if (version !== MAPPED_RAM.VERSION) {
    reader.fail('ram-mapped', 'unknown version of a mapped-ram header', {
      offset: at,
      expected: `${MAPPED_RAM.VERSION}`,
      got: `${version}`,
    });
  }
  if (pageSize !== PAGE_SIZE) {
    reader.fail('ram-mapped', 'wrong page size in a mapped-ram header', {
      offset: at,
      expected: `${PAGE_SIZE}`,
      got: `${pageSize}`,
    });
  }
  if (pagesOffset === 0) return { version, pageSize, bitmapOffset, pagesOffset, bitmap: new Uint8Array(0) };
  const size = mappedBitmapSize(usedLength);
  if (size > MAX_BITMAP) reader.fail('limit', 'the bitmap of a mapped-ram block is too large', { offset: at, got: `${size}` });
  await reader.need(size, 'a mapped-ram bitmap');
  return { version, pageSize, bitmapOffset, pagesOffset, bitmap: reader.take(size).slice() };
}

/**
 * Reads the page area that belongs to a block.
 * @param fileBase file offset of the stream's first byte as earlier blocks showed it; undefined for the first.
 * @returns that base.
 */
export async function readMappedPages(
  reader: StreamReader,
  block: RamBlockInfo,
  header: MappedRamHeader,
  fileBase: number | undefined,
  handle: RamHandler,
): Promise<number | undefined> {
  if (isUnmapped(header)) return fileBase;
  const bitmapAt = reader.offset - header.bitmap.length;
  const base = fileBase ?? header.bitmapOffset - bitmapAt;
  const gap = header.pagesOffset - base - reader.offset;
  if (header.bitmapOffset - base !== bitmapAt || gap < 0) {
    reader.fail('ram-mapped', `the mapped-ram offsets of block '${block.name}' do not fit its place in the file`, {
      offset: bitmapAt,
      expected: `bitmap at ${hex(bitmapAt + base)}, pages behind it`,
      got: `bitmap at ${hex(header.bitmapOffset)}, pages at ${hex(header.pagesOffset)}`,
    });
  }
  await skipHole(reader, gap, block);
  for (let offset = 0; offset < block.usedLength; offset += PAGE_SIZE) {
    reader.place.path = pagePath(block, offset);
    if (reader.available < PAGE_SIZE) await reader.need(PAGE_SIZE, 'a mapped page');
    const bytes = reader.take(PAGE_SIZE);
    const page = offset / PAGE_SIZE;
    const stored = ((header.bitmap[page >> 3]! >> (page & 7)) & 1) === 1;
    if (!stored && bytes.every((byte) => byte === 0)) continue;
    const done = handle({ kind: 'ram-mapped', block, offset, bytes, stored });
    if (done) await done;
  }
  return base;
}

async function skipHole(reader: StreamReader, length: number, block: RamBlockInfo): Promise<void> {
  for (let left = length; left > 0; ) {
    const piece = Math.min(left, SKIP_PIECE);
    await reader.need(piece, 'the hole before mapped pages');
    if (reader.take(piece).some((byte) => byte !== 0)) {
      reader.fail('ram-mapped', `the hole before the pages of block '${block.name}' is not empty`);
    }
    left -= piece;
  }
}
