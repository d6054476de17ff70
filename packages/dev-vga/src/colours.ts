import { ATTRIBUTE, ATTRIBUTE_MODE, DISPI, DISPI_ENABLE } from './spec.js';
import type { VgaState } from './vga.state.js';

/** A pixel as it stands in RGBA memory on a little-endian host. */
export function rgba(red: number, green: number, blue: number): number {
  return (0xff00_0000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The DAC's 256 colours. Its six bits are stretched to eight so that 63 becomes 255. */
export function dacColours({ palette, dispi }: VgaState): Uint32Array {
  const eightBits = (dispi[DISPI.ENABLE]! & DISPI_ENABLE.DAC_8BIT) !== 0;
  const level = eightBits ? (value: number) => value : stretch;
  return Uint32Array.from({ length: 256 }, (_, i) =>
    rgba(level(palette[3 * i]!), level(palette[3 * i + 1]!), level(palette[3 * i + 2]!)),
  );
}

/** The 16 colours of text and planar modes: attribute palette, then DAC. [VGA] "Attribute controller", colour select. */
export function attributeColours({ attribute }: VgaState, dac: Uint32Array): Uint32Array {
  const select = attribute[ATTRIBUTE.COLOUR_SELECT]!;
  const replace54 = (attribute[ATTRIBUTE.MODE]! & ATTRIBUTE_MODE.P54_SELECT) !== 0;
  return Uint32Array.from({ length: 16 }, (_, i) => {
    const entry = attribute[i]!;
    return dac[replace54 ? ((select & 0x0f) << 4) | (entry & 0x0f) : ((select & 0x0c) << 4) | (entry & 0x3f)]!;
  });
}

/** The lowest bit is repeated below, as QEMU does, so that 0 stays 0 and 63 becomes 255. */
function stretch(value: number): number {
  const six = value & 0x3f;
  const low = six & 1;
  return (six << 2) | (low << 1) | low;
}
