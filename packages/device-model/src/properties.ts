/** A property's type on the command line: `on|off`, a decimal or 0x number, or text. */
export type PropertyValue = boolean | number | string;
export type PropertyType = 'bool' | 'uint8' | 'uint16' | 'uint32' | 'int32' | 'uint64' | 'size' | 'str';

/** One row of a device's property table. */
export interface Property<V extends PropertyValue = PropertyValue> {
  /** QEMU's property name, e.g. `extended-state`. */
  readonly name: string;
  readonly type: PropertyType;
  /** The default of the newest machine; older machines differ by compat rows only. */
  readonly default: V;
  /** One line for `-device TYPE,help`. */
  readonly doc: string;
}

/** Property table keyed by the TypeScript name that the device uses. */
export type PropertyTable<P> = { readonly [K in keyof P]: P[K] extends PropertyValue ? Property<P[K]> : never };

/**
 * A package's history: `{ '6.0': { i8042: { 'extended-state': 'off' } } }` means machine version 6.0 *and every older one*.
 * Keys are QEMU machine versions; drivers and properties are QEMU's names; values are spelled as on the command line.
 */
export type CompatTable = {
  readonly [machineVersion: string]: { readonly [driver: string]: { readonly [property: string]: string } };
};

/** A device, property or value that the user named and that cannot be. */
export class PropertyError extends Error {
  override readonly name = 'PropertyError';
  constructor(
    readonly driver: string,
    readonly property: string,
    message: string,
  ) {
    super(`${driver}.${property}: ${message}`);
  }
}

const INTEGER_RANGE: Partial<Record<PropertyType, [number, number]>> = {
  uint8: [0, 0xff],
  uint16: [0, 0xffff],
  uint32: [0, 0xffff_ffff],
  int32: [-0x8000_0000, 0x7fff_ffff],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

const SIZE_UNIT: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/**
 * Reads a property's value as QEMU's command line spells it.
 * @throws {PropertyError} naming driver, property, the text and what was expected.
 */
export function parseProperty(driver: string, property: Property, text: string): PropertyValue {
  const bad = (expected: string): PropertyError => new PropertyError(driver, property.name, `'${text}' is not ${expected}`);
  switch (property.type) {
    case 'str':
      return text;
    case 'bool':
      if (text === 'on' || text === 'yes' || text === 'true' || text === 'y') return true;
      if (text === 'off' || text === 'no' || text === 'false' || text === 'n') return false;
      throw bad("'on' or 'off'");
    case 'size': {
      const match = /^(\d+(?:\.\d+)?|0x[0-9a-f]+)([bkmgt]?)$/i.exec(text);
      if (!match) throw bad('a size such as 512, 64k or 1G');
      const size = Number(match[1]) * SIZE_UNIT[(match[2] ?? '').toLowerCase()]!;
      if (!Number.isSafeInteger(size)) throw bad('a whole number of bytes');
      return size;
    }
    default: {
      const [least, most] = INTEGER_RANGE[property.type]!;
      if (!/^(-?\d+|-?0x[0-9a-f]+)$/i.test(text)) throw bad('a number');
      const value = text.startsWith('-') ? -Number(text.slice(1)) : Number(text);
      if (!(value >= least && value <= most)) throw bad(`between ${least} and ${most}`);
      return value;
    }
  }
}

/**
 * Compares QEMU machine versions numerically: `2.10` is newer than `2.4`.
 * @returns negative, zero or positive as `a` is older, equal or newer.
 */
export function compareVersions(a: string, b: string): number {
  const [a0 = 0, a1 = 0] = a.split('.').map(Number);
  const [b0 = 0, b1 = 0] = b.split('.').map(Number);
  return a0 - b0 || a1 - b1;
}
