import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { embeddedGuest } from '@pagurus/guests';
import { HostError, MONITOR_PROMPT } from '@pagurus/host-node';
import type { MigrationInfo } from '@pagurus/migration';
import { UsageError } from './usage-error.js';

/** An event line of `-events`. */
export interface RunEvent {
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
  readonly event: string;
  readonly data?: MigrationInfo & { readonly uri?: string; readonly state?: string };
}

/** A `pagurus run` in a process of its own, with console, monitor and events in our hands. */
export class MachineProcess {
  readonly events: RunEvent[] = [];
  /** All that its console has shown. */
  console = Buffer.alloc(0);
  readonly ended: Promise<number>;
  onConsole: (bytes: Buffer) => void = () => {};
  onEvent: (event: RunEvent) => void = () => {};
  private readonly child: ChildProcess;
  private readonly monitorPath: string;
  private socket: Socket | undefined;
  private answer = '';
  private readonly watchers = new Set<() => void>();
  private errors = '';

  /**
   * @param program how to start pagurus: the script of the front door.
   * @param folder for the monitor's socket.
   */
  constructor(
    readonly name: string,
    program: string,
    folder: string,
    args: readonly string[],
  ) {
    this.monitorPath = join(folder, `${name}.monitor`);
    const options = ['-name', name, '-monitor', `unix:${this.monitorPath},server=on,wait=off`, '-events', 'fd:3', ...args];
    this.child = spawn(process.execPath, [program, 'run', ...options], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    this.child.stdin!.on('error', () => {});
    this.child.stdout!.on('data', (bytes: Buffer) => {
      this.console = Buffer.concat([this.console, bytes]);
      this.onConsole(bytes);
      this.changed();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    let partial = '';
    (this.child.stdio[3] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const lines = (partial + text).split('\n');
      partial = lines.pop()!;
      for (const line of lines) {
        const event = JSON.parse(line) as RunEvent;
        this.events.push(event);
        this.onEvent(event);
      }
      this.changed();
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        resolve(code ?? (signal ? 128 : 1));
        this.changed();
      });
    });
  }

  type(text: string | Buffer): void {
    this.child.stdin!.write(text);
  }

  /** Waits until something is found. @throws with what the process said, if it ends before or takes too long. */
  async until<T>(what: string, find: () => T | undefined, milliseconds = 60_000): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.watchers.delete(look);
      };
      const fail = (why: string): void => {
        done();
        reject(
          new HostError('process', `${this.name}: ${why} before ${what}${this.errors === '' ? '' : `: ${this.errors.trim()}`}`),
        );
      };
      const look = (): void => {
        const found = find();
        if (found !== undefined) {
          done();
          resolve(found);
        } else if (this.child.exitCode !== null || this.child.signalCode !== null) fail('ended');
      };
      const timer = setTimeout(() => fail(`${milliseconds / 1000} seconds passed`), milliseconds);
      this.watchers.add(look);
      look();
    });
  }

  untilEvent(name: string, test: (event: RunEvent) => boolean = () => true, milliseconds?: number): Promise<RunEvent> {
    return this.until(`event ${name}`, () => this.events.find((event) => event.event === name && test(event)), milliseconds);
  }

  untilConsole(pattern: RegExp, milliseconds?: number): Promise<RegExpMatchArray> {
    return this.until(
      `${pattern} on its console`,
      () => this.console.toString('latin1').match(pattern) ?? undefined,
      milliseconds,
    );
  }

  /** One command for the monitor. @returns what it prints. @throws if that is an error. */
  async monitor(command: string): Promise<string> {
    if (!this.socket) {
      this.socket = connect(this.monitorPath);
      this.socket.setEncoding('utf8').on('data', (text: string) => {
        this.answer += text;
        this.changed();
      });
      this.socket.on('error', () => {});
      await this.until('a monitor prompt', () => (this.answer.endsWith(MONITOR_PROMPT) ? true : undefined));
    }
    this.answer = '';
    this.socket.write(`${command}\n`);
    if (command === 'quit') return '';
    await this.until(`an answer to ${command}`, () => (this.answer.endsWith(MONITOR_PROMPT) ? true : undefined));
    const text = this.answer
      .slice(this.answer.indexOf('\n') + 1, -MONITOR_PROMPT.length)
      .trim()
      .replaceAll('\r', '');
    if (text.startsWith('Error: ')) throw new HostError('process', `${this.name}: ${command}: ${text.slice(7)}`);
    return text;
  }

  async quit(): Promise<number> {
    await this.monitor('quit').catch(() => {});
    return await this.ended;
  }

  /** For clean-up: ends it whatever it does. */
  kill(): void {
    this.socket?.destroy();
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
  }

  private changed(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}

/** A folder of ours with the embedded guest in it. */
export function demoFolder(): { readonly folder: string; readonly guest: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'pagurus-'));
  const guest = join(folder, 'embedded.bin');
  writeFileSync(guest, embeddedGuest());
  return { folder, guest, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The script that this process was started with, if it is pagurus. @throws {UsageError} */
export function ownProgram(): string {
  const program = process.argv[1];
  if (program === undefined || !/pagurus(\.m?js)?$/.test(program))
    throw new UsageError('pagurus demo starts further pagurus processes; it must be run by the pagurus command');
  return program;
}
