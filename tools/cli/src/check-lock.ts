/** `vmstate.lock.json` of device packages: made, and compared with what the code says now. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DevicePackage, DeviceType, Property } from '@pagurus/device-model';
import { machineTypes } from '@pagurus/machine';
import {
  compareLocks,
  type EffectiveDescription,
  type Lock,
  type LockDevice,
  type LockDifference,
  type LockedDevice,
  makeLock,
  minimumBump,
} from '@pagurus/vmstate';
import { EXIT_CODES } from './exit-codes.js';
import type { CommandHost } from './run.js';
import { type DeviceSections, deviceSections } from './schema-devices.js';
import { UsageError } from './usage-error.js';

export const LOCK_FILE = 'vmstate.lock.json';

/** Machine versions that QEMU has released: what they send never changes again. */
export const FROZEN: readonly string[] = machineTypes.flatMap(({ version }) => version ?? []);

/** The lock of a package as its code is now. @throws {PropertyError} {MachineError} for a device that cannot be made with its defaults. */
export async function lockPackage(pack: DevicePackage): Promise<Lock> {
  const made = new Map<string, DeviceSections>();
  const wanted: { type: DeviceType<object>; properties: Readonly<Record<string, string>> }[] = [];
  const key = (type: DeviceType<object>, properties: Readonly<Record<string, string>>): string =>
    `${type.type} ${JSON.stringify(properties)}`;
  const devices = pack.types.map(
    (type: DeviceType<object>): LockDevice => ({
      type: type.type,
      ...(type.parents ? { parents: type.parents } : {}),
      properties: propertyTable(type),
      sections(properties) {
        const sections = made.get(key(type, properties));
        if (!sections) wanted.push({ type, properties });
        return sections ?? [];
      },
    }),
  );
  // Once to see which combinations of properties there are, once with the devices.
  makeLock(pack.name, devices, pack.compat, FROZEN);
  for (const { type, properties } of wanted)
    if (!made.has(key(type, properties))) made.set(key(type, properties), await deviceSections(pack, type, properties));
  return makeLock(pack.name, devices, pack.compat, FROZEN);
}

function propertyTable(type: DeviceType<object>): LockDevice['properties'] {
  return Object.fromEntries(
    (Object.values(type.properties) as Property[]).map(({ name, type: kind, default: value }) => [
      name,
      { type: kind, default: typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value) },
    ]),
  );
}

/** In the file, what several machine versions send is written once. */
interface PackedDevice extends Omit<LockedDevice, 'machines'> {
  readonly variants: readonly (readonly EffectiveDescription[])[];
  readonly machines: {
    readonly [version: string]: { readonly properties: Readonly<Record<string, string>>; readonly variant: number };
  };
}

/** The text of `vmstate.lock.json`. */
export function packLock(lock: Lock): string {
  const devices = Object.entries(lock.devices).map(([type, { machines, ...device }]) => {
    const texts: string[] = [];
    const packed = Object.entries(machines).map(([version, { properties, sections }]) => {
      const text = JSON.stringify(sections);
      if (!texts.includes(text)) texts.push(text);
      return [version, { properties, variant: texts.indexOf(text) }];
    });
    return [type, { ...device, variants: texts.map((text) => JSON.parse(text)), machines: Object.fromEntries(packed) }];
  });
  // A line for each property, field and machine version, so that a change reads well where it is reviewed.
  return `${linesOf({ ...lock, devices: Object.fromEntries(devices) })}\n`;
}

