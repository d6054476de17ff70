import { writeFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';
import type { Screen, TextScreen } from '@pagurus/device-model';
import { HostError, systemError } from './errors.js';

export type ScreenFormat = 'png' | 'ppm' | 'txt' | 'json';

/** What a dump of a screen holds: pixels for `png` and `ppm`, characters for `txt` and `json`. */
export function encodeScreen(screen: Screen, format: ScreenFormat): Uint8Array {
  switch (format) {
    case 'png':
      return encodePng(screen.image());
    case 'ppm':
      return encodePpm(screen.image());
    case 'txt':
      return new TextEncoder().encode(
        `${textOf(screen)
          .lines.map((line) => line.trimEnd())
          .join('\n')}\n`,
      );
    case 'json': {
      const { columns, rows, lines, cursor } = textOf(screen);
      return new TextEncoder().encode(`${JSON.stringify({ columns, rows, cursor: cursor ?? null, lines }, null, 2)}\n`);
    }
  }
}

function textOf(screen: Screen): TextScreen {
  const text = screen.text();
  if (!text)
    throw new HostError('unsupported', 'the screen is in a graphics mode: there is no text; dump it to a .png or .ppm file');
  return text;
}

const EXTENSION: Readonly<Record<string, ScreenFormat>> = { png: 'png', ppm: 'ppm', txt: 'txt', text: 'txt', json: 'json' };

/**
 * Writes a screen to a file; the format goes by the name's end (`.png`, `.txt`, `.json`; anything else is `.ppm`, as with QEMU) or `format`.
 * @throws {HostError}
 */
export function dumpScreen(screen: Screen, path: string, format?: string): void {
  const chosen = format === undefined ? (EXTENSION[/\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? ''] ?? 'ppm') : EXTENSION[format];
  if (!chosen) throw new HostError('syntax', `unknown screen format '${format}': expected png, ppm, txt or json`);
  const bytes = encodeScreen(screen, chosen);
  try {
    writeFileSync(path, bytes);
  } catch (error) {
    throw systemError(`cannot write '${path}'`, error);
  }
}

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8Array;
}

const PNG_SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const RGB = 2;

/** [PNG] ISO/IEC 15948: 8-bit RGB, no interlace, filter 0. */
export function encodePng({ width, height, rgba }: Pixels): Uint8Array {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, RGB);
  const rows = new Uint8Array(height * (1 + 3 * width));
  for (let y = 0, out = 0, at = 0; y < height; y++) {
    out++; // filter 0
    for (let x = 0; x < width; x++, at += 4) {
      rows[out++] = rgba[at]!;
      rows[out++] = rgba[at + 1]!;
      rows[out++] = rgba[at + 2]!;
    }
  }
  return Buffer.concat([
    PNG_SIGNATURE,
    pngChunk('IHDR', new Uint8Array(header.buffer)),
    pngChunk('IDAT', deflateSync(rows)),
    pngChunk('IEND', new Uint8Array(0)),
  ]);
}

function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

function encodePpm({ width, height, rgba }: Pixels): Uint8Array {
  const head = new TextEncoder().encode(`P6\n${width} ${height}\n255\n`);
  const bytes = new Uint8Array(head.length + 3 * width * height);
  bytes.set(head);
  for (let i = 0, out = head.length; i < width * height; i++) {
    bytes[out++] = rgba[4 * i]!;
    bytes[out++] = rgba[4 * i + 1]!;
    bytes[out++] = rgba[4 * i + 2]!;
  }
  return bytes;
}
