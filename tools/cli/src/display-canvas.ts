import type { TextScreen } from '@pagurus/device-model';
import type { ScreenBuffer, Terminal } from 'terminal-kit';
import { swapRedBlue } from './display-page.js';

type Kit = typeof import('terminal-kit');

/** The terminal this process runs in: a text screen is drawn in its middle, only what has changed since. */
export class TerminalCanvas {
  private readonly terminal: Terminal;
  private buffer: ScreenBuffer;
  /** By a PC's attribute byte. */
  private readonly attributes: readonly ScreenBuffer.Attributes[];

  constructor(
    private readonly kit: Kit,
    resized: () => void,
  ) {
    this.terminal = kit.terminal;
    this.terminal.fullscreen(true);
    this.buffer = this.newBuffer();
    this.attributes = Array.from({ length: 256 }, (_, attribute) => ({
      color: swapRedBlue(attribute & 0x0f),
      bgColor: swapRedBlue(attribute >> 4),
    }));
    this.terminal.on('resize', () => {
      this.buffer = this.newBuffer();
      this.terminal.clear();
      resized();
    });
  }

  get columns(): number {
    return this.terminal.width;
  }

  get rows(): number {
    return this.terminal.height;
  }

  /** A screen larger than the terminal is shown where its cursor is. */
  draw(screen: TextScreen): void {
    const { buffer } = this;
    buffer.fill({ attr: { defaultColor: true, bgDefaultColor: true }, char: ' ' });
    const left = place(screen.columns, this.columns, screen.cursor?.column ?? 0);
    const top = place(screen.rows, this.rows, screen.cursor?.row ?? 0);
    for (const [row, line] of screen.lines.entries()) {
      const y = row + top;
      if (y < 0 || y >= this.rows) continue;
      const from = Math.max(0, -left);
      const to = Math.min(screen.columns, this.columns - left);
      for (let start = from; start < to; ) {
        const attribute = screen.attributes[row * screen.columns + start]!;
        let end = start + 1;
        while (end < to && screen.attributes[row * screen.columns + end] === attribute) end++;
        const options = { x: start + left, y, attr: this.attributes[attribute]!, wrap: false, dx: 1, dy: 0 };
        buffer.put(options, printable(line.slice(start, end)));
        start = end;
      }
    }
    buffer.draw({ delta: true });
    const { cursor } = screen;
    this.terminal.hideCursor(!cursor);
    if (cursor) this.terminal.moveTo(cursor.column + left + 1, cursor.row + top + 1);
  }

  close(): void {
    this.terminal.removeAllListeners('resize');
    this.terminal.styleReset();
    this.terminal.hideCursor(false);
    this.terminal.fullscreen(false);
  }

  private newBuffer(): ScreenBuffer {
    return new this.kit.ScreenBuffer({ dst: this.terminal, width: this.columns, height: this.rows });
  }
}

/** Where something long begins in something of another length: in its middle, or so far left that a point of it is seen. */
function place(length: number, space: number, point: number): number {
  if (length <= space) return Math.floor((space - length) / 2);
  return -Math.min(length - space, Math.max(0, point - space + 1));
}

/** A control character would move the terminal's cursor. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out.
const printable = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ');
