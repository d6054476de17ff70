import type { RunState, TextScreen } from '@pagurus/device-model';
import type { PageDrive } from './images.js';

/** What a page asks of the worker that runs its machine. Plain data only; byte arrays are transferred. */
export interface MachineRequest {
  /** Preset name or alias, e.g. `pc-i440fx-7.2`. */
  readonly type: string;
  /** Bytes of RAM. */
  readonly memory?: number;
  readonly cpu?: string;
  readonly firmware?: Uint8Array;
  readonly roms?: Readonly<Record<string, Uint8Array>>;
  readonly kernel?: { readonly image: Uint8Array; readonly initrd?: Uint8Array; readonly commandLine?: string };
  readonly noDefaults?: boolean;
  readonly vga?: 'none' | 'std';
  /** IDE drives: primary master and slave, secondary master and slave. */
  readonly drives?: readonly (PageDrive | undefined)[];
}

/** Calls from the page, by name; each is answered. */
export interface MachineCalls {
  create(request: MachineRequest): void;
  start(): void;
  stop(): void;
  reset(): void;
  /** The whole machine in QEMU's format; it is stopped meanwhile and goes on if it ran. */
  save(): Uint8Array;
  /** Replaces the machine's state; it goes on if the saved machine ran. */
  load(stream: Uint8Array): void;
  /** Live migration to a WebSocket that leads to a waiting machine. */
  migrate(url: string): MigrationSummary;
  /** Waits for a machine that comes through a WebSocket. */
  incoming(url: string): void;
  /** Bytes for the first serial port. */
  serial(bytes: Uint8Array): void;
  key(qcode: string, down: boolean): void;
  screen(): ScreenContents | undefined;
  runState(): RunState;
}

export interface MigrationSummary {
  readonly transferred: number;
  readonly rounds: number;
  /** Milliseconds that the source stood still before its last byte was sent. */
  readonly downtime: number;
}

/** Text where the screen is in a text mode, pixels otherwise. */
export type ScreenContents =
  | { readonly kind: 'text'; readonly screen: TextScreen }
  | { readonly kind: 'image'; readonly width: number; readonly height: number; readonly rgba: Uint8Array };

export type CallName = keyof MachineCalls;

export interface CallMessage {
  readonly call: CallName;
  readonly id: number;
  readonly parameters: readonly unknown[];
}

export type ReplyMessage = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

export type EventMessage =
  | { readonly event: 'serial'; readonly bytes: Uint8Array }
  | { readonly event: 'state'; readonly state: RunState }
  | { readonly event: 'shutdown'; readonly reason: string; readonly exitCode: number | undefined }
  | { readonly event: 'log'; readonly line: string };

/** The part of `Worker` and of a worker's own scope that is used: two ends of a message port. */
export interface MessageEnd {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
}
