import {
  type CompatTable,
  compareVersions,
  type DeviceType,
  type Property,
  PropertyError,
  type PropertyTable,
  type PropertyValue,
  parseProperty,
} from '@pagurus/device-model';

import type { MachineType } from './machine-type.js';

/** `-global driver.property=value`, or a row of a compat table. */
export interface GlobalProperty {
  readonly driver: string;
  readonly property: string;
  readonly value: string;
}

/**
 * All compat rows that hold for a machine version, newest level first, so that a later row wins (QEMU applies them in this order).
 * A level's rows hold for that version and every older one.
 */
export function compatRows(tables: readonly CompatTable[], version: string | undefined): GlobalProperty[] {
  if (version === undefined) return [];
  const levels = [...new Set(tables.flatMap((table) => Object.keys(table)))]
    .filter((level) => compareVersions(level, version) >= 0)
    .sort((a, b) => compareVersions(b, a));
  return levels.flatMap((level) =>
    tables.flatMap((table) =>
      Object.entries(table[level] ?? {}).flatMap(([driver, properties]) =>
        Object.entries(properties).map(([property, value]) => ({ driver, property, value })),
      ),
    ),
  );
}

/** All rows that hold for a machine type: its packages' for its version, then its author's for the author's. */
export function rowsOf(
  type: Pick<MachineType, 'version' | 'packages' | 'history'>,
  more: readonly CompatTable[] = [],
): GlobalProperty[] {
  const { version, packages, history } = type;
  return [
    ...compatRows([...more, ...packages.map((entry) => entry.compat)], version),
    ...(history ? compatRows([history.compat], history.version) : []),
  ];
}

/** Where a property's value came from, for `inspect` and messages. */
export type PropertySource = 'default' | 'machine' | 'global' | 'device';

export interface ResolvedProperties {
  readonly values: Record<string, PropertyValue>;
  readonly sources: Record<string, PropertySource>;
}

/**
 * A device's properties: defaults of the newest machine, then the machine version's rows, then `-global` in order of the command line,
 * then the device's own arguments.
 * @throws {PropertyError} for a property that the type does not have or a value of the wrong form.
 */
export function resolveProperties<P extends object>(
  type: DeviceType<P>,
  rows: readonly GlobalProperty[],
  globals: readonly GlobalProperty[],
  own: Readonly<Record<string, PropertyValue>>,
): ResolvedProperties {
  const table = type.properties as PropertyTable<Record<string, PropertyValue>>;
  const values: Record<string, PropertyValue> = {};
  const sources: Record<string, PropertySource> = {};
  const keyOf = new Map<string, string>();
  for (const [key, property] of Object.entries(table) as [string, Property][]) {
    values[key] = property.default;
    sources[key] = 'default';
    keyOf.set(property.name, key);
  }
  const names = [type.type, ...(type.parents ?? [])];
  const apply = (driver: string, name: string, value: PropertyValue, source: PropertySource): void => {
    const key = keyOf.get(name);
    if (key === undefined) {
      // A row for a parent type may name a property that only some children have.
      if (driver !== type.type && source !== 'device') return;
      const known = [...keyOf.keys()].join(', ') || 'none';
      throw new PropertyError(driver, name, `no such property; ${type.type} has: ${known}`);
    }
    const property = table[key] as Property;
    values[key] = typeof value === 'string' ? parseProperty(driver, property, value) : value;
    sources[key] = source;
  };
  for (const row of rows) if (names.includes(row.driver)) apply(row.driver, row.property, row.value, 'machine');
  for (const row of globals) if (names.includes(row.driver)) apply(row.driver, row.property, row.value, 'global');
  for (const [name, value] of Object.entries(own)) apply(type.type, name, value, 'device');
  return { values, sources };
}
