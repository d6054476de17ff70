/**
 * Where everything lies in the CPU's WebAssembly memory. The one truth for both sides of the border: the AssemblyScript
 * sources in `assembly/` import this very file, so it holds nothing but integer constants that both compilers fold.
 *
 *     0x00000400  CPU state block (this file's first half); all fields little-endian, naturally aligned
 *     0x00004000  flat memory map (ranges)
 *     0x00008000  scratch: one-off blocks, instruction bytes
 *     0x00010000  static data of the module (decode tables)
 *     0x00040000  TLB entries: three sets (kernel, user, one that is always empty) of read, write and execute entries
 *     0x00080000  block hash
 *     0x00100000  dirty bitmaps, one bit for each 4 KiB page of this memory: migration, display
 *     0x00200000  code-page table, one u32 for each 4 KiB page of this memory
 *     0x00600000  pool of decoded records
 *     0x01600000  RAM blocks
 *
 * Names follow the Intel SDM and, where the SDM has none, QEMU's wire names (`cpu` section). "Derived" fields are computed from the
 * others by the module's `refresh()` export; whoever writes architectural fields from outside calls it before the next `run`.
 */

// ---------------------------------------------------------------------------------------------------- registers

/** 16 general registers, u64 each, in encoding order RAX RCX RDX RBX RSP RBP RSI RDI R8…R15. */
export const GPR = 0x400;
export const GPR_STRIDE = 8;
/** Pseudo registers behind them, for micro-operations only (offsets from {@link GPR} fit a byte). */
export const PSEUDO_ZERO = 128;
export const PSEUDO_RIP = 136;
export const PSEUDO_T0 = 144;
export const PSEUDO_T1 = 152;
/** Linear address kept between the two halves of a read-modify-write. */
export const PSEUDO_ADDRESS = 160;

/** u64. Exact between `run`s and at exceptions; inside a block it is that of the block's entry or older (use the `rip()` export). */
export const RIP = 0x500;
/**
 * u64. All flags but CF PF AF ZF SF OF, which are lazy: {@link FLAG_RESULT} and {@link FLAG_AUX}. Bit 1 is set.
 * Use the `getFlags()`/`setFlags()` exports for the whole register.
 */
export const EFLAGS = 0x508;
/** i64: the last result, sign-extended from its operand size. ZF = it is 0; SF = its sign ^ AUX bit 0; PF = parity of its low byte ^ AUX 8…15. */
export const FLAG_RESULT = 0x510;
/** i32: bit 31 CF, bit 30 CF ^ OF, bits 8…15 parity correction, bit 3 AF, bit 0 sign correction. */
export const FLAG_AUX = 0x518;

/** Segment registers in wire order, {@link SEGMENT_STRIDE} bytes each. */
export const SEGMENTS = 0x540;
export const SEGMENT_STRIDE = 64;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;
export const GDTR = 8;
export const IDTR = 9;
/** Offsets in a segment: selector u32, limit u32 (in bytes, granularity applied), base u64, flags u32 = high dword of the descriptor, as QEMU keeps it. */
export const SEG_SELECTOR = 0;
export const SEG_LIMIT = 4;
export const SEG_BASE = 8;
export const SEG_FLAGS = 16;
/** Derived: u32 lowest and highest offset that may be read and written (low > high: none). */
export const SEG_READ_LOW = 24;
export const SEG_READ_HIGH = 28;
export const SEG_WRITE_LOW = 32;
export const SEG_WRITE_HIGH = 36;

/** u64 each. */
export const CR0 = 0x7c0;
export const CR2 = 0x7c8;
export const CR3 = 0x7d0;
export const CR4 = 0x7d8;
export const CR8 = 0x7e0;
/** DR0…DR7, u64 each. */
export const DR = 0x800;
/** PDPTE0…3 as loaded by the last write of CR3 in PAE mode, u64 each. */
export const PDPTE = 0x840;

// ---------------------------------------------------------------------------------------------------- model specific registers

