import { StreamError, type StreamErrorDetails } from './errors.js';
import { PAGE_SIZE } from './format.js';
import { pagePath, type RamRecord } from './ram-records.js';
import { message } from './reader.js';
import { applyXbzrle, decodeXbzrle, XbzrleError } from './xbzrle.js';

/** Where pages go. Blocks are named, offsets are multiples of the page size. */
export interface RamMemory {
  /** A copy of the page as it is. */
  read(block: string, offset: number): Uint8Array;
  /** `bytes` is a view that must not be kept. */
  write(block: string, offset: number, bytes: Uint8Array): void;
  fill(block: string, offset: number, byte: number): void;
}

/** Unpacks one complete zlib stream; must not give more than `maxLength` bytes. @throws if it is broken. */
export type Inflate = (data: Uint8Array, maxLength: number) => Uint8Array;

/**
 * Carries out a record that holds a page; others do nothing.
 * @param at stream offset behind the record, for errors.
 * @throws {StreamError} `ram-xbzrle`, `ram-compressed`
 */
export function applyRamRecord(record: RamRecord, memory: RamMemory, at: number, inflate?: Inflate): void {
  switch (record.kind) {
    case 'ram-zero':
      memory.fill(record.block.name, record.offset, record.byte);
      break;
    case 'ram-page':
      memory.write(record.block.name, record.offset, record.bytes);
      break;
    case 'ram-mapped':
      if (record.stored) memory.write(record.block.name, record.offset, record.bytes);
      break;
    case 'ram-xbzrle': {
      const page = memory.read(record.block.name, record.offset);
      try {
        applyXbzrle(decodeXbzrle(record.delta, PAGE_SIZE), page);
      } catch (cause) {
        if (!(cause instanceof XbzrleError)) throw cause;
        throw new StreamError('ram-xbzrle', `broken XBZRLE delta: ${cause.message}`, {
          ...where(record),
          offset: at - record.delta.length + cause.offset,
          cause,
        });
      }
      memory.write(record.block.name, record.offset, page);
      break;
    }
    case 'ram-compressed': {
      const details = { ...where(record), offset: at - record.data.length };
      if (!inflate) throw new StreamError('ram-compressed', 'a compressed page, but compression is off here', details);
      let page: Uint8Array;
      try {
        page = inflate(record.data, PAGE_SIZE);
      } catch (cause) {
        throw new StreamError('ram-compressed', `a compressed page cannot be unpacked: ${message(cause)}`, { ...details, cause });
      }
      if (page.length !== PAGE_SIZE) {
        throw new StreamError('ram-compressed', 'a compressed page has another size', {
          ...details,
          expected: `${PAGE_SIZE} bytes`,
          got: `${page.length} bytes`,
        });
      }
      memory.write(record.block.name, record.offset, page);
      break;
    }
    default:
  }
}

function where(record: Extract<RamRecord, { kind: 'ram-xbzrle' | 'ram-compressed' }>): StreamErrorDetails {
  return { section: 'ram', instance: 0, path: pagePath(record.block, record.offset) };
}

/** Blocks as byte arrays, for tests and small streams. */
export class ArrayMemory implements RamMemory {
  readonly blocks = new Map<string, Uint8Array>();

  add(name: string, length: number): void {
    if (!this.blocks.has(name)) this.blocks.set(name, new Uint8Array(length));
  }
  read(block: string, offset: number): Uint8Array {
    return this.page(block, offset).slice();
  }
  write(block: string, offset: number, bytes: Uint8Array): void {
    this.page(block, offset).set(bytes);
  }
  fill(block: string, offset: number, byte: number): void {
    this.page(block, offset).fill(byte);
  }
  private page(block: string, offset: number): Uint8Array {
    return this.blocks.get(block)!.subarray(offset, offset + PAGE_SIZE);
  }
}
