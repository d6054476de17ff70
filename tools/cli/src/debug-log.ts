import { closeSync, openSync, readSync } from 'node:fs';
import {
  Cpu,
  type CpuObserver,
  compareTrace,
  DEBUG_ITEMS,
  type DebugItem,
  Disassembler,
  debugLog,
  recordTrace,
  TraceError,
  TraceReader,
  TraceWriter,
  together,
} from '@pagurus/cpu-wasm';
import { systemError, writeFully } from '@pagurus/host-node';
import type { Machine } from '@pagurus/machine';
import { nearest, UsageError } from './usage-error.js';

const PIECE = 1 << 16;
const STDERR = 2;

export interface DebugOptions {
  /** `-d`. */
  readonly debugItems: readonly DebugItem[];
  /** `-D`; undefined: standard error. */
  readonly debugFile: string | undefined;
  /** `-singlestep`. */
  readonly singleStep: boolean;
  readonly traceRecord: string | undefined;
  readonly traceCompare: string | undefined;
}

/** `-d ITEM,...` @throws {UsageError} for an item that is not known. */
export function parseDebugItems(value: string): DebugItem[] {
  const known = Object.keys(DEBUG_ITEMS) as DebugItem[];
  return value.split(',').map((name) => {
    const item = known.find((candidate) => candidate === name);
    if (item) return item;
    const guess = nearest(name, known);
    throw new UsageError(`-d ${value}: unknown item '${name}'${guess ? `; did you mean '${guess}'?` : ''} (-d help lists them)`);
  });
}

/** `-d help` */
export function debugHelp(): string {
  const rows = Object.entries(DEBUG_ITEMS).map(([name, help]) => `${name.padEnd(10)} ${help}`);
  return `Items of -d, separated by commas:\n${rows.join('\n')}\n`;
}

/** What watches the CPU of a run. */
export interface Watch {
  /** Everything is written out. */
  close(): void;
}

/**
 * Starts what `-d`, `-trace-record` and `-trace-compare` ask for.
 * @param over a comparison has ended: with a difference (its text) or without.
 * @throws {UsageError} for files that cannot be had.
 */
export function watchCpu(
  machine: Machine,
  module: WebAssembly.Module,
  options: DebugOptions,
  over: (message: string, differs: boolean) => void,
): Watch {
  const observers: CpuObserver[] = [];
  const closers: (() => void)[] = [];
  const { cpu } = machine;
  const wanted = options.debugItems.length > 0 || options.traceRecord !== undefined || options.traceCompare !== undefined;
  if (!wanted) return { close() {} };
  if (!(cpu instanceof Cpu)) throw new UsageError('-d: this CPU cannot be observed');
  const disassembler = new Disassembler(module);
  if (options.debugItems.length > 0) {
    const out = new Output(options.debugFile === undefined ? STDERR : open('-D', options.debugFile, 'w'));
    const target = machine.config.target ?? 'i386';
    const items = new Set(options.debugItems);
    observers.push(
      debugLog({
        cpu,
        disassembler,
        target,
        items,
        singleStep: options.singleStep,
        write: (text) => out.write(new TextEncoder().encode(text)),
      }),
    );
    closers.push(() => out.close());
  }
  if (options.traceRecord !== undefined) {
    const out = new Output(open('-trace-record', options.traceRecord, 'w'));
    const writer = new TraceWriter((piece) => out.write(piece));
    observers.push(recordTrace(cpu, writer));
    closers.push(() => {
      writer.flush();
      out.close();
    });
  }
  if (options.traceCompare !== undefined) {
    const name = options.traceCompare;
    const file = open('-trace-compare', name, 'r');
    closers.push(() => closeSync(file));
    const reader = openTrace(name, file);
    const same = (count: number): void => over(`-trace-compare ${name}: ${count} instructions, all the same`, false);
    const observer = compareTrace(cpu, disassembler, reader, ({ text }) => over(text, true), same);
    observers.push({
      before() {
        try {
          observer.before?.();
        } catch (error) {
          if (!(error instanceof TraceError)) throw error;
          over(`-trace-compare ${name}: ${error.message}`, true);
          cpu.requestExit();
        }
      },
    });
  }
  cpu.observe(together(observers));
  return {
    close() {
      cpu.observe(undefined);
      for (const close of closers) close();
    },
  };
}

function open(option: string, name: string, flags: 'r' | 'w'): number {
  try {
    return openSync(name, flags);
  } catch (error) {
    throw new UsageError(systemError(`${option} ${name}: cannot ${flags === 'r' ? 'read' : 'write'} it`, error).message);
  }
}

function openTrace(name: string, file: number): TraceReader {
  const piece = new Uint8Array(PIECE);
  try {
    return new TraceReader(() => piece.slice(0, readSync(file, piece)));
  } catch (error) {
    if (error instanceof TraceError) throw new UsageError(`-trace-compare ${name}: ${error.message}`);
    throw error;
  }
}

/** Collects what is written, for few and large writes. */
class Output {
  private readonly bytes = new Uint8Array(PIECE);
  private used = 0;

  constructor(private readonly file: number) {}

  write(piece: Uint8Array): void {
    if (this.used + piece.length > PIECE) this.flush();
    if (piece.length > PIECE) writeFully(this.file, piece);
    else {
      this.bytes.set(piece, this.used);
      this.used += piece.length;
    }
  }

  close(): void {
    this.flush();
    if (this.file !== STDERR) closeSync(this.file);
  }

  private flush(): void {
    if (this.used > 0) writeFully(this.file, this.bytes.subarray(0, this.used));
    this.used = 0;
  }
}
