import type { RamBlock } from '@pagurus/device-model';
import { CRTC, DISPI, DISPI_ENABLE, GRAPHICS } from './spec.js';
import { dispiEnabled, type VgaState } from './vga.state.js';

const CLEAR_CHUNK = new Uint8Array(0x10000);

/** The Bochs display interface: resolutions beyond VGA's and a linear frame buffer. Index and data registers over {@link VgaState}. */
export class Dispi {
  constructor(
    private readonly state: VgaState,
    private readonly memory: RamBlock,
    private readonly changed: { display(): void; memory(): void },
  ) {}

  readIndex(): number {
    return this.state.dispiIndex;
  }

  writeIndex(value: number): void {
    this.state.dispiIndex = value;
  }

  /** Register at `index` as the guest sees it; with GET_CAPS set the resolution registers tell their limits. */
  read(index = this.state.dispiIndex): number {
    const { dispi } = this.state;
    if (index === DISPI.MEMORY_64K) return this.memory.length >> 16;
    if (index > DISPI.MEMORY_64K) return 0;
    if ((dispi[DISPI.ENABLE]! & DISPI_ENABLE.GET_CAPS) !== 0) {
      if (index === DISPI.XRES) return DISPI.MAX_XRES;
      if (index === DISPI.YRES) return DISPI.MAX_YRES;
      if (index === DISPI.BPP) return DISPI.MAX_BPP;
    }
    return dispi[index]!;
  }

  write(value: number, index = this.state.dispiIndex): void {
    const s = this.state;
    switch (index) {
      case DISPI.ID:
        if (value >= DISPI.ID0 && value <= DISPI.ID5) s.dispi[DISPI.ID] = value;
        return;
      case DISPI.XRES:
      case DISPI.YRES:
      case DISPI.BPP:
      case DISPI.VIRT_WIDTH:
      case DISPI.X_OFFSET:
      case DISPI.Y_OFFSET:
        s.dispi[index] = value;
        this.recompute();
        break;
      case DISPI.BANK:
        s.dispi[DISPI.BANK] = value & s.dispiBankMask;
        s.bankOffset = s.dispi[DISPI.BANK]! << 16;
        break;
      case DISPI.ENABLE:
        this.enable(s, value);
        break;
      default:
        return;
    }
    this.changed.memory();
    this.changed.display();
  }

  /**
   * Makes the registers possible: width a multiple of 8, lines that fit into the memory, a start inside it; then computes pitch and
   * start and overrides the VGA's registers. Does nothing while disabled.
   */
  recompute(): void {
    const s = this.state;
    if (!dispiEnabled(s)) return;
    const r = s.dispi;
    const bits = this.bitsPerPixel(r);
    r[DISPI.XRES] = clamp(r[DISPI.XRES]! & ~7, 8, DISPI.MAX_XRES);
    r[DISPI.VIRT_WIDTH] = clamp(r[DISPI.VIRT_WIDTH]! & ~7, r[DISPI.XRES]!, DISPI.MAX_XRES);
    const pitch = Math.floor((r[DISPI.VIRT_WIDTH]! * bits) / 8);
    const lines = Math.floor(this.memory.length / pitch);
    r[DISPI.YRES] = clamp(r[DISPI.YRES]!, 1, Math.min(DISPI.MAX_YRES, lines));
    const shown = r[DISPI.YRES]! * pitch;
    r[DISPI.X_OFFSET] = Math.min(r[DISPI.X_OFFSET]!, DISPI.MAX_XRES);
    r[DISPI.Y_OFFSET] = Math.min(r[DISPI.Y_OFFSET]!, DISPI.MAX_YRES);
    if (this.offset(r, bits) + shown > this.memory.length) r[DISPI.X_OFFSET] = 0;
    if (this.offset(r, bits) + r[DISPI.Y_OFFSET]! * pitch + shown > this.memory.length) r[DISPI.Y_OFFSET] = 0;
    const start = this.offset(r, bits) + r[DISPI.Y_OFFSET]! * pitch;
    r[DISPI.VIRT_HEIGHT] = lines; // cut to 16 bits, as the real register
    s.dispiPitch = pitch;
    s.dispiStart = Math.floor(start / 4);
    this.override();
  }

  /** While enabled, the VGA's registers say what the dispi says, whatever the guest wrote to them. */
  override(): void {
    const s = this.state;
    if (!dispiEnabled(s)) return;
    const { crtc, graphics, dispi } = s;
    const height = dispi[DISPI.YRES]! - 1;
    const linear = dispi[DISPI.BPP]! !== 4;
    graphics[GRAPHICS.MISCELLANEOUS] = (graphics[GRAPHICS.MISCELLANEOUS]! & ~0x0c) | 0x05;
    graphics[GRAPHICS.MODE] = (graphics[GRAPHICS.MODE]! & ~0x60) | (linear ? 0x40 : 0);
    crtc[CRTC.MODE] = crtc[CRTC.MODE]! | 3;
    crtc[CRTC.OFFSET] = s.dispiPitch >> 3;
    crtc[CRTC.HORIZONTAL_END] = (dispi[DISPI.XRES]! >> 3) - 1;
    crtc[CRTC.VERTICAL_END] = height;
    crtc[CRTC.OVERFLOW] = (crtc[CRTC.OVERFLOW]! & ~0x42) | ((height >> 7) & 0x02) | ((height >> 3) & 0x40) | 0x10;
    crtc[CRTC.LINE_COMPARE] = 0xff;
    crtc[CRTC.MAXIMUM_SCAN] = (crtc[CRTC.MAXIMUM_SCAN]! | 0x40) & ~0x9f;
  }

  /** Bytes from the beginning of a line to the first pixel shown. */
  private offset(r: Uint16Array, bits: number): number {
    return Math.floor((r[DISPI.X_OFFSET]! * bits) / 8);
  }

  private enable(s: VgaState, value: number): void {
    const r = s.dispi;
    const rises = (value & DISPI_ENABLE.ENABLED) !== 0 && !dispiEnabled(s);
    if (rises) {
      r[DISPI.VIRT_WIDTH] = 0;
      r[DISPI.X_OFFSET] = 0;
      r[DISPI.Y_OFFSET] = 0;
      r[DISPI.ENABLE] = r[DISPI.ENABLE]! | DISPI_ENABLE.ENABLED;
      this.recompute();
      if ((value & DISPI_ENABLE.NO_CLEAR) === 0) this.clear(r[DISPI.YRES]! * s.dispiPitch);
    } else s.bankOffset = 0;
    r[DISPI.ENABLE] = value;
  }

  private clear(length: number): void {
    for (let at = 0; at < length; at += CLEAR_CHUNK.length) {
      this.memory.write(at, CLEAR_CHUNK.subarray(0, Math.min(CLEAR_CHUNK.length, length - at)));
    }
  }

  /** An impossible depth becomes 8; 15 bits take 16. */
  private bitsPerPixel(r: Uint16Array): number {
    switch (r[DISPI.BPP]) {
      case 4:
      case 8:
      case 16:
      case 24:
      case 32:
        return r[DISPI.BPP]!;
      case 15:
        return 16;
      default:
        r[DISPI.BPP] = 8;
        return 8;
    }
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(value, most));
}
