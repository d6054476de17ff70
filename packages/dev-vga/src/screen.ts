import type { RamBlock, Screen, TextScreen } from '@pagurus/device-model';
import { attributeColours, dacColours } from './colours.js';
import { type Geometry, type GraphicsGeometry, geometryOf, type TextGeometry } from './geometry.js';
import { LinePainter, lineBytes, scanLines } from './graphics.js';
import { drawText, readText } from './text.js';
import type { VgaState } from './vga.state.js';

const PAGE = 4096;
/** Size of the black picture before the first mode was set. */
const DEFAULT_SIZE = { width: 640, height: 480 } as const;

/** What the screen shows, drawn when somebody looks, and then only what changed since. */
export class VgaScreen implements Screen {
  private width: number = DEFAULT_SIZE.width;
  private height: number = DEFAULT_SIZE.height;
  private pixels = new Uint32Array(DEFAULT_SIZE.width * DEFAULT_SIZE.height).fill(0xff00_0000);
  private registersChanged = true;

  constructor(
    private readonly state: VgaState,
    private readonly memory: RamBlock,
  ) {}

  /** A register that is seen has been written. */
  touch(): void {
    this.registersChanged = true;
  }

  /** Undefined in graphics modes and while the screen is off. */
  text(): TextScreen | undefined {
    const geometry = geometryOf(this.state);
    return geometry.kind === 'text' ? readText(this.state, this.memory, geometry) : undefined;
  }

  /** `rgba` is the same array as long as the size stays; it is overwritten by the next call. A screen that is off is black. */
  image(): { readonly width: number; readonly height: number; readonly rgba: Uint8Array } {
    const dirty = this.memory.takeDirty('display');
    const geometry = geometryOf(this.state);
    const all = this.registersChanged;
    this.registersChanged = false;
    this.resize(geometry);
    if (geometry.kind === 'blank') this.pixels.fill(0xff00_0000);
    else if (geometry.kind === 'graphics') this.drawGraphics(geometry, all ? undefined : dirty);
    else if (all || dirty.some((word) => word !== 0)) this.drawText(geometry);
    return { width: this.width, height: this.height, rgba: new Uint8Array(this.pixels.buffer) };
  }

  size(): { readonly width: number; readonly height: number } | undefined {
    const geometry = geometryOf(this.state);
    return geometry.kind === 'blank' ? undefined : pictureSize(geometry);
  }

  private resize(g: Geometry): void {
    if (g.kind === 'blank') return;
    const { width, height } = pictureSize(g);
    if (width * height !== this.pixels.length) this.pixels = new Uint32Array(width * height);
    this.width = width;
    this.height = height;
  }

  private drawText(g: TextGeometry): void {
    const { state, memory } = this;
    drawText(state, memory, g, attributeColours(state, dacColours(state)), this.pixels);
  }

  /** @param dirty pages to look at; undefined draws all. */
  private drawGraphics(g: GraphicsGeometry, dirty: Uint32Array | undefined): void {
    const { state, memory } = this;
    const dac = dacColours(state);
    const painter = new LinePainter(state, memory, g, attributeColours(state, dac), dac);
    const length = lineBytes(g);
    for (const line of scanLines(state, g)) {
      if (dirty === undefined || touches(dirty, line.from, length)) painter.paint(line, this.pixels);
    }
  }
}

function pictureSize(g: Exclude<Geometry, { kind: 'blank' }>): { width: number; height: number } {
  if (g.kind === 'graphics') return { width: g.width, height: g.height };
  return { width: g.columns * g.cellWidth, height: g.rows * g.cellHeight };
}

function touches(dirty: Uint32Array, from: number, length: number): boolean {
  for (let page = Math.floor(from / PAGE); page <= Math.floor((from + length - 1) / PAGE); page++) {
    if (((dirty[page >> 5] ?? 0) >>> (page & 31)) & 1) return true;
  }
  return false;
}
