import { ATTRIBUTE, CRTC, CRTC_PROTECT, GRAPHICS_MASK, MISC, PORT, SCREEN_ON, SEQUENCER_MASK, STATUS1 } from './spec.js';
import type { VgaState } from './vga.state.js';

/** Told what a register write may have changed. */
export interface RegisterListener {
  /** Anything that is seen on the screen. */
  display(): void;
  /** How the window at 0xa0000 reaches the memory. */
  memory(): void;
  /** A register that the dispi, while enabled, keeps to itself. */
  override(): void;
}

/** Bits of the attribute registers that exist. */
function attributeMask(index: number): number {
  if (index < ATTRIBUTE.MODE) return 0x3f;
  switch (index) {
    case ATTRIBUTE.MODE:
      return 0xef;
    case ATTRIBUTE.OVERSCAN:
      return 0xff;
    case ATTRIBUTE.PLANE_ENABLE:
      return 0x3f;
    default:
      return 0x0f;
  }
}

/** Ports 0x3b4 to 0x3da over {@link VgaState}. Other ports in between read as zero. */
export class VgaRegisters {
  constructor(
    private readonly state: VgaState,
    private readonly changed: RegisterListener,
  ) {}

  /** @param port 0x3b0 to 0x3df. */
  read(port: number): number {
    const s = this.state;
    if (this.hidden(port)) return 0xff;
    switch (port) {
      case PORT.ATTRIBUTE:
        return s.attributeFlipFlop ? 0 : s.attributeIndex;
      case PORT.ATTRIBUTE_READ:
        return s.attribute[s.attributeIndex & 0x1f] ?? 0;
      case PORT.MISC_WRITE:
        return s.status0;
      case PORT.SEQUENCER_INDEX:
        return s.sequencerIndex;
      case PORT.SEQUENCER_DATA:
        return s.sequencer[s.sequencerIndex]!;
      case PORT.DAC_READ_INDEX:
        return s.dacState;
      case PORT.DAC_WRITE_INDEX:
        return s.dacWriteIndex;
      case PORT.DAC_DATA:
        return this.readDac(s);
      case PORT.FEATURE_READ:
        return s.feature;
      case PORT.MISC_READ:
        return s.miscellaneous;
      case PORT.GRAPHICS_INDEX:
        return s.graphicsIndex;
      case PORT.GRAPHICS_DATA:
        return s.graphics[s.graphicsIndex]!;
      case PORT.CRTC_MONO:
      case PORT.CRTC_COLOUR:
        return s.crtcIndex;
      case PORT.CRTC_MONO + 1:
      case PORT.CRTC_COLOUR + 1:
        return s.crtc[s.crtcIndex]!;
      case PORT.STATUS1_MONO:
      case PORT.STATUS1_COLOUR:
        // No beam is modelled: every read sees the other half of the frame, so that waiting loops end. [QEMU]
        s.status1 ^= STATUS1.VERTICAL_RETRACE | STATUS1.DISPLAY_DISABLED;
        s.attributeFlipFlop = false;
        return s.status1;
      default:
        return 0;
    }
  }

  write(port: number, value: number): void {
    const s = this.state;
    if (this.hidden(port)) return;
    switch (port) {
      case PORT.ATTRIBUTE:
        this.writeAttribute(s, value);
        break;
      case PORT.MISC_WRITE:
        s.miscellaneous = value & ~0x10;
        break;
      case PORT.SEQUENCER_INDEX:
        s.sequencerIndex = value & 7;
        break;
      case PORT.SEQUENCER_DATA:
        s.sequencer[s.sequencerIndex] = value & SEQUENCER_MASK[s.sequencerIndex]!;
        this.changed.memory();
        this.changed.display();
        break;
      case PORT.DAC_READ_INDEX:
        s.dacReadIndex = value;
        s.dacComponent = 0;
        s.dacState = 3;
        break;
      case PORT.DAC_WRITE_INDEX:
        s.dacWriteIndex = value;
        s.dacComponent = 0;
        s.dacState = 0;
        break;
      case PORT.DAC_DATA:
        this.writeDac(s, value);
        break;
      case PORT.GRAPHICS_INDEX:
        s.graphicsIndex = value & 0x0f;
        break;
      case PORT.GRAPHICS_DATA:
        s.graphics[s.graphicsIndex] = value & GRAPHICS_MASK[s.graphicsIndex]!;
        this.changed.override();
        this.changed.memory();
        this.changed.display();
        break;
      case PORT.CRTC_MONO:
      case PORT.CRTC_COLOUR:
        s.crtcIndex = value;
        break;
      case PORT.CRTC_MONO + 1:
      case PORT.CRTC_COLOUR + 1:
        this.writeCrtc(s, value);
        break;
      case PORT.STATUS1_MONO:
      case PORT.STATUS1_COLOUR:
        s.feature = value & 0x10;
        break;
    }
  }

  /** The CRTC and status 1 answer at one of two places. */
  private hidden(port: number): boolean {
    const colour = (this.state.miscellaneous & MISC.COLOUR) !== 0;
    return colour ? port < PORT.FIRST : port >= 0x3d0;
  }

  private writeAttribute(s: VgaState, value: number): void {
    if (s.attributeFlipFlop) {
      const index = s.attributeIndex & 0x1f;
      if (index < ATTRIBUTE.COUNT) s.attribute[index] = value & attributeMask(index);
      this.changed.display();
    } else {
      const before = s.attributeIndex;
      s.attributeIndex = value & 0x3f;
      if (((before ^ s.attributeIndex) & SCREEN_ON) !== 0) this.changed.display();
    }
    s.attributeFlipFlop = !s.attributeFlipFlop;
  }

  private readDac(s: VgaState): number {
    const value = s.palette[s.dacReadIndex * 3 + s.dacComponent]!;
    s.dacComponent = (s.dacComponent + 1) % 3;
    if (s.dacComponent === 0) s.dacReadIndex = (s.dacReadIndex + 1) & 0xff;
    return value;
  }

  private writeDac(s: VgaState, value: number): void {
    s.dacCache[s.dacComponent] = value;
    s.dacComponent = (s.dacComponent + 1) % 3;
    if (s.dacComponent !== 0) return;
    s.palette.set(s.dacCache, s.dacWriteIndex * 3);
    s.dacWriteIndex = (s.dacWriteIndex + 1) & 0xff;
    this.changed.display();
  }

  private writeCrtc(s: VgaState, value: number): void {
    const { crtc, crtcIndex: index } = s;
    if ((crtc[CRTC.VERTICAL_RETRACE_END]! & CRTC_PROTECT) === 0 || index > CRTC.OVERFLOW) crtc[index] = value;
    else if (index === CRTC.OVERFLOW) crtc[index] = (crtc[index]! & ~0x10) | (value & 0x10);
    else return;
    this.changed.override();
    this.changed.display();
  }
}
