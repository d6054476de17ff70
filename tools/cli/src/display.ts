import { createInterface, emitKeypressEvents, type Key } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { TextScreen } from '@pagurus/device-model';
import type { HostCharacter } from '@pagurus/host-node';
import type { Machine } from '@pagurus/machine';
import type { TerminalCanvas } from './display-canvas.js';
import { pressedKeys } from './display-keys.js';
import { ConsolePage } from './display-page.js';
import type { KeyboardInput } from './keyboard-input.js';
import { UsageError } from './usage-error.js';

const MONITOR = 'compat_monitor0';
/** Milliseconds between two looks at the guest's screen. */
const REFRESH = 40;
/** Milliseconds after which an Escape is one, not the beginning of what a terminal sends for another key. */
const ESCAPE_DELAY = 30;

/**
 * `-display curses`: the guest's text screen in the terminal, keys typed there are the guest's. Alt-1 is the screen; Alt-2 and on are the
 * consoles of the monitor and the serial ports (`vc`), in that order, as on QEMU. While it is open, the terminal is its own.
 */
export class CursesDisplay {
  private readonly pages: ConsolePage[] = [];
  private readonly notes: string[] = [];
  private canvas: TerminalCanvas | undefined;
  private machine: Machine | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** 0 is the guest's screen. */
  private shown = 0;
  private drawn = '';

  private constructor(
    private readonly keyboard: KeyboardInput,
    private readonly libraries: {
      readonly kit: typeof import('terminal-kit');
      readonly canvas: typeof TerminalCanvas;
      readonly terminal: typeof import('@xterm/headless').Terminal;
    },
  ) {}

  /** Loads what it is drawn with; the terminal stays as it is until {@link open}. @throws {UsageError} where there is no terminal. */
  static async create(keyboard: KeyboardInput): Promise<CursesDisplay> {
    if (!process.stdin.isTTY || !process.stdout.isTTY)
      throw new UsageError('-display curses: standard input and output are no terminal');
    const [kit, headless, { TerminalCanvas: canvas }] = await Promise.all([
      import('terminal-kit'),
      import('@xterm/headless'),
      import('./display-canvas.js'),
    ]);
    return new CursesDisplay(keyboard, { kit: kit.default, canvas, terminal: headless.default.Terminal });
  }

  /** One more console. */
  page(name: string): HostCharacter {
    const page = new ConsolePage(name, this.libraries.terminal, () => {});
    if (name === MONITOR) this.pages.unshift(page);
    else this.pages.push(page);
    return page;
  }

  /** A message for people: on the monitor's page now, on standard error when the terminal is free again. */
  note(line: string): void {
    this.notes.push(line);
    this.pages.find(({ name }) => name === MONITOR)?.write(new TextEncoder().encode(`${line}\r\n`));
  }

  open(machine: Machine): void {
    this.machine = machine;
    this.canvas = new this.libraries.canvas(this.libraries.kit, () => this.resized());
    process.on('exit', this.restore);
    // The interface only says how long to wait.
    const patience = createInterface({ input: new PassThrough(), escapeCodeTimeout: ESCAPE_DELAY });
    emitKeypressEvents(process.stdin, patience);
    process.stdin.setRawMode(true);
    process.stdin.on('keypress', this.key).resume();
    this.resized();
    this.timer = setInterval(() => this.refresh(), REFRESH);
  }

  /** @returns what {@link note} was told; the terminal is as before. */
  close(): readonly string[] {
    clearInterval(this.timer);
    process.off('exit', this.restore);
    process.stdin.off('keypress', this.key).pause();
    this.restore();
    process.stdin.unref();
    return this.notes.splice(0);
  }

  private readonly restore = (): void => {
    if (!this.canvas) return;
    this.canvas.close();
    this.canvas = undefined;
    process.stdin.setRawMode(false);
  };

  private readonly key = (_text: string | undefined, key: Key): void => {
    const { machine } = this;
    const page = key.meta && /^[1-9]$/.test(key.name ?? '') ? Number(key.name) - 1 : undefined;
    if (page !== undefined) {
      if (page <= this.pages.length) this.shown = page;
      this.refresh();
    } else if (this.shown > 0) this.pages[this.shown - 1]!.type(key.sequence ?? '');
    else if (machine?.runState === 'running') {
      const keys = pressedKeys(key);
      if (!keys) return;
      this.keyboard.type(keys, machine.clock);
      machine.wake();
    }
  };

  private resized(): void {
    const { canvas } = this;
    if (!canvas) return;
    for (const page of this.pages) page.resize(canvas.columns, canvas.rows);
    this.drawn = '';
    this.refresh();
  }

  private refresh(): void {
    const screen = this.shown === 0 ? this.guestScreen() : this.pages[this.shown - 1]!.text();
    const { columns, lines, attributes, cursor } = screen;
    const now = `${columns} ${cursor?.column} ${cursor?.row}\n${lines.join('\n')}\n${Buffer.from(attributes).toString('latin1')}`;
    if (now === this.drawn) return;
    this.drawn = now;
    this.canvas?.draw(screen);
  }

  private guestScreen(): TextScreen {
    const screen = this.machine?.screen();
    if (!screen) return message('no display adapter (Alt-2: monitor)');
    const text = screen.text();
    if (text) return text;
    const size = screen.size();
    return message(size ? `${size.width} x ${size.height} Graphic mode` : 'VGA Blank mode');
  }
}

function message(text: string): TextScreen {
  return {
    columns: text.length,
    rows: 1,
    lines: [text],
    attributes: new Uint8Array(text.length).fill(0x07),
    cursor: undefined,
  };
}
