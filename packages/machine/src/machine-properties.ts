import { type Property, PropertyError, type PropertyTable, type PropertyValue, parseProperty } from '@pagurus/device-model';
import type { MachineConfig } from './config.js';
import type { MachineType } from './machine-type.js';

/**
 * `-machine` properties with the type's defaults.
 * @throws {PropertyError} for a property that the machine type does not have or a value of the wrong form.
 */
// biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
export function machineProperties(type: MachineType<any>, config: MachineConfig): Record<string, PropertyValue> {
  const table = type.properties as PropertyTable<Record<string, PropertyValue>>;
  const values: Record<string, PropertyValue> = {};
  for (const [key, property] of Object.entries(table) as [string, Property][]) values[key] = property.default;
  for (const [name, text] of Object.entries(config.properties ?? {})) {
    const entry = (Object.entries(table) as [string, Property][]).find(([, property]) => property.name === name);
    if (!entry) {
      const known = (Object.values(table) as Property[]).map((property) => property.name).join(', ') || 'none';
      throw new PropertyError(type.name, name, `no such machine property; it has: ${known}`);
    }
    values[entry[0]] = parseProperty(type.name, entry[1], text);
  }
  return values;
}
