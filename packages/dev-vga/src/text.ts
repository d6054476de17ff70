import type { RamBlock, TextScreen } from '@pagurus/device-model';
import { CODE_PAGE_437 } from './code-page-437.js';
import type { TextGeometry } from './geometry.js';
import { ATTRIBUTE, ATTRIBUTE_MODE, CRTC, SEQUENCER } from './spec.js';
import { crtcPair, type VgaState } from './vga.state.js';

/** Bytes of memory for one character: code, attribute, font plane, unused plane. */
const CELL = 4;
/** Bytes of a font of 256 characters of 32 lines. */
const FONT_SIZE = 8192;
const CURSOR_OFF = 0x20;
/** Characters whose eighth dot is repeated as the ninth. The manual begins at 0xc0; QEMU includes the shades and borders before it. */
const LINE_GRAPHICS = { FIRST: 0xb0, LAST: 0xdf } as const;

/** Reads the rows that are shown; what lies beyond the memory is zero. */
function readCells(memory: RamBlock, g: TextGeometry): Uint8Array {
  const cells = new Uint8Array(g.columns * g.rows * CELL);
  const row = g.columns * CELL;
  for (let y = 0; y < g.rows; y++) {
    const from = g.start * CELL + y * g.pitch;
    const length = Math.min(row, memory.length - from);
    if (length > 0) memory.read(from, cells.subarray(y * row, y * row + length));
  }
  return cells;
}

/** Column and row of the cursor, or undefined where it is switched off or not on the screen. */
function cursorOf(s: VgaState, g: TextGeometry): { column: number; row: number } | undefined {
  if ((s.crtc[CRTC.CURSOR_START]! & CURSOR_OFF) !== 0 || g.pitch === 0) return undefined;
  const offset = (crtcPair(s, CRTC.CURSOR_HIGH) - g.start) * CELL;
  if (offset < 0) return undefined;
  const [row, column] = [Math.floor(offset / g.pitch), (offset % g.pitch) / CELL];
  return row < g.rows && column < g.columns ? { column, row } : undefined;
}

/** The screen as text. */
export function readText(s: VgaState, memory: RamBlock, g: TextGeometry): TextScreen {
  const cells = readCells(memory, g);
  const count = g.columns * g.rows;
  const lines = Array.from({ length: g.rows }, (_, y) => {
    let line = '';
    for (let x = 0; x < g.columns; x++) line += CODE_PAGE_437[cells[(y * g.columns + x) * CELL]!]!;
    return line;
  });
  return {
    columns: g.columns,
    rows: g.rows,
    lines,
    attributes: Uint8Array.from({ length: count }, (_, i) => cells[i * CELL + 1]!),
    cursor: cursorOf(s, g),
  };
}

/**
 * Draws the screen with the fonts that the guest loaded into plane 2. Nothing blinks, so that equal states give equal pictures: the
 * cursor is always shown, and attribute bit 7 always brightens the background, as on QEMU's screen.
 */
export function drawText(s: VgaState, memory: RamBlock, g: TextGeometry, colours: Uint32Array, pixels: Uint32Array): void {
  const cells = readCells(memory, g);
  const fonts = readFonts(s, memory);
  const cursor = cursorOf(s, g);
  const lineGraphics = (s.attribute[ATTRIBUTE.MODE]! & ATTRIBUTE_MODE.LINE_GRAPHICS) !== 0;
  const width = g.columns * g.cellWidth;
  for (let y = 0; y < g.rows; y++) {
    for (let x = 0; x < g.columns; x++) {
      const at = (y * g.columns + x) * CELL;
      const [code, attribute] = [cells[at]!, cells[at + 1]!];
      const font = fonts[(attribute >> 3) & 1]!;
      const foreground = colours[attribute & 0x0f]!;
      const background = colours[attribute >> 4]!;
      const ninth = lineGraphics && code >= LINE_GRAPHICS.FIRST && code <= LINE_GRAPHICS.LAST;
      const here = cursor?.column === x && cursor.row === y;
      for (let line = 0; line < g.cellHeight; line++) {
        const solid = here && onCursorLine(s, line);
        const bits = solid ? 0xff : font[code * 32 + line]!;
        drawRow(
          pixels,
          (y * g.cellHeight + line) * width + x * g.cellWidth,
          g.cellWidth,
          bits,
          solid || ninth,
          foreground,
          background,
        );
      }
    }
  }
}

function drawRow(
  pixels: Uint32Array,
  at: number,
  cellWidth: number,
  bits: number,
  repeatEighth: boolean,
  foreground: number,
  background: number,
): void {
  for (let dot = 0; dot < cellWidth; dot++) {
    const bit = cellWidth === 16 ? dot >> 1 : dot;
    const set = bit < 8 ? ((bits >> (7 - bit)) & 1) !== 0 : repeatEighth && (bits & 1) !== 0;
    pixels[at + dot] = set ? foreground : background;
  }
}

function onCursorLine({ crtc }: VgaState, line: number): boolean {
  return line >= (crtc[CRTC.CURSOR_START]! & 0x1f) && line <= (crtc[CRTC.CURSOR_END]! & 0x1f);
}

/** Fonts for attribute bit 3 clear and set. [VGA] "Character map select": two bits of the number stand together, the third apart. */
function readFonts(s: VgaState, memory: RamBlock): readonly [Uint8Array, Uint8Array] {
  const select = s.sequencer[SEQUENCER.CHARACTER_MAP]!;
  const plain = ((select >> 4) & 1) | ((select << 1) & 6);
  const bright = ((select >> 5) & 1) | ((select >> 1) & 6);
  const first = readFont(memory, plain);
  return [first, plain === bright ? first : readFont(memory, bright)];
}

function readFont(memory: RamBlock, number: number): Uint8Array {
  const cells = new Uint8Array(FONT_SIZE * CELL);
  const from = number * FONT_SIZE * CELL;
  if (from + cells.length <= memory.length) memory.read(from, cells);
  return Uint8Array.from({ length: FONT_SIZE }, (_, i) => cells[i * CELL + 2]!);
}
