import { ATTRIBUTE, CLOCKING, CRTC, DISPI, GRAPHICS, SCREEN_ON, SEQUENCER } from './spec.js';
import { crtcPair, dispiEnabled, lineCompare, type VgaState, verticalEnd } from './vga.state.js';

/** How pixels lie in memory. */
export type PixelFormat =
  /** Four planes, one bit each: 16 colours through the attribute palette. */
  | 'planar'
  /** Two bits a pixel, even and odd lines apart in CGA's memory layout. */
  | 'cga'
  | 'indexed'
  | 'rgb15'
  | 'rgb16'
  | 'rgb24'
  | 'rgb32';

export interface TextGeometry {
  readonly kind: 'text';
  readonly columns: number;
  readonly rows: number;
  /** Pixels of a character cell. */
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Bytes of memory from one row to the next; a character takes four. */
  readonly pitch: number;
  /** In characters. */
  readonly start: number;
}

export interface GraphicsGeometry {
  readonly kind: 'graphics';
  readonly format: PixelFormat;
  /** Pixels of the picture, after doubling. */
  readonly width: number;
  readonly height: number;
  /** Each pixel of memory appears so many times from left to right. */
  readonly widthFactor: 1 | 2;
  /** Each row scan appears so many times. */
  readonly lineRepeat: 1 | 2;
  /** Row scans until memory goes on by `pitch`. */
  readonly rowScans: number;
  /** Bytes from one line to the next. */
  readonly pitch: number;
  /** Byte offset of the first line. */
  readonly start: number;
  /** Line of the picture behind which memory starts again at 0. */
  readonly split: number;
  /** Pixels cut off at the left. */
  readonly panning: number;
}

/** What the registers make of memory. */
export type Geometry = TextGeometry | GraphicsGeometry | { readonly kind: 'blank' };

/** Largest picture in pixels that is drawn; beyond it the registers are nonsense (the dispi's own limit needs less). */
const MOST_PIXELS = 16 * 1024 * 1024;

export function geometryOf(s: VgaState): Geometry {
  if ((s.attributeIndex & SCREEN_ON) === 0) return { kind: 'blank' };
  const graphics = (s.graphics[GRAPHICS.MISCELLANEOUS]! & 1) !== 0;
  const geometry = graphics ? graphicsGeometry(s) : textGeometry(s);
  const pixels =
    geometry.kind === 'text'
      ? geometry.columns * geometry.cellWidth * geometry.rows * geometry.cellHeight
      : geometry.width * geometry.height;
  return pixels > 0 && pixels <= MOST_PIXELS ? geometry : { kind: 'blank' };
}

function textGeometry(s: VgaState): TextGeometry {
  const clocking = s.sequencer[SEQUENCER.CLOCKING]!;
  const cellHeight = (s.crtc[CRTC.MAXIMUM_SCAN]! & 0x1f) + 1;
  const eightDots = (clocking & CLOCKING.EIGHT_DOTS) !== 0;
  return {
    kind: 'text',
    columns: s.crtc[CRTC.HORIZONTAL_END]! + 1,
    rows: Math.floor(displayLines(s) / cellHeight),
    cellWidth: (clocking & CLOCKING.HALF_CLOCK) !== 0 ? 16 : eightDots ? 8 : 9,
    cellHeight,
    pitch: s.crtc[CRTC.OFFSET]! << 3,
    start: crtcPair(s, CRTC.START_HIGH),
  };
}

/** CGA's 160 × 100 mode is text of 100 rows, recognised by its vertical total. [QEMU] */
function displayLines(s: VgaState): number {
  return s.crtc[CRTC.VERTICAL_TOTAL] === 100 ? 100 : verticalEnd(s) + 1;
}

function graphicsGeometry(s: VgaState): GraphicsGeometry {
  return dispiEnabled(s) ? dispiGeometry(s) : vgaGeometry(s);
}

function vgaGeometry(s: VgaState): GraphicsGeometry {
  const shift = (s.graphics[GRAPHICS.MODE]! >> 5) & 3;
  const halfClock = (s.sequencer[SEQUENCER.CLOCKING]! & CLOCKING.HALF_CLOCK) !== 0;
  const dots = (s.crtc[CRTC.HORIZONTAL_END]! + 1) * 8;
  const indexed = shift >= 2;
  return {
    kind: 'graphics',
    format: indexed ? 'indexed' : shift === 1 ? 'cga' : 'planar',
    width: halfClock && !indexed ? dots * 2 : dots,
    height: verticalEnd(s) + 1,
    widthFactor: halfClock || indexed ? 2 : 1,
    lineRepeat: (s.crtc[CRTC.MAXIMUM_SCAN]! & 0x80) !== 0 ? 2 : 1,
    rowScans: (s.crtc[CRTC.MAXIMUM_SCAN]! & 0x1f) + 1,
    pitch: s.crtc[CRTC.OFFSET]! << 3,
    start: crtcPair(s, CRTC.START_HIGH) * 4,
    split: lineCompare(s),
    panning: s.attribute[ATTRIBUTE.PANNING]! & 7,
  };
}

const FORMATS: Partial<Record<number, PixelFormat>> = { 4: 'planar', 15: 'rgb15', 16: 'rgb16', 24: 'rgb24', 32: 'rgb32' };

function dispiGeometry({ dispi, dispiPitch, dispiStart }: VgaState): GraphicsGeometry {
  return {
    kind: 'graphics',
    format: FORMATS[dispi[DISPI.BPP]!] ?? 'indexed',
    width: dispi[DISPI.XRES]!,
    height: dispi[DISPI.YRES]!,
    widthFactor: 1,
    lineRepeat: 1,
    rowScans: 1,
    pitch: dispiPitch,
    start: dispiStart * 4,
    split: Number.POSITIVE_INFINITY,
    panning: 0,
  };
}
