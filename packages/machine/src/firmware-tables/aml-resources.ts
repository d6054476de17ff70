/** Resource templates: what `_CRS` and `_PRS` give. [ACPI] 6.5, 6.4 */
import { type Aml, buffer } from './aml.js';
import { bytes, concat, u16, u32, unsigned } from './bytes.js';

/** One resource descriptor. */
export type Resource = Uint8Array;

/** A buffer of descriptors and the end tag, whose checksum 0 means "none". [ACPI] 6.4.2.9 */
export const resources = (...items: readonly Resource[]): Aml => buffer(concat(...items, bytes(0x79, 0x00)));

/** Edge triggered, active high, not shared: what ISA has. [ACPI] 6.4.2.1 */
export const irq = (number: number): Resource => concat(bytes(0x22), u16(1 << number));

/** A byte-wide channel without bus mastering. [ACPI] 6.4.2.2 */
export const dma = (channel: number): Resource => bytes(0x2a, 1 << channel, 0x00);

/** `length` ports that do not move, all 16 address bits decoded. [ACPI] 6.4.2.5 */
export const ports = (base: number, length: number): Resource =>
  concat(bytes(0x47, 0x01), u16(base), u16(base), bytes(1), unsigned(length, 1));

/** Memory that does not move and can be written. [ACPI] 6.4.3.4 */
export const memory32 = (base: number, length: number): Resource =>
  concat(bytes(0x86), u16(9), bytes(0x01), u32(base), u32(length));

/** Consumer, level triggered, active high, shared: what a PCI interrupt is behind the routing. [ACPI] 6.4.3.6 */
export const sharedInterrupts = (...numbers: readonly number[]): Resource =>
  concat(bytes(0x89), u16(2 + 4 * numbers.length), bytes(0x09, numbers.length), ...numbers.map(u32));

/** Byte offset of the first number within {@link sharedInterrupts}. */
export const SHARED_INTERRUPT_NUMBER = 5;

const SPACE = {
  /** Type, specific flags: read and write; not cacheable. [ACPI] 6.4.3.5.5 */
  memory: [0, 0x01],
  /** The same, cacheable: the frame buffer of old graphics cards. */
  'cacheable-memory': [0, 0x03],
  /** The entire range. [ACPI] 6.4.3.5.5 */
  io: [1, 0x03],
  bus: [2, 0x00],
} as const;

const DESCRIPTOR = { 2: 0x88, 4: 0x87, 8: 0x8a } as const;
/** Fixed minimum, fixed maximum, positive decode, produced for the devices below. [ACPI] 6.4.3.5 */
const FIXED = 0x0c;

/** A window from `first` to `last` with addresses of `width` bytes. [ACPI] 6.4.3.5 */
export function window(space: keyof typeof SPACE, width: 2 | 4 | 8, first: number, last: number): Resource {
  const [type, flags] = SPACE[space];
  if (last < first) throw new RangeError(`a window from ${first} to ${last}`);
  const numbers = [0, first, last, 0, last - first + 1].map((value) => unsigned(value, width));
  return concat(bytes(DESCRIPTOR[width]), u16(3 + 5 * width), bytes(type, FIXED, flags), ...numbers);
}

/** Byte offsets of the numbers within {@link memoryRange}, in a template that begins with it. [ACPI] 6.4.3.5.1 */
export const MEMORY_RANGE = { MINIMUM: 14, MAXIMUM: 22, LENGTH: 38 } as const;

/** Cacheable memory between addresses of 64 bits, which are put in later. [ACPI] 6.4.3.5.1 */
export const memoryRange = (): Resource =>
  concat(
    bytes(DESCRIPTOR[8]),
    u16(43),
    bytes(SPACE['cacheable-memory'][0], FIXED, SPACE['cacheable-memory'][1]),
    new Uint8Array(40),
  );
