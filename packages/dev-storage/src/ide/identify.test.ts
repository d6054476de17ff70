import { describe, expect, it } from 'vitest';
import { guessGeometry, identifyDisk, partitionGeometry } from './identify.js';

const MEBIBYTE = 2048;

describe('geometry', () => {
  // Cylinders that QEMU 7.2 tells for images of these sizes.
  it.each([
    ['63 KiB', 126, 2],
    ['1 MiB', MEBIBYTE, 2],
    ['10 MiB', 10 * MEBIBYTE, 20],
    ['504 MiB', 504 * MEBIBYTE, 1024],
    ['600 MiB', 600 * MEBIBYTE, 1219],
    ['8 GiB', 8192 * MEBIBYTE, 16383],
    ['3 TiB', 3 * 1024 * 1024 * MEBIBYTE, 16383],
  ])('of %s', (_, sectors, cylinders) => {
    expect(guessGeometry(sectors)).toEqual({ cylinders, heads: 16, sectors: 63 });
  });

  const mbr = (head: number, sector: number, length = 1000) => {
    const bytes = new Uint8Array(512);
    bytes.set([0x80, 0, 1, 0, 0x83, head, sector, 0], 0x1be);
    new DataView(bytes.buffer).setUint32(0x1be + 12, length, true);
    bytes.set([0x55, 0xaa], 510);
    return bytes;
  };

  it('follows the partition table up to 16 heads', () => {
    expect(partitionGeometry(mbr(7, 32), 20_000)).toEqual({ cylinders: 78, heads: 8, sectors: 32 });
    expect(partitionGeometry(mbr(254, 63), 20_000_000)).toBeUndefined();
  });

  it('does not follow what is none', () => {
    expect(partitionGeometry(new Uint8Array(512), 20_000)).toBeUndefined();
    expect(partitionGeometry(mbr(7, 0), 20_000)).toBeUndefined();
    expect(partitionGeometry(mbr(7, 32, 0), 20_000)).toBeUndefined();
    expect(partitionGeometry(mbr(0, 32), 20_000)).toBeUndefined();
  });
});

describe('IDENTIFY DEVICE', () => {
  const words = (sectors: number, wwn = 0n) => {
    const bytes = new Uint8Array(512);
    const identity = { serial: 'S1', version: '2.5+', model: 'M', wwn, rotationRate: 1 };
    identifyDisk(bytes, identity, guessGeometry(sectors), sectors);
    return new Uint16Array(bytes.buffer);
  };

  it('tells sizes in 28 and in 48 bits', () => {
    const big = words(0x1_2345_6789);
    expect([big[60], big[61]]).toEqual([0xffff, 0x0fff]);
    expect([big[100], big[101], big[102], big[103]]).toEqual([0x6789, 0x2345, 1, 0]);
    const small = words(0x8000);
    expect([small[60], small[61], small[100]]).toEqual([0x8000, 0, 0x8000]);
  });

  it('puts the first character of a word into its high byte', () => {
    const w = words(0x8000);
    expect([w[10], w[11], w[27]]).toEqual([0x5331, 0x2020, 0x4d20]);
  });

  it('tells of a world wide name only where there is one', () => {
    expect([words(0x8000)[84], words(0x8000)[108]]).toEqual([0x4000, 0]);
    const named = words(0x8000, 0x5000_1234_5678_9abcn);
    expect([named[84], named[87], named[108], named[111]]).toEqual([0x4100, 0x4100, 0x5000, 0x9abc]);
    expect(named[217]).toBe(1);
  });
});
