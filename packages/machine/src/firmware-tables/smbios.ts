/**
 * System management tables: what `dmidecode` shows. Contents equal those of QEMU 7.2's `pc` machines (`fixtures/firmware-tables.json`).
 * [SMBIOS] DMTF DSP0134, System Management BIOS Reference Specification 2.8.
 */
import { ascii, bytes, checksum, concat, u16, u32, u64 } from './bytes.js';

/** What the tables tell; only these decide their contents. */
export interface SmbiosInput {
  /** What the user says instead (`-smbios`). */
  readonly given?: SmbiosOptions;
  /** Types 1, 3 and 4. */
  readonly system: SmbiosSystem;
  readonly sockets: SmbiosSockets;
  readonly memory: { readonly below4g: number; readonly above4g: number };
}

/** `-smbios`: fields by QEMU's names, where they are not as usual. */
export interface SmbiosOptions {
  /** Type 0; without, firmware tells of itself. */
  readonly bios?: Texts<'vendor' | 'version' | 'date'> & {
    readonly release?: readonly [major: number, minor: number];
    readonly uefi?: boolean;
  };
  /** Type 1. */
  readonly system?: Texts<'manufacturer' | 'product' | 'version' | 'serial' | 'sku' | 'family'> & { readonly uuid?: Uint8Array };
  /** Type 2; only there if it is given. */
  readonly baseboard?: Texts<'manufacturer' | 'product' | 'version' | 'serial' | 'asset' | 'location'>;
  /** Type 3. */
  readonly chassis?: Texts<'manufacturer' | 'version' | 'serial' | 'asset' | 'sku'>;
  /** Type 4; speeds in MHz. */
  readonly processor?: Texts<'sock_pfx' | 'manufacturer' | 'version' | 'serial' | 'asset' | 'part'> & {
    readonly maxSpeed?: number;
    readonly currentSpeed?: number;
  };
  /** Type 11. */
  readonly strings?: readonly string[];
  /** Type 17; speed in MT/s. */
  readonly memory?: Texts<'loc_pfx' | 'bank' | 'manufacturer' | 'serial' | 'asset' | 'part'> & { readonly speed?: number };
  /** Whole structures with their strings, taken as they are and instead of those of their type. */
  readonly structures?: readonly Uint8Array[];
}

type Texts<Names extends string> = { readonly [name in Names]?: string };

export interface SmbiosSystem {
  readonly manufacturer: string;
  readonly product: string;
  /** The machine's name. */
  readonly version: string;
  /** 16 bytes, in the order in which it is printed. */
  readonly uuid?: Uint8Array;
}

export interface SmbiosSockets {
  readonly count: number;
  readonly coresPerSocket: number;
  readonly threadsPerSocket: number;
  /** CPUID leaf 1: EAX and EDX. */
  readonly signature: number;
  readonly features: number;
}

/** fw_cfg's names of the files. */
export const SMBIOS_FILE = { TABLES: 'etc/smbios/smbios-tables', ANCHOR: 'etc/smbios/smbios-anchor' } as const;

const TYPE = {
  BIOS: 0,
  SYSTEM: 1,
  BASEBOARD: 2,
  CHASSIS: 3,
  PROCESSOR: 4,
  STRINGS: 11,
  MEMORY_ARRAY: 16,
  MEMORY_DEVICE: 17,
  MAPPED_ADDRESS: 19,
  BOOT: 32,
  END: 127,
} as const;

/** First handle of each type's structures, as QEMU numbers them. */
const HANDLE = {
  BIOS: 0x0000,
  SYSTEM: 0x0100,
  BASEBOARD: 0x0200,
  CHASSIS: 0x0300,
  PROCESSOR: 0x0400,
  STRINGS: 0x0e00,
  MEMORY_ARRAY: 0x1000,
  MEMORY_DEVICE: 0x1100,
  MAPPED_ADDRESS: 0x1300,
  BOOT: 0x2000,
  END: 0x7f00,
} as const;

/** Strings of one structure; a reference is their number, 0 for none. [SMBIOS] 6.1.3 */
class Strings {
  private readonly list: string[] = [];

  ref(value: string | undefined): Uint8Array {
    return bytes(value === undefined || value === '' ? 0 : this.list.push(value));
  }

  encode(): Uint8Array {
    if (this.list.length === 0) return bytes(0, 0);
    return concat(...this.list.map((value) => concat(ascii(value), bytes(0))), bytes(0));
  }
}

/** [SMBIOS] 6.1.2 */
function structure(type: number, handle: number, contents: readonly Uint8Array[], strings = new Strings()): Uint8Array {
  const inside = concat(...contents);
  return concat(bytes(type, 4 + inside.length), u16(handle), inside, strings.encode());
}

