import { hex } from './errors.js';
import { PAGE_SIZE, RAM_FLAG, XBZRLE_ENCODING } from './format.js';
import { readMappedPages, readMappedRamHeader } from './mapped-ram.js';
import { pagePath, type RamBlockInfo, type RamHandler } from './ram-records.js';
import type { StreamReader } from './reader.js';

/** Kinds of page records; each excludes the others. */
const KINDS = RAM_FLAG.ZERO | RAM_FLAG.PAGE | RAM_FLAG.XBZRLE | RAM_FLAG.COMPRESS_PAGE;
/** A zlib stream of one page cannot be larger; more is a broken length. */
const MAX_COMPRESSED = 2 * PAGE_SIZE;
const MAX_BLOCKS = 4096;
const MAX_BLOCK_LENGTH = 2 ** 46;

export interface RamReaderOptions {
  /** From the configuration section: block records carry an address. */
  readonly ignoreShared: boolean;
  /** From the configuration section: block records carry a header, and the pages are there. */
  readonly mappedRam: boolean;
  /** Page sizes of blocks as POSTCOPY_ADVISE said; decides whether block records can carry a page size. */
  readonly postcopyPageSizes?: bigint | undefined;
}

/**
 * Reads the data of `ram` sections record by record. One object per channel, from the first START on: the block that a
 * continued page belongs to survives the ends of sections.
 */
export class RamReader {
  private readonly blocks = new Map<string, RamBlockInfo>();
  private last: RamBlockInfo | undefined;
  private lastOffset = 0;
  private fileBase: number | undefined;
  private readonly options: RamReaderOptions;

  constructor(
    private readonly reader: StreamReader,
    options: Partial<RamReaderOptions> = {},
  ) {
    this.options = { ignoreShared: false, mappedRam: false, ...options };
  }

  /** Reads up to and including the EOS record. */
  async readSection(handle: RamHandler): Promise<void> {
    const { reader } = this;
    for (;;) {
      if (reader.available < 8) {
        if (this.last) reader.place.path = pagePath(this.last, this.lastOffset);
        await reader.need(8, 'the RAM record behind this page');
      }
      const recordAt = reader.offset;
      const high = reader.u32();
      const low = reader.u32();
      const flags = low & 0xfff;
      const offset = high * 0x1_0000_0000 + (low - flags);
      if (flags === RAM_FLAG.EOS) {
        const done = handle({ kind: 'ram-eos' });
        if (done) await done;
        reader.place.path = '';
        return;
      }
      if (flags === RAM_FLAG.MEM_SIZE) await this.readBlocks(offset, recordAt, handle);
      else if (flags === RAM_FLAG.MULTIFD_FLUSH && !this.options.mappedRam) {
        const done = handle({ kind: 'ram-multifd-flush' });
        if (done) await done;
      } else {
        const page = this.readPage(flags, offset, recordAt, handle);
        if (page) await page;
      }
    }
  }

  /** Everything that is already here is handled without waiting; only what is missing makes this asynchronous. */
  private readPage(flags: number, offset: number, recordAt: number, handle: RamHandler): void | Promise<void> {
    const { reader } = this;
    const kind = flags & KINDS;
    const others = flags & ~(KINDS | RAM_FLAG.CONTINUE);
    if (others !== 0 || kind === 0 || (kind & (kind - 1)) !== 0 || this.options.mappedRam) {
      reader.fail('ram-flags', `unknown combination of RAM record flags${flagNames(flags)}`, {
        offset: recordAt,
        path: '',
        got: hex(flags),
      });
    }
    if ((flags & RAM_FLAG.CONTINUE) === 0 || (kind !== RAM_FLAG.PAGE && kind !== RAM_FLAG.ZERO))
      return this.readPageSlowly(flags, offset, recordAt, handle);
    const size = kind === RAM_FLAG.PAGE ? PAGE_SIZE : 1;
    if (reader.available < size) return this.readPageSlowly(flags, offset, recordAt, handle);
    const block = this.check(this.last, offset, recordAt);
    return kind === RAM_FLAG.PAGE
      ? handle({ kind: 'ram-page', block, offset, continued: true, bytes: reader.take(PAGE_SIZE) })
      : handle({ kind: 'ram-zero', block, offset, continued: true, byte: reader.u8() });
  }

