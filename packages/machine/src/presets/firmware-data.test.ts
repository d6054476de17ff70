import { describe, expect, it } from 'vitest';
import { bootDevice, cmosMemory, e820, littleEndian } from './firmware-data.js';

const MIB = 2 ** 20;
const at = (rows: readonly (readonly [number, number])[]) =>
  Object.fromEntries(rows.map(([index, value]) => [index.toString(16), value]));

describe('CMOS memory bytes', () => {
  it('of a 64 MiB machine', () => {
    // 640 KiB base; 63 MiB extended = 64512 KiB; 48 MiB above 16 MiB = 768 units of 64 KiB.
    expect(at(cmosMemory(64 * MIB, 0))).toEqual({
      '15': 0x80,
      '16': 0x02,
      '17': 0x00,
      '18': 0xfc,
      '30': 0x00,
      '31': 0xfc,
      '34': 0x00,
      '35': 0x03,
      '5b': 0,
      '5c': 0,
      '5d': 0,
    });
  });

  it('saturate on a large machine', () => {
    expect(at(cmosMemory(3072 * MIB, 5120 * MIB))).toMatchObject({
      '17': 0xff,
      '18': 0xff,
      '34': 0x00,
      '35': 0xbf,
      '5b': 0x00,
      '5c': 0x40,
      '5d': 0x01,
    });
  });

  it('of a machine below 1 MiB', () => {
    expect(at(cmosMemory(512 * 1024, 0))).toMatchObject({ '15': 0x00, '16': 0x02, '17': 0, '18': 0, '34': 0, '35': 0 });
  });
});

describe('fw_cfg items', () => {
  it('are little-endian', () => {
    expect([...littleEndian(0x1_0203_0405, 8)]).toEqual([5, 4, 3, 2, 1, 0, 0, 0]);
  });

  it('e820 has 20 bytes a range', () => {
    const bytes = e820([{ base: 0x1000, length: 0x2000, type: 2 }]);
    expect(bytes).toHaveLength(20);
    expect([bytes[1], bytes[9], bytes[16]]).toEqual([0x10, 0x20, 2]);
  });

  it('boot letters', () => {
    expect([...'abcdnx'].map(bootDevice)).toEqual([1, 1, 2, 3, 4, undefined]);
  });
});
