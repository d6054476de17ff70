/**
 * What the monitor says of itself. [EDID] VESA Enhanced EDID Standard 1.4; [CTA] CTA-861, video data block. The values are those of
 * QEMU's monitor, so that a guest finds the same one after a move.
 */

const BLOCK = 128;
/** Bytes that the card shows: two blocks and room for a third. */
export const EDID_LENGTH = 384;

/** Largest size a detailed timing can hold. [EDID] 3.10.2, 12 bits. */
export const EDID_LARGEST = 4095;

const DOTS_PER_INCH = 100;
const REFRESH = 75;

/** [EDID] 3.9: width / 8 - 31, then aspect and refresh; newest first. */
const STANDARD_TIMINGS = [0xe1c0, 0xd1c0, 0xd100, 0xa940, 0xb300, 0x9500, 0x8180, 0x8140];
/** [EDID] 3.10.3.9: 1280 × 768, 1360 × 768, 1400 × 1050, 1792 × 1344, 1856 × 1392, 1920 × 1440, at 60 Hz. */
const ESTABLISHED_III = [0x00, 0x40, 0x82, 0x00, 0x28, 0x20];
/** [CTA] video identification codes, 5120 × 2160 down to 1920 × 1080. */
const VIDEO_CODES = [125, 101, 96, 89, 31, 97];

const DESCRIPTOR = { ESTABLISHED_III: 0xf7, NAME: 0xfc, RANGE: 0xfd, DUMMY: 0x10 } as const;

/** EDID of a monitor that prefers `width` × `height`, each 1 to {@link EDID_LARGEST}. */
export function edid(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(EDID_LENGTH);
  bytes.set(baseBlock(width, height));
  bytes.set(extensionBlock(), BLOCK);
  return bytes;
}

function baseBlock(width: number, height: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  block.set([0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
  block.set([0x49, 0x14, 0x34, 0x12, 0, 0, 0, 0, 42, 2014 - 1990, 1, 4], 8); // maker RHT, product 0x1234, week 42 of 2014, EDID 1.4
  block.set([0xa5, Math.floor(millimetres(width) / 10), Math.floor(millimetres(height) / 10), 120, 0x06], 20); // digital, gamma 2.2
  block.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25); // chromaticities of sRGB
  block.set([0x21, 0x08, 0x00], 35); // 640 × 480, 800 × 600, 1024 × 768
  block.set(
    STANDARD_TIMINGS.flatMap((timing) => [timing >> 8, timing & 0xff]),
    38,
  );
  const descriptors = [
    detailedTiming(width, height),
    descriptor(DESCRIPTOR.ESTABLISHED_III, [0x0a, ...ESTABLISHED_III]),
    descriptor(DESCRIPTOR.RANGE, [50, 125, 30, 160, 255, 1, 0x0a, ...spaces(6)]),
    descriptor(DESCRIPTOR.NAME, [...text('QEMU Monitor'), 0x0a]),
  ];
  for (const [i, bytes] of descriptors.entries()) block.set(bytes, 54 + 18 * i);
  block[126] = 1; // one extension
  return checked(block);
}

function extensionBlock(): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const timings = 5 + VIDEO_CODES.length;
  block.set([0x02, 0x03, timings, 0x00, 0x40 | VIDEO_CODES.length, ...VIDEO_CODES]);
  for (let at = timings; at + 18 < BLOCK; at += 18) block.set(descriptor(DESCRIPTOR.DUMMY, []), at);
  return checked(block);
}

/** [EDID] 3.10.2. Blanking of 35 % and 3.5 %, as a cathode ray tube would need. */
function detailedTiming(width: number, height: number): number[] {
  const horizontal = {
    blank: Math.floor((width * 35) / 100),
    front: Math.floor((width * 25) / 100),
    sync: Math.floor((width * 3) / 100),
  };
  const vertical = {
    blank: Math.floor((height * 35) / 1000),
    front: Math.floor((height * 5) / 1000),
    sync: Math.floor((height * 5) / 1000),
  };
  const clock = Math.floor((REFRESH * (width + horizontal.blank) * (height + vertical.blank)) / 10_000);
  const [x, y] = [millimetres(width), millimetres(height)];
  return [
    clock & 0xff,
    clock >> 8,
    width & 0xff,
    horizontal.blank & 0xff,
    ((width >> 8) << 4) | (horizontal.blank >> 8),
    height & 0xff,
    vertical.blank & 0xff,
    ((height >> 8) << 4) | (vertical.blank >> 8),
    horizontal.front & 0xff,
    horizontal.sync & 0xff,
    ((vertical.front & 0x0f) << 4) | (vertical.sync & 0x0f),
    ((horizontal.front >> 8) << 6) | ((horizontal.sync >> 8) << 4) | ((vertical.front >> 4) << 2) | (vertical.sync >> 4),
    x & 0xff,
    y & 0xff,
    ((x >> 8) << 4) | (y >> 8),
    0,
    0,
    0x18, // digital separate sync
  ];
}

/** [EDID] 3.10.3: a display descriptor, padded to 18 bytes. */
function descriptor(tag: number, data: readonly number[]): number[] {
  return Array.from({ length: 18 }, (_, i) => (i === 3 ? tag : (data[i - 5] ?? 0)));
}

function checked(block: Uint8Array): Uint8Array {
  block[BLOCK - 1] = -block.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return block;
}

function millimetres(pixels: number): number {
  return Math.floor((pixels * 254) / (DOTS_PER_INCH * 10));
}

function text(line: string): number[] {
  return [...line].map((character) => character.charCodeAt(0));
}

function spaces(count: number): number[] {
  return Array.from({ length: count }, () => 0x20);
}
