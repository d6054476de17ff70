/** Byte strings, little-endian. */

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

export const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** `value` in `length` bytes. @throws {RangeError} if it does not fit. */
export function unsigned(value: number | bigint, length: 1 | 2 | 4 | 8): Uint8Array {
  let rest = BigInt(value);
  if (rest < 0n || rest >> BigInt(8 * length) !== 0n) throw new RangeError(`${value} does not fit ${length} bytes`);
  const result = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    result[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return result;
}

export const u8 = (value: number): Uint8Array => unsigned(value, 1);
export const u16 = (value: number): Uint8Array => unsigned(value, 2);
export const u32 = (value: number): Uint8Array => unsigned(value, 4);
export const u64 = (value: number | bigint): Uint8Array => unsigned(value, 8);

/** ASCII, filled up with `fill` to `length` where given. @throws {RangeError} for other characters or a longer text. */
export function ascii(text: string, length: number = text.length, fill = 0): Uint8Array {
  if (text.length > length) throw new RangeError(`'${text}' has more than ${length} characters`);
  const result = new Uint8Array(length).fill(fill);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 0x7f) throw new RangeError(`'${text}' is not ASCII`);
    result[i] = code;
  }
  return result;
}

/** `contents` with zeros up to `length`. @throws {RangeError} if it is longer. */
export function padded(contents: Uint8Array, length: number): Uint8Array {
  if (contents.length > length) throw new RangeError(`${contents.length} bytes do not fit ${length}`);
  return concat(contents, new Uint8Array(length - contents.length));
}

/** The byte that makes the sum of all zero. */
export const checksum = (contents: Uint8Array): number => -contents.reduce((sum, byte) => sum + byte, 0) & 0xff;
