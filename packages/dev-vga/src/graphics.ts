import type { RamBlock } from '@pagurus/device-model';
import { rgba } from './colours.js';
import type { GraphicsGeometry, PixelFormat } from './geometry.js';
import { ATTRIBUTE, CRTC } from './spec.js';
import type { VgaState } from './vga.state.js';

/** One line of the picture: where its bytes begin. */
export interface ScanLine {
  readonly y: number;
  readonly from: number;
}

/** Bytes of memory that a line shows. */
export function lineBytes(g: GraphicsGeometry): number {
  const pixels = Math.ceil(g.width / g.widthFactor) + g.panning;
  switch (g.format) {
    case 'planar':
    case 'cga':
      return Math.ceil(pixels / 8) * 4;
    case 'indexed':
      return pixels;
    case 'rgb15':
    case 'rgb16':
      return pixels * 2;
    case 'rgb24':
      return pixels * 3;
    case 'rgb32':
      return pixels * 4;
  }
}

/**
 * Where each line of the picture comes from. A row of memory is shown on several lines, counted by the row scan counter; CGA and
 * Hercules modes put that counter's low bits into the address, so that odd lines lie apart. Behind the split line memory starts
 * again at 0. [VGA] CRTC, maximum scan line and mode control.
 */
export function* scanLines({ crtc }: VgaState, g: GraphicsGeometry): Generator<ScanLine> {
  const mode = crtc[CRTC.MODE]!;
  const oddBit = 14 + ((mode >> 6) & 1);
  let base = g.start;
  let rowScan = 0;
  let repeat = g.lineRepeat;
  for (let y = 0; y < g.height; y++) {
    let from = base;
    if ((mode & 1) === 0) from = (from & ~(1 << oddBit)) | ((rowScan & 1) << oddBit);
    if ((mode & 2) === 0) from = (from & ~0x8000) | ((rowScan & 2) << 14);
    yield { y, from };
    if (y === g.split) {
      base = 0;
      rowScan = 0;
      repeat = g.lineRepeat;
    } else if (--repeat === 0) {
      repeat = g.lineRepeat;
      if (++rowScan >= g.rowScans) {
        rowScan = 0;
        base += g.pitch;
      }
    }
  }
}

/** Draws lines of one geometry. */
export class LinePainter {
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly planes: number;
  private readonly swapped: boolean;

  constructor(
    state: VgaState,
    private readonly memory: RamBlock,
    private readonly g: GraphicsGeometry,
    private readonly colours: Uint32Array,
    private readonly dac: Uint32Array,
  ) {
    this.bytes = new Uint8Array(((lineBytes(g) + 3) & ~3) + 4);
    this.words = new Uint32Array(this.bytes.buffer);
    this.planes = state.attribute[ATTRIBUTE.PLANE_ENABLE]! & 0x0f;
    this.swapped = state.bigEndian;
  }

  paint({ y, from }: ScanLine, pixels: Uint32Array): void {
    this.fetch(from);
    const { width, widthFactor, panning, format } = this.g;
    const at = y * width;
    if (format === 'rgb32' && !this.swapped && widthFactor === 1) {
      const { words } = this;
      for (let x = 0, from = panning; x < width; x++) {
        const value = words[from++]!;
        // Red and blue change places.
        pixels[at + x] = 0xff00_0000 | ((value & 0xff) << 16) | (value & 0xff00) | ((value >> 16) & 0xff);
      }
      return;
    }
    if (format === 'indexed') {
      const { bytes, dac } = this;
      const shift = widthFactor - 1;
      for (let x = 0; x < width; x++) pixels[at + x] = dac[bytes[(x >> shift) + panning]!]!;
      return;
    }
    if (widthFactor === 1) for (let x = 0; x < width; x++) pixels[at + x] = this.pixel(x + panning, format);
    else for (let x = 0; x < width; x++) pixels[at + x] = this.pixel((x >> 1) + panning, format);
  }

  /** What lies beyond the memory is zero. */
  private fetch(from: number): void {
    const { bytes, memory } = this;
    const there = Math.max(0, Math.min(bytes.length, memory.length - from));
    if (there > 0) memory.read(from, bytes.subarray(0, there));
    bytes.fill(0, there);
  }

  private pixel(x: number, format: Exclude<PixelFormat, 'indexed'>): number {
    const { bytes } = this;
    switch (format) {
      case 'planar':
        return this.colours[this.planar(x) & this.planes]!;
      case 'cga':
        return this.colours[this.cga(x) & this.planes]!;
      case 'rgb15': {
        const value = this.word(2 * x);
        return rgba(stretch5(value >> 10), stretch5(value >> 5), stretch5(value));
      }
      case 'rgb16': {
        const value = this.word(2 * x);
        return rgba(stretch5(value >> 11), stretch6(value >> 5), stretch5(value));
      }
      case 'rgb24':
        return this.swapped
          ? rgba(bytes[3 * x]!, bytes[3 * x + 1]!, bytes[3 * x + 2]!)
          : rgba(bytes[3 * x + 2]!, bytes[3 * x + 1]!, bytes[3 * x]!);
      case 'rgb32':
        return this.swapped
          ? rgba(bytes[4 * x + 1]!, bytes[4 * x + 2]!, bytes[4 * x + 3]!)
          : rgba(bytes[4 * x + 2]!, bytes[4 * x + 1]!, bytes[4 * x]!);
    }
  }

  private word(at: number): number {
    const [first, second] = [this.bytes[at]!, this.bytes[at + 1]!];
    return this.swapped ? (first << 8) | second : first | (second << 8);
  }

  /** One bit from each plane, the leftmost pixel in bit 7. */
  private planar(x: number): number {
    const at = (x >> 3) * 4;
    const bit = 7 - (x & 7);
    let colour = 0;
    for (let plane = 0; plane < 4; plane++) colour |= ((this.bytes[at + plane]! >> bit) & 1) << plane;
    return colour;
  }

  /** Two bits from planes 0 and 2 for the first four pixels of eight, from 1 and 3 for the others. */
  private cga(x: number): number {
    const at = (x >> 3) * 4 + ((x >> 2) & 1);
    const shift = 6 - 2 * (x & 3);
    return ((this.bytes[at]! >> shift) & 3) | (((this.bytes[at + 2]! >> shift) & 3) << 2);
  }
}

/** The high bits are repeated below, so that all ones is full brightness. */
function stretch5(value: number): number {
  const five = value & 0x1f;
  return (five << 3) | (five >> 2);
}

function stretch6(value: number): number {
  const six = value & 0x3f;
  return (six << 2) | (six >> 4);
}
