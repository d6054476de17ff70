/**
 * What a migration needs of a machine. `machine` implements it, `migration` drives it, neither imports the other.
 */

/** Stream switches that the machine version decides (QEMU's `migration` object, wire-visible). */
export interface StreamSettings {
  /** Section 0x07 is sent and expected (machine 2.4 and newer). */
  readonly sendConfiguration: boolean;
  /** Footers are sent and expected (machine 2.4 and newer). */
  readonly sendSectionFooter: boolean;
  /** `globalstate` always sent (machine 2.4 and newer). */
  readonly storeGlobalState: boolean;
  /** The description JSON is left out (machines 2.0 to 2.2). */
  readonly suppressVmdesc: boolean;
  /** COMMAND SWITCHOVER_START before the last RAM pages (machine 10.0 and newer). */
  readonly sendSwitchoverStart: boolean;
  /** `globalstate` in the layout of QEMU 9.0 (name of 32 bytes, two flags) instead of one area of 100 bytes. Both are read. */
  readonly splitGlobalState?: boolean;
}

/** QEMU's run states that appear in `globalstate` and `info status`. */
export type RunState =
  | 'prelaunch'
  | 'running'
  | 'paused'
  | 'inmigrate'
  | 'postmigrate'
  | 'finish-migrate'
  | 'save-vm'
  | 'restore-vm'
  | 'shutdown'
  | 'internal-error'
  | 'io-error'
  | 'suspended';

/** RAM as migration sees it. All offsets and lengths are multiples of the 4096-byte page. */
export interface MigrationRamBlock {
  readonly name: string;
  /** Bytes now in use (`used_length`). */
  readonly usedLength: number;
  /** Bytes it may grow to; a block is resizeable when this is larger. */
  readonly maxLength: number;
  resize(usedLength: number): void;
  /** A view onto the page, valid until control returns to the machine. */
  page(offset: number): Uint8Array;
  /** Overwrites one page; drops code translated from it. */
  writePage(offset: number, bytes: Uint8Array): void;
  /** Fills one page with a byte, without touching it when it is so already. */
  fillPage(offset: number, byte: number): void;
  /** True if the whole page has this byte value everywhere. */
  pageIs(offset: number, byte: number): boolean;
}

/** One section handler, in order of sending. */
export interface MigrationSection {
  /** With bus path, e.g. `0000:00:01.3/piix4_pm`. */
  readonly idstr: string;
  readonly instance: number;
  /** Also accepted on load (alias id). */
  readonly alias?: number;
  /** Plain name and per-name number, also accepted on load (QEMU's compat entry). */
  readonly compat?: { readonly idstr: string; readonly instance: number };
  readonly version: number;
  /** Section not sent at all when false (top-level `needed`). */
  needed(): boolean;
  /** Encodes the state and returns its description as vmdesc JSON members (`vmsd_name`, `version`, `fields`, …). */
  save(): { readonly bytes: Uint8Array; readonly description: object };
  /**
   * Decodes from `bytes` at `offset` into fresh state, without changing the machine.
   * @returns the offset behind the section and the action that puts the state in place.
   * @throws {StateError} with path and offset.
   */
  decode(bytes: Uint8Array, offset: number, version: number): { readonly end: number; commit(): void };
}

export interface MigrationTarget {
  /** Without `-machine`, e.g. `pc-i440fx-7.2`. */
  readonly machineName: string;
  readonly settings: StreamSettings;
  readonly ramBlocks: readonly MigrationRamBlock[];
  readonly sections: readonly MigrationSection[];
  readonly runState: RunState;
  /** Stop the vCPUs and the virtual clock; the run state becomes `state`. */
  stop(state: RunState): void;
  /** Once stopped: resolves when nothing of what the host does for the guest (disk requests) can change its state or RAM any more. */
  drained?(): Promise<void>;
  /** Go on. */
  start(): void;
  /** Switch dirty logging on (all pages count as dirty) or off. */
  setDirtyLogging(on: boolean): void;
  /**
   * Take and clear the dirty pages of a block since the last call. Bit i of word w = page 32 w + i.
   */
  takeDirty(block: MigrationRamBlock): Uint32Array;
  /** Before a load: everything as after power-on. */
  reset(): void;
  /** After all sections are committed: `postLoad` order is done, lines and timers are re-driven. `state` is the source's. */
  resumeAfterLoad(state: RunState): void;
}