/** u64 each unless stated. */
export const EFER = 0x880;
export const STAR = 0x888;
export const LSTAR = 0x890;
export const CSTAR = 0x898;
export const FMASK = 0x8a0;
export const KERNEL_GS_BASE = 0x8a8;
export const SYSENTER_CS = 0x8b0;
export const SYSENTER_ESP = 0x8b8;
export const SYSENTER_EIP = 0x8c0;
export const APIC_BASE = 0x8c8;
export const PAT = 0x8d0;
export const TSC_AUX = 0x8d8;
export const TSC_ADJUST = 0x8e0;
export const TSC_DEADLINE = 0x8e8;
export const MISC_ENABLE = 0x8f0;
export const FEATURE_CONTROL = 0x8f8;
export const MCG_CAP = 0x900;
export const MCG_STATUS = 0x908;
export const MCG_CTL = 0x910;
export const MTRR_DEFTYPE = 0x918;
/** Added to the bus's time-stamp: what WRMSR to the TSC leaves behind (two's complement). */
export const TSC_OFFSET = 0x920;
export const XCR0 = 0x928;
export const XSS = 0x930;
/** u32. */
export const SMBASE = 0x938;
/** u32: QEMU's smi count. */
export const SMI_COUNT = 0x93c;
export const PKRU = 0x940;
export const SPEC_CTRL = 0x948;
/** u64[11]: 64K, 16K×2, 4K×8. */
export const MTRR_FIXED = 0x960;
/** 8 × (base u64, mask u64). */
export const MTRR_VARIABLE = 0x9c0;
/** u64[40]: 10 banks × (ctl, status, addr, misc). */
export const MCE_BANKS = 0xa40;

// ---------------------------------------------------------------------------------------------------- x87, SSE

/** Physical x87 registers 0…7 (not rotated by TOP), 16 bytes each: mantissa u64, exponent and sign u16. MMX values are in the mantissa. */
export const FPU_REGISTERS = 0xb80;
/** u16 each. The status word's TOP field (bits 11…13) is kept in {@link FPU_TOP} and 0 here. */
export const FPU_CONTROL = 0xc00;
export const FPU_STATUS = 0xc02;
/** u8: bit i set = physical register i is in use (FXSAVE's form; the wire's too). */
export const FPU_TAG = 0xc04;
/** u32, 0…7. */
export const FPU_TOP = 0xc08;
export const FPU_OPCODE = 0xc0c;
/** u64: last instruction and operand pointer; selectors u16. */
export const FPU_IP = 0xc10;
export const FPU_DP = 0xc18;
export const FPU_CS = 0xc20;
export const FPU_DS = 0xc22;
/** u32. */
export const MXCSR = 0xc24;
/** u64: XSAVE's XSTATE_BV as QEMU keeps it. */
export const XSTATE_BV = 0xc28;
/** 16 registers of 16 bytes. */
export const XMM = 0xc40;
/** Upper halves, 16 registers of 16 bytes. */
export const YMM_HIGH = 0xd40;

// ---------------------------------------------------------------------------------------------------- running

/** u32: 0…3. Derived: SS.DPL (3 in virtual-8086 mode, 0 in real mode). */
export const CPL = 0xe40;
/** u32. Derived: `MODE_*`. */
export const MODE = 0xe44;
/** u32. Derived: base address of the TLB set in use. */
export const TLB_SET = 0xe48;
/** u32: all ones, or 0xffefffff with A20 off. */
export const A20_MASK = 0xe4c;
/** u32: why the fast path must look up, `EVENT_*`. 0 = go on. */
export const EVENTS = 0xe50;
/** u32: 1 = `hlt` (or `mwait`) waits for an interrupt. */
export const HALTED = 0xe54;
/** u32: level of the INTR pin. */
export const INTR_LINE = 0xe58;
/** u32: an NMI waits. */
export const NMI_PENDING = 0xe5c;
/** u32: an NMI handler runs (until IRET), so that the next one waits. */
export const NMI_BLOCKED = 0xe60;
/** u32: 1 = the next instruction runs before any maskable interrupt (after STI), 2 = and before debug traps and NMI (after MOV SS, POP SS). */
export const INTERRUPT_SHADOW = 0xe64;
/** u32: in system management mode. */
export const SMM = 0xe68;
/** u32: an SMI waits. */
export const SMI_PENDING = 0xe6c;
/** u32: the CPU is in shutdown after a triple fault. */
export const SHUTDOWN = 0xe70;

/** i64: retired instructions plus, inside a block, those of the block yet to come. Use the `retired()` export. */
export const INSTRUCTIONS = 0xe78;
/** i64: `run` stops here. */
export const LIMIT = 0xe80;
/** i64: derived, {@link LIMIT}, or -1 while {@link EVENTS} is not 0: the one thing that block entry compares. */
export const STOP = 0xe88;

/** An exception that waits for delivery at the next boundary: i32 vector, or -1. */
export const EXCEPTION_VECTOR = 0xe90;
/** u32: 1 = it has an error code. */
export const EXCEPTION_HAS_CODE = 0xe94;
export const EXCEPTION_CODE = 0xe98;
/** u32: how it came: 0 fault, 1 trap (RIP is behind), 2 software interrupt (INT n), 3 INT3/INTO, 4 external interrupt. */
export const EXCEPTION_KIND = 0xe9c;
/** u64: bits for DR6 when vector 1 is delivered. */
export const EXCEPTION_DR6 = 0xea0;
/** i32: vector whose delivery is in progress, or -1: a further fault becomes a double fault. */
export const DELIVERING = 0xea8;
/** i32: QEMU's `interrupt_injected`, kept for the wire only. */
export const INTERRUPT_INJECTED = 0xeac;