  private async readPageSlowly(flags: number, offset: number, recordAt: number, handle: RamHandler): Promise<void> {
    const { reader } = this;
    const continued = (flags & RAM_FLAG.CONTINUE) !== 0;
    if (!continued) {
      reader.place.path = '';
      const name = await reader.string8('the block name of a RAM page');
      const named = this.blocks.get(name);
      if (!named)
        reader.fail('ram-unknown-block', `a page belongs to RAM block '${name}', which was not announced`, {
          offset: recordAt,
          got: name,
        });
      this.last = named;
    }
    const block = this.check(this.last, offset, recordAt);
    reader.place.path = pagePath(block, offset);
    switch (flags & KINDS) {
      case RAM_FLAG.ZERO:
        await reader.need(1, 'a zero page record');
        return handle({ kind: 'ram-zero', block, offset, continued, byte: reader.u8() });
      case RAM_FLAG.PAGE:
        await reader.need(PAGE_SIZE, 'a RAM page');
        return handle({ kind: 'ram-page', block, offset, continued, bytes: reader.take(PAGE_SIZE) });
      case RAM_FLAG.XBZRLE: {
        await reader.need(3, 'an XBZRLE record');
        const encoding = reader.u8();
        const length = reader.u16();
        if (encoding !== XBZRLE_ENCODING) {
          reader.fail('ram-xbzrle', 'unknown XBZRLE encoding', {
            offset: recordAt,
            expected: `${XBZRLE_ENCODING}`,
            got: `${encoding}`,
          });
        }
        if (length > PAGE_SIZE) {
          reader.fail('ram-xbzrle', 'an XBZRLE delta is longer than a page', {
            offset: recordAt,
            expected: `at most ${PAGE_SIZE}`,
            got: `${length}`,
          });
        }
        await reader.need(length, 'an XBZRLE delta');
        return handle({ kind: 'ram-xbzrle', block, offset, continued, delta: reader.take(length) });
      }
      default: {
        await reader.need(4, 'a compressed page record');
        const length = reader.u32();
        if (length === 0 || length > MAX_COMPRESSED) {
          reader.fail('ram-compressed', 'impossible length of a compressed page', {
            offset: recordAt,
            expected: `1 to ${MAX_COMPRESSED}`,
            got: `${length}`,
          });
        }
        await reader.need(length, 'a compressed page');
        return handle({ kind: 'ram-compressed', block, offset, continued, data: reader.take(length) });
      }
    }
  }

  private check(block: RamBlockInfo | undefined, offset: number, recordAt: number): RamBlockInfo {
    if (!block) {
      return this.reader.fail('ram-no-block', 'a page continues the previous block, but none was named before', {
        offset: recordAt,
        path: pagePath(block, offset),
      });
    }
    if (offset + PAGE_SIZE > block.usedLength) {
      this.reader.fail('ram-address', `a page lies outside of its RAM block '${block.name}'`, {
        offset: recordAt,
        path: pagePath(block, offset),
        expected: `below ${hex(block.usedLength)}`,
        got: hex(offset),
      });
    }
    this.lastOffset = offset;
    return block;
  }

  private async readBlocks(total: number, recordAt: number, handle: RamHandler): Promise<void> {
    const { reader } = this;
    await handle({ kind: 'ram-total', total });
    let sum = 0;
    while (sum < total) {
      const streamOffset = reader.offset;
      const name = await reader.string8('the name of a RAM block');
      reader.place.path = name;
      if (this.blocks.size >= MAX_BLOCKS) reader.fail('limit', `more than ${MAX_BLOCKS} RAM blocks`);
      await reader.need(8, 'the length of a RAM block');
      const usedLength = Number(reader.u64());
      if (usedLength > MAX_BLOCK_LENGTH || usedLength % PAGE_SIZE !== 0) {
        reader.fail('ram-block-size', `impossible length of RAM block '${name}'`, {
          offset: streamOffset,
          expected: `a multiple of ${PAGE_SIZE}`,
          got: hex(usedLength),
        });
      }
      sum += usedLength;
      const pageSize = await this.readPageSize();
      const address = this.options.ignoreShared ? await this.readAddress() : undefined;
      const mapped = this.options.mappedRam ? await readMappedRamHeader(reader, usedLength) : undefined;
      const block: RamBlockInfo = {
        name,
        usedLength,
        ...(pageSize === undefined ? {} : { pageSize }),
        ...(address === undefined ? {} : { address }),
        ...(mapped === undefined ? {} : { mapped }),
      };
      this.blocks.set(name, block);
      await handle({ kind: 'ram-block', block, streamOffset });
      if (mapped) this.fileBase = await readMappedPages(reader, block, mapped, this.fileBase, handle);
    }
    reader.place.path = '';
    if (sum !== total) {
      reader.fail('ram-total', 'the lengths of the RAM blocks do not add up to the announced total', {
        offset: recordAt,
        expected: hex(total),
        got: hex(sum),
      });
    }
  }

  private async readAddress(): Promise<bigint> {
    await this.reader.need(8, 'the address of a RAM block');
    return this.reader.u64();
  }

  /**
   * The page size is there only for blocks of large pages, with postcopy. The next thing is otherwise the length byte of a name
   * (not 0), an address (only with ignore-shared, which excludes postcopy), or a record without offset.
   */
  private async readPageSize(): Promise<bigint | undefined> {
    const sizes = this.options.postcopyPageSizes;
    if (sizes === undefined || sizes === BigInt(PAGE_SIZE)) return undefined;
    const { reader } = this;
    await reader.need(8, 'the page size of a RAM block');
    const window = reader.window();
    const value = window.subarray(0, 8).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    if (value < BigInt(PAGE_SIZE) || (sizes & value) !== value) return undefined;
    return reader.u64();
  }
}

function flagNames(flags: number): string {
  const names = (Object.keys(RAM_FLAG) as (keyof typeof RAM_FLAG)[]).filter((name) => (flags & RAM_FLAG[name]) !== 0);
  return names.length > 0 ? ` (${names.join(' | ')})` : '';
}
