import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BootError, type BootImage, type BootRequest, loadKernel } from './index.js';

const MIB = 2 ** 20;
const FLAGS = 0x10003;

interface HeaderFields {
  flags?: number;
  header?: number;
  load?: number;
  loadEnd?: number;
  bssEnd?: number;
  entry?: number;
}

/** A flat kernel: header at file offset 16, 64 bytes of 0x90 behind it. */
function flat(fields: HeaderFields = {}, length = 112): Uint8Array {
  const bytes = new Uint8Array(length).fill(0x90);
  const view = new DataView(bytes.buffer);
  const flags = fields.flags ?? FLAGS;
  const load = fields.load ?? MIB;
  const words = [
    0x1badb002,
    flags,
    -(0x1badb002 + flags),
    fields.header ?? load + 16,
    load,
    fields.loadEnd ?? load + length,
    fields.bssEnd ?? load + 0x3000,
    fields.entry ?? load + 48,
  ];
  words.forEach((word, i) => {
    if (20 + 4 * i <= length) view.setUint32(16 + 4 * i, word >>> 0, true);
  });
  return bytes;
}

/** An ELF file with one segment at 1 MiB and a Multiboot header in it. */
function elf(patch: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(0x200);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(24, MIB + 0x20, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 2, true);
  [1, 0x100, MIB, MIB, 0x100, 0x5000].forEach((word, i) => {
    view.setUint32(52 + 4 * i, word, true);
  });
  view.setUint32(84, 4, true); // a note, not loaded
  view.setUint32(0x100, 0x1badb002, true);
  view.setUint32(0x104, 3, true);
  view.setUint32(0x108, -(0x1badb002 + 3) >>> 0, true);
  patch(view);
  return bytes;
}

/** Guest RAM after the writes. */
function ram(image: BootImage, size: number): DataView {
  const memory = new Uint8Array(size);
  for (const { address, bytes } of image.writes) memory.set(bytes, address);
  return new DataView(memory.buffer);
}

function text(memory: DataView, address: number): string {
  let result = '';
  for (let at = address; memory.getUint8(at) !== 0; at++) result += String.fromCharCode(memory.getUint8(at));
  return result;
}

