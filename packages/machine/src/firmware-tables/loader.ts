import { ascii, concat, u8, u32 } from './bytes.js';

/**
 * The script by which firmware places the tables in memory and completes them: fw_cfg file `etc/table-loader`, one command in 128 bytes.
 * File names have 56 bytes, numbers are little-endian.
 */
export const LOADER_ENTRY = 128;
export const LOADER_FILE_NAME = 56;
export const LOADER_COMMAND = { ALLOCATE: 1, ADD_POINTER: 2, ADD_CHECKSUM: 3, WRITE_POINTER: 4 } as const;

/** Where a file goes: anywhere below 4 GiB, or 0xe0000 to 0xfffff, where guests look for the root pointer. */
const ZONE = { high: 1, 'f-segment': 2 } as const;

/** Collects commands; they are executed in order. */
export class LoaderScript {
  private readonly entries: Uint8Array[] = [];

  /** Reads `file` into memory at a multiple of `alignment`. */
  allocate(file: string, alignment: number, zone: keyof typeof ZONE): void {
    this.add(LOADER_COMMAND.ALLOCATE, fileName(file), u32(alignment), u8(ZONE[zone]));
  }

  /** The number of four bytes at `offset` of `file` is an offset in `target`: adds its address. */
  addPointer(file: string, offset: number, target: string): void {
    this.add(LOADER_COMMAND.ADD_POINTER, fileName(file), fileName(target), u32(offset), u8(4));
  }

  /** Puts the checksum of `length` bytes from `start` to `offset`. */
  addChecksum(file: string, offset: number, start: number, length: number): void {
    this.add(LOADER_COMMAND.ADD_CHECKSUM, fileName(file), u32(offset), u32(start), u32(length));
  }

  /** Writes where `source` was put, plus `sourceOffset`, as eight bytes to the beginning of `file`. */
  writePointer(file: string, source: string, sourceOffset: number): void {
    this.add(LOADER_COMMAND.WRITE_POINTER, fileName(file), fileName(source), u32(0), u32(sourceOffset), u8(8));
  }

  encode(): Uint8Array {
    return concat(...this.entries);
  }

  private add(command: number, ...contents: readonly Uint8Array[]): void {
    const entry = new Uint8Array(LOADER_ENTRY);
    entry.set(concat(u32(command), ...contents));
    this.entries.push(entry);
  }
}

/** @throws {RangeError} for a name without room for its final zero. */
function fileName(name: string): Uint8Array {
  if (name.length >= LOADER_FILE_NAME) throw new RangeError(`'${name}' is too long for a file name of the loader`);
  return ascii(name, LOADER_FILE_NAME);
}
