import { BootError, hex } from './boot-image.js';

/** ELF, "System V ABI, Intel386 Architecture Processor Supplement": the few numbers a loader needs. */
const ELF_MAGIC = 0x464c457f;
const CLASS_32 = 1;
const LITTLE_ENDIAN = 1;
const EXECUTABLE = 2;
const MACHINE_386 = 3;
const HEADER_SIZE = 52;
const PROGRAM_HEADER_SIZE = 32;
const PT_LOAD = 1;

export interface ElfImage {
  readonly segments: readonly { address: number; bytes: Uint8Array; memorySize: number }[];
  readonly entry: number;
}

/**
 * Loadable segments of a 32-bit executable by physical address. The entry is physical, too: an entry given by its virtual address is
 * translated through the segment that holds it.
 * @throws {BootError}
 */
export function parseElf32(file: Uint8Array): ElfImage {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < HEADER_SIZE || view.getUint32(0, true) !== ELF_MAGIC)
    throw new BootError('bad-header', 'the Multiboot kernel has no address fields and is not an ELF file');
  if (file[4] !== CLASS_32)
    throw new BootError('unsupported', 'the Multiboot kernel is a 64-bit ELF file; a 32-bit one is needed');
  const [type, machine] = [view.getUint16(16, true), view.getUint16(18, true)];
  if (file[5] !== LITTLE_ENDIAN || type !== EXECUTABLE || machine !== MACHINE_386)
    throw new BootError('unsupported', `the ELF file is not an i386 executable (type ${type}, machine ${machine})`);
  const entry = view.getUint32(24, true);
  const [table, size, count] = [view.getUint32(28, true), view.getUint16(42, true), view.getUint16(44, true)];
  if (count > 0 && size < PROGRAM_HEADER_SIZE) throw new BootError('bad-header', `ELF: program headers of ${size} bytes`);
  if (table + size * count > file.length)
    throw new BootError('truncated', `ELF: ${count} program headers at ${hex(table)} end behind the file (${file.length} bytes)`);
  const segments = [];
  let physicalEntry = entry;
  for (let i = 0; i < count; i++) {
    const field = (index: number): number => view.getUint32(table + size * i + 4 * index, true);
    if (field(0) !== PT_LOAD) continue;
    const [offset, virtual, address, fileSize, memorySize] = [field(1), field(2), field(3), field(4), field(5)];
    if (offset + fileSize > file.length)
      throw new BootError('truncated', `ELF: segment ${i} (${fileSize} bytes at ${hex(offset)}) ends behind the file`);
    if (memorySize < fileSize)
      throw new BootError('bad-header', `ELF: segment ${i} has ${fileSize} bytes in the file, ${memorySize} in memory`);
    if (memorySize === 0) continue;
    if (virtual !== address && entry >= virtual && entry < virtual + memorySize) physicalEntry = entry - virtual + address;
    segments.push({ address, bytes: file.subarray(offset, offset + fileSize), memorySize });
  }
  if (segments.length === 0) throw new BootError('bad-header', 'ELF: no loadable segment');
  return { segments, entry: physicalEntry };
}
