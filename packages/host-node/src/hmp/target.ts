import type { RunState, Screen } from '@pagurus/device-model';
import type { MigrationInfo } from '@pagurus/migration';
import type { DeviceOptions } from '../device-options.js';
import type { MonitorDrives } from './drives.js';

/**
 * What a monitor can see and do of a running machine. The command line implements it over `@pagurus/machine`; tests over nothing.
 * Methods that cannot do what is asked throw an error with one line of text.
 */
export interface MonitorTarget {
  /** Of Pagurus, for `info version`. */
  readonly version: string;
  /** `-name`. */
  readonly name: string | undefined;
  /** `-uuid`. */
  readonly uuid?: string;
  /** E.g. `pc-i440fx-7.2`. */
  readonly machineName: string;

  runState(): RunState;
  stop(): void;
  cont(): void;
  reset(): void;
  /** Presses the power button. */
  powerdown(): void;
  /** Ends the process. */
  quit(): void;

  registers(): string;
  /** A device comes to the machine; the guest is told. */
  deviceAdd(device: DeviceOptions): void;
  /** A memory backend that a module may name: bytes. */
  objectAdd(object: { readonly id: string; readonly size: number }): void;
  /** Asks the guest to let go of a device; it goes when the guest has. */
  deviceDel(id: string): void;
  devices(): readonly MonitorDevice[];
  regions(space: 'memory' | 'io'): readonly MonitorRegion[];
  /** Functions on the PCI buses; undefined if the machine has none. */
  pci(): readonly MonitorPciFunction[] | undefined;
  /** State of the interrupt controllers, one line each. */
  pic(): readonly string[];
  roms(): readonly MonitorRom[];

  /** QKeyCode names that {@link sendKeys} takes. */
  readonly keyNames: readonly string[];
  /** Presses the keys in order and releases them in reverse order after `hold` milliseconds. */
  sendKeys(names: readonly string[], hold: number): void;
  /** Moves the mouse: right, down, and its wheel towards the user. */
  moveMouse(dx: number, dy: number, dz: number): void;
  /** Which buttons are held from now on: 1 left, 2 right, 4 middle. */
  setMouseButtons(state: number): void;
  screen(): Screen | undefined;
  /** One line for each network. */
  networks(): readonly string[];

  /** Reads guest memory as the CPU would see it now, without side effects. */
  readMemory(kind: 'physical' | 'virtual', address: bigint, length: number): Uint8Array;
  /** Lines of `x /COUNTi`. Absent: there is no disassembler. */
  disassemble?(kind: 'physical' | 'virtual', address: bigint, count: number): readonly string[];
  /** A register by the name that `$NAME` has in addresses: `eip`, `rsp`, `pc` … */
  register?(name: string): bigint | undefined;

  /** Instructions executed; deterministic machines only. */
  instructionCount(): number;
  /** Stops exactly at an instruction count; deterministic machines only. */
  breakAt(instructions: number): void;
  clearBreak(): void;

  readonly migration: MonitorMigration;
  /** Absent: no drives to show. */
  readonly drives?: MonitorDrives;
  /** Writes the machine into a file, in QEMU's format; it stands still meanwhile. */
  saveSnapshot(path: string): Promise<void>;
  /** Replaces the machine's state by a file's. On failure the machine is stopped. */
  loadSnapshot(path: string): Promise<void>;
}

export interface MonitorDevice {
  readonly id: string;
  readonly type: string;
  /** Bus path, e.g. `0000:00:01.3`. */
  readonly path: string | undefined;
  /** By QEMU's property names, in order. */
  readonly properties: readonly { readonly name: string; readonly value: string }[];
}

export interface MonitorRegion {
  readonly base: bigint;
  readonly length: bigint;
  readonly name: string;
  /** E.g. `ram`, `rom`, `i/o`. */
  readonly kind: string;
}

export interface MonitorPciFunction {
  readonly bus: number;
  readonly device: number;
  readonly function: number;
  /** E.g. `ISA bridge`. */
  readonly kind: string;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly irq: number | undefined;
  readonly bars: readonly {
    readonly index: number;
    readonly space: 'memory' | 'io';
    /** Takes the next register, too: an address of 64 bits. */
    readonly wide?: boolean;
    readonly base: bigint;
    readonly length: bigint;
  }[];
  /** Of a bridge: bus numbers and windows (first, last address; empty where last lies before first). */
  readonly bridge?: {
    readonly secondary: number;
    readonly subordinate: number;
    readonly io: readonly [bigint, bigint];
    readonly memory: readonly [bigint, bigint];
    readonly prefetchable: readonly [bigint, bigint];
  };
  readonly id: string;
}

export interface MonitorRom {
  readonly address: bigint;
  readonly length: number;
  readonly name: string;
}

/** QMP's query-migrate, and where an incoming migration is waited for. */
export type MonitorMigrationInfo = MigrationInfo & { readonly 'socket-address'?: string };

export interface MonitorMigration {
  info(): MonitorMigrationInfo;
  /** Resolves when it has succeeded. @throws when it failed or was cancelled; the machine runs on. */
  migrate(uri: string): Promise<void>;
  cancel(): void;
  /** For a machine started with `-incoming defer`. */
  incoming(uri: string): Promise<void>;
  parameters(): ReadonlyMap<string, string>;
  setParameter(name: string, value: string): void;
  capabilities(): ReadonlyMap<string, boolean>;
  setCapability(name: string, on: boolean): void;
}
