import { LOADER_COMMAND, LOADER_ENTRY, LOADER_FILE_NAME } from './loader.js';

/**
 * Executes a loader script as firmware would, for files that lie at given addresses: completes pointers and checksums in them.
 * @param files by name; changed.
 * @throws {RangeError} for a script that names another file or does not fit its files.
 */
export function completeTables(
  script: Uint8Array,
  files: ReadonlyMap<string, { readonly bytes: Uint8Array; readonly address: number }>,
): void {
  const view = new DataView(script.buffer, script.byteOffset, script.byteLength);
  for (let at = 0; at + LOADER_ENTRY <= script.length; at += LOADER_ENTRY) {
    const nameAt = (index: number): string => {
      const start = at + 4 + index * LOADER_FILE_NAME;
      return new TextDecoder().decode(script.subarray(start, start + LOADER_FILE_NAME)).replace(/\0.*$/s, '');
    };
    const file = (index: number) => {
      const found = files.get(nameAt(index));
      if (!found) throw new RangeError(`the loader's script names '${nameAt(index)}', which was not placed`);
      return found;
    };
    const number = (index: number): number => view.getUint32(at + index, true);
    switch (number(0)) {
      case LOADER_COMMAND.ALLOCATE:
        file(0);
        break;
      case LOADER_COMMAND.ADD_POINTER: {
        const { bytes } = file(0);
        const target = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const offset = number(4 + 2 * LOADER_FILE_NAME);
        target.setUint32(offset, target.getUint32(offset, true) + file(1).address, true);
        break;
      }
      case LOADER_COMMAND.ADD_CHECKSUM: {
        const { bytes } = file(0);
        const [offset, start, length] = [0, 4, 8].map((field) => number(4 + LOADER_FILE_NAME + field));
        if (start! + length! > bytes.length || offset! >= bytes.length)
          throw new RangeError(`the loader's script sums up ${length} bytes at ${start} of ${bytes.length}`);
        bytes[offset!] = 0;
        bytes[offset!] = -bytes.subarray(start, start! + length!).reduce((sum, byte) => (sum + byte) & 0xff, 0);
        break;
      }
      default:
        throw new RangeError(`the loader's script has command ${number(0)}`);
    }
  }
}
