/** JSON of plain state: numbers as they are, 64-bit ones as text, bytes in hexadecimal, other arrays by what differs from their end. */

type Words = Uint16Array | Uint32Array | BigUint64Array;
type Keyed = { [key: string]: unknown };

const isWords = (value: unknown): value is Words =>
  value instanceof Uint16Array || value instanceof Uint32Array || value instanceof BigUint64Array;

export function toPlain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (isWords(value)) {
    const rest = value.at(-1) ?? 0;
    const others: [string, unknown][] = [];
    value.forEach((word: number | bigint, i: number) => {
      if (word !== rest) others.push([String(i), toPlain(word)]);
    });
    return { rest: toPlain(rest), ...Object.fromEntries(others) };
  }
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]));
  return value;
}

/** Fills `target`, a state of the right shape. @throws {Error} naming the member that does not fit. */
export function fromPlain(json: unknown, target: object, path: string): void {
  const source = keyed(json, path);
  for (const [key, old] of Object.entries(target)) {
    const at = `${path}.${key}`;
    const item = source[key];
    if (typeof old === 'bigint') (target as Keyed)[key] = BigInt(String(item));
    else if (old instanceof Uint8Array) setBytes(item, old, at);
    else if (isWords(old)) setWords(item, old, at);
    else if (typeof old === 'object' && old !== null) fromPlain(item, old, at);
    else if (typeof item === typeof old) (target as Keyed)[key] = item;
    else throw new Error(`${at}: ${typeof old} expected`);
  }
}

function keyed(json: unknown, path: string): Keyed {
  if (typeof json !== 'object' || json === null) throw new Error(`${path}: an object expected`);
  return json as Keyed;
}

function setBytes(item: unknown, target: Uint8Array, path: string): void {
  const text = String(item);
  if (text.length !== 2 * target.length || !/^[0-9a-f]*$/i.test(text))
    throw new Error(`${path}: ${target.length} bytes expected`);
  for (let i = 0; i < target.length; i++) target[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
}

function setWords(item: unknown, target: Words, path: string): void {
  const { rest, ...others } = keyed(item, path);
  const word = (value: unknown): never => (target instanceof BigUint64Array ? BigInt(String(value)) : Number(value)) as never;
  target.fill(word(rest));
  for (const [key, value] of Object.entries(others)) {
    if (!/^\d+$/.test(key) || Number(key) >= target.length) throw new Error(`${path}: no element ${key}`);
    target[Number(key)] = word(value);
  }
}
