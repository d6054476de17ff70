/**
 * What direct kernel boot amounts to: bytes in RAM and registers of the CPU, as if firmware and a boot loader had run.
 * [MB]    Multiboot Specification version 0.6.96
 * [BOOT]  The Linux/x86 Boot Protocol, versions 2.00 to 2.15
 */

/** Bytes to be put into guest RAM before the first instruction. Physical address; never overlaps another write of the same image. */
export interface MemoryWrite {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** A segment register with its descriptor cache. */
export interface BootSegment {
  readonly selector: number;
  readonly base: number;
  /** In bytes, granularity applied. */
  readonly limit: number;
  /** Second dword of the descriptor without its base and limit bits, e.g. 0x00c09b00. */
  readonly flags: number;
}

/** CPU registers at entry: 32-bit protected mode, paging and interrupts off. What is not here is as after reset. */
export interface BootRegisters {
  readonly eip: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
  readonly esi: number;
  readonly edi: number;
  readonly ebp: number;
  readonly esp: number;
  readonly eflags: number;
  readonly cr0: number;
  readonly segments: Readonly<Record<'es' | 'cs' | 'ss' | 'ds' | 'fs' | 'gs', BootSegment>>;
  readonly gdt: { readonly base: number; readonly limit: number };
  readonly idt: { readonly base: number; readonly limit: number };
}

/** The result of a loader, applied by the machine after every reset. */
export interface BootImage {
  readonly protocol: 'multiboot' | 'linux';
  readonly writes: readonly MemoryWrite[];
  readonly registers: BootRegisters;
  /** Both protocols enter with address bit 20 open. */
  readonly a20: true;
}

export interface BootModule {
  readonly bytes: Uint8Array;
  /** Multiboot: the module's string. Default empty. */
  readonly commandLine?: string;
}

export interface BootRequest {
  readonly kernel: Uint8Array;
  /** Linux: at most one, the initial RAM disk. Multiboot: any number. */
  readonly modules?: readonly BootModule[];
  /** Default empty. */
  readonly commandLine?: string;
  /** What a Multiboot kernel sees as the first word of its command line, as QEMU passes the file name. Default `kernel`. */
  readonly kernelName?: string;
  /** Bytes of RAM from address 0 on, below 4 GiB. */
  readonly below4g: number;
  /** Linux: bytes at the end of that which are taken (firmware tables). Default 0. */
  readonly reserved?: number;
  /** Bytes of RAM from 4 GiB on. Default 0. */
  readonly above4g?: number;
}

/** Stable codes of {@link BootError}. */
export type BootErrorCode =
  /** Neither a Multiboot nor a Linux kernel. */
  | 'unknown-format'
  /** The file ends before what its header announces. */
  | 'truncated'
  /** A header field that cannot be. */
  | 'bad-header'
  /** The kernel asks for something that this loader does not do. */
  | 'unsupported'
  /** It does not fit into guest RAM or would overlap something. */
  | 'no-room'
  | 'command-line';

/** A kernel, module or command line that cannot be booted: what, where, what was expected. */
export class BootError extends Error {
  override readonly name = 'BootError';
  constructor(
    readonly code: BootErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** `0x1f00000` */
export const hex = (value: number): string => `0x${value.toString(16)}`;

/** Flat 4 GiB descriptors, present, ring 0, 32-bit, accessed. */
const CODE_FLAGS = 0x00cf9b00;
const DATA_FLAGS = 0x00cf9300;
const PROTECTED_MODE = 0x11; // CR0: PE, and ET as after reset

/** A GDT with the flat code segment at `code` and the flat data segment at `data` (selectors). */
export function flatGdt(code: number, data: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(code, data) + 8);
  const view = new DataView(bytes.buffer);
  for (const [selector, flags] of [
    [code, CODE_FLAGS],
    [data, DATA_FLAGS],
  ] as const) {
    view.setUint32(selector, 0x0000ffff, true);
    view.setUint32(selector + 4, flags, true);
  }
  return bytes;
}

/** Registers for a flat protected-mode entry; general registers not given are 0. */
export function flatRegisters(
  eip: number,
  gdtBase: number,
  selectors: { readonly code: number; readonly data: number },
  general: Partial<Pick<BootRegisters, 'eax' | 'ebx' | 'esi' | 'esp'>>,
): BootRegisters {
  const data: BootSegment = { selector: selectors.data, base: 0, limit: 0xffff_ffff, flags: DATA_FLAGS };
  const code: BootSegment = { selector: selectors.code, base: 0, limit: 0xffff_ffff, flags: CODE_FLAGS };
  return {
    eip,
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: 0,
    esi: 0,
    edi: 0,
    ebp: 0,
    esp: 0,
    ...general,
    eflags: 0x2,
    cr0: PROTECTED_MODE,
    segments: { es: data, cs: code, ss: data, ds: data, fs: data, gs: data },
    gdt: { base: gdtBase, limit: Math.max(selectors.code, selectors.data) + 7 },
    idt: { base: 0, limit: 0 },
  };
}

/**
 * A command line as UTF-8 with its final zero.
 * @throws {BootError} `command-line` for a zero character, or more than `limit` bytes without the final zero.
 */
export function commandLineBytes(text: string, limit: number): Uint8Array {
  const zero = text.indexOf('\0');
  if (zero >= 0) throw new BootError('command-line', `kernel command line: character ${zero} is a zero, which would end it`);
  const bytes = new TextEncoder().encode(`${text}\0`);
  if (bytes.length - 1 > limit)
    throw new BootError('command-line', `kernel command line has ${bytes.length - 1} bytes; the kernel takes at most ${limit}`);
  return bytes;
}
