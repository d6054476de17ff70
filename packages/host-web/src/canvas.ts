import type { ScreenContents } from './protocol.js';

/** The sixteen colours of text mode (IBM CGA/EGA palette), 0xrrggbb. */
const COLOURS = [
  0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa, 0x555555, 0x5555ff, 0x55ff55, 0x55ffff,
  0xff5555, 0xff55ff, 0xffff55, 0xffffff,
] as const;
const CELL = { WIDTH: 9, HEIGHT: 16 } as const;

const css = (colour: number) => `#${colour.toString(16).padStart(6, '0')}`;

/** Draws a screen and resizes the canvas to it. Text uses the browser's monospace font. */
export function drawScreen(canvas: HTMLCanvasElement, contents: ScreenContents): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  if (contents.kind === 'image') {
    resize(canvas, contents.width, contents.height);
    context.putImageData(new ImageData(new Uint8ClampedArray(contents.rgba), contents.width, contents.height), 0, 0);
    return;
  }
  const { columns, rows, lines, attributes, cursor } = contents.screen;
  resize(canvas, columns * CELL.WIDTH, rows * CELL.HEIGHT);
  context.font = `${CELL.HEIGHT - 2}px monospace`;
  context.textBaseline = 'top';
  for (let row = 0; row < rows; row++) {
    const characters = [...(lines[row] ?? '')];
    for (let column = 0; column < columns; column++) {
      const attribute = attributes[row * columns + column] ?? 7;
      const [x, y] = [column * CELL.WIDTH, row * CELL.HEIGHT];
      context.fillStyle = css(COLOURS[(attribute >> 4) & 7]!);
      context.fillRect(x, y, CELL.WIDTH, CELL.HEIGHT);
      const character = characters[column] ?? ' ';
      if (character === ' ') continue;
      context.fillStyle = css(COLOURS[attribute & 15]!);
      context.fillText(character, x, y + 1, CELL.WIDTH);
    }
  }
  if (cursor) {
    context.fillStyle = css(COLOURS[7]);
    context.fillRect(cursor.column * CELL.WIDTH, (cursor.row + 1) * CELL.HEIGHT - 2, CELL.WIDTH, 2);
  }
}

function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
