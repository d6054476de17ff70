/**
 * The CPU as the machine sees it. `machine` programs against these interfaces; `cpu.ts` implements them over the WASM module.
 */

import type { MigrationRamBlock, RamBlock } from '@pagurus/device-model';
import type { CpuidEntry } from './cpuid.js';

/** What the CPU asks of the machine while it runs. All synchronous; called at exact instruction boundaries of the guest's accesses. */
export interface CpuBus {
  /** `port` 0..0xffff, `size` in bytes; result is masked by the CPU. */
  portRead(port: number, size: 1 | 2 | 4): number;
  portWrite(port: number, value: number, size: 1 | 2 | 4): void;
  /** Physical accesses to pages of kind `io`. Wider or page-crossing accesses arrive split, low address first. */
  mmioRead(address: number, size: 1 | 2 | 4): number;
  mmioWrite(address: number, value: number, size: 1 | 2 | 4): void;
  /** INTA: the CPU takes a maskable interrupt; answers the vector 0..255. */
  acknowledgeInterrupt(): number;
  /** Time-stamp counter. */
  timestamp(): bigint;
}

/** A page-granular piece of the physical address space. Sorted, not overlapping; what is not covered is `io`. */
export type FlatRange =
  | {
      readonly base: number;
      readonly length: number;
      readonly kind: 'ram' | 'rom';
      readonly block: CpuRamBlock;
      readonly offset: number;
    }
  | { readonly base: number; readonly length: number; readonly kind: 'io' };

/** A RAM block in the CPU's WebAssembly memory, as devices and migration see it. */
export interface CpuRamBlock extends RamBlock, MigrationRamBlock {
  /** Byte address of the block in the WebAssembly memory. */
  readonly address: number;
  /** Dirty pages for migration since the last call; clears. Bit i of word w = page 32 w + i. */
  takeMigrationDirty(): Uint32Array;
  /** Bytes from `offset`, whole pages, that have not arrived yet (postcopy): `run` comes back with `missing` before it needs one. */
  withhold(offset: number, length: number): void;
  /** The page at `offset` has arrived. */
  supply(offset: number, bytes: Uint8Array): void;
}

/** Why {@link CpuPort.run} came back. */
export type CpuExit =
  /** The instruction limit was reached. */
  | 'limit'
  /** `hlt` with nothing pending; goes on when an interrupt comes. */
  | 'halted'
  /** Somebody called `requestExit`. */
  | 'requested'
  /** Triple fault: a PC resets. */
  | 'shutdown'
  /** The next instruction needs a page that is withheld: {@link CpuPort.missing}. It has not begun; `run` tries it again. */
  | 'missing';

export interface CpuPort {
  readonly memory: WebAssembly.Memory;
  /** Instructions retired since creation (or as loaded); exact also inside bus callbacks, where it counts the current instruction as not yet done. */
  instructions: number;
  allocate(name: string, length: number, maxLength?: number): CpuRamBlock;
  /** Gives a block's memory back; no window of the map may show it any more. */
  release(block: CpuRamBlock): void;
  readonly blocks: readonly CpuRamBlock[];
  setMemoryMap(ranges: readonly FlatRange[]): void;
  /** Off: address bit 20 is forced to 0. */
  setA20(on: boolean, processor?: number): void;
  /** Level of the INTR pin. Pins are those of the selected processor unless another one is named. */
  setInterrupt(level: boolean, processor?: number): void;
  /** Edge on the NMI pin. */
  nmi(processor?: number): void;
  /** Edge on the SMI# pin. */
  smi(processor?: number): void;
  /** Level of the IGNNE# pin. */
  setIgnoreNumericError(level: boolean, processor?: number): void;
  /** Runs until `instructions >= limit` or another exit. */
  run(limit: number): CpuExit;
  /** Lower (or raise) the limit of the run in progress; callable inside bus callbacks. */
  setLimit(limit: number): void;
  /** Makes `run` come back at the next instruction boundary; callable inside bus callbacks. */
  requestExit(): void;
  /** RESET pin: registers as after power-on; RAM untouched. `waiting`: not the boot processor, it waits for a start-up interrupt. */
  reset(waiting?: boolean): void;
  /** INIT: as {@link reset}, but FPU, SSE, MTRR, machine check, time-stamp counter and SMBASE stay. */
  init(waiting?: boolean): void;
  /** Start-up interrupt: goes on in real mode at `vector` * 4096. */
  startup(vector: number): void;
  /** Numbers 0 up. */
  readonly processors: number;
  /** The processor that {@link run}, {@link reset} and all registers mean. */
  readonly selected: number;
  /** Lets another processor go on with the next {@link run}. They share memory and the instruction count. @throws while running. */
  select(processor: number): void;
  /** Whether PAUSE ends a {@link run} (`requested`), so that somebody else can go on. */
  setPauseExits(on: boolean): void;
  /** One more processor, after reset, waiting. @returns its number. @throws while running. */
  addProcessor(cpuid: readonly CpuidEntry[]): number;
  /** In system management mode: the machine shows SMRAM. */
  readonly systemManagement: boolean;
  setDirtyLogging(on: boolean): void;
  /** The page that `run` came back for with `missing`. */
  readonly missing: { readonly block: CpuRamBlock; readonly offset: number } | undefined;
  /** True after `hlt` until an interrupt is taken. */
  readonly halted: boolean;
}
