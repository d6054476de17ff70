import { createHash } from 'node:crypto';
import { brotliDecompressSync } from 'node:zlib';
import type { Screen } from '@pagurus/device-model';
import { loadSection, realize } from '@pagurus/device-testkit';
import { describe, expect, it } from 'vitest';
import { card, fixture, textCard } from '../test/helpers.js';
import { CODE_PAGE_437 } from './code-page-437.js';
import { isaVga } from './index.js';

type Picture = ReturnType<Screen['image']>;
const pixel = ({ width, rgba }: Picture, x: number, y: number) => [
  ...rgba.subarray(4 * (y * width + x), 4 * (y * width + x) + 3),
];
const rgbHash = ({ rgba }: Picture, mask: number) => {
  const rgb = Uint8Array.from({ length: (rgba.length / 4) * 3 }, (_, i) => rgba[Math.floor(i / 3) * 4 + (i % 3)]! & mask);
  return createHash('sha256').update(rgb).digest('hex');
};

/** State and memory as QEMU had them when it made the picture. */
function recordedScreens() {
  const index = JSON.parse(fixture('screens.json').toString()) as {
    name: string;
    width: number;
    height: number;
    rgb: string;
    memory: number;
  }[];
  const data = brotliDecompressSync(fixture('screens.bin.br'));
  let at = 0;
  return index.map(({ memory, ...expected }) => {
    const section = data.subarray(at, at + 1131);
    const content = data.subarray(at + 1131, at + 1131 + memory);
    at += 1131 + memory;
    return {
      ...expected,
      load(): Screen {
        const { context, device } = realize(isaVga, { properties: { memoryMiB: 16 } });
        context.mmio.blocks.get('vga.vram')!.write(0, content);
        loadSection(device.sections[0]!, section);
        device.resume!();
        return device.services as Screen;
      },
    };
  });
}

describe("the picture equals QEMU's screendump", () => {
  it.each(recordedScreens().filter(({ rgb }) => rgb !== undefined))('$name', ({ name, width, height, rgb, load }) => {
    const picture = load().image();
    expect([picture.width, picture.height]).toEqual([width, height]);
    // QEMU leaves the low bits of 15-bit colours empty; we stretch them, so that white is white.
    expect(rgbHash(picture, name.endsWith('x15') ? 0xf8 : 0xff)).toBe(rgb);
  });
});

