/**
 * An encoder for ACPI machine language: data, names and named objects. Statements: `aml-statements.ts`; resources: `aml-resources.ts`.
 * [ACPI] Advanced Configuration and Power Interface Specification 6.5, chapter 20.
 */
import { ascii, bytes, concat, unsigned } from './bytes.js';

/** Encoded terms. */
export type Aml = Uint8Array;

/** Opcodes. [ACPI] 20.3 */
const OP = {
  ZERO: 0x00,
  ONE: 0x01,
  NAME: 0x08,
  BYTE: 0x0a,
  WORD: 0x0b,
  DWORD: 0x0c,
  STRING: 0x0d,
  QWORD: 0x0e,
  SCOPE: 0x10,
  BUFFER: 0x11,
  PACKAGE: 0x12,
  METHOD: 0x14,
  DUAL_NAME: 0x2e,
  MULTI_NAME: 0x2f,
  EXTENDED: 0x5b,
} as const;

/** Second bytes behind the extended prefix. [ACPI] 20.3 */
const EXTENDED_OP = { MUTEX: 0x01, REGION: 0x80, FIELD: 0x81, DEVICE: 0x82 } as const;

/** Lead byte holds the low bits, then up to three bytes; the length counts itself. [ACPI] 20.2.4 */
export function packageLength(contents: number): Aml {
  if (contents + 1 < 0x40) return bytes(contents + 1);
  for (let following = 1; following <= 3; following++) {
    const length = contents + 1 + following;
    if (length >= 1 << (4 + 8 * following)) continue;
    const result = [(following << 6) | (length & 0xf)];
    for (let i = 0; i < following; i++) result.push((length >> (4 + 8 * i)) & 0xff);
    return bytes(...result);
  }
  throw new RangeError(`a package of ${contents} bytes cannot be encoded`);
}

/** Opcode bytes, the length, what it counts. */
export function sized(opcode: Aml, ...contents: readonly Aml[]): Aml {
  const inside = concat(...contents);
  return concat(opcode, packageLength(inside.length), inside);
}

/**
 * A name, e.g. `\_SB.PCI0`, `^LNKA`, `_STA`. Segments shorter than four characters are filled up with underscores. [ACPI] 20.2.2
 * @throws {RangeError} for a name that cannot be.
 */
export function name(path: string): Aml {
  const [, prefix, rest] = /^(\\|\^*)(.*)$/.exec(path)!;
  const segments = rest === '' ? [] : rest!.split('.').map(segment);
  const lead =
    segments.length === 0
      ? bytes(0)
      : segments.length === 1
        ? bytes()
        : segments.length === 2
          ? bytes(OP.DUAL_NAME)
          : bytes(OP.MULTI_NAME, segments.length);
  return concat(ascii(prefix!), lead, ...segments);
}

function segment(text: string): Aml {
  if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(text)) throw new RangeError(`'${text}' is not an ACPI name`);
  return ascii(text, 4, 0x5f);
}

/** A constant in its shortest form. [ACPI] 20.2.3 */
export function integer(value: number | bigint): Aml {
  if (value === 0 || value === 0n) return bytes(OP.ZERO);
  if (value === 1 || value === 1n) return bytes(OP.ONE);
  if (value <= 0xff) return concat(bytes(OP.BYTE), unsigned(value, 1));
  if (value <= 0xffff) return concat(bytes(OP.WORD), unsigned(value, 2));
  if (value <= 0xffff_ffff) return concat(bytes(OP.DWORD), unsigned(value, 4));
  return concat(bytes(OP.QWORD), unsigned(value, 8));
}

/** [ACPI] 20.2.3 */
export const text = (value: string): Aml => concat(bytes(OP.STRING), ascii(value), bytes(0));

/** [ACPI] 20.2.5.4 */
export const buffer = (contents: Uint8Array): Aml => sized(bytes(OP.BUFFER), integer(contents.length), contents);

/** [ACPI] 20.2.5.4 */
export function packageOf(elements: readonly Aml[]): Aml {
  if (elements.length > 0xff) throw new RangeError(`a package of ${elements.length} elements`);
  return sized(bytes(OP.PACKAGE), bytes(elements.length), ...elements);
}

