/**
 * Several processors take turns in the one state block: those that do not run have theirs put aside here. What is not listed as shared
 * belongs to a processor.
 */
import * as layout from './layout.js';

/** Counters, the running block and what belongs to memory. */
const SHARED: readonly (readonly [address: number, bytes: number])[] = [
  [layout.INSTRUCTIONS, 16],
  [layout.CURRENT_BLOCK, layout.MAP_COUNT + 4 - layout.CURRENT_BLOCK],
  [layout.DIRTY_LOGGING, 8],
  [layout.TLB_LARGE, 4],
  [layout.PAUSE_EXITS, 4],
];
const LENGTH = layout.STATE_END - layout.GPR;

/** The state block of one processor while another one runs. */
export class ParkedState {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  /** A copy of the state block in `memory`. */
  constructor(memory: WebAssembly.Memory) {
    this.bytes = new Uint8Array(memory.buffer, layout.GPR, LENGTH).slice();
    this.view = new DataView(this.bytes.buffer);
  }

  /** Takes a copy of the state block. */
  park(memory: WebAssembly.Memory): void {
    this.bytes.set(new Uint8Array(memory.buffer, layout.GPR, LENGTH));
  }

  /** Puts it back in place; what is shared stays as it is there. */
  unpark(memory: WebAssembly.Memory): void {
    const block = new Uint8Array(memory.buffer, layout.GPR, LENGTH);
    for (const [address, bytes] of SHARED) {
      const at = address - layout.GPR;
      this.bytes.set(block.subarray(at, at + bytes), at);
    }
    block.set(this.bytes);
  }

  getUint32(address: number): number {
    return this.view.getUint32(address - layout.GPR, true);
  }

  setUint32(address: number, value: number): void {
    this.view.setUint32(address - layout.GPR, value, true);
  }
}
