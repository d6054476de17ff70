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
import { HIGH_MEMORY, memoryMap, requireRam } from './memory-map.js';

/** Offsets in the kernel file and, the same, in boot_params. [BOOT] "The Real-Mode Kernel Header" */
const HEADER = {
  setupSectors: 0x1f1,
  bootFlag: 0x1fe,
  jumpLength: 0x201,
  magic: 0x202,
  version: 0x206,
  typeOfLoader: 0x210,
  loadFlags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  heapEnd: 0x224,
  commandLine: 0x228,
  initrdMost: 0x22c,
  kernelAlignment: 0x230,
  relocatable: 0x234,
  commandLineSize: 0x238,
  preferredAddress: 0x258,
  initSize: 0x260,
} as const;
const MAGIC = 0x53726448; // "HdrS"
const BOOT_FLAG = 0xaa55;
const LOADED_HIGH = 0x01;
const CAN_USE_HEAP = 0x80;
const UNKNOWN_LOADER = 0xff;

/** Fields of boot_params outside the header. [BOOT] zero-page */
const PARAMS = {
  SIZE: 4096,
  extMemoryKib: 0x002,
  videoMode: 0x006,
  videoColumns: 0x007,
  videoIsVga: 0x00f,
  videoLines: 0x00e,
  videoPoints: 0x010,
  altMemoryKib: 0x1e0,
  e820Entries: 0x1e8,
  e820Table: 0x2d0,
} as const;

/** Where we put things below 1 MiB. */
const GDT_ADDRESS = 0x0f000;
const PARAMS_ADDRESS = 0x10000;
const COMMAND_LINE_ADDRESS = 0x20000;
const COMMAND_LINE_LIMIT = 0x10000;
const STACK_TOP = 0x0f000;
/** [BOOT] "32-bit Boot Protocol": __BOOT_CS and __BOOT_DS. */
const SELECTORS = { code: 0x10, data: 0x18 } as const;

const SECTOR = 512;
const PAGE = 4096;
/** Before protocol 2.03 and where the header gives nothing. */
const INITRD_MOST = 0x37ff_ffff;
const COMMAND_LINE_BEFORE_2_06 = 255;

/** True if the file has the Linux header: boot flag and "HdrS". */
export function isLinuxKernel(kernel: Uint8Array): boolean {
  if (kernel.length < HEADER.version + 2) return false;
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  return view.getUint16(HEADER.bootFlag, true) === BOOT_FLAG && view.getUint32(HEADER.magic, true) === MAGIC;
}

/**
 * Prepares a Linux bzImage for entry by the 32-bit boot protocol: protected-mode code at 1 MiB, boot_params, command line and GDT below,
 * initial RAM disk as high as the kernel allows.
 * @throws {BootError}
 */