/** `PNP0A03` as the number that `_HID` takes: three letters of five bits, four hexadecimal digits; big-endian. [ACPI] 19.6.38 */
export function eisaId(id: string): Aml {
  const [, letters, digits] = /^([A-Z]{3})([0-9A-F]{4})$/.exec(id) ?? [];
  if (letters === undefined || digits === undefined) throw new RangeError(`'${id}' is not an EISA id`);
  const [a, b, c] = [...letters].map((letter) => letter.charCodeAt(0) - 0x40) as [number, number, number];
  const product = Number.parseInt(digits, 16);
  return bytes(OP.DWORD, (a << 2) | (b >> 3), ((b & 7) << 5) | c, product >> 8, product & 0xff);
}

/** [ACPI] 20.2.5.1 */
export const define = (path: string, value: Aml): Aml => concat(bytes(OP.NAME), name(path), value);

/** [ACPI] 20.2.5.1 */
export const scope = (path: string, ...terms: readonly Aml[]): Aml => sized(bytes(OP.SCOPE), name(path), ...terms);

/** [ACPI] 20.2.5.2 */
export const device = (path: string, ...terms: readonly Aml[]): Aml =>
  sized(bytes(OP.EXTENDED, EXTENDED_OP.DEVICE), name(path), ...terms);

export interface MethodOptions {
  /** Number of arguments, 0 to 7. */
  readonly args?: number;
  /** Only one thread at a time; needed where the method creates named objects. */
  readonly serialized?: boolean;
}

/** [ACPI] 20.2.5.2 */
export function method(path: string, options: MethodOptions, ...terms: readonly Aml[]): Aml {
  const { args = 0, serialized = false } = options;
  if (args < 0 || args > 7) throw new RangeError(`method ${path} with ${args} arguments`);
  return sized(bytes(OP.METHOD), name(path), bytes(args | (serialized ? 8 : 0)), ...terms);
}

/** Synchronization level 0. [ACPI] 20.2.5.2 */
export const mutex = (path: string): Aml => concat(bytes(OP.EXTENDED, EXTENDED_OP.MUTEX), name(path), bytes(0));

/** Address spaces of regions. [ACPI] 20.2.5.2 */
const SPACE = { memory: 0, io: 1, 'pci-config': 2 } as const;

/** [ACPI] 20.2.5.2 */
export const region = (path: string, space: keyof typeof SPACE, offset: number, length: number): Aml =>
  concat(bytes(OP.EXTENDED, EXTENDED_OP.REGION), name(path), bytes(SPACE[space]), integer(offset), integer(length));

export interface FieldOptions {
  /** Width of accesses, in bits. */
  readonly access: 8 | 16 | 32;
  /** What a write does with bits that are no part of it. */
  readonly update: 'preserve' | 'write-as-zeros';
}

/** A unit of a field: its name and its bits; or bits that have none. */
export type FieldUnit = readonly [name: string | null, bits: number];

const ACCESS = { 8: 1, 16: 2, 32: 3 } as const;
const UPDATE = { preserve: 0, 'write-as-zeros': 2 } as const;

/** [ACPI] 20.2.5.2; flags as in 19.6.48 */
export function field(path: string, options: FieldOptions, ...units: readonly FieldUnit[]): Aml {
  const list = units.map(([unit, bits]) => concat(unit === null ? bytes(0) : segment(unit), unitLength(bits)));
  const flags = ACCESS[options.access] | (UPDATE[options.update] << 5);
  return sized(bytes(OP.EXTENDED, EXTENDED_OP.FIELD), name(path), bytes(flags), ...list);
}

/** Encoded like a package's length, which here counts bits and not itself. */
const unitLength = (bits: number): Aml =>
  bits < 0x40 ? bytes(bits) : bits < 0x1000 ? bytes(0x40 | (bits & 0xf), bits >> 4) : tooLong(bits);

function tooLong(bits: number): never {
  throw new RangeError(`a field of ${bits} bits`);
}
