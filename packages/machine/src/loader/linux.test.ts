import { describe, expect, it } from 'vitest';
import { BootError, type BootRequest, loadKernel, memoryMap } from './index.js';

const MIB = 2 ** 20;
const CODE = 0x1234;

/** A kernel file with a header of protocol 2.15 and `CODE` bytes of protected-mode code; `patch` changes it. */
function bzImage(patch: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(5 * 512 + CODE).fill(0xcc, 5 * 512);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, 4);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x200, 0xeb);
  view.setUint8(0x201, 0x6a); // header ends at 0x26c
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x211, 0x81);
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint32(0x230, 0x200000, true);
  view.setUint8(0x234, 1);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, 0x1000000n, true);
  view.setUint32(0x260, 0x800000, true);
  patch(view);
  return bytes;
}

const load = (request: Partial<BootRequest> = {}) => loadKernel({ kernel: bzImage(), below4g: 64 * MIB, ...request });
function refusal(request: Partial<BootRequest>): BootError {
  try {
    load(request);
  } catch (error) {
    if (error instanceof BootError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('Linux boot protocol', () => {
  const image = load({ commandLine: 'console=ttyS0 quiet', modules: [{ bytes: new Uint8Array(5000).fill(7) }] });
  const memory = new Uint8Array(64 * MIB);
  for (const { address, bytes } of image.writes) memory.set(bytes, address);
  const view = new DataView(memory.buffer);
  const params = image.registers.esi;
  const u32 = (offset: number): number => view.getUint32(params + offset, true);

  it('puts the protected-mode code at 1 MiB and enters there in flat mode', () => {
    expect(image.protocol).toBe('linux');
    expect(image.registers.eip).toBe(MIB);
    expect([memory[MIB], memory[MIB + CODE - 1], memory[MIB + CODE]]).toEqual([0xcc, 0xcc, 0]);
    const { segments, gdt, eflags, ebp, edi, ebx } = image.registers;
    expect([segments.cs.selector, segments.ds.selector, segments.ss.selector]).toEqual([0x10, 0x18, 0x18]);
    expect([ebp, edi, ebx, eflags & 0x200]).toEqual([0, 0, 0, 0]);
    expect(view.getUint32(gdt.base + 0x10 + 4, true)).toBe(segments.cs.flags);
    expect(view.getUint32(gdt.base + 0x18 + 4, true)).toBe(segments.ds.flags);
  });

  it('copies the header and fills in what the loader owes', () => {
    expect(u32(0x202)).toBe(0x53726448);
    expect(view.getUint8(params + 0x210)).toBe(0xff);
    expect(u32(0x214)).toBe(MIB);
    expect(u32(0x230)).toBe(0x200000);
    expect(view.getUint8(params + 0x1ef)).toBe(0);
    const at = u32(0x228);
    expect(Buffer.from(memory.subarray(at, at + 20)).toString('latin1')).toBe('console=ttyS0 quiet\0');
  });

  it('puts the initial RAM disk as high as it goes, on a page', () => {
    expect(u32(0x21c)).toBe(5000);
    expect(u32(0x218)).toBe(64 * MIB - 8192);
    expect(memory[u32(0x218) + 4999]).toBe(7);
    const low = load({
      below4g: 2048 * MIB,
      kernel: bzImage((v) => v.setUint32(0x22c, 0x2fffffff, true)),
      modules: [{ bytes: new Uint8Array(1) }],
    });
    expect(low.writes.some((write) => write.address === 0x2ffff000)).toBe(true);
  });

  it('describes memory and screen', () => {
    const entries = view.getUint8(params + 0x1e8);
    const ranges = Array.from({ length: entries }, (_, i) => ({
      base: Number(view.getBigUint64(params + 0x2d0 + 20 * i, true)),
      length: Number(view.getBigUint64(params + 0x2d8 + 20 * i, true)),
      type: u32(0x2e0 + 20 * i),
    }));
    expect(ranges).toEqual(memoryMap(64 * MIB));
    expect(u32(0x1e0)).toBe(63 * 1024);
    expect([view.getUint8(params + 6), view.getUint8(params + 7), view.getUint8(params + 0xe)]).toEqual([3, 80, 25]);
  });

  it('leaves the RAM disk fields empty without one', () => {
    const { writes } = load();
    const zeroPage = writes.find((write) => write.bytes.length === 4096)!.bytes;
    expect(new DataView(zeroPage.buffer).getUint32(0x21c, true)).toBe(0);
  });

  it('reports memory above 4 GiB', () => {
    expect(memoryMap(3072 * MIB, 1024 * MIB).at(-1)).toEqual({ base: 2 ** 32, length: 1024 * MIB, type: 1 });
  });

  it('takes a header of protocol 2.02', () => {
    const old = bzImage((v) => {
      v.setUint16(0x206, 0x202, true);
      v.setUint8(0x201, 0x2a);
    });
    expect(load({ kernel: old }).registers.eip).toBe(MIB);
    expect(refusal({ kernel: old, commandLine: 'x'.repeat(256) }).code).toBe('command-line');
  });
});

describe('a hostile or broken Linux kernel', () => {
  it.each<[string, (view: DataView) => void, string, RegExp]>([
    ['a protocol before 2.02', (v) => v.setUint16(0x206, 0x201, true), 'unsupported', /protocol 2\.01; 2\.02 or newer/],
    ['a zImage', (v) => v.setUint8(0x211, 0), 'unsupported', /zImage/],
    ['a short header', (v) => v.setUint8(0x201, 0x20), 'bad-header', /ends at 0x222/],
    ['a header over the memory map', (v) => v.setUint8(0x201, 0xff), 'bad-header', /ends at 0x301/],
    ['more set-up code than file', (v) => v.setUint8(0x1f1, 200), 'truncated', /ends inside its set-up code \(102912 bytes\)/],
    ['an absurd init_size', (v) => v.setUint32(0x260, 0xfffff000, true), 'no-room', /needs 4294963200 bytes to start/],
    ['a preferred address above RAM', (v) => v.setBigUint64(0x258, 2n ** 60n, true), 'no-room', /would lie at/],
    ['a crooked alignment', (v) => v.setUint32(0x230, 3, true), 'bad-header', /0x3 is not a power of two/],
    ['no alignment', (v) => v.setUint32(0x230, 0, true), 'bad-header', /0x0 is not a power of two/],
  ])('%s is refused', (_what, patch, code, message) => {
    const error = refusal({ kernel: bzImage(patch) });
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it('says what does not fit', () => {
    expect(refusal({ below4g: MIB }).code).toBe('no-room');
    expect(refusal({ modules: [{ bytes: new Uint8Array(60 * MIB) }] }).message).toMatch(
      /initial RAM disk of 62914560 bytes does not fit between the kernel's end 0x1800000 and 0x4000000/,
    );
    expect(refusal({ modules: [{ bytes: new Uint8Array(1) }, { bytes: new Uint8Array(1) }] }).message).toMatch(/2 were given/);
    expect(refusal({ commandLine: 'x'.repeat(2048) }).message).toMatch(/2048 bytes; the kernel takes at most 2047/);
  });

  it('whatever the header holds, there is an image or a typed error', () => {
    let seed = 7;
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    let refused = 0;
    for (let round = 0; round < 2000; round++) {
      const kernel = bzImage((v) => {
        for (let n = 0; n < 3; n++)
          v.setUint8([0x1f1, 0x201, 0x207, 0x211, 0x22f, 0x233, 0x25b, 0x25f, 0x263][random(9)]!, random(256));
      }).subarray(0, random(10) === 0 ? random(6000) : undefined);
      try {
        const image = loadKernel({ kernel, below4g: 64 * MIB, modules: [{ bytes: new Uint8Array(100) }] });
        for (const { address, bytes } of image.writes) expect(address + bytes.length).toBeLessThanOrEqual(64 * MIB);
      } catch (error) {
        expect(error).toBeInstanceOf(BootError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(200);
    expect(refused).toBeLessThan(2000);
  });
});
