import {
  BootError,
  type BootImage,
  type BootRequest,
  commandLineBytes,
  flatGdt,
  flatRegisters,
  hex,
  type MemoryWrite,
} from './boot-image.js';
import { parseElf32 } from './elf32.js';
import { HIGH_MEMORY, LOW_MEMORY_END, memoryMap, requireRam } from './memory-map.js';

/** Header. [MB] 3.1 */
const HEADER_MAGIC = 0x1badb002;
const HEADER_SEARCH = 8192;
const FLAG = { PAGE_ALIGN: 1 << 0, MEMORY_INFO: 1 << 1, VIDEO_MODE: 1 << 2, ADDRESS_FIELDS: 1 << 16 } as const;
/** A loader must refuse bits 0 to 15 that it does not know. */
const KNOWN_REQUIREMENTS = FLAG.PAGE_ALIGN | FLAG.MEMORY_INFO;

/** Information structure. [MB] 3.3 */
const BOOT_MAGIC = 0x2badb002;
const INFO = {
  flags: 0,
  memLower: 4,
  memUpper: 8,
  bootDevice: 12,
  cmdline: 16,
  modsCount: 20,
  modsAddr: 24,
  mmapLength: 44,
  mmapAddr: 48,
  bootLoaderName: 64,
  SIZE: 116,
} as const;
const HAS = { MEMORY: 1 << 0, CMDLINE: 1 << 2, MODULES: 1 << 3, MMAP: 1 << 6, BOOT_LOADER_NAME: 1 << 9 } as const;

const SELECTORS = { code: 0x08, data: 0x10 } as const;
const PAGE = 4096;
/** A map entry with its leading size field. */
const MAP_ENTRY = 24;
const COMMAND_LINE_LIMIT = 65535;
const LOADER_NAME = 'pagurus';

interface Header {
  readonly offset: number;
  readonly flags: number;
}

/** Finds the header: 4-aligned, wholly in the first 8 KiB, checksum right. */
export function findMultibootHeader(kernel: Uint8Array): Header | undefined {
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const end = Math.min(kernel.length, HEADER_SEARCH) - 12;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    if (((HEADER_MAGIC + flags + view.getUint32(offset + 8, true)) & 0xffff_ffff) === 0) return { offset, flags };
  }
  return undefined;
}

interface Placed {
  readonly segments: readonly { address: number; bytes: Uint8Array; memorySize: number }[];
  readonly entry: number;
}

/** The kernel by the address fields of its header ("a.out kludge"). */
function placeByHeader(kernel: Uint8Array, header: Header): Placed {
  if (header.offset + 32 > kernel.length)
    throw new BootError('truncated', `Multiboot header at offset ${hex(header.offset)} ends behind the file`);
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const field = (index: number): number => view.getUint32(header.offset + 4 * index, true);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [field(3), field(4), field(5), field(6), field(7)];
  if (headerAddress < loadAddress)
    throw new BootError(
      'bad-header',
      `Multiboot header: header_addr ${hex(headerAddress)} is below load_addr ${hex(loadAddress)}`,
    );
  const fileOffset = header.offset - (headerAddress - loadAddress);
  if (fileOffset < 0)
    throw new BootError(
      'bad-header',
      `Multiboot header: load_addr ${hex(loadAddress)} lies ${-fileOffset} bytes before the beginning of the file`,
    );
  if (loadEnd !== 0 && loadEnd < loadAddress)
    throw new BootError('bad-header', `Multiboot header: load_end_addr ${hex(loadEnd)} is below load_addr ${hex(loadAddress)}`);
  const length = loadEnd === 0 ? kernel.length - fileOffset : loadEnd - loadAddress;
  if (fileOffset + length > kernel.length)
    throw new BootError(
      'truncated',
      `Multiboot header: load_end_addr wants ${length} bytes from offset ${fileOffset}; the file has ${kernel.length}`,
    );
  const memorySize = bssEnd === 0 ? length : bssEnd - loadAddress;
  if (memorySize < length)
    throw new BootError('bad-header', `Multiboot header: bss_end_addr ${hex(bssEnd)} is below the end of the loaded data`);
  const bytes = kernel.subarray(fileOffset, fileOffset + length);
  return { segments: [{ address: loadAddress, bytes, memorySize }], entry };
}

/**
 * Prepares a Multiboot (version 1) kernel: its segments, then, page by page behind them, information, map, command line and modules.
 * @throws {BootError}
 */
