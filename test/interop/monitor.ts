import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-monitor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** A file or socket of this test's own. */
export const scratch = (name: string): string => join(folder, `${++count}-${name}`);

const PROMPT = '(qemu) ';
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The human monitor of a machine started with {@link Monitor.options}; ours and QEMU's speak alike. */
export class Monitor {
  private readonly path = scratch('monitor');
  private socket: Socket | undefined;
  private text = '';

  get options(): string[] {
    return ['-monitor', `unix:${this.path},server=on,wait=off`];
  }

  /** Runs one command. @returns what it printed. */
  async run(line: string, milliseconds = 60_000): Promise<string> {
    this.socket ??= await this.open();
    this.text = '';
    this.socket.write(`${line}\n`);
    await this.prompt(line, milliseconds);
    // The echo with its line editing ends at the first line end.
    return this.text
      .slice(this.text.indexOf('\n') + 1, -PROMPT.length)
      .replaceAll('\r', '')
      .trim();
  }

  private async open(): Promise<Socket> {
    for (let tries = 0; tries < 300; tries++) {
      const socket = await new Promise<Socket | undefined>((resolve) => {
        const attempt = connect(this.path, () => resolve(attempt));
        attempt.on('error', () => resolve(undefined));
      });
      if (socket) {
        socket.setEncoding('latin1').on('data', (text: string) => {
          this.text += text;
        });
        this.socket = socket;
        await this.prompt('the greeting', 60_000);
        return socket;
      }
      await pause(200);
    }
    throw new Error(`no monitor at ${this.path}`);
  }

  private async prompt(line: string, milliseconds: number): Promise<void> {
    for (const end = Date.now() + milliseconds; !(this.text.includes('\n') && this.text.endsWith(PROMPT)); await pause(20))
      if (Date.now() > end) throw new Error(`no prompt after '${line}': ${this.text}`);
  }
}