export function loadLinux(request: BootRequest): BootImage {
  const { kernel, above4g = 0, reserved = 0 } = request;
  const below4g = request.below4g - reserved;
  if (!isLinuxKernel(kernel)) throw new BootError('unknown-format', "no Linux header ('HdrS' at offset 0x202) in the kernel");
  if ((request.modules?.length ?? 0) > 1)
    throw new BootError('unsupported', `a Linux kernel takes one initial RAM disk, ${request.modules!.length} were given`);
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const version = view.getUint16(HEADER.version, true);
  const versionText = `${version >> 8}.${String(version & 0xff).padStart(2, '0')}`;
  const headerEnd = HEADER.magic + kernel[HEADER.jumpLength]!;
  if (version < 0x202) throw new BootError('unsupported', `Linux boot protocol ${versionText}; 2.02 or newer is needed`);
  const need = version >= 0x20a ? HEADER.initSize + 4 : version >= 0x206 ? HEADER.commandLineSize + 4 : HEADER.initrdMost;
  if (headerEnd < need || headerEnd > PARAMS.e820Table)
    throw new BootError(
      'bad-header',
      `Linux header of protocol ${versionText} ends at ${hex(headerEnd)}, expected at least ${hex(need)}`,
    );
  const setupEnd = ((kernel[HEADER.setupSectors]! || 4) + 1) * SECTOR;
  if (setupEnd >= kernel.length || headerEnd > kernel.length)
    throw new BootError('truncated', `Linux kernel of ${kernel.length} bytes ends inside its set-up code (${setupEnd} bytes)`);
  if ((kernel[HEADER.loadFlags]! & LOADED_HIGH) === 0)
    throw new BootError('unsupported', 'a Linux zImage (loaded low); a bzImage is needed');

  const code = kernel.subarray(setupEnd);
  requireRam(`Linux kernel (${code.length} bytes)`, HIGH_MEMORY, code.length, below4g);
  const kernelEnd = roomOf(view, version, code.length, below4g);

  const commandLineMost = version >= 0x206 ? view.getUint32(HEADER.commandLineSize, true) : COMMAND_LINE_BEFORE_2_06;
  const text = commandLineBytes(request.commandLine ?? '', Math.min(commandLineMost, COMMAND_LINE_LIMIT - 1));
  requireRam('kernel command line', COMMAND_LINE_ADDRESS, text.length, below4g);

  const writes: MemoryWrite[] = [{ address: HIGH_MEMORY, bytes: code }];
  const params = new Uint8Array(PARAMS.SIZE);
  const out = new DataView(params.buffer);
  params.set(kernel.subarray(HEADER.setupSectors, headerEnd), HEADER.setupSectors);
  params[HEADER.typeOfLoader] = UNKNOWN_LOADER;
  params[HEADER.loadFlags] = params[HEADER.loadFlags]! & ~CAN_USE_HEAP;
  out.setUint32(HEADER.code32Start, HIGH_MEMORY, true);
  out.setUint32(HEADER.commandLine, COMMAND_LINE_ADDRESS, true);

  const initrd = request.modules?.[0]?.bytes;
  if (initrd && initrd.length > 0) {
    const most = version >= 0x203 ? view.getUint32(HEADER.initrdMost, true) : INITRD_MOST;
    const top = Math.min(below4g, most + 1);
    const address = Math.floor((top - initrd.length) / PAGE) * PAGE;
    if (address < kernelEnd)
      throw new BootError(
        'no-room',
        `initial RAM disk of ${initrd.length} bytes does not fit between the kernel's end ${hex(kernelEnd)} and ${hex(top)}`,
      );
    writes.push({ address, bytes: initrd });
    out.setUint32(HEADER.ramdiskImage, address, true);
    out.setUint32(HEADER.ramdiskSize, initrd.length, true);
  }

  screenAndMemory(params, out, request.below4g, above4g, reserved);
  const gdt = flatGdt(SELECTORS.code, SELECTORS.data);
  writes.push(
    { address: GDT_ADDRESS, bytes: gdt },
    { address: PARAMS_ADDRESS, bytes: params },
    { address: COMMAND_LINE_ADDRESS, bytes: text },
  );
  return {
    protocol: 'linux',
    writes,
    registers: flatRegisters(HIGH_MEMORY, GDT_ADDRESS, SELECTORS, { esi: PARAMS_ADDRESS, esp: STACK_TOP }),
    a20: true,
  };
}

/** First byte behind what the kernel needs before it knows the memory map; checked against RAM. */
function roomOf(view: DataView, version: number, length: number, below4g: number): number {
  if (version < 0x20a) return HIGH_MEMORY + length;
  const relocatable = view.getUint8(HEADER.relocatable) !== 0;
  const alignment = view.getUint32(HEADER.kernelAlignment, true);
  const preferred = Number(view.getBigUint64(HEADER.preferredAddress, true));
  const initSize = view.getUint32(HEADER.initSize, true);
  if (relocatable && (alignment === 0 || (alignment & (alignment - 1)) !== 0))
    throw new BootError('bad-header', `Linux header: kernel_alignment ${hex(alignment)} is not a power of two`);
  // [BOOT] pref_address: a relocatable kernel runs at its load address aligned up, or at the preferred one if that is higher.
  const start = relocatable ? Math.max(preferred, Math.ceil(HIGH_MEMORY / alignment) * alignment) : preferred;
  requireRam(`Linux kernel (needs ${initSize} bytes to start)`, start, initSize, below4g);
  return Math.max(HIGH_MEMORY + length, start + initSize);
}

/** 80 × 25 VGA text and the e820 map. */
function screenAndMemory(params: Uint8Array, out: DataView, below4g: number, above4g: number, reserved: number): void {
  const extendedKib = Math.max(0, Math.floor((below4g - HIGH_MEMORY) / 1024));
  out.setUint16(PARAMS.extMemoryKib, Math.min(extendedKib, 0xfc00), true);
  out.setUint32(PARAMS.altMemoryKib, extendedKib, true);
  params[PARAMS.videoMode] = 3;
  params[PARAMS.videoColumns] = 80;
  params[PARAMS.videoLines] = 25;
  params[PARAMS.videoIsVga] = 1;
  out.setUint16(PARAMS.videoPoints, 16, true);
  const map = memoryMap(below4g, above4g, reserved);
  params[PARAMS.e820Entries] = map.length;
  map.forEach((range, i) => {
    const offset = PARAMS.e820Table + 20 * i;
    out.setBigUint64(offset, BigInt(range.base), true);
    out.setBigUint64(offset + 8, BigInt(range.length), true);
    out.setUint32(offset + 16, range.type, true);
  });
}