export function loadMultiboot(request: BootRequest): BootImage {
  const { kernel, below4g } = request;
  const header = findMultibootHeader(kernel);
  if (!header) throw new BootError('unknown-format', 'no Multiboot header in the first 8192 bytes of the kernel');
  const unknown = header.flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown !== 0)
    throw new BootError(
      'unsupported',
      unknown & FLAG.VIDEO_MODE
        ? 'the Multiboot kernel asks for a video mode (flag 2), which this loader cannot set'
        : `the Multiboot kernel asks for unknown features (flags ${hex(unknown)})`,
    );
  const placed = header.flags & FLAG.ADDRESS_FIELDS ? placeByHeader(kernel, header) : parseElf32(kernel);

  const writes: MemoryWrite[] = [];
  let end = 0;
  placed.segments.forEach(({ address, bytes, memorySize }, i) => {
    requireRam(`kernel segment ${i} (${memorySize} bytes)`, address, memorySize, below4g);
    for (const other of placed.segments.slice(0, i))
      if (address < other.address + other.memorySize && other.address < address + memorySize)
        throw new BootError('bad-header', `kernel segments at ${hex(other.address)} and ${hex(address)} overlap`);
    // The whole memory size is written, so that a reset also clears what the last run left in the zero-initialised part.
    const whole = new Uint8Array(memorySize);
    whole.set(bytes);
    if (memorySize > 0) writes.push({ address, bytes: whole });
    end = Math.max(end, address + memorySize);
  });
  if (!placed.segments.some(({ address, memorySize }) => placed.entry >= address && placed.entry < address + memorySize))
    throw new BootError('bad-header', `entry address ${hex(placed.entry)} lies outside the kernel's segments`);

  const place = (what: string, length: number): number => {
    let address = align(end, PAGE);
    if (address < HIGH_MEMORY && address + length > LOW_MEMORY_END) address = HIGH_MEMORY;
    requireRam(what, address, length, below4g);
    end = address + length;
    return address;
  };
  const modules = (request.modules ?? []).map((module, i) => {
    const address = place(`module ${i} (${module.bytes.length} bytes)`, module.bytes.length);
    if (module.bytes.length > 0) writes.push({ address, bytes: module.bytes });
    return { address, length: module.bytes.length, text: module.commandLine ?? '' };
  });
  const block = informationBlock(request, modules);
  const base = place('Multiboot information', block.length);
  writes.push({ address: base, bytes: block.at(base) });
  return {
    protocol: 'multiboot',
    writes,
    registers: flatRegisters(placed.entry, base + block.gdt, SELECTORS, { eax: BOOT_MAGIC, ebx: base }),
    a20: true,
  };
}

interface LoadedModule {
  readonly address: number;
  readonly length: number;
  readonly text: string;
}

/** Information structure, GDT, modules list, map and strings in one block; `at` renders it for an address. */
function informationBlock(request: BootRequest, modules: readonly LoadedModule[]) {
  const { below4g, above4g } = request;
  const map = memoryMap(below4g, above4g);
  const gdt = flatGdt(SELECTORS.code, SELECTORS.data);
  const strings = [
    commandLineBytes(`${request.kernelName ?? 'kernel'} ${request.commandLine ?? ''}`, COMMAND_LINE_LIMIT),
    commandLineBytes(LOADER_NAME, COMMAND_LINE_LIMIT),
    ...modules.map((module) => commandLineBytes(module.text, COMMAND_LINE_LIMIT)),
  ];
  const gdtOffset = align(INFO.SIZE, 8);
  const listOffset = align(gdtOffset + gdt.length, 8);
  const mapOffset = listOffset + 16 * modules.length;
  let length = mapOffset + MAP_ENTRY * map.length;
  const stringOffsets = strings.map((bytes) => {
    length += bytes.length;
    return length - bytes.length;
  });

  function at(base: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
    u32(INFO.flags, HAS.MEMORY | HAS.CMDLINE | HAS.MODULES | HAS.MMAP | HAS.BOOT_LOADER_NAME);
    u32(INFO.memLower, Math.floor(Math.min(below4g, LOW_MEMORY_END) / 1024));
    u32(INFO.memUpper, Math.floor(Math.max(0, below4g - HIGH_MEMORY) / 1024));
    u32(INFO.cmdline, base + stringOffsets[0]!);
    u32(INFO.modsCount, modules.length);
    u32(INFO.modsAddr, base + listOffset);
    u32(INFO.mmapLength, MAP_ENTRY * map.length);
    u32(INFO.mmapAddr, base + mapOffset);
    u32(INFO.bootLoaderName, base + stringOffsets[1]!);
    bytes.set(gdt, gdtOffset);
    modules.forEach((module, i) => {
      u32(listOffset + 16 * i, module.address);
      u32(listOffset + 16 * i + 4, module.address + module.length);
      u32(listOffset + 16 * i + 8, base + stringOffsets[2 + i]!);
    });
    map.forEach((range, i) => {
      const offset = mapOffset + MAP_ENTRY * i;
      u32(offset, MAP_ENTRY - 4);
      view.setBigUint64(offset + 4, BigInt(range.base), true);
      view.setBigUint64(offset + 12, BigInt(range.length), true);
      u32(offset + 20, range.type);
    });
    strings.forEach((text, i) => {
      bytes.set(text, stringOffsets[i]!);
    });
    return bytes;
  }
  return { length, gdt: gdtOffset, at };
}

const align = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
