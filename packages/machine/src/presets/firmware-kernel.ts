import type { FwCfgService } from '@pagurus/dev-chipset';
import type { Composer } from '../composer.js';
import { linuxRom } from '../loader/linux-rom.js';
import { MachineError } from '../machine-type.js';
import { littleEndian } from './firmware-data.js';
import type { MemoryLayout } from './pc-parts.js';

/** fw_cfg keys from which the option ROM takes a kernel; those of QEMU's fw_cfg specification. */
const KEY = {
  KERNEL_ADDRESS: 0x07,
  KERNEL_SIZE: 0x08,
  INITRD_ADDRESS: 0x0a,
  INITRD_SIZE: 0x0b,
  KERNEL_DATA: 0x11,
  INITRD_DATA: 0x12,
  COMMAND_LINE_ADDRESS: 0x13,
  COMMAND_LINE_SIZE: 0x14,
  COMMAND_LINE_DATA: 0x15,
  SETUP_ADDRESS: 0x16,
  SETUP_SIZE: 0x17,
  SETUP_DATA: 0x18,
} as const;

/** Where the parts go. The command line lies behind the set-up code's heap. */
const ADDRESS = { KERNEL: 0x100000, SETUP: 0x10000, COMMAND_LINE: 0x20000 } as const;
/** Kept free at the end of RAM for firmware tables. */
const TABLES_ROOM = 0x30000;

/** Header offsets and bits. [BOOT] The Linux/x86 Boot Protocol, "The Real-Mode Kernel Header" */
const HEADER = {
  SETUP_SECTORS: 0x1f1,
  VIDEO_MODE: 0x1fa,
  VERSION: 0x206,
  LOADER: 0x210,
  FLAGS: 0x211,
  INITRD: 0x218,
  INITRD_SIZE: 0x21c,
  HEAP_END: 0x224,
  COMMAND_LINE: 0x228,
  INITRD_MOST: 0x22c,
} as const;
const QEMU_LOADER = 0xb0;
const CAN_USE_HEAP = 0x80;
const SECTOR = 512;
const PAGE = 4096;

/** QEMU's names of the option ROM that boots what {@link offerKernel} put into fw_cfg; ours is the same for both interfaces. */
const ROM_NAME = { DMA: 'linuxboot_dma.bin', PORTS: 'linuxboot.bin' } as const;

/**
 * `-kernel` beside firmware: the kernel's parts as fw_cfg items and the option ROM that boots them, so that the kernel finds what firmware
 * leaves behind (ACPI tables, programmed chipset).
 * @throws {MachineError} for a kernel that has no real-mode entry.
 */
export function offerKernel(composer: Composer, fwCfg: FwCfgService, layout: MemoryLayout): void {
  const { image, initrd, commandLine = '' } = composer.config.kernel!;
  const header = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const version = header.getUint16(HEADER.VERSION, true);
  const setupSize = ((image[HEADER.SETUP_SECTORS]! || 4) + 1) * SECTOR;
  if (version < 0x203 || setupSize >= image.length)
    throw new MachineError(
      `the kernel has boot protocol ${version >> 8}.${version & 0xff} and ${image.length} bytes; 2.03 is needed`,
    );

  const setup = image.slice(0, setupSize);
  const out = new DataView(setup.buffer);
  setup[HEADER.LOADER] = QEMU_LOADER;
  setup[HEADER.FLAGS] = setup[HEADER.FLAGS]! | CAN_USE_HEAP;
  const mode = videoMode(commandLine);
  if (mode !== undefined) out.setUint16(HEADER.VIDEO_MODE, mode, true);
  out.setUint16(HEADER.HEAP_END, ADDRESS.COMMAND_LINE - ADDRESS.SETUP - SECTOR, true);
  out.setUint32(HEADER.COMMAND_LINE, ADDRESS.COMMAND_LINE, true);
  const most = header.getUint32(HEADER.INITRD_MOST, true);
  const size = initrd?.length ?? 0;
  const start = Math.floor((Math.min(layout.below4g - TABLES_ROOM, most + 1) - size) / PAGE) * PAGE;
  if (start < ADDRESS.KERNEL + image.length - setupSize)
    throw new MachineError(
      `initial RAM disk of ${size} bytes does not fit behind the kernel in ${layout.below4g} bytes of memory`,
    );
  if (size > 0) {
    out.setUint32(HEADER.INITRD, start, true);
    out.setUint32(HEADER.INITRD_SIZE, size, true);
  }

  const text = new TextEncoder().encode(`${commandLine}\0`);
  const number = (key: number, value: number): void => fwCfg.addBytes(key, littleEndian(value, 4));
  number(KEY.SETUP_ADDRESS, ADDRESS.SETUP);
  number(KEY.SETUP_SIZE, setup.length);
  fwCfg.addBytes(KEY.SETUP_DATA, setup);
  number(KEY.KERNEL_ADDRESS, ADDRESS.KERNEL);
  number(KEY.KERNEL_SIZE, image.length - setupSize);
  fwCfg.addBytes(KEY.KERNEL_DATA, image.subarray(setupSize));
  number(KEY.COMMAND_LINE_ADDRESS, ADDRESS.COMMAND_LINE);
  number(KEY.COMMAND_LINE_SIZE, text.length);
  fwCfg.addBytes(KEY.COMMAND_LINE_DATA, text);
  if (initrd && size > 0) {
    number(KEY.INITRD_ADDRESS, start);
    number(KEY.INITRD_SIZE, size);
    fwCfg.addBytes(KEY.INITRD_DATA, initrd);
  }
  const name = fwCfg.dmaEnabled ? ROM_NAME.DMA : ROM_NAME.PORTS;
  fwCfg.addFile(`genroms/${name}`, linuxRom());
  // Before any disk.
  fwCfg.addFile('bootorder', new TextEncoder().encode(`/rom@genroms/${name}\0`));
}

const VIDEO_MODES: Readonly<Record<string, number>> = { normal: 0xffff, ext: 0xfffe, ask: 0xfffd };

/** `vga=MODE`, which the set-up code sets before anybody reads the command line. [BOOT] "Special Command Line Options" */
export function videoMode(commandLine: string): number | undefined {
  const text = commandLine
    .split(/\s+/)
    .findLast((word) => word.startsWith('vga='))
    ?.slice('vga='.length);
  if (text === undefined) return undefined;
  const value = VIDEO_MODES[text] ?? (/^(0x[\da-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN);
  return value <= 0xffff ? value : undefined;
}
