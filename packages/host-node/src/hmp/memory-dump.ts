import { HostError } from '../errors.js';

/** `/fmt` of `x` and `xp`: count, format letter, unit. */
export interface DumpFormat {
  readonly count: number;
  /** x hexadecimal, d signed, u unsigned, o octal, c character, i instructions. */
  readonly format: 'x' | 'd' | 'u' | 'o' | 'c' | 'i';
  readonly size: 1 | 2 | 4 | 8;
}

type NumberFormat = Exclude<DumpFormat['format'], 'i'>;

const SIZES = { b: 1, h: 2, w: 4, g: 8 } as const;
const COUNT_MOST = 65536;

/** @throws {HostError} naming what was expected. */
export function parseDumpFormat(text: string): DumpFormat {
  const match = /^(\d*)([a-z]*)$/.exec(text);
  const bad = (): HostError =>
    new HostError('syntax', `invalid format '/${text}': expected /COUNT, a format x, d, u, o, c or i, and a size b, h, w or g`);
  if (!match) throw bad();
  const count = match[1] === '' ? 1 : Number(match[1]);
  if (count < 1 || count > COUNT_MOST) throw new HostError('syntax', `invalid format '/${text}': count 1 to ${COUNT_MOST}`);
  let format: DumpFormat['format'] = 'x';
  let size: DumpFormat['size'] | undefined;
  for (const letter of match[2]!) {
    if (letter in SIZES) size = SIZES[letter as keyof typeof SIZES];
    else if ('xduoci'.includes(letter)) format = letter as DumpFormat['format'];
    else throw bad();
  }
  return { count, format, size: size ?? (format === 'c' ? 1 : 4) };
}

/** Lines of 16 bytes, as QEMU writes them. `digits` of the address: 8 virtual, 16 physical. */
export function formatDump(
  bytes: Uint8Array,
  address: bigint,
  { format, size }: DumpFormat & { readonly format: NumberFormat },
  digits: number,
): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const items: string[] = [];
    for (let offset = at; offset < Math.min(at + 16, bytes.length); offset += size) items.push(item(view, offset, size, format));
    lines.push(`${(address + BigInt(at)).toString(16).padStart(digits, '0')}: ${items.join(' ')}`);
  }
  return lines.join('\n');
}

function item(view: DataView, offset: number, size: DumpFormat['size'], format: NumberFormat): string {
  let unsigned = 0n;
  for (let i = size - 1; i >= 0; i--) unsigned = (unsigned << 8n) | BigInt(view.getUint8(offset + i));
  switch (format) {
    case 'x':
      return `0x${unsigned.toString(16).padStart(2 * size, '0')}`;
    case 'o':
      return `0${unsigned.toString(8).padStart(Math.ceil((8 * size) / 3), '0')}`;
    case 'u':
      return unsigned.toString();
    case 'd':
      return BigInt.asIntN(8 * size, unsigned).toString();
    case 'c':
      return character(Number(unsigned & 0xffn));
  }
}

const ESCAPES: Readonly<Record<number, string>> = { 0: '\\0', 9: '\\t', 10: '\\n', 13: '\\r', 39: "\\'", 92: '\\\\' };

function character(code: number): string {
  if (ESCAPES[code] !== undefined) return `'${ESCAPES[code]}'`;
  if (code >= 32 && code < 127) return `'${String.fromCharCode(code)}'`;
  return `'\\x${code.toString(16).padStart(2, '0')}'`;
}

/**
 * A number as the monitor takes it: decimal, 0x…, a register such as $eip, and sums and differences of such.
 * @throws {HostError}
 */
export function parseAddress(given: string, register: (name: string) => bigint | undefined = () => undefined): bigint {
  const text = given.replace(/\$(\w+)/g, (_, name: string) => {
    const value = register(name);
    if (value === undefined) throw new HostError('syntax', `invalid address '${given}': there is no register $${name}`);
    return value.toString();
  });
  const bad = (): HostError => new HostError('syntax', `invalid address '${text}': expected a number such as 4096 or 0xb8000`);
  if (!/^[+-]?(\d+|0x[0-9a-f]+)([+-](\d+|0x[0-9a-f]+))*$/i.test(text)) throw bad();
  let sum = 0n;
  for (const [, sign, digits] of text.matchAll(/([+-]?)(0x[0-9a-f]+|\d+)/gi))
    sum += sign === '-' ? -BigInt(digits!) : BigInt(digits!);
  if (sum < 0n || sum >= 1n << 64n) throw bad();
  return sum;
}