/** The reverse. @throws {UsageError} for another format. */
export function unpackLock(text: string, path: string): Lock {
  let value: { lockVersion?: unknown; devices: { [type: string]: PackedDevice } };
  try {
    value = JSON.parse(text) as typeof value;
  } catch (error) {
    throw new UsageError(`${path}: not JSON: ${(error as Error).message}`);
  }
  if (value?.lockVersion !== 1) throw new UsageError(`${path}: expected lockVersion 1`);
  const devices = Object.entries(value.devices).map(([type, { variants, machines, ...device }]): [string, LockedDevice] => [
    type,
    {
      ...device,
      machines: Object.fromEntries(
        Object.entries(machines).map(([version, { properties, variant }]) => [
          version,
          { properties, sections: variants[variant] ?? [] },
        ]),
      ),
    },
  ]);
  return { ...(value as unknown as Lock), devices: Object.fromEntries(devices) };
}

function linesOf(value: unknown, indent = ''): string {
  const flat = JSON.stringify(value);
  if (typeof value !== 'object' || value === null || flat.length < 120) return flat;
  const inner = `${indent} `;
  if (Array.isArray(value)) return `[\n${value.map((item) => inner + linesOf(item, inner)).join(',\n')}\n${indent}]`;
  const members = Object.entries(value).map(([key, member]) => `${inner}${JSON.stringify(key)}: ${linesOf(member, inner)}`);
  return `{\n${members.join(',\n')}\n${indent}}`;
}

/** Differences between the committed lock of a folder and a package; undefined if there is none yet. */
export async function checkLock(folder: string, pack: DevicePackage): Promise<LockDifference[] | undefined> {
  const path = join(folder, LOCK_FILE);
  if (!existsSync(path)) return undefined;
  return compareLocks(unpackLock(readFileSync(path, 'utf8'), path), await lockPackage(pack));
}

/** Differences in words, and what to do about them. */
export function differencesText(name: string, differences: readonly LockDifference[]): string {
  const lines = differences.map(
    ({ verdict, where, message, advice }) => `${verdict.padEnd(16)} ${where}: ${message}\n${' '.repeat(17)}${advice}`,
  );
  const bump = minimumBump(differences);
  return [
    ...lines,
    differences.length === 0
      ? `${name}: as locked`
      : `${name}: ${differences.length} difference${differences.length === 1 ? '' : 's'}; the release is at least a ${bump} one`,
  ].join('\n');
}

/**
 * `pagurus lock [FOLDER] [--check]`: writes the lock of a device package that has been built, or compares it.
 * @returns 0; with `--check` 1 if there is any difference.
 * @throws {UsageError} if the folder holds no device package.
 */
export async function runLock(args: { readonly folder: string; readonly check: boolean }, host: CommandHost): Promise<number> {
  const pack = await loadPackage(args.folder);
  if (!args.check) {
    writeFileSync(join(args.folder, LOCK_FILE), packLock(await lockPackage(pack)));
    return EXIT_CODES.OK;
  }
  const differences = await checkLock(args.folder, pack);
  if (!differences) {
    host.error(`${pack.name}: there is no ${LOCK_FILE} yet; write it with pagurus lock`);
    return EXIT_CODES.FAILED;
  }
  host.out(`${differencesText(pack.name, differences)}\n`);
  if (differences.length === 0) return EXIT_CODES.OK;
  if (differences.every(({ verdict }) => verdict === 'compatible'))
    host.error(`${pack.name}: write the lock with pagurus lock and commit it`);
  return EXIT_CODES.FAILED;
}

async function loadPackage(folder: string): Promise<DevicePackage> {
  const manifest = join(resolve(folder), 'package.json');
  if (!existsSync(manifest)) throw new UsageError(`'${folder}': expected the folder of a device package`);
  const { name, exports } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    name: string;
    exports?: { '.'?: { default?: string } };
  };
  const entry = join(resolve(folder), exports?.['.']?.default ?? 'index.js');
  if (!existsSync(entry)) throw new UsageError(`'${entry}' is not there; build the package first`);
  const { devicePackage } = (await import(pathToFileURL(entry).href)) as { devicePackage?: DevicePackage };
  if (!devicePackage) throw new UsageError(`'${name}' exports no devicePackage`);
  return devicePackage;
}
