import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import type { Program } from './qemu10.js';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const PAGURUS = fileURLToPath(new URL('../../packages/pagurus/bin/pagurus.js', import.meta.url));

const running = new Set<Running>();

// Whatever a test started ends with it, also when an expectation failed on the way.
afterEach(async () => {
  await Promise.all([...running].map((child) => child.stop()));
  running.clear();
});

/** A child process whose output can be waited for. Killed by `stop`. */
export class Running {
  output = '';
  errors = '';
  readonly ended: Promise<number>;
  private readonly watchers = new Set<() => void>();

  constructor(readonly child: ChildProcessWithoutNullStreams) {
    running.add(this);
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      this.output += text;
      for (const watcher of this.watchers) watcher();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
      for (const watcher of this.watchers) watcher();
    });
    this.ended = new Promise((resolve) =>
      child.on('close', (code, signal) => {
        resolve(code ?? (signal ? 128 : 1));
        for (const watcher of this.watchers) watcher();
      }),
    );
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  /** Waits until the output matches. Fails with what there is when the process ends or time is up. */
  async waitFor(pattern: RegExp, milliseconds = 60_000): Promise<RegExpMatchArray> {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => finish(new Error(`no ${pattern} within ${milliseconds} ms in:\n${this.output}\n${this.errors}`)),
        milliseconds,
      );
      const finish = (error?: Error, match?: RegExpMatchArray) => {
        clearTimeout(timer);
        this.watchers.delete(look);
        if (match) resolve(match);
        else reject(error);
      };
      const look = () => {
        const match = this.output.match(pattern);
        if (match) finish(undefined, match);
        else if (this.child.exitCode !== null)
          finish(new Error(`ended with ${this.child.exitCode} before ${pattern}:\n${this.output}\n${this.errors}`));
      };
      this.watchers.add(look);
      look();
    });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** The command line as built. */
export function pagurus(...args: string[]): Running {
  return new Running(spawn(process.execPath, [PAGURUS, ...args], { cwd: ROOT }));
}

export function command(program: string, ...args: string[]): Running {
  return new Running(spawn(program, args, { cwd: ROOT }));
}

/** A program that brings its own libraries. */
export function programCommand({ command: path, args, env }: Program, ...more: string[]): Running {
  return new Running(spawn(path, [...args, ...more], { cwd: ROOT, env: { ...process.env, ...env } }));
}
