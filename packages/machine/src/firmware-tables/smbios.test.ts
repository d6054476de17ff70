import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checksum } from './bytes.js';
import { type SmbiosInput, type SmbiosOptions, smbiosFiles } from './smbios.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const recorded = JSON.parse(readFileSync(new URL('../../fixtures/firmware-tables.json', import.meta.url), 'utf8')).runs as Record<
  string,
  { smbios: string }
>;

const small: SmbiosInput = {
  system: { manufacturer: 'QEMU', product: 'Standard PC (i440FX + PIIX, 1996)', version: 'pc-i440fx-7.2' },
  sockets: { count: 1, coresPerSocket: 1, threadsPerSocket: 1, signature: 0x663, features: 0x0781_abfd },
  memory: { below4g: 128 * MIB, above4g: 0 },
};

const large: SmbiosInput = {
  system: { ...small.system, uuid: Buffer.from('00112233445566778899aabbccddeeff', 'hex') },
  sockets: { ...small.sockets, count: 3, coresPerSocket: 2, threadsPerSocket: 4 },
  memory: { below4g: 3 * GIB, above4g: 4500 * MIB - 3 * GIB },
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Structures by type. */
function structures(tables: Uint8Array): { type: number; handle: number; formatted: Buffer; length: number }[] {
  const all = Buffer.from(tables);
  const result = [];
  for (let at = 0; at < all.length; ) {
    const formatted = all.subarray(at, at + all[at + 1]!);
    const end = all.indexOf('\0\0', at + formatted.length, 'latin1') + 2;
    result.push({ type: formatted[0]!, handle: formatted.readUInt16LE(2), formatted, length: end - at });
    at = end;
  }
  return result;
}

describe('structures of real machines, byte for byte', () => {
  it('with one processor', () => expect(hex(smbiosFiles(small).tables)).toBe(recorded.one!.smbios));
  it('with three sockets, a UUID and memory above 4 GiB', () =>
    expect(hex(smbiosFiles(large).tables)).toBe(recorded.large!.smbios));
});

/** [QEMU 7.2: what fw_cfg gives with these options] */
const options = JSON.parse(readFileSync(new URL('../../fixtures/smbios-options.json', import.meta.url), 'utf8')) as Record<
  string,
  { options: string[]; tables: string; anchor: string }
>;

const GIVEN: Record<string, SmbiosOptions> = {
  'all fields': {
    bios: { vendor: 'V', version: '1.2', date: '01/02/2003', release: [4, 5], uefi: true },
    system: {
      ...{ manufacturer: 'M', product: 'P', version: '9', serial: 'S1', sku: 'K', family: 'F' },
      uuid: Buffer.from('00112233445566778899aabbccddeeff', 'hex'),
    },
    baseboard: { manufacturer: 'BM', product: 'BP', version: 'BV', serial: 'BS', asset: 'BA', location: 'BL' },
    chassis: { manufacturer: 'CM', version: 'CV', serial: 'CS', asset: 'CA', sku: 'CK' },
    processor: {
      ...{ sock_pfx: 'SOCK', manufacturer: 'PM', version: 'PV', serial: 'PS', asset: 'PA', part: 'PP' },
      ...{ maxSpeed: 3000, currentSpeed: 1500 },
    },
    strings: ['one', 'two'],
    memory: { loc_pfx: 'SLOT', bank: 'B', manufacturer: 'MM', serial: 'MS', asset: 'MA', part: 'MP', speed: 1600 },
  },
  some: {
    system: { uuid: Buffer.from('123456789abcdef01122334455667788', 'hex') },
    baseboard: { asset: 'tag' },
    chassis: { serial: '77' },
    processor: { part: 'x' },
    memory: { speed: 5 },
  },
  file: { system: { serial: '1' }, structures: [Buffer.concat([Buffer.from('800600800102', 'hex'), Buffer.from('oem\0\0')])] },
};

describe('what the user gives, byte for byte as QEMU', () => {
  it.each(Object.entries(options))('%s', (name, { tables, anchor }) => {
    const files = smbiosFiles({ ...small, given: GIVEN[name]! });
    expect(hex(files.tables)).toBe(tables);
    // QEMU leaves the checksums to the firmware, too.
    const summed = Buffer.from(files.anchor);
    summed[4] = 0;
    summed[21] = 0;
    expect(hex(summed)).toBe(anchor);
  });

  it('structures of a type take the place of ours', () => {
    const mine = Buffer.concat([Buffer.from('0104000100000000', 'hex').subarray(0, 4), Buffer.from('\0\0')]);
    const list = structures(smbiosFiles({ ...small, given: { structures: [mine] } }).tables);
    expect(list.filter(({ type }) => type === 1)).toHaveLength(1);
    expect(list[0]!.formatted.length).toBe(4);
  });
});

describe('SMBIOS', () => {
  it.each([small, large])('anchor counts what there is and sums up', (input) => {
    const { tables, anchor } = smbiosFiles(input);
    const list = structures(tables);
    const entry = Buffer.from(anchor);
    expect(entry.length).toBe(31);
    expect([entry.toString('latin1', 0, 4), entry[6], entry[7], entry[0x1e]]).toEqual(['_SM_', 2, 8, 0x28]);
    expect(entry.readUInt16LE(0x16)).toBe(tables.length);
    expect(entry.readUInt16LE(0x1c)).toBe(list.length);
    expect(entry.readUInt16LE(0x08)).toBe(Math.max(...list.map((item) => item.length)));
    expect([checksum(anchor), checksum(anchor.subarray(16))]).toEqual([0, 0]);
  });

  it('BIOS information only if it is given', () => {
    const given = structures(
      smbiosFiles({ ...small, given: { bios: { vendor: 'A', version: 'B', date: '01/01/2000' } } }).tables,
    );
    expect([given[0]!.type, given[0]!.handle, given[0]!.formatted.length]).toEqual([0, 0, 24]);
    expect(structures(smbiosFiles(small).tables)[0]!.type).toBe(1);
  });

  it('modules have at most 16 GiB', () => {
    const list = structures(smbiosFiles({ ...small, memory: { below4g: 3 * GIB, above4g: 37 * GIB } }).tables);
    const modules = list.filter((item) => item.type === 17);
    expect(modules.map((item) => item.formatted.readUInt16LE(0x0c))).toEqual([16384, 16384, 8192]);
    expect(modules.map((item) => item.handle)).toEqual([0x1100, 0x1101, 0x1102]);
    const array = list.find((item) => item.type === 16)!.formatted;
    expect([array.readUInt32LE(7), array.readUInt16LE(13)]).toEqual([40 * 1024 * 1024, 3]);
    expect(list.filter((item) => item.type === 19).map((item) => item.formatted.readUInt32LE(4))).toEqual([0, 4 * 1024 * 1024]);
  });

  it('refuses what it cannot say', () => {
    expect(() => smbiosFiles({ ...small, memory: { below4g: 3 * GIB, above4g: 2 ** 41 } })).toThrow(RangeError);
    expect(() => smbiosFiles({ ...small, sockets: { ...small.sockets, coresPerSocket: 256 } })).toThrow(RangeError);
    expect(() => smbiosFiles({ ...small, system: { ...small.system, uuid: new Uint8Array(15) } })).toThrow(RangeError);
    expect(() => smbiosFiles({ ...small, system: { ...small.system, product: 'Ü' } })).toThrow(RangeError);
  });
});
