import type { IoHandler, RamBlock } from '@pagurus/device-model';
import { DISPI, GRAPHICS, GRAPHICS_MODE, MEMORY_MODE, SEQUENCER, WINDOW } from './spec.js';
import { dispiEnabled, type VgaState } from './vga.state.js';

/** Bit i set: byte i all ones. */
const PLANES = Uint32Array.from({ length: 16 }, (_, mask) =>
  [0, 1, 2, 3].reduce((value, plane) => value | ((mask >> plane) & 1 ? 0xff << (8 * plane) : 0), 0),
);

/** The same byte in all four planes. */
const spread = (byte: number): number => byte * 0x0101_0101;

/**
 * The guest's view of video memory at 0xa0000: planes, latches, write modes. [VGA] "Graphics controller".
 *
 * Memory is kept with the four planes side by side, as QEMU keeps and sends it: byte `4 × address + plane`.
 */
export class VgaWindow implements IoHandler {
  private readonly word = new Uint8Array(4);
  private readonly byte = new Uint8Array(1);

  constructor(
    private readonly state: VgaState,
    private readonly memory: RamBlock,
  ) {}

  /** The window then simply is memory from the bank on: 256-colour and dispi modes. */
  get linear(): boolean {
    const s = this.state;
    return this.chain4(s) && this.mapMask(s) === 0x0f;
  }

  read(offset: number): number {
    const s = this.state;
    const address = this.decode(s, offset);
    if (address < 0) return 0xff;
    if (this.chain4(s)) return this.peek(address);
    if ((s.graphics[GRAPHICS.MODE]! & GRAPHICS_MODE.ODD_EVEN) !== 0) return this.peek(this.oddEven(s, address));
    if (address * 4 + 4 > this.memory.length) return 0xff;
    s.latch = this.peekWord(address) >>> 0;
    if ((s.graphics[GRAPHICS.MODE]! & GRAPHICS_MODE.READ_COMPARE) === 0) {
      return (s.latch >>> (8 * s.graphics[GRAPHICS.READ_MAP]!)) & 0xff;
    }
    const different = (s.latch ^ PLANES[s.graphics[GRAPHICS.COLOUR_COMPARE]!]!) & PLANES[s.graphics[GRAPHICS.COLOUR_DONT_CARE]!]!;
    const half = different | (different >>> 16);
    return ~(half | (half >>> 8)) & 0xff;
  }

  write(offset: number, value: number): void {
    const s = this.state;
    const address = this.decode(s, offset);
    if (address < 0) return;
    const mapMask = this.mapMask(s);
    if (this.chain4(s)) {
      if ((mapMask & (1 << (address & 3))) !== 0) this.poke(address, value);
    } else if ((s.graphics[GRAPHICS.MODE]! & GRAPHICS_MODE.ODD_EVEN) !== 0) {
      const at = this.oddEven(s, address);
      if ((mapMask & (1 << (at & 3))) !== 0) this.poke(at, value);
    } else if (address * 4 + 4 <= this.memory.length) {
      const keep = PLANES[mapMask]!;
      this.pokeWord(address, (this.peekWord(address) & ~keep) | (this.combine(s, value) & keep));
    }
  }

  /** Address in the mapped part of the window, or -1 where the card does not answer. */
  private decode(s: VgaState, offset: number): number {
    switch ((s.graphics[GRAPHICS.MISCELLANEOUS]! >> 2) & 3) {
      case 0:
        return offset;
      case 1:
        return offset < WINDOW.HALF ? offset + s.bankOffset : -1;
      case 2:
        return offset >= WINDOW.HALF && offset < WINDOW.HALF + WINDOW.QUARTER ? offset - WINDOW.HALF : -1;
      default:
        return offset >= WINDOW.HALF + WINDOW.QUARTER ? offset - WINDOW.HALF - WINDOW.QUARTER : -1;
    }
  }

  /** Even addresses lie in planes 0 and 2, odd ones in 1 and 3; the read map says which pair. */
  private oddEven(s: VgaState, address: number): number {
    const plane = (s.graphics[GRAPHICS.READ_MAP]! & 2) | (address & 1);
    return ((address & ~1) << 1) | plane;
  }

  /** What a byte of the guest becomes in the four planes. [VGA] write modes 0 to 3 and the function select. */
  private combine(s: VgaState, value: number): number {
    const { graphics, latch } = s;
    const mode = graphics[GRAPHICS.MODE]! & 3;
    if (mode === 1) return latch;
    const rotated = rotate(value, graphics[GRAPHICS.DATA_ROTATE]! & 7);
    const setReset = PLANES[graphics[GRAPHICS.SET_RESET]!]!;
    let bits = graphics[GRAPHICS.BIT_MASK]!;
    let planes: number;
    if (mode === 0) {
      const enabled = PLANES[graphics[GRAPHICS.ENABLE_SET_RESET]!]!;
      planes = (spread(rotated) & ~enabled) | (setReset & enabled);
    } else if (mode === 2) planes = PLANES[value & 0x0f]!;
    else {
      bits &= rotated;
      planes = setReset;
    }
    const mask = spread(bits);
    return (applyFunction(graphics[GRAPHICS.DATA_ROTATE]! >> 3, planes, latch) & mask) | (latch & ~mask);
  }

  private chain4(s: VgaState): boolean {
    if (dispiEnabled(s) && s.dispi[DISPI.BPP] !== 4) return true;
    return (s.sequencer[SEQUENCER.MEMORY_MODE]! & MEMORY_MODE.CHAIN4) !== 0;
  }

  private mapMask(s: VgaState): number {
    return dispiEnabled(s) && s.dispi[DISPI.BPP] !== 4 ? 0x0f : s.sequencer[SEQUENCER.MAP_MASK]! & 0x0f;
  }

  private peek(at: number): number {
    if (at >= this.memory.length) return 0xff;
    this.memory.read(at, this.byte);
    return this.byte[0]!;
  }

  private poke(at: number, value: number): void {
    if (at >= this.memory.length) return;
    this.byte[0] = value;
    this.memory.write(at, this.byte);
  }

  private peekWord(address: number): number {
    const { word } = this;
    this.memory.read(address * 4, word);
    return word[0]! | (word[1]! << 8) | (word[2]! << 16) | (word[3]! << 24);
  }

  private pokeWord(address: number, value: number): void {
    for (let plane = 0; plane < 4; plane++) this.word[plane] = value >>> (8 * plane);
    this.memory.write(address * 4, this.word);
  }
}

function rotate(byte: number, count: number): number {
  return ((byte >> count) | (byte << (8 - count))) & 0xff;
}

function applyFunction(select: number, planes: number, latch: number): number {
  switch (select & 3) {
    case 1:
      return planes & latch;
    case 2:
      return planes | latch;
    case 3:
      return planes ^ latch;
    default:
      return planes;
  }
}
