import { HostError } from './errors.js';

/** Splits QEMU's option text at commas; `,,` stands for one comma. */
export function splitCommas(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== ',') part += text[i];
    else if (text[i + 1] === ',') part += text[i++];
    else {
      parts.push(part);
      part = '';
    }
  }
  parts.push(part);
  return parts;
}

const UNIT: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/**
 * A size as QEMU writes it: `64`, `0x1000`, `512k`, `1.5G`.
 * @param unit what a number without a letter counts.
 * @returns bytes, or undefined if it is not a size.
 */
export function parseSize(text: string, unit = 1): number | undefined {
  const match = /^(\d+(?:\.\d+)?|0x[0-9a-f]+)([bkmgt]?)$/i.exec(text);
  if (!match) return undefined;
  const letter = match[2]!.toLowerCase();
  const size = Number(match[1]) * (letter === '' ? unit : letter === 'b' ? 1 : UNIT[letter]!);
  return Number.isSafeInteger(size) ? size : undefined;
}

/**
 * The `name=value` parts of an option, each asked for by name; what nobody asked for is an error. A bare `name` means `name=on`,
 * `noname` means `name=off`.
 */
export class NamedOptions {
  private readonly values = new Map<string, string>();

  /** @param what the option and its text, for messages. */
  constructor(
    private readonly what: string,
    parts: readonly string[],
  ) {
    for (const part of parts) {
      if (part === '') continue;
      const equals = part.indexOf('=');
      if (equals >= 0) this.values.set(part.slice(0, equals), part.slice(equals + 1));
      else if (/^no(wait|server|delay)$/.test(part) && part !== 'nodelay') this.values.set(part.slice(2), 'off');
      else this.values.set(part, 'on');
    }
  }

  fail(message: string): HostError {
    return new HostError('syntax', `${this.what}: ${message}`);
  }

  text(name: string): string | undefined {
    const value = this.values.get(name);
    this.values.delete(name);
    return value;
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.text(name);
    if (value === undefined) return otherwise;
    if (value === 'on' || value === 'yes' || value === 'true') return true;
    if (value === 'off' || value === 'no' || value === 'false') return false;
    throw this.fail(`'${name}=${value}': expected on or off`);
  }

  size(name: string, otherwise: number): number {
    const value = this.text(name);
    if (value === undefined) return otherwise;
    const size = parseSize(value);
    if (size === undefined) throw this.fail(`'${name}=${value}': expected a size such as 512, 64k or 1G`);
    return size;
  }

  integer(name: string, otherwise: number): number {
    const value = this.text(name);
    if (value === undefined) return otherwise;
    if (!/^(\d+|0x[0-9a-f]+)$/i.test(value)) throw this.fail(`'${name}=${value}': expected a number`);
    return Number(value);
  }

  /** All that is left, in order; nothing is left behind. */
  rest(): Record<string, string> {
    const rest = Object.fromEntries(this.values);
    this.values.clear();
    return rest;
  }

  /** @throws {HostError} for options that nobody asked about. */
  done(known: string): void {
    for (const name of this.values.keys()) throw this.fail(`unknown option '${name}'; expected ${known}`);
  }
}