function refusal(request: BootRequest): BootError {
  try {
    loadKernel(request);
  } catch (error) {
    if (error instanceof BootError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('Multiboot', () => {
  it('places a kernel by its address fields and describes the machine', () => {
    const image = loadKernel({ kernel: flat(), below4g: 32 * MIB, commandLine: 'dirty=8 é', kernelName: 'guest' });
    const memory = ram(image, 32 * MIB);
    const u32 = (address: number): number => memory.getUint32(address, true);
    expect(image.protocol).toBe('multiboot');
    expect(u32(MIB + 16)).toBe(0x1badb002);
    const { registers } = image;
    expect(registers).toMatchObject({ eip: MIB + 48, eax: 0x2badb002, eflags: 2 });
    const info = registers.ebx;
    expect(info).toBe(MIB + 0x3000);
    expect([u32(info + 4), u32(info + 8)]).toEqual([639, 31 * 1024]);
    expect(text(memory, u32(info + 16))).toBe('guest dirty=8 Ã©');
    expect(text(memory, u32(info + 64))).toBe('pagurus');
    expect(u32(info + 20)).toBe(0);
    const map = [];
    for (let at = u32(info + 48); at < u32(info + 48) + u32(info + 44); at += u32(at) + 4)
      map.push([u32(at + 4), u32(at + 8), u32(at + 12), u32(at + 20)]);
    expect(map).toContainEqual([0, 0, 0x9fc00, 1]);
    expect(map).toContainEqual([MIB, 0, 31 * MIB, 1]);
    expect(map).toContainEqual([0xf0000, 0, 0x10000, 2]);
  });

  it('enters flat 32-bit protected mode with a GDT that agrees with the segment registers', () => {
    const image = loadKernel({ kernel: flat(), below4g: 32 * MIB });
    const memory = ram(image, 32 * MIB);
    const { registers } = image;
    expect(registers.cr0 & 1).toBe(1);
    expect(registers.cr0 >>> 31).toBe(0);
    for (const segment of Object.values(registers.segments)) {
      expect(segment).toMatchObject({ base: 0, limit: 0xffffffff });
      expect(segment.selector + 7).toBeLessThanOrEqual(registers.gdt.limit);
      const high = memory.getUint32(registers.gdt.base + segment.selector + 4, true);
      expect(high).toBe(segment.flags);
      expect(memory.getUint32(registers.gdt.base + segment.selector, true)).toBe(0xffff);
    }
    expect(registers.segments.cs.flags & 0x0800).toBe(0x0800);
    expect(registers.segments.ss.flags & 0x0a00).toBe(0x0200);
  });

  it('writes the zero-initialised part, too, so that a second boot finds it clean', () => {
    const image = loadKernel({ kernel: flat(), below4g: 32 * MIB });
    expect(image.writes[0]).toMatchObject({ address: MIB });
    expect(image.writes[0]!.bytes).toHaveLength(0x3000);
    expect(image.writes[0]!.bytes.subarray(112).every((b) => b === 0)).toBe(true);
  });

  it('hands over modules on page boundaries with their strings', () => {
    const modules = [{ bytes: new Uint8Array(5000).fill(1), commandLine: 'one' }, { bytes: new Uint8Array(3).fill(2) }];
    const image = loadKernel({ kernel: flat(), below4g: 32 * MIB, modules });
    const memory = ram(image, 32 * MIB);
    const u32 = (address: number): number => memory.getUint32(address, true);
    const list = u32(image.registers.ebx + 24);
    expect(u32(image.registers.ebx + 20)).toBe(2);
    expect([u32(list), u32(list + 4), text(memory, u32(list + 8))]).toEqual([MIB + 0x3000, MIB + 0x3000 + 5000, 'one']);
    expect([u32(list + 16), u32(list + 20), text(memory, u32(list + 24))]).toEqual([MIB + 0x5000, MIB + 0x5003, '']);
    expect(memory.getUint8(MIB + 0x5002)).toBe(2);
  });

  it('no two writes overlap', () => {
    const image = loadKernel({ kernel: flat(), below4g: 8 * MIB, modules: [{ bytes: new Uint8Array(4096) }] });
    const sorted = image.writes.toSorted((a, b) => a.address - b.address);
    for (let i = 1; i < sorted.length; i++)
      expect(sorted[i]!.address).toBeGreaterThanOrEqual(sorted[i - 1]!.address + sorted[i - 1]!.bytes.length);
  });

  it('takes a kernel that lives in low memory', () => {
    const image = loadKernel({ kernel: flat({ load: 0x8000, bssEnd: 0x9f000 }), below4g: 8 * MIB });
    expect(image.registers.eip).toBe(0x8030);
    expect(image.registers.ebx).toBe(0x9f000);
    const full = loadKernel({ kernel: flat({ load: 0x8000, bssEnd: 0x9fc00 }), below4g: 8 * MIB });
    expect(full.registers.ebx).toBe(MIB);
  });

  it('loads all of the file where the header gives no end', () => {
    const image = loadKernel({ kernel: flat({ loadEnd: 0, bssEnd: 0 }), below4g: 8 * MIB });
    expect(image.writes[0]!.bytes).toHaveLength(112);
  });

  it('loads ELF segments and translates a virtual entry', () => {
    const image = loadKernel({ kernel: elf(), below4g: 8 * MIB });
    expect(image.writes[0]).toMatchObject({ address: MIB });
    expect(image.writes[0]!.bytes).toHaveLength(0x5000);
    expect(image.registers.eip).toBe(MIB + 0x20);
    const high = elf((view) => {
      view.setUint32(24, 0xc0100044, true);
      view.setUint32(60, 0xc0100000, true);
    });
    expect(loadKernel({ kernel: high, below4g: 8 * MIB }).registers.eip).toBe(MIB + 0x44);
  });

  it('boots the embedded guest', () => {
    const kernel = readFileSync(new URL('../../../../tools/guests/embedded/embedded.bin', import.meta.url));
    const image = loadKernel({ kernel, below4g: 32 * MIB, commandLine: 'region=4' });
    expect(image.protocol).toBe('multiboot');
    expect(image.writes[0]!.bytes.subarray(0, 4)).toEqual(new Uint8Array(kernel.subarray(0, 4)));
  });
});

describe('a hostile or broken Multiboot kernel', () => {
  const below4g = 8 * MIB;
  it.each<[string, Uint8Array, string, RegExp]>([
    ['no header', new Uint8Array(64), 'unknown-format', /neither a Linux bzImage .* nor a Multiboot image/],
    ['an empty file', new Uint8Array(0), 'unknown-format', /neither/],
    ['a wrong checksum', flat().fill(0, 24, 25), 'unknown-format', /neither/],
    ['a header behind 8 KiB', new Uint8Array([...new Uint8Array(8190), ...flat()]), 'unknown-format', /neither/],
    ['a cut header', flat({}, 40), 'truncated', /ends behind the file/],
    ['a video mode', flat({ flags: FLAGS | 4 }), 'unsupported', /video mode \(flag 2\)/],
    ['unknown requirements', flat({ flags: FLAGS | 0x8000 }), 'unsupported', /flags 0x8000/],
    ['more data than the file has', flat({ loadEnd: MIB + 113 }), 'truncated', /wants 113 bytes .* has 112/],
    ['an end before the beginning', flat({ loadEnd: MIB - 1 }), 'bad-header', /load_end_addr 0xfffff is below/],
    ['bss inside data', flat({ bssEnd: MIB + 50 }), 'bad-header', /bss_end_addr/],
    ['a header below the load address', flat({ header: MIB - 16 }), 'bad-header', /header_addr 0xffff0 is below/],
    ['data from before the file', flat({ header: MIB + 17 }), 'bad-header', /1 bytes before the beginning/],
    ['a load address in the video memory', flat({ load: 0xb8000 }), 'no-room', /would lie at 0xb8000/],
    ['a load address above RAM', flat({ load: 0x40000000 }), 'no-room', /RAM is 0x0 to 0x9fc00 and 0x100000 to 0x800000/],
    ['a bss of 3 GiB', flat({ bssEnd: 0xc0000000 }), 'no-room', /kernel segment 0/],
    ['an entry outside', flat({ entry: 0x200000 }), 'bad-header', /entry address 0x200000 lies outside/],
    ['neither address fields nor ELF', flat({ flags: 3 }), 'bad-header', /is not an ELF file/],
    ['a 64-bit ELF', elf((v) => v.setUint8(4, 2)), 'unsupported', /64-bit ELF/],
    ['an ELF for another machine', elf((v) => v.setUint16(18, 40, true)), 'unsupported', /machine 40/],
    ['program headers behind the file', elf((v) => v.setUint32(28, 0x1f0, true)), 'truncated', /2 program headers/],
    ['tiny program headers', elf((v) => v.setUint16(42, 8, true)), 'bad-header', /of 8 bytes/],
    ['a segment behind the file', elf((v) => v.setUint32(56, 0x180, true)), 'truncated', /segment 0 \(256 bytes at 0x180\)/],
    ['a segment larger in the file', elf((v) => v.setUint32(72, 8, true)), 'bad-header', /256 bytes in the file, 8 in memory/],
    ['no segment', elf((v) => v.setUint32(52, 0, true)), 'bad-header', /no loadable segment/],
  ])('%s is refused', (_what, kernel, code, message) => {
    const error = refusal({ kernel, below4g });
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
    expect(error.message).not.toContain('\n');
  });

  it('overlapping ELF segments are refused', () => {
    const kernel = elf((view) => {
      for (let i = 0; i < 32; i += 4) view.setUint32(84 + i, view.getUint32(52 + i, true), true);
    });
    expect(refusal({ kernel, below4g })).toMatchObject({ code: 'bad-header', message: expect.stringContaining('overlap') });
  });

  it('modules that do not fit are named', () => {
    const modules = [{ bytes: new Uint8Array(10) }, { bytes: new Uint8Array(8 * MIB) }];
    expect(refusal({ kernel: flat(), below4g, modules }).message).toMatch(/^module 1 \(8388608 bytes\) would lie at/);
  });

  it.each([
    ['a\0b', /character 8 is a zero/],
    ['x'.repeat(70000), /at most 65535/],
  ])('a command line that cannot be is refused', (commandLine, message) => {
    const error = refusal({ kernel: flat(), below4g, commandLine });
    expect([error.code, error.message]).toEqual(['command-line', expect.stringMatching(message)]);
  });

  it('whatever the bytes are, there is an image or a typed error', () => {
    let seed = 1;
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const kernel = round % 2 === 0 ? flat() : elf();
      const view = new DataView(kernel.buffer);
      const from = round % 2 === 0 ? 28 : 16;
      for (let n = 0; n <= random(3); n++)
        view.setUint32(from + random(80), random(2) ? random(2 ** 32) : MIB + random(4096), true);
      try {
        const image = loadKernel({ kernel, below4g });
        for (const { address, bytes } of image.writes) expect(address + bytes.length).toBeLessThanOrEqual(below4g);
      } catch (error) {
        expect(error).toBeInstanceOf(BootError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(300);
    expect(refused).toBeLessThan(3000);
  });
});
