import { describe, expect, it } from 'vitest';
import { bootDevice, cmosDisks, cmosMemory, e820, littleEndian } from './firmware-data.js';

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

/** As `o /b 0x70 N`, `i /b 0x71` on the monitor of QEMU 7.2 show them. */
describe('disk bytes of the CMOS', () => {
  const large = { geometry: { cylinders: 16383, heads: 16, sectors: 63 }, translation: 1 };
  const small = { geometry: { cylinders: 130, heads: 16, sectors: 63 }, translation: 0 };

  it('-hda of 64 MiB', () => {
    expect(at(cmosDisks([{ channel: 0, unit: 0, ...small }]))).toEqual({
      '12': 0xf0,
      '19': 0x2f,
      '1b': 0x82,
      '1c': 0,
      '1d': 0x10,
      '1e': 0xff,
      '1f': 0xff,
      '20': 0xc8,
      '21': 0x82,
      '22': 0,
      '23': 0x3f,
      '39': 0,
    });
  });

  it('-hda of 10 GiB, -hdb of 64 MiB', () => {
    const bytes = at(
      cmosDisks([
        { channel: 0, unit: 0, ...large },
        { channel: 0, unit: 1, ...small },
      ]),
    );
    expect(bytes).toMatchObject({ '12': 0xff, '1a': 0x2f, '1b': 0xff, '1c': 0x3f, '24': 0x82, '2a': 0x82, '39': 1 });
  });

  it('-hdb of 64 MiB, -hdd of 10 GiB', () => {
    const bytes = at(
      cmosDisks([
        { channel: 0, unit: 1, ...small },
        { channel: 1, unit: 1, ...large },
      ]),
    );
    expect(bytes).toMatchObject({ '12': 0x0f, '1a': 0x2f, '24': 0x82, '39': 0x40 });
    expect(bytes['19']).toBeUndefined();
  });

  it('none', () => {
    expect(at(cmosDisks([]))).toEqual({ '12': 0, '39': 0 });
  });
});