/** Contents of the two fw_cfg files. Firmware places them and fills in address and checksums. */
export function smbiosFiles(input: SmbiosInput): { tables: Uint8Array; anchor: Uint8Array } {
  const { given = {} } = input;
  const own = given.structures ?? [];
  const replaced = new Set(own.map((entry) => entry[0]));
  const built = [
    ...(given.bios ? [bios(given.bios)] : []),
    system(input.system, given.system),
    ...(given.baseboard ? [baseboard(input.system, given.baseboard)] : []),
    chassis(input.system, given.chassis),
    ...Array.from({ length: input.sockets.count }, (_, n) => processor(input, n)),
    ...(given.strings ? [oemStrings(given.strings)] : []),
    ...memory(input),
    // Boot: no errors detected. [SMBIOS] 7.33
    structure(TYPE.BOOT, HANDLE.BOOT, [new Uint8Array(6), bytes(0)]),
    structure(TYPE.END, HANDLE.END, []),
  ];
  const structures = [...own, ...built.filter((entry) => !replaced.has(entry[0]))];
  const tables = concat(...structures);
  return { tables, anchor: anchor(tables.length, structures.length, Math.max(...structures.map((entry) => entry.length))) };
}

const UEFI = 0x08;
const EXTENSION = 0x14;

/** Bit 3: characteristics are not given. Extension bytes: targeted content, UEFI or not, virtual machine. [SMBIOS] 7.1 */
function bios(given: NonNullable<SmbiosOptions['bios']>): Uint8Array {
  const strings = new Strings();
  const [major, minor] = given.release ?? [0, 0];
  return structure(
    TYPE.BIOS,
    HANDLE.BIOS,
    [
      strings.ref(given.vendor),
      strings.ref(given.version),
      u16(0xe800),
      strings.ref(given.date),
      bytes(0),
      u64(8),
      bytes(0x00, EXTENSION | (given.uefi ? UEFI : 0)),
      // Release; embedded controller: none.
      bytes(major, minor, 0xff, 0xff),
    ],
    strings,
  );
}

const WAKE_UP_POWER_SWITCH = 6;

/** The UUID's first three numbers are little-endian. [SMBIOS] 7.2, 7.2.1 */
function system(usual: SmbiosSystem, given: SmbiosOptions['system'] = {}): Uint8Array {
  const strings = new Strings();
  const uuid = given.uuid ?? usual.uuid ?? new Uint8Array(16);
  if (uuid.length !== 16) throw new RangeError(`a UUID of ${uuid.length} bytes`);
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return structure(
    TYPE.SYSTEM,
    HANDLE.SYSTEM,
    [
      strings.ref(given.manufacturer ?? usual.manufacturer),
      strings.ref(given.product ?? usual.product),
      strings.ref(given.version ?? usual.version),
      strings.ref(given.serial),
      bytes(...order.map((at) => uuid[at]!)),
      bytes(WAKE_UP_POWER_SWITCH),
      strings.ref(given.sku),
      strings.ref(given.family),
    ],
    strings,
  );
}

const MOTHERBOARD = 0x0a;

/** A hosting board in the chassis, nothing on it. [SMBIOS] 7.3 */
function baseboard(usual: SmbiosSystem, given: NonNullable<SmbiosOptions['baseboard']>): Uint8Array {
  const strings = new Strings();
  return structure(
    TYPE.BASEBOARD,
    HANDLE.BASEBOARD,
    [
      strings.ref(given.manufacturer ?? usual.manufacturer),
      strings.ref(given.product ?? usual.product),
      strings.ref(given.version ?? usual.version),
      strings.ref(given.serial),
      strings.ref(given.asset),
      bytes(1),
      strings.ref(given.location),
      u16(HANDLE.CHASSIS),
      bytes(MOTHERBOARD, 0),
    ],
    strings,
  );
}

/** Type "other"; boot-up, power and thermal state safe; security unknown. [SMBIOS] 7.4 */
function chassis(usual: SmbiosSystem, given: SmbiosOptions['chassis'] = {}): Uint8Array {
  const strings = new Strings();
  return structure(
    TYPE.CHASSIS,
    HANDLE.CHASSIS,
    [
      strings.ref(given.manufacturer ?? usual.manufacturer),
      bytes(1),
      strings.ref(given.version ?? usual.version),
      strings.ref(given.serial),
      strings.ref(given.asset),
      bytes(3, 3, 3, 2),
      u32(0),
      // Height, power cords, contained elements: none, of length 0.
      bytes(0, 0, 0, 0),
      strings.ref(given.sku),
    ],
    strings,
  );
}

/** [SMBIOS] 7.12 */
function oemStrings(values: readonly string[]): Uint8Array {
  const strings = new Strings();
  for (const value of values) strings.ref(value);
  return structure(TYPE.STRINGS, HANDLE.STRINGS, [bytes(values.length)], strings);
}

const MEGAHERTZ = 2000;
const NO_CACHE = 0xffff;