describe('text screen', () => {
  it('of SeaBIOS without a disk', () => {
    const text = recordedScreens()
      .find(({ name }) => name === 'seabios')!
      .load()
      .text()!;
    expect([text.columns, text.rows]).toEqual([80, 25]);
    expect(text.lines[0]!.trimEnd()).toBe('SeaBIOS (version 1.16.2-debian-1.16.2-1)');
    expect(text.lines[7]!.trimEnd()).toBe('No bootable device.');
    expect(text.cursor).toEqual({ column: 0, row: 8 });
    expect(new Set(text.attributes)).toEqual(new Set([7]));
  });

  it('shows characters, attributes and the cursor', () => {
    const { print, cursor, screen, crtc } = textCard();
    print(3, 1, 'Hi', 0x1e);
    cursor(5, 1);
    const text = screen.text()!;
    expect(text.lines[1]!.slice(0, 6)).toBe('   Hi ');
    expect([...text.attributes.subarray(83, 86)]).toEqual([0x1e, 0x1e, 0]);
    expect(text.cursor).toEqual({ column: 5, row: 1 });
    crtc(10, 0x2e);
    expect(screen.text()!.cursor).toBeUndefined();
  });

  it('of 132 columns and 43 lines', () => {
    const { screen, crtc, memory } = textCard();
    crtc(1, 131); // columns
    crtc(19, 66); // twice as many bytes a row
    crtc(9, 0x07); // characters of 8 lines
    crtc(18, 0x57); // 344 lines
    memory.write((42 * 132 + 131) * 4, Uint8Array.of(0x58, 0x1e));
    const text = screen.text()!;
    expect([text.columns, text.rows]).toEqual([132, 43]);
    expect(text.lines[42]!.endsWith(' X')).toBe(true);
    expect(text.attributes[43 * 132 - 1]).toBe(0x1e);
    expect(screen.size()).toEqual({ width: 132 * 8, height: 344 });
    expect(screen.image().width).toBe(1056);
  });

  it('follows the start address, and so does the cursor', () => {
    const { print, cursor, screen, crtc } = textCard();
    print(0, 1, 'second');
    cursor(0, 1);
    crtc(13, 80);
    expect(screen.text()).toMatchObject({ cursor: { column: 0, row: 0 } });
    expect(screen.text()!.lines[0]!.trimEnd()).toBe('second');
    crtc(13, 81);
    expect(screen.text()!.cursor).toBeUndefined();
  });

  it('draws with the font in plane 2, the cursor over it', () => {
    const { print, cursor, screen, memory } = textCard();
    memory.write(4 * (0x41 * 32 + 3) + 2, Uint8Array.of(0x80));
    print(2, 0, 'A');
    cursor(4, 0);
    const picture = screen.image();
    expect([picture.width, picture.height]).toEqual([640, 400]);
    expect([pixel(picture, 16, 3), pixel(picture, 17, 3), pixel(picture, 16, 4)]).toEqual([
      [168, 168, 168],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    print(4, 0, ' ', 0x0f);
    expect(pixel(screen.image(), 32, 15)).toEqual([255, 255, 255]);
    expect(pixel(screen.image(), 32, 13)).toEqual([0, 0, 0]);
  });

  it('uses the second font for bright characters where one is selected', () => {
    const { print, screen, memory, sequencer } = textCard();
    memory.write(4 * (2 * 8192 + 0x41 * 32) + 2, Uint8Array.of(0xff)); // font number 2, which is map 1
    sequencer(3, 0x04);
    print(0, 0, 'A', 0x0f);
    print(1, 0, 'A', 0x07);
    const picture = screen.image();
    expect([pixel(picture, 0, 0), pixel(picture, 8, 0)]).toEqual([
      [255, 255, 255],
      [0, 0, 0],
    ]);
  });

  it('has no size while the screen is off', () => {
    expect(card().screen.size()).toBeUndefined();
  });

  it('is undefined while the screen is off, and the picture black', () => {
    const { print, context, screen } = textCard();
    print(0, 0, 'x', 0x70);
    expect(pixel(screen.image(), 0, 0)).toEqual([168, 168, 168]);
    context.inb(0x3da);
    context.outb(0x3c0, 0);
    expect(screen.text()).toBeUndefined();
    expect(pixel(screen.image(), 0, 0)).toEqual([0, 0, 0]);
  });

  it('knows 256 characters', () => {
    expect(CODE_PAGE_437).toHaveLength(256);
    expect([0x00, 0x41, 0x7f, 0x80, 0xb0, 0xdb, 0xe1].map((code) => CODE_PAGE_437[code]).join('')).toBe(' A⌂Ç░█ß');
  });
});

describe('graphics', () => {
  const linear = (width: number, height: number, bits: number) => {
    const all = card({ memoryMiB: width * height > 2 ** 18 ? 8 : 1 });
    all.dispi(1, width);
    all.dispi(2, height);
    all.dispi(3, bits);
    all.dispi(4, 0x41);
    all.screenOn();
    return all;
  };

  it('has no text', () => {
    expect(linear(64, 32, 32).screen.text()).toBeUndefined();
  });

  it('of 1920 x 1080 has every pixel of the last line', () => {
    const { screen, memory } = linear(1920, 1080, 32);
    memory.write((1080 * 1920 - 1) * 4, Uint8Array.of(10, 20, 30));
    expect(screen.size()).toEqual({ width: 1920, height: 1080 });
    const picture = screen.image();
    expect([picture.width, picture.height]).toEqual([1920, 1080]);
    expect([pixel(picture, 1918, 1079), pixel(picture, 1919, 1079)]).toEqual([
      [0, 0, 0],
      [30, 20, 10],
    ]);
  });

  it('redraws what was written, and nothing else', () => {
    const { screen, memory } = linear(64, 64, 32);
    screen.image();
    memory.bytes.set([1, 2, 3], 0); // behind the back of dirty tracking
    memory.write(63 * 256, Uint8Array.of(4, 5, 6));
    const picture = screen.image();
    expect([pixel(picture, 0, 0), pixel(picture, 0, 63)]).toEqual([
      [0, 0, 0],
      [6, 5, 4],
    ]);
  });

  it('redraws everything when a register that is seen changes', () => {
    const { screen, memory, dispi } = linear(64, 64, 32);
    memory.write(4, Uint8Array.of(1, 2, 3));
    expect(pixel(screen.image(), 1, 0)).toEqual([3, 2, 1]);
    dispi(8, 1);
    expect(pixel(screen.image(), 0, 0)).toEqual([3, 2, 1]);
  });

  it('redraws when only a colour changes', () => {
    const { screen, memory, dac } = linear(64, 64, 8);
    memory.write(0, Uint8Array.of(9));
    screen.image();
    dac(9, 63, 0, 32);
    expect(pixel(screen.image(), 0, 0)).toEqual([255, 0, 128]);
  });

  it('takes eight-bit colours after the guest asked for them', () => {
    const { screen, memory, dac, dispi } = linear(64, 64, 8);
    memory.write(0, Uint8Array.of(9));
    dispi(4, 0x61);
    dac(9, 200, 100, 50);
    expect(pixel(screen.image(), 0, 0)).toEqual([200, 100, 50]);
  });

  it('stretches 15 and 16-bit white to full brightness', () => {
    for (const bits of [15, 16]) {
      const { screen, memory } = linear(64, 64, bits);
      memory.write(0, Uint8Array.of(0xff, 0xff));
      expect(pixel(screen.image(), 0, 0)).toEqual([255, 255, 255]);
    }
  });

  it('survives a start and a pitch that point behind the memory', () => {
    const { screen, crtc, dispi, graphics, screenOn } = card({ memoryMiB: 1 });
    dispi(4, 0);
    graphics(6, 1);
    for (const index of [1, 9, 12, 13, 18, 19]) crtc(index, 0xff);
    crtc(7, 0x42);
    crtc(9, 0);
    screenOn();
    const picture = screen.image();
    expect([picture.width, picture.height]).toEqual([2048, 1024]);
    expect(picture.rgba.some((byte, i) => i % 4 !== 3 && byte !== 0)).toBe(false);
  });

  it('splits the screen at the line compare', () => {
    const { screen, memory, crtc, graphics, sequencer, attribute, dac, screenOn } = card({ memoryMiB: 1 });
    for (const [index, value] of Object.entries({ 1: 1, 7: 0, 9: 0, 18: 3, 19: 2, 23: 0xe3, 24: 1, 13: 100 }))
      crtc(Number(index), value);
    graphics(6, 5);
    sequencer(1, 1);
    attribute(1, 1);
    attribute(0x12, 0x0f);
    dac(1, 63, 63, 63);
    screenOn();
    memory.write(0, Uint8Array.of(0x80));
    const picture = screen.image();
    expect([0, 1, 2, 3].map((y) => pixel(picture, 0, y)[0])).toEqual([0, 0, 255, 0]);
  });
});