/** u32: address of the block that executes, or 0; its current record where known; record patched to stop a block, or 0, and its op. */
export const CURRENT_BLOCK = 0xeb0;
export const CURRENT_RECORD = 0xeb4;
export const PATCHED_RECORD = 0xeb8;
export const PATCHED_OP = 0xebc;
/** u32: next free byte of the record pool. */
export const POOL_NEXT = 0xec0;
/** u32: number of u32 in {@link TLB_USED}. */
export const TLB_USED_COUNT = 0xec4;
/** u64: slot in which the host leaves a 64-bit answer. */
export const HOST_SLOT = 0xec8;
/** Counters for `info jit` and benchmarks, u64: blocks decoded, instructions decoded, blocks dropped, TLB fills, TLB flushes. */
export const STAT_BLOCKS = 0xed0;
export const STAT_DECODED = 0xed8;
export const STAT_DROPPED = 0xee0;
export const STAT_TLB_FILLS = 0xee8;
export const STAT_TLB_FLUSHES = 0xef0;
/** u32: number of map ranges. */
export const MAP_COUNT = 0xef8;
/** u32: largest physical address bits + 1 as a u64 mask of bits that are reserved in page tables. */
export const PHYSICAL_RESERVED = 0xf00;
/** u64: linear address and access of the last failed page walk. */
export const WALK_ADDRESS = 0xf08;
/** u32: 1 = migration's dirty logging is on. */
export const DIRTY_LOGGING = 0xf10;
/** u32: the withheld page that `run` last came back for: its number + 1. */
export const MISSING_PAGE = 0xf14;
/** u32, derived from DR7: which kinds of breakpoints are armed, `BREAK_*`. */
export const BREAKPOINTS = 0xf18;
/** u32: number of large-page entries in the TLB (INVLPG then looks at all). */
export const TLB_LARGE = 0xf1c;

/** u64 each. Derived: linear address of code = (RIP + FETCH_BASE) & FETCH_MASK; RIP above FETCH_LIMIT is #GP. */
export const FETCH_BASE = 0xf20;
export const FETCH_MASK = 0xf28;
export const FETCH_LIMIT = 0xf30;
/** u32: the instruction that ran alone began with TF set: a debug trap follows it. */
export const STEPPING = 0xf38;
/** u32: what {@link STEPPING} adds to DR6 besides BS (breakpoints on data, task switch). */
export const STEP_DR6 = 0xf3c;
/** i64: {@link INSTRUCTIONS} when an exception was last delivered. A second one at the same count costs an instruction. */
export const LAST_DELIVERY = 0xf40;
/** u32: PAUSE leaves the run as if the host had asked for it, so that another processor of the machine goes on. */
export const PAUSE_EXITS = 0xf48;
/** u32: IGNNE#: a pending x87 error is not told again until it is cleared. */
export const IGNNE = 0xf4c;

/** u32: number of pages that the host withholds, see {@link WITHHELD}. */
export const WITHHELD_COUNT = 0xfd0;

// ---------------------------------------------------------------------------------------------------- CPUID

/** u32: entries of {@link CPUID_TABLE}; each 24 bytes: leaf, subleaf (0xffffffff = any), eax, ebx, ecx, edx. */
export const CPUID_COUNT = 0x1000;
/** u32: what leaves above the highest one answer: 0 = the highest basic leaf's data, 1 = zeros. */
export const CPUID_OVERFLOW = 0x1004;
/** u32 each: features that gate instructions, as CPUID reports them: 1.EDX, 1.ECX, 7.EBX, 7.ECX, 80000001.EDX, 80000001.ECX, D.1.EAX, 7.EDX. Derived from the table. */
export const FEATURES = 0x1010;
export const FEATURE_1_EDX = 0x1010;
export const FEATURE_1_ECX = 0x1014;
export const FEATURE_7_EBX = 0x1018;
export const FEATURE_7_ECX = 0x101c;
export const FEATURE_80000001_EDX = 0x1020;
export const FEATURE_80000001_ECX = 0x1024;
export const FEATURE_D_1_EAX = 0x1028;
export const FEATURE_7_EDX = 0x102c;
export const CPUID_TABLE = 0x1040;
export const CPUID_STRIDE = 24;
export const CPUID_CAPACITY = 128;

/** What RESET leaves that depends on the model: u32 EDX (family, model, stepping). */
export const RESET_EDX = 0x1c40;

/** End of the state block. */
export const STATE_END = 0x2000;

// ---------------------------------------------------------------------------------------------------- memory