/** [SMBIOS] 7.5 */
function processor({ system: maker, sockets, given: { processor: given = {} } = {} }: SmbiosInput, n: number): Uint8Array {
  const strings = new Strings();
  const { coresPerSocket, threadsPerSocket } = sockets;
  if (coresPerSocket > 255 || threadsPerSocket > 255) throw new RangeError('more than 255 cores or threads in a socket');
  return structure(
    TYPE.PROCESSOR,
    HANDLE.PROCESSOR + n,
    [
      // Central processor of an other family.
      concat(strings.ref(`${given.sock_pfx ?? 'CPU'} ${n}`), bytes(3, 1), strings.ref(given.manufacturer ?? maker.manufacturer)),
      concat(u32(sockets.signature), u32(sockets.features), strings.ref(given.version ?? maker.version)),
      // Voltage and external clock unknown.
      concat(bytes(0), u16(0), u16(given.maxSpeed ?? MEGAHERTZ), u16(given.currentSpeed ?? MEGAHERTZ)),
      // Socket populated, processor enabled; upgrade: other.
      bytes(0x41, 1),
      concat(u16(NO_CACHE), u16(NO_CACHE), u16(NO_CACHE)),
      concat(strings.ref(given.serial), strings.ref(given.asset), strings.ref(given.part)),
      bytes(coresPerSocket, coresPerSocket, threadsPerSocket),
      // Characteristics unknown; family 2: other.
      concat(u16(2), u16(1)),
    ],
    strings,
  );
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const FOUR_GIB = 4 * GIB;
/** Largest module; a larger machine has several. */
const MODULE = 16 * GIB;
const NO_HANDLE = 0xfffe;
/** From here on 32 bits do not hold kilobytes. */
const EXTENDED_KIB = 0x8000_0000;

function memory({ memory: { below4g, above4g }, given }: SmbiosInput): Uint8Array[] {
  const total = below4g + above4g;
  if (total / KIB >= EXTENDED_KIB) throw new RangeError('2 TiB of memory or more');
  const modules = Math.ceil(total / MODULE);
  const ranges = [{ start: 0, length: below4g }, ...(above4g > 0 ? [{ start: FOUR_GIB, length: above4g }] : [])];
  return [
    // In the system board; system memory; multi-bit ECC. [SMBIOS] 7.17
    structure(TYPE.MEMORY_ARRAY, HANDLE.MEMORY_ARRAY, [
      concat(bytes(1, 3, 6), u32(Math.floor(total / KIB))),
      concat(u16(NO_HANDLE), u16(modules), u64(0)),
    ]),
    ...Array.from({ length: modules }, (_, n) => memoryDevice(n, Math.min(MODULE, total - n * MODULE), given?.memory)),
    ...ranges.map(({ start, length }, n) => mappedAddress(n, start, length)),
  ];
}

/** A DIMM of RAM, nothing else known. [SMBIOS] 7.18 */
function memoryDevice(n: number, length: number, given: SmbiosOptions['memory'] = {}): Uint8Array {
  const strings = new Strings();
  const speed = u16(given.speed ?? 0);
  return structure(
    TYPE.MEMORY_DEVICE,
    HANDLE.MEMORY_DEVICE + n,
    [
      concat(u16(HANDLE.MEMORY_ARRAY), u16(NO_HANDLE)),
      // Widths unknown.
      concat(u16(0xffff), u16(0xffff), u16(Math.floor(length / MIB))),
      concat(bytes(9, 0), strings.ref(`${given.loc_pfx ?? 'DIMM'} ${n}`), strings.ref(given.bank)),
      // Type RAM; detail: other; speed.
      concat(bytes(7), u16(2), speed),
      strings.ref(given.manufacturer ?? 'QEMU'),
      concat(strings.ref(given.serial), strings.ref(given.asset), strings.ref(given.part)),
      // Rank unknown; extended size; configured speed; voltages.
      concat(bytes(0), u32(0), speed, u16(0), u16(0), u16(0)),
    ],
    strings,
  );
}

/** Addresses in KiB; one module wide. [SMBIOS] 7.20 */
function mappedAddress(n: number, start: number, length: number): Uint8Array {
  const kib = [start, start + length].map((value) => Math.floor(value / KIB)) as [number, number];
  return structure(TYPE.MAPPED_ADDRESS, HANDLE.MAPPED_ADDRESS + n, [
    concat(u32(kib[0]), u32(kib[1] - 1)),
    concat(u16(HANDLE.MEMORY_ARRAY), bytes(1), u64(0), u64(0)),
  ]);
}

const ANCHOR_LENGTH = 31;
/** The second checksum covers the part from `_DMI_` on. */
const INTERMEDIATE = { OFFSET: 16, CHECKSUM: 21 } as const;
const ANCHOR_CHECKSUM = 4;

/** Entry point of version 2.8; the address of the tables is firmware's to fill in. [SMBIOS] 5.2.1 */
function anchor(length: number, count: number, largest: number): Uint8Array {
  const result = concat(
    concat(ascii('_SM_'), bytes(0, ANCHOR_LENGTH, 2, 8), u16(largest), new Uint8Array(6)),
    concat(ascii('_DMI_'), bytes(0), u16(length), u32(0), u16(count), bytes(0x28)),
  );
  result[INTERMEDIATE.CHECKSUM] = checksum(result.subarray(INTERMEDIATE.OFFSET));
  result[ANCHOR_CHECKSUM] = checksum(result);
  return result;
}
