/** What the `ram` section is made of, one object per record. */

/** A block as the stream announces it. */
export interface RamBlockInfo {
  readonly name: string;
  readonly usedLength: number;
  /** Only with postcopy and a block of large pages. */
  readonly pageSize?: bigint;
  /** Only with the capability `x-ignore-shared`: where the block's memory region is mapped. */
  readonly address?: bigint;
  /** Only with the capability `mapped-ram`. */
  readonly mapped?: MappedRamHeader;
}

/** Where a block's pages are in a mapped-ram file. Offsets count from the beginning of the file; all 0 for a block without pages. */
export interface MappedRamHeader {
  readonly version: number;
  readonly pageSize: number;
  readonly bitmapOffset: number;
  readonly pagesOffset: number;
  /** One bit per page, bit 0 of byte 0 first: 1 = stored. */
  readonly bitmap: Uint8Array;
}

interface PageRecord {
  readonly block: RamBlockInfo;
  /** Byte offset in the block. */
  readonly offset: number;
  /** True if the record names no block but goes on with the last one. */
  readonly continued: boolean;
}

export type RamRecord =
  /** First record of START: sum of the used lengths of the blocks that follow. */
  | { readonly kind: 'ram-total'; readonly total: number }
  | { readonly kind: 'ram-block'; readonly block: RamBlockInfo; readonly streamOffset: number }
  /** The page has this byte everywhere. */
  | (PageRecord & { readonly kind: 'ram-zero'; readonly byte: number })
  /** `bytes` is a view that is valid until the handler returns. The same holds for `delta` and `data`. */
  | (PageRecord & { readonly kind: 'ram-page'; readonly bytes: Uint8Array })
  | (PageRecord & { readonly kind: 'ram-xbzrle'; readonly delta: Uint8Array })
  /** `data` is one complete zlib stream. */
  | (PageRecord & { readonly kind: 'ram-compressed'; readonly data: Uint8Array })
  /** A page in a mapped-ram file. `stored` is false for left-over bytes of a page that the bitmap says is zero. */
  | {
      readonly kind: 'ram-mapped';
      readonly block: RamBlockInfo;
      readonly offset: number;
      readonly bytes: Uint8Array;
      readonly stored: boolean;
    }
  /** Wait for all multifd channels. */
  | { readonly kind: 'ram-multifd-flush' }
  /** End of this START, PART or END. */
  | { readonly kind: 'ram-eos' };

/** Receives records; a returned promise is waited for before the next one. */
export type RamHandler = (record: RamRecord) => void | Promise<void>;

/** The block and offset of a page, for errors: `pc.ram+0x1000`. */
export function pagePath(block: RamBlockInfo | undefined, offset: number): string {
  return `${block?.name ?? '?'}+0x${offset.toString(16)}`;
}
