import { cpus } from '@pagurus/cpu-wasm';
import { compareVersions, type DeviceType, type Property } from '@pagurus/device-model';
import { findMachineType, type MachineType, machineTypes, migrationCompat, rowsOf } from '@pagurus/machine';
import { nearest, UsageError } from './usage-error.js';

export interface ListOptions {
  readonly json: boolean;
  /** Gets the text. */
  out(text: string): void;
}

const line = (text: string): string => `${text}\n`;

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  return rows
    .map((row) =>
      line(
        row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd(),
      ),
    )
    .join('');
}

/** `pagurus machines` */
export function printMachines(options: ListOptions): void {
  const list = machineTypes.map(({ name, alias, doc, version, defaultCpu, defaultMemory, properties }) => ({
    name,
    ...(alias === undefined ? {} : { alias }),
    ...(version === undefined ? {} : { version }),
    doc,
    default_cpu: defaultCpu,
    default_memory: defaultMemory,
    properties: propertyList(properties),
  }));
  if (options.json) options.out(line(JSON.stringify(list, null, 2)));
  else
    options.out(
      table([
        ['machine', 'alias', 'what', 'CPU', 'memory'],
        ...list.map((m) => [m.name, m.alias ?? '', m.doc, m.default_cpu, `${m.default_memory / 2 ** 20} MiB`]),
      ]),
    );
}

/** `-M TYPE,help`: what can be set on it. */
export function printMachine(type: MachineType, options: ListOptions): void {
  const properties = propertyList(type.properties);
  if (options.json) options.out(line(JSON.stringify({ name: type.name, doc: type.doc, properties }, null, 2)));
  else {
    options.out(line(`${type.name}: ${type.doc}`));
    options.out(table(properties.map((p) => [`  ${p.name}=<${p.type}>`, `default ${p.default}`, p.doc])));
  }
}

/** `pagurus machines --compat M`: what its version changes, newest level first; a later row wins. @throws {MachineError} */
export function printCompat(machine: string, options: ListOptions): void {
  const type = findMachineType(machine);
  const rows = rowsOf(type, [migrationCompat]);
  if (options.json)
    options.out(line(JSON.stringify({ machine: type.name, version: type.version ?? null, compat: rows }, null, 2)));
  else if (rows.length === 0) options.out(line(`${type.name}: no property differs from the newest machine's`));
  else
    options.out(
      table([['driver', 'property', 'value'], ...rows.map(({ driver, property, value }) => [driver, property, value])]),
    );
}

/** All device types that a machine can have, by name. */
export function deviceTypes(): DeviceType<object>[] {
  const found = new Map<string, DeviceType<object>>();
  for (const { packages } of machineTypes) for (const { types } of packages) for (const type of types) found.set(type.type, type);
  return [...found.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
}

/** `pagurus devices` */
export function printDevices(options: ListOptions): void {
  const list = deviceTypes().map(({ type, bus, doc }) => ({ type, bus, doc, pluggable: bus !== 'system' }));
  if (options.json) options.out(line(JSON.stringify(list, null, 2)));
  else options.out(table([['device', 'bus', 'what'], ...list.map(({ type, bus, doc }) => [type, bus, doc])]));
}

/** `pagurus devices D`: its properties and what older machines change. @throws {UsageError} */
export function printDevice(name: string, options: ListOptions): void {
  const types = deviceTypes();
  const found = types.find(({ type }) => type === name);
  if (!found) {
    const guess = nearest(
      name,
      types.map(({ type }) => type),
    );
    throw new UsageError(`unknown device '${name}'${guess ? `; did you mean '${guess}'?` : ''} (pagurus devices lists them)`);
  }
  const properties = propertyList(found.properties);
  const history = deviceHistory(found);
  if (options.json) {
    options.out(line(JSON.stringify({ type: found.type, bus: found.bus, doc: found.doc, properties, history }, null, 2)));
    return;
  }
  options.out(line(`${found.type} (${found.bus}): ${found.doc}`));
  options.out(table(properties.map((p) => [`  ${p.name}=<${p.type}>`, `default ${p.default}`, p.doc])));
  for (const { version, property, value } of history) options.out(line(`  machine ${version} and older: ${property}=${value}`));
}

function deviceHistory(type: DeviceType<object>): { version: string; property: string; value: string }[] {
  const names = [type.type, ...(type.parents ?? [])];
  const tables = new Set(machineTypes.flatMap(({ packages }) => packages.map(({ compat }) => compat)));
  return [...tables]
    .flatMap((compat) => Object.entries(compat))
    .flatMap(([version, drivers]) =>
      Object.entries(drivers)
        .filter(([driver]) => names.includes(driver))
        .flatMap(([, properties]) => Object.entries(properties).map(([property, value]) => ({ version, property, value }))),
    )
    .sort((a, b) => compareVersions(b.version, a.version));
}

function propertyList(
  properties: MachineType['properties'] | object,
): { name: string; type: string; default: string; doc: string }[] {
  return (Object.values(properties) as Property[]).map(({ name, type, default: value, doc }) => ({
    name,
    type,
    default: typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value),
    doc,
  }));
}

/** `pagurus cpus` */
export function printCpus(target: 'i386' | 'x86_64', options: ListOptions): void {
  const list = cpus(target);
  if (options.json) options.out(line(JSON.stringify(list, null, 2)));
  else
    options.out(
      table([
        ['model', 'what', 'features that this CPU lacks'],
        ...list.map(({ name, doc, filtered }) => [
          name,
          doc,
          filtered.length > 6 ? `${filtered.slice(0, 6).join(' ')} … (${filtered.length})` : filtered.join(' '),
        ]),
      ]),
    );
}
