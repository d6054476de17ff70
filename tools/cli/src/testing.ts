import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedGuest } from '@pagurus/guests';
import { MONITOR_PROMPT } from '@pagurus/host-node';
import { main } from './main.js';

const PATIENCE = 30_000;

/** A folder of a test, with the embedded guest in it. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'pagurus-run-'));
  readonly guest = this.file('guest.bin');
  private count = 0;

  constructor() {
    writeFileSync(this.guest, embeddedGuest());
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** A `pagurus run` inside this process. `SERIAL` stands for a socket that is the guest's console. */
  run(...args: string[]): TestRun {
    return new TestRun(this.file(`${++this.count}`), args);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Waits for a condition, looking often. @throws with `describe()` when it does not come. */
export async function eventually<T>(find: () => T | undefined, describe: () => string): Promise<T> {
  for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(describe());
}

export class TestRun {
  out = '';
  readonly errors: string[] = [];
  console = '';
  readonly ended: Promise<number>;
  private code: number | undefined;
  private readonly serialPath: string;
  private readonly monitorPath: string;
  private serial: Socket | undefined;
  private monitorSocket: Socket | undefined;
  private answer = '';

  constructor(prefix: string, args: readonly string[]) {
    this.serialPath = `${prefix}.serial`;
    this.monitorPath = `${prefix}.monitor`;
    const all = args.map((arg) => (arg === 'SERIAL' ? `unix:${this.serialPath},server=on,wait=off` : arg));
    this.ended = main(['run', ...all, '-monitor', `unix:${this.monitorPath},server=on,wait=off`], {
      out: (text) => {
        this.out += text;
      },
      error: (line) => this.errors.push(line),
    }).then((code) => {
      this.code = code;
      this.serial?.destroy();
      this.monitorSocket?.destroy();
      return code;
    });
  }

  /** Waits for text of the guest; what it wrote before somebody was connected is lost. */
  async shows(pattern: RegExp): Promise<RegExpMatchArray> {
    await this.connectSerial();
    return await eventually(
      () => this.console.match(pattern) ?? undefined,
      () => `no ${pattern} on the console:\n${this.console}\n${this.errors.join('\n')}`,
    );
  }

  async type(text: string): Promise<void> {
    await this.connectSerial();
    this.serial!.write(text);
  }

  /** Asks the monitor. @returns its answer; errors begin with `Error: `. */
  async monitor(command: string): Promise<string> {
    if (!this.monitorSocket) {
      this.monitorSocket = await this.connect(this.monitorPath);
      this.monitorSocket.setEncoding('utf8').on('data', (text: string) => {
        this.answer += text;
      });
      await this.prompt();
    }
    this.answer = '';
    this.monitorSocket.write(`${command}\n`);
    await this.prompt();
    return this.answer
      .slice(this.answer.indexOf('\n') + 1, -MONITOR_PROMPT.length)
      .replaceAll('\r', '')
      .trim();
  }

  async status(wanted: string): Promise<void> {
    for (;;) {
      if ((await this.monitor('info status')) === `VM status: ${wanted}`) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Ends it, whatever it does. For afterEach. */
  async stop(): Promise<number> {
    if (this.code === undefined) {
      this.monitorSocket ??= await this.connect(this.monitorPath);
      this.monitorSocket.write('\nquit\n');
    }
    return await this.ended;
  }

  private async prompt(): Promise<void> {
    await eventually(
      () => (this.answer.endsWith(MONITOR_PROMPT) || this.code !== undefined ? true : undefined),
      () => `the monitor does not answer: ${this.answer}`,
    );
  }

  async connectSerial(): Promise<void> {
    if (this.serial) return;
    this.serial = await this.connect(this.serialPath);
    this.serial.setEncoding('latin1').on('data', (text: string) => {
      this.console += text;
    });
  }

  private async connect(path: string): Promise<Socket> {
    for (;;) {
      if (this.code !== undefined) throw new Error(`ended with ${this.code}: ${this.errors.join('\n')}`);
      const socket = connect(path);
      const connected = await new Promise<boolean>((resolve) =>
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
      );
      socket.on('error', () => {});
      if (connected) return socket;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
