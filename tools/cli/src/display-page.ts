import type { TextScreen } from '@pagurus/device-model';
import { type HostCharacter, InputQueue } from '@pagurus/host-node';
import type { IBufferCell, Terminal } from '@xterm/headless';

type TerminalClass = typeof Terminal;

/** Light grey on black. */
const PLAIN = 0x07;

/** A virtual console (QEMU's `vc`): a terminal of its own on which a monitor or a serial port writes. */
export class ConsolePage implements HostCharacter {
  readonly description: string;
  private readonly input = new InputQueue();
  private readonly terminal: Terminal;

  constructor(
    readonly name: string,
    terminalClass: TerminalClass,
    private readonly changed: () => void,
  ) {
    this.description = `vc ${name}`;
    this.terminal = new terminalClass({ cols: 80, rows: 24, allowProposedApi: true, scrollback: 1000 });
    // Answers to questions such as where the cursor is.
    this.terminal.onData((text) => this.type(text));
  }

  write(bytes: Uint8Array): void {
    this.terminal.write(bytes, this.changed);
  }

  connect(frontend: Parameters<InputQueue['connect']>[0]): void {
    this.input.connect(frontend);
  }

  ready(): void {
    this.input.deliver();
  }

  /** What a terminal sends for keys. */
  type(text: string): void {
    this.input.push(new TextEncoder().encode(text));
  }

  resize(columns: number, rows: number): void {
    this.terminal.resize(Math.max(2, columns), Math.max(1, rows));
  }

  text(): TextScreen {
    const { active } = this.terminal.buffer;
    const { cols: columns, rows } = this.terminal;
    const attributes = new Uint8Array(columns * rows).fill(PLAIN);
    const lines = Array.from({ length: rows }, (_, y) => {
      const line = active.getLine(active.baseY + y);
      let text = '';
      for (let x = 0; x < columns; x++) {
        const cell = line?.getCell(x);
        text += cell?.getWidth() === 1 && cell.getChars().length === 1 ? cell.getChars() : ' ';
        if (cell) attributes[y * columns + x] = attributeOf(cell);
      }
      return text;
    });
    const cursor = active.cursorX < columns ? { column: active.cursorX, row: active.cursorY } : undefined;
    return { columns, rows, lines, attributes, cursor };
  }

  async close(): Promise<void> {
    this.terminal.dispose();
  }
}

/** ANSI counts red as 1 and blue as 4, a PC's screen the other way round. */
export const swapRedBlue = (colour: number): number => (colour & 0xa) | ((colour & 1) << 2) | ((colour >> 2) & 1);

function attributeOf(cell: IBufferCell): number {
  const colour = (palette: number, usual: number, index: number): number =>
    palette !== 0 && index < 16 ? swapRedBlue(index) : usual;
  const front = colour(Number(cell.isFgPalette()), PLAIN, cell.getFgColor()) | (cell.isBold() !== 0 ? 8 : 0);
  const back = colour(Number(cell.isBgPalette()), 0, cell.getBgColor());
  return cell.isInverse() !== 0 ? (front << 4) | back : (back << 4) | front;
}
