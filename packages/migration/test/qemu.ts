import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ByteChannel, HostTimer } from '../src/index.js';

const BINARY = 'qemu-system-i386';

/** The version of the installed QEMU, e.g. `7.2`, or undefined. */
export function qemuVersion(): string | undefined {
  const { stdout } = spawnSync(BINARY, ['--version'], { encoding: 'utf8' });
  return /version (\d+\.\d+)/.exec(stdout ?? '')?.[1];
}

export const realTimer: HostTimer = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/** A socket as a channel. */
export function socketChannel(socket: Socket): ByteChannel {
  const chunks = socket[Symbol.asyncIterator]();
  return {
    duplex: true,
    async read() {
      const next = await chunks.next();
      return next.done ? undefined : new Uint8Array(next.value as Buffer);
    },
    write: (bytes) => new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve()))),
    end: () => new Promise((resolve) => socket.end(() => resolve())),
    close: () => void socket.destroy(),
  };
}

/** Listens on a unix socket for one connection. */
export async function acceptOne(path: string): Promise<{ channel: Promise<ByteChannel>; close(): void }> {
  const server: Server = createServer({ allowHalfOpen: true });
  const channel = new Promise<ByteChannel>((resolve) => server.once('connection', (socket) => resolve(socketChannel(socket))));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { channel, close: () => void server.close() };
}

/** Connects as soon as somebody listens. */
export async function connect(path: string): Promise<ByteChannel> {
  return socketChannel(await patiently(path));
}

async function patiently(path: string): Promise<Socket> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const socket: Socket = createConnection({ path, allowHalfOpen: true }, () => resolve(socket));
        socket.once('error', reject);
      });
    } catch (error) {
      if (attempt === 200) throw error;
      await realTimer.sleep(25);
    }
  }
}

/** A running QEMU that is spoken to over QMP. */
export class Qemu {
  private readonly process: ChildProcess;
  private socket: Socket | undefined;
  private text = '';
  private readonly waiting: ((answer: { return?: unknown; error?: { desc: string } }) => void)[] = [];
  errors = '';

  /** `-nodefaults` machine of 4 MiB with a firmware of ours that halts. */
  constructor(
    private readonly folder: string,
    private readonly name: string,
    ...options: string[]
  ) {
    const firmware = join(folder, 'halt.bin');
    if (!existsSync(firmware)) {
      const bytes = new Uint8Array(0x10000).fill(0x90);
      bytes.set([0xf4, 0xeb, 0xfd], 0xfff0); // hlt; jmp to it
      writeFileSync(firmware, bytes);
    }
    const fixed =
      `-M pc-i440fx-7.2 -m 4 -nodefaults -display none -accel tcg -rtc base=2020-01-01T00:00:00,clock=vm -bios ${firmware}`.split(
        ' ',
      );
    const monitor = ['-qmp', `unix:${join(folder, `${name}.qmp`)},server=on,wait=off`];
    this.process = spawn(BINARY, [...fixed, ...monitor, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.process.stderr!.on('data', (data: Buffer) => {
      this.errors += data.toString();
    });
  }

  async start(): Promise<this> {
    this.socket = await patiently(join(this.folder, `${this.name}.qmp`));
    this.socket.on('data', (data: Buffer) => this.received(data.toString()));
    await this.execute('qmp_capabilities');
    return this;
  }

  async execute<T>(command: string, args: object = {}): Promise<T> {
    const answer = await new Promise<{ return?: unknown; error?: { desc: string } }>((resolve) => {
      this.waiting.push(resolve);
      this.socket!.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
    if (answer.error) throw new Error(`${command}: ${answer.error.desc}`);
    return answer.return as T;
  }

  /** Until the migration is over. */
  async migrationStatus(): Promise<string> {
    for (let i = 0; i < 400; i++) {
      const { status } = await this.execute<{ status?: string }>('query-migrate');
      if (status === 'completed' || status === 'failed') return status;
      await realTimer.sleep(25);
    }
    return 'timeout';
  }

  stop(): void {
    this.socket?.destroy();
    this.process.kill('SIGKILL');
  }

  private received(data: string): void {
    this.text += data;
    for (let end = this.text.indexOf('\n'); end >= 0; end = this.text.indexOf('\n')) {
      const message = JSON.parse(this.text.slice(0, end)) as { return?: unknown; error?: { desc: string } };
      this.text = this.text.slice(end + 1);
      if ('return' in message || 'error' in message) this.waiting.shift()!(message);
    }
  }
}