/** Ranges of the flat map, sorted: base u64, end u64, host address u32, kind u32 ({@link MAP_RAM} …), 8 bytes spare. */
export const MAP = 0x4000;
export const MAP_STRIDE = 32;
export const MAP_CAPACITY = 512;
export const MAP_RAM = 0;
export const MAP_ROM = 1;
export const MAP_IO = 2;

/** Scratch block (header and records) for code that is not cached, then 32 instruction bytes. */
export const SCRATCH_BLOCK = 0x8000;
export const SCRATCH_BYTES = 0xf000;
/** What the `list` export found: see assembly/listing.ts. */
export const LISTING = 0xf040;
/** u32, shared by all processors: what an observer wants to be told of. */
export const OBSERVED = 0xf0f0;
export const OBSERVE_DECODING = 1;
export const OBSERVE_DELIVERY = 2;

/** The module's static data: must end before {@link TLB}. */
export const STATIC_BASE = 0x10000;

/** Entries of 16 bytes: tag u64 (linear page address; odd = empty), addend u32 (linear + addend = address here), flags u32. */
export const TLB = 0x40000;
export const TLB_ENTRIES = 1024;
export const TLB_ENTRY = 16;
export const TLB_READ = 0;
export const TLB_WRITE = 0x4000;
export const TLB_EXECUTE = 0x8000;
/** Bytes from the kernel's set to the user's, and on to the one that stays empty: in force while alignment is checked (CR0.AM, AC, CPL 3). */
export const TLB_SET_STRIDE = 0xc000;
/** Addresses (u32) of the TLB entries in use, so that a flush touches no others. */
export const TLB_USED = 0x68000;
export const TLB_USED_CAPACITY = 8192;

/** Direct-mapped: host address u32, mode u32, block u32, spare. */
export const BLOCK_HASH = 0x80000;
export const BLOCK_HASH_ENTRIES = 32768;

/** One bit for each 4 KiB page of this memory; set = written since taken. */
export const DIRTY_MIGRATION = 0x100000;
export const DIRTY_DISPLAY = 0x120000;

/** Where the `takeDirty` export leaves what it took. */
export const DIRTY_TAKEN = 0x140000;

/** One bit for each 4 KiB page of this memory; set = withheld by the host, an access leaves `run`. */
export const WITHHELD = 0x1e0000;

/** One u32 for each 4 KiB page of this memory: address of its code-page record, or 0 = holds no decoded code. */
export const CODE_PAGES = 0x200000;

export const POOL = 0x600000;
export const POOL_END = 0x1600000;

/** First address for RAM blocks. */
export const RAM_BASE = 0x1600000;

// ---------------------------------------------------------------------------------------------------- bits

/** {@link MODE}: code size 0 = 16, 1 = 32, 2 = 64 bit. */
export const MODE_SIZE_MASK = 3;
export const MODE_16 = 0;
export const MODE_32 = 1;
export const MODE_64 = 2;
/** The part of {@link MODE} that decoding depends on. */
export const MODE_KEY = 143;
/** SS.B: the stack pointer is ESP. */
export const MODE_STACK32 = 4;
/** ES CS SS DS are flat: base 0, limit 4 GiB, readable, writable where written. */
export const MODE_FLAT = 8;
/** Protected mode (not virtual-8086). */
export const MODE_PROTECTED = 16;
export const MODE_VM86 = 32;
/** CPL is 3: loads and stores of this block use the user's TLB set. */
export const MODE_USER = 64;
/** No segment limit on code: branches may be chained without a look at it. */
export const MODE_FULL_FETCH = 128;

/** {@link BREAKPOINTS}: on instructions, on data, on ports. */
export const BREAK_CODE = 1;
export const BREAK_DATA = 2;
export const BREAK_IO = 4;

/** {@link EVENTS}. */
export const EVENT_EXCEPTION = 1;
/** INTR is high and IF is set. */
export const EVENT_INTR = 2;
export const EVENT_NMI = 4;
export const EVENT_SMI = 8;
/** TF, or an interrupt shadow, or a breakpoint register: the next instruction runs alone. */
export const EVENT_STEP = 16;
/** A record was patched to stop the block. */
export const EVENT_PATCHED = 32;
/** The host asked to leave. */
export const EVENT_EXIT = 64;
export const EVENT_HALT = 128;
export const EVENT_SHUTDOWN = 256;
/** A withheld page is needed. */
export const EVENT_MISSING = 512;
/** {@link LIMIT} is reached. */
export const EVENT_LIMIT = 1024;

/** Answers of the `run` export. */
export const RUN_LIMIT = 0;
export const RUN_HALTED = 1;
export const RUN_REQUESTED = 2;
export const RUN_SHUTDOWN = 3;
export const RUN_MISSING = 4;
