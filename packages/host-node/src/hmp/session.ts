import type { CharacterBackend } from '@pagurus/device-model';
import { type GreetingFrontend, signalReady } from '../chardev/host-character.js';
import { errorLine } from '../errors.js';
import { executeMonitorLine } from './commands.js';
import type { MonitorTarget } from './target.js';

/** QEMU's prompt; scripts wait for it. */
export const MONITOR_PROMPT = '(qemu) ';

const KEY = { CTRL_C: 3, BACKSPACE: 8, LINE_FEED: 10, RETURN: 13, CTRL_U: 21, ESCAPE: 27, DELETE: 127 } as const;
const HISTORY = 100;
const LINE_MOST = 4096;

/**
 * A human at a character device: prompt, echo, line editing (backspace, Ctrl-U, Ctrl-C, history), one command at a time.
 */
export class MonitorSession implements GreetingFrontend {
  private line = '';
  private readonly history: string[] = [];
  private historyAt = 0;
  private sequence = '';
  private busy = false;
  private greeted = false;
  private lastWasReturn = false;

  /** @param greetAtOnce false where the monitor is behind Ctrl-A c of a mux: it greets when it gets the focus. */
  constructor(
    private readonly target: MonitorTarget,
    private readonly backend: CharacterBackend,
    greetAtOnce = true,
  ) {
    backend.connect(this);
    if (greetAtOnce) this.focused();
  }

  /** Called by a mux when input begins to come here. */
  focused(): void {
    if (!this.greeted) this.print(`Pagurus ${this.target.version} monitor - type 'help' for more information\n`);
    this.greeted = true;
    if (!this.busy) this.show();
  }

  /** A new client at a socket. */
  opened(): void {
    this.greeted = false;
    this.line = '';
    this.focused();
  }

  /** While a command runs, what is typed waits in the backend. */
  canReceive(): number {
    return this.busy ? 0 : 1;
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.key(byte);
  }

  private key(byte: number): void {
    if (this.sequence !== '') {
      this.escape(byte);
      return;
    }
    const afterReturn = this.lastWasReturn;
    this.lastWasReturn = byte === KEY.RETURN;
    switch (byte) {
      case KEY.LINE_FEED:
        if (afterReturn) return; // CR LF is one line end
        this.enter();
        return;
      case KEY.RETURN:
        this.enter();
        return;
      case KEY.BACKSPACE:
      case KEY.DELETE:
        this.replace(this.line.slice(0, -1));
        return;
      case KEY.CTRL_C:
      case KEY.CTRL_U:
        this.replace('');
        return;
      case KEY.ESCAPE:
        this.sequence = '\x1b';
        return;
      default:
        if (byte < 32 || this.line.length >= LINE_MOST) return;
        this.line += String.fromCharCode(byte);
        this.backend.write(Uint8Array.of(byte));
    }
  }

  private escape(byte: number): void {
    this.sequence += String.fromCharCode(byte);
    if (this.sequence.length === 2 && byte === 0x5b) return;
    const final = this.sequence;
    this.sequence = '';
    if (final === '\x1b[A') this.recall(-1);
    else if (final === '\x1b[B') this.recall(1);
  }

  private recall(step: number): void {
    const at = this.historyAt + step;
    if (at < 0 || at > this.history.length) return;
    this.historyAt = at;
    this.replace(this.history[at] ?? '');
  }

  private replace(line: string): void {
    const same = line.length < this.line.length && this.line.startsWith(line) ? line.length : 0;
    const erase = this.line.length - same;
    this.print(`${'\b'.repeat(erase)}${' '.repeat(erase)}${'\b'.repeat(erase)}${line.slice(same)}`);
    this.line = line;
  }

  private enter(): void {
    const { line } = this;
    this.line = '';
    this.print('\n');
    if (line.trim() === '') {
      this.show();
      return;
    }
    if (this.history.at(-1) !== line) this.history.push(line);
    if (this.history.length > HISTORY) this.history.shift();
    this.historyAt = this.history.length;
    this.busy = true;
    executeMonitorLine(this.target, decodeUtf8(line))
      .then(
        (text) => this.print(text === '' ? '' : `${text}\n`),
        (error: unknown) => this.print(`Error: ${errorLine(error)}\n`),
      )
      .finally(() => {
        this.busy = false;
        this.show();
        signalReady(this.backend);
      });
  }

  private show(): void {
    this.print(MONITOR_PROMPT + decodeUtf8(this.line));
  }

  private print(text: string): void {
    if (text !== '') this.backend.write(new TextEncoder().encode(text.replaceAll('\n', '\r\n')));
  }
}

/** The line is kept byte for byte; a path may be UTF-8. */
function decodeUtf8(line: string): string {
  return Buffer.from(line, 'latin1').toString('utf8');
}
