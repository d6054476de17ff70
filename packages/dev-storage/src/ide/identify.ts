import { MAX_MULTIPLE, SECTOR } from './ata.spec.js';

/** Cylinders, heads and sectors per track. */
export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** The geometry that QEMU gives a disk of this size: 16 heads, 63 sectors, 2 to 16383 cylinders. */
export function guessGeometry(sectors: number): Geometry {
  const cylinders = Math.floor(sectors / (16 * 63));
  return { cylinders: Math.min(Math.max(cylinders, 2), 16383), heads: 16, sectors: 63 };
}

/** How a BIOS makes its cylinders, heads and sectors of a disk's; values of CMOS byte 0x39. */
export const TRANSLATION = { NONE: 0, LBA: 1, LARGE: 2 } as const;

/** A disk whose partition table tells nothing: as it is, where the BIOS's 1024 cylinders are enough. [QEMU] */
export function guessTranslation({ cylinders, heads, sectors }: Geometry): number {
  return cylinders <= 1024 && heads <= 16 && sectors <= 63 ? TRANSLATION.NONE : TRANSLATION.LBA;
}

/** A disk that was partitioned under a BIOS with more than 16 heads. [QEMU] */
export function partitionedTranslation({ cylinders, heads }: Geometry): number {
  return cylinders * heads <= 131_072 ? TRANSLATION.LARGE : TRANSLATION.LBA;
}

/**
 * The geometry that the first partition of an MBR was made for, or undefined. Used only where it has at most 16 heads; more mean that a
 * BIOS translated it, and the standard geometry holds. [QEMU]
 */
export function partitionGeometry(firstSector: Uint8Array, totalSectors: number): Geometry | undefined {
  const found = partitioned(firstSector, totalSectors);
  return found && found.heads <= 16 ? found : undefined;
}

/** The geometry of the first partition, with any number of heads. */
export function partitioned(firstSector: Uint8Array, totalSectors: number): Geometry | undefined {
  if (firstSector[510] !== 0x55 || firstSector[511] !== 0xaa) return undefined;
  const view = new DataView(firstSector.buffer, firstSector.byteOffset, SECTOR);
  for (let entry = 0x1be; entry < 0x1fe; entry += 16) {
    const lastHead = view.getUint8(entry + 5);
    if (view.getUint32(entry + 12, true) === 0 || lastHead === 0) continue;
    const heads = lastHead + 1;
    const sectors = view.getUint8(entry + 6) & 63;
    if (sectors === 0) continue;
    const cylinders = Math.floor(totalSectors / (heads * sectors));
    if (cylinders < 1 || cylinders > 16383) continue;
    return { cylinders, heads, sectors };
  }
  return undefined;
}

/** What a drive says of itself. */
export interface DriveIdentity {
  readonly serial: string;
  readonly version: string;
  readonly model: string;
  /** World wide name, or 0. */
  readonly wwn: bigint;
  /** Rotations per minute, 1 = solid state, 0 = not told. */
  readonly rotationRate: number;
}

const MAX_LBA28 = 0xfff_ffff;
const ENTRY_0_AND_14 = 0x4000;

function text(words: DataView, first: number, length: number, value: string): void {
  // Two characters per word, the first in its high byte.
  for (let i = 0; i < length; i++) words.setUint8((first * 2 + i) ^ 1, i < value.length ? value.charCodeAt(i) : 0x20);
}

/** What disks and CD drives have in common; words 20 to 22 are buffer type, buffer size and ECC bytes of old standards. */
function common(target: Uint8Array, identity: DriveIdentity): (word: number, value: number) => void {
  target.fill(0);
  const words = new DataView(target.buffer, target.byteOffset, SECTOR);
  const put = (word: number, value: number): void => words.setUint16(word * 2, value, true);
  text(words, 10, 20, identity.serial);
  put(20, 3);
  put(21, SECTOR);
  put(22, 4);
  text(words, 23, 8, identity.version);
  text(words, 27, 40, identity.model);
  return put;
}

/** IDENTIFY DEVICE data, 512 bytes. [ATA] 8.15.61, values of [QEMU] */
export function identifyDisk(
  target: Uint8Array,
  identity: DriveIdentity,
  geometry: Geometry,
  sectors: number,
  multiple: number = MAX_MULTIPLE,
): void {
  const put = common(target, identity);
  const put32 = (word: number, value: number): void => {
    put(word, value & 0xffff);
    put(word + 1, (value >>> 16) & 0xffff);
  };
  put(0, 0x0040);
  put(1, geometry.cylinders);
  put(3, geometry.heads);
  put(4, (SECTOR * geometry.sectors) & 0xffff);
  put(5, SECTOR);
  put(6, geometry.sectors);
  put(47, 0x8000 | MAX_MULTIPLE);
  put(48, 1);
  put(49, 0x0b00);
  put(51, 0x0200);
  put(52, 0x0200);
  put(53, 0x0007);
  put(54, geometry.cylinders);
  put(55, geometry.heads);
  put(56, geometry.sectors);
  put32(57, geometry.cylinders * geometry.heads * geometry.sectors);
  put(59, multiple === 0 ? 0 : 0x0100 | multiple);
  put32(60, Math.min(sectors, MAX_LBA28));
  put(62, 0x0007);
  put(63, 0x0007);
  put(64, 0x0003);
  for (const word of [65, 66, 67, 68]) put(word, 120);
  put(69, 0x4000);
  put(80, 0x00f0);
  put(81, 0x0016);
  put(82, ENTRY_0_AND_14 | 0x0021);
  put(83, ENTRY_0_AND_14 | 0x3400);
  put(84, ENTRY_0_AND_14 | (identity.wwn === 0n ? 0 : 0x0100));
  put(85, ENTRY_0_AND_14 | 0x0021);
  put(86, 0x3400);
  put(87, ENTRY_0_AND_14 | (identity.wwn === 0n ? 0 : 0x0100));
  put(88, 0x203f);
  put(93, ENTRY_0_AND_14 | 0x2001);
  put32(100, sectors % 2 ** 32);
  put32(102, Math.floor(sectors / 2 ** 32));
  put(106, 0x6000);
  putWwn(put, identity.wwn);
  put(169, 1);
  put(217, identity.rotationRate);
}

/** IDENTIFY PACKET DEVICE data of a CD drive. [ATA] 8.16, values of [QEMU] */
export function identifyPacket(target: Uint8Array, identity: DriveIdentity): void {
  const put = common(target, identity);
  put(0, 0x85c0);
  put(48, 1);
  put(49, 0x0300);
  put(53, 0x0007);
  put(62, 0x0007);
  put(63, 0x0007);
  put(64, 0x0003);
  put(65, 180);
  put(66, 180);
  put(67, 300);
  put(68, 180);
  put(71, 30);
  put(72, 30);
  put(80, 0x001e);
  if (identity.wwn !== 0n) {
    put(84, ENTRY_0_AND_14 | 0x0100);
    put(87, ENTRY_0_AND_14 | 0x0100);
  }
  put(88, 0x203f);
  putWwn(put, identity.wwn);
}

function putWwn(put: (word: number, value: number) => void, wwn: bigint): void {
  for (let i = 0; i < 4; i++) put(108 + i, Number((wwn >> BigInt(48 - 16 * i)) & 0xffffn));
}
