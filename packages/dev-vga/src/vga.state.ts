import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { ATTRIBUTE, CRTC, DISPI, SEQUENCER_MASK } from './spec.js';

/** Registers of the card. Its memory is a RAM block and moves with the machine's RAM. */
export class VgaState {
  /** Four planes at the last address read. */
  latch = 0;
  sequencerIndex = 0;
  readonly sequencer = new Uint8Array(SEQUENCER_MASK.length);
  graphicsIndex = 0;
  readonly graphics = new Uint8Array(16);
  attributeIndex = 0;
  readonly attribute = new Uint8Array(ATTRIBUTE.COUNT);
  /** True: the next write to 0x3c0 is data. */
  attributeFlipFlop = false;
  crtcIndex = 0;
  readonly crtc = new Uint8Array(256);
  miscellaneous = 0;
  feature = 0;
  status0 = 0;
  status1 = 0;
  dacState = 0;
  /** Which of red, green, blue is next. */
  dacComponent = 0;
  dacReadIndex = 0;
  dacWriteIndex = 0;
  /** Components written so far. */
  readonly dacCache = new Uint8Array(3);
  /** 256 × red, green, blue; 6 bits each, 8 in the dispi's mode. */
  readonly palette = new Uint8Array(768);
  /** Byte offset of the banked window. */
  bankOffset = 0;
  /** Sent as a constant: the dispi exists. */
  isVbe = 1;
  dispiIndex = 0;
  readonly dispi = new Uint16Array(DISPI.COUNT);
  /** In units of four bytes. */
  dispiStart = 0;
  /** Bytes from one line to the next. */
  dispiPitch = 0;
  dispiBankMask = 0;
  bigEndian = false;

  /** @param memory bytes of video memory, which decide the number of banks. */
  constructor(memory: number) {
    this.dispi[DISPI.ID] = DISPI.ID5;
    this.dispiBankMask = (memory >> 16) - 1;
  }
}

const f = fieldsOf<VgaState>();

const endian = (bigEndianDefault: boolean) =>
  vmstate<VgaState>({
    name: 'vga.endian',
    version: 1,
    needed: (s) => s.bigEndian !== bigEndianDefault,
    fields: [f.bool('bigEndian', 'big_endian_fb')],
  });

/**
 * Section `vga` of `isa-vga`; nested in the section of the same name of the PCI card.
 *
 * QEMU up to 10.0 describes `isa-vga` at the wrong address: it sends 1131 bytes of another object, pointers included, and 11.1 refuses
 * them. They can't be told from state but by the constant, which is 0 there: such a section is refused here, too.
 */
export function vgaVmState(bigEndianDefault: boolean) {
  return vmstate<VgaState>({
    name: 'vga',
    version: 2,
    minVersion: 2,
    fields: [
      f.u32('latch'),
      f.u8('sequencerIndex', 'sr_index'),
      f.bytes('sequencer', 'sr'),
      f.u8('graphicsIndex', 'gr_index'),
      f.bytes('graphics', 'gr'),
      f.u8('attributeIndex', 'ar_index'),
      f.bytes('attribute', 'ar'),
      f.boolAs('i32', 'attributeFlipFlop', 'ar_flip_flop'),
      f.u8('crtcIndex', 'cr_index'),
      f.bytes('crtc', 'cr'),
      f.u8('miscellaneous', 'msr'),
      f.u8('feature', 'fcr'),
      f.u8('status0', 'st00'),
      f.u8('status1', 'st01'),
      f.u8('dacState', 'dac_state'),
      f.u8('dacComponent', 'dac_sub_index'),
      f.u8('dacReadIndex', 'dac_read_index'),
      f.u8('dacWriteIndex', 'dac_write_index'),
      f.bytes('dacCache', 'dac_cache'),
      f.bytes('palette'),
      f.i32('bankOffset', 'bank_offset'),
      f.equal('u8', 'isVbe', 'is_vbe_vmstate', { hint: 'QEMU does not send the state of isa-vga, but other memory' }),
      f.u16('dispiIndex', 'vbe_index'),
      f.array('u16', 'dispi', 'vbe_regs'),
      f.u32('dispiStart', 'vbe_start_addr'),
      f.u32('dispiPitch', 'vbe_line_offset'),
      f.u32('dispiBankMask', 'vbe_bank_mask'),
    ],
    subsections: [endian(bigEndianDefault)],
    preLoad(s) {
      s.bigEndian = bigEndianDefault;
    },
    postLoad(s) {
      s.sequencerIndex &= SEQUENCER_MASK.length - 1;
      s.graphicsIndex &= 0x0f;
      s.dacComponent %= 3;
    },
  });
}

/** A CRTC value spread over several registers: start address, cursor position. */
export function crtcPair({ crtc }: VgaState, high: number): number {
  return (crtc[high]! << 8) | crtc[high + 1]!;
}

export function dispiEnabled({ dispi }: VgaState): boolean {
  return (dispi[DISPI.ENABLE]! & 1) !== 0;
}

/** Bits 8 and 9 of vertical values live in other registers. */
export function verticalEnd({ crtc }: VgaState): number {
  const overflow = crtc[CRTC.OVERFLOW]!;
  return crtc[CRTC.VERTICAL_END]! | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3);
}

export function lineCompare({ crtc }: VgaState): number {
  return crtc[CRTC.LINE_COMPARE]! | ((crtc[CRTC.OVERFLOW]! & 0x10) << 4) | ((crtc[CRTC.MAXIMUM_SCAN]! & 0x40) << 3);
}
