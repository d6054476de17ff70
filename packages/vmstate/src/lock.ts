/**
 * The lock file of a device package: what its devices send for each frozen machine version, and the table of properties that decides it.
 * A change of code changes the lock; comparing locks says which change may be made.
 */
import type { AnyDescription } from './description.js';
import { type EffectiveDescription, effectiveSchema } from './effective.js';
import { type SchemaSection, sectionSchema } from './schema.js';

/** Rows by machine version: that version and every older one. The shape of device-model's `CompatTable`. */
export type LockCompat = {
  readonly [machineVersion: string]: { readonly [driver: string]: { readonly [property: string]: string } };
};

export interface LockProperty {
  readonly type: string;
  /** As spelled on the command line. */
  readonly default: string;
}

/** What the lock needs of a device type. */
export interface LockDevice {
  readonly type: string;
  /** Other names that compat rows may use for it. */
  readonly parents?: readonly string[];
  /** By QEMU's property names. */
  readonly properties: { readonly [property: string]: LockProperty };
  /** Makes the device with some properties set and gives its sections, after reset. */
  sections(properties: {
    readonly [property: string]: string;
  }): readonly { readonly description: AnyDescription; readonly state: object }[];
}

export interface Lock {
  readonly lockVersion: 1;
  readonly package: string;
  /** Property values and sections of each device type. */
  readonly devices: { readonly [type: string]: LockedDevice };
}

export interface LockedDevice {
  readonly parents: readonly string[];
  readonly properties: { readonly [property: string]: LockProperty };
  /** As `-dump-vmstate` shows it, one for each section. */
  readonly schema: readonly SchemaSection[];
  /** By machine version, and `newest`: property values other than the defaults, and what is then sent. */
  readonly machines: { readonly [version: string]: LockedMachine };
}

export interface LockedMachine {
  readonly properties: { readonly [property: string]: string };
  readonly sections: readonly EffectiveDescription[];
}

export const NEWEST = 'newest';

/**
 * Makes the lock of a package. The result is plain data; `lockText` gives the file.
 * @param frozen machine versions that have been released, e.g. `['2.4', '5.2', '7.2']`.
 */
export function makeLock(name: string, devices: readonly LockDevice[], compat: LockCompat, frozen: readonly string[]): Lock {
  const locked = [...devices]
    .sort((a, b) => (a.type < b.type ? -1 : 1))
    .map((device): [string, LockedDevice] => [device.type, lockDevice(device, compat, frozen)]);
  return { lockVersion: 1, package: name, devices: Object.fromEntries(locked) };
}

function lockDevice(device: LockDevice, compat: LockCompat, frozen: readonly string[]): LockedDevice {
  const { type, parents = [], properties } = device;
  const machine = (overrides: { [property: string]: string }): LockedMachine => ({
    properties: overrides,
    sections: device.sections(overrides).map(({ description, state }) => effectiveSchema(description, state)),
  });
  const versions = [...frozen].sort(compareVersions).map((version): [string, LockedMachine] => {
    return [version, machine(compatProperties(compat, version, [...parents, type], properties))];
  });
  return {
    parents,
    properties: Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1))),
    schema: device.sections({}).map(({ description, state }) => sectionSchema(type, description, state)),
    machines: { ...Object.fromEntries(versions), [NEWEST]: machine({}) },
  };
}

/** Rows of all versions from the newest down to this one, older rows winning; only properties that the device has. */
function compatProperties(
  compat: LockCompat,
  version: string,
  names: readonly string[],
  properties: LockDevice['properties'],
): { [property: string]: string } {
  const values: [string, string][] = [];
  const rows = Object.keys(compat).filter((row) => compareVersions(row, version) >= 0);
  for (const row of rows.sort(compareVersions).reverse()) {
    for (const name of names)
      for (const [property, value] of Object.entries(compat[row]![name] ?? {})) values.push([property, value]);
  }
  const known = values.filter(([property]) => Object.hasOwn(properties, property));
  return Object.fromEntries(Object.entries(Object.fromEntries(known)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function compareVersions(a: string, b: string): number {
  const [x, y] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let i = 0; i < Math.max(x.length, y.length); i++) if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) - (y[i] ?? 0);
  return 0;
}

/** The text of `vmstate.lock.json`. */
export function lockText(lock: Lock): string {
  return `${JSON.stringify(lock, undefined, 1)}\n`;
}

export type LockVerdict = 'compatible' | 'needs-compat-row' | 'forbidden';

export interface LockDifference {
  readonly verdict: LockVerdict;
  /** e.g. `i8042`, `i8042 pc-7.2 pckbd/extended_state`. */
  readonly where: string;
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
  readonly bump: Bump;
}

/** The least that a release with this difference has to raise: semantic versioning. */
export type Bump = 'none' | 'patch' | 'minor' | 'major';

const BUMPS: readonly Bump[] = ['none', 'patch', 'minor', 'major'];

/** All differences between the committed lock and that of the code. */
export function compareLocks(committed: Lock, now: Lock): LockDifference[] {
  const found: LockDifference[] = [];
  for (const [type, old] of Object.entries(committed.devices)) {
    const current = now.devices[type];
    if (current) compareDevice(found, type, old, current);
    else report(found, 'forbidden', type, 'the device is gone', 'machines that have it exist; keep it', 'major');
  }
  for (const type of Object.keys(now.devices)) {
    if (!committed.devices[type]) report(found, 'compatible', type, 'the device is new', 'commit the lock', 'minor');
  }
  return found;
}

/** The bump that a set of differences asks for. */
export function minimumBump(differences: readonly LockDifference[]): Bump {
  return BUMPS[Math.max(0, ...differences.map(({ bump }) => BUMPS.indexOf(bump)))]!;
}

function compareDevice(found: LockDifference[], type: string, old: LockedDevice, now: LockedDevice): void {
  const changed = compareProperties(found, type, old, now);
  // One row for the newest covers all older ones.
  const newestFrozen = Object.keys(old.machines)
    .filter((version) => version !== NEWEST)
    .sort(compareVersions)
    .at(-1)!;
  for (const [version, machine] of Object.entries(old.machines)) {
    const current = now.machines[version];
    const at = version === NEWEST ? type : `${type} pc-${version}`;
    if (!current) {
      report(
        found,
        'forbidden',
        at,
        'the machine version is not frozen any more',
        'a released machine version stays frozen',
        'major',
      );
      continue;
    }
    compareValues(found, at, version, machine, current, old, now);
    const differences = compareSections(machine.sections, current.sections);
    if (differences.length === 0) continue;
    if (version === NEWEST) for (const text of differences) report(found, 'compatible', at, text, 'commit the lock', 'minor');
    else reportFrozen(found, type, at, newestFrozen, differences, changed);
  }
  compareVersionsOf(found, type, old.schema, now.schema);
  for (const version of Object.keys(now.machines)) {
    if (!old.machines[version])
      report(
        found,
        'compatible',
        `${type} pc-${version}`,
        'the machine version is frozen from now on',
        'commit the lock',
        'patch',
      );
  }
}

/** Properties that are new or have another default: candidates for a compat row. */
function compareProperties(found: LockDifference[], type: string, old: LockedDevice, now: LockedDevice): string[] {
  const changed: string[] = [];
  for (const [property, { type: kind }] of Object.entries(old.properties)) {
    const current = now.properties[property];
    const at = `${type}.${property}`;
    if (!current)
      report(found, 'forbidden', at, 'the property is gone', 'command lines and machine data name it; keep it', 'major');
    else if (current.type !== kind)
      report(
        found,
        'forbidden',
        at,
        `the property was ${kind} and is ${current.type}`,
        'add a property with a name of its own',
        'major',
      );
    else if (current.default !== old.properties[property]!.default) changed.push(property);
  }
  for (const property of Object.keys(now.properties)) {
    if (old.properties[property]) continue;
    changed.push(property);
    report(found, 'compatible', `${type}.${property}`, 'the property is new', 'commit the lock', 'minor');
  }
  return changed;
}

/** The value of a property on a frozen machine version is part of that machine. */
function compareValues(
  found: LockDifference[],
  at: string,
  version: string,
  before: LockedMachine,
  after: LockedMachine,
  old: LockedDevice,
  now: LockedDevice,
): void {
  for (const [property, { default: value }] of Object.entries(old.properties)) {
    const current = now.properties[property];
    if (!current) continue;
    const [was, is] = [before.properties[property] ?? value, after.properties[property] ?? current.default];
    if (was === is) continue;
    if (version === NEWEST) {
      report(found, 'compatible', `${at}.${property}`, `the default was ${was} and is ${is}`, 'commit the lock', 'minor');
    } else if (after.properties[property] === undefined && current.default !== value) {
      const row = `'${version}': { … '${property}': '${was}' }`;
      report(
        found,
        'needs-compat-row',
        `${at}.${property}`,
        `the new default ${is} changes a frozen machine, which had ${was}`,
        `add the compat row ${row}`,
        'minor',
      );
    } else {
      report(
        found,
        'forbidden',
        `${at}.${property}`,
        `the value was ${was} and is ${is}`,
        'compat rows of released machine versions stay as they are',
        'major',
      );
    }
  }
}

function reportFrozen(
  found: LockDifference[],
  type: string,
  at: string,
  version: string,
  differences: readonly string[],
  changed: readonly string[],
): void {
  for (const text of differences) {
    if (changed.length > 0) {
      const rows = changed.map((property) => `'${version}': { '${type}': { '${property}': … } }`).join(' or ');
      report(
        found,
        'needs-compat-row',
        at,
        text,
        `a frozen machine sends something else; switch it off there with the compat row ${rows}`,
        'minor',
      );
    } else {
      report(
        found,
        'forbidden',
        at,
        text,
        'a frozen machine sends something else; put the change behind a property whose compat row switches it off',
        'major',
      );
    }
  }
}

function compareVersionsOf(
  found: LockDifference[],
  type: string,
  old: readonly SchemaSection[],
  now: readonly SchemaSection[],
): void {
  old.forEach((section, index) => {
    const current = now[index];
    const name = section.Description?.name ?? section.Name;
    if (!current) return;
    const advice = 'never raise a version: an older program would refuse the stream; add a subsection that a property gates';
    if (current.version_id !== section.version_id) {
      report(
        found,
        'forbidden',
        `${type} ${name}`,
        `the version was ${section.version_id} and is ${current.version_id}`,
        advice,
        'major',
      );
    }
    if (current.minimum_version_id > section.minimum_version_id) {
      const text = `the oldest version that loads was ${section.minimum_version_id} and is ${current.minimum_version_id}`;
      report(found, 'forbidden', `${type} ${name}`, text, 'what was written once is read for ever', 'major');
    }
  });
}

/** What is sent otherwise, in words. Parts that are never sent do not count. */
function compareSections(before: readonly EffectiveDescription[], after: readonly EffectiveDescription[]): string[] {
  const found: string[] = [];
  const [old, now] = [sentOf(before), sentOf(after)];
  // Members of what came or went as a whole are not listed.
  const whole = (name: string, other: ReadonlyMap<string, string>, all: ReadonlyMap<string, string>) =>
    ![...all.keys()].some((outer) => !other.has(outer) && name.startsWith(`${outer}.`));
  for (const [name, text] of old) {
    const current = now.get(name);
    if (current === undefined) {
      if (whole(name, now, old)) found.push(`'${name}' is not sent any more`);
    } else if (current !== text) found.push(`'${name}' is sent as ${current}, it was ${text}`);
  }
  for (const name of now.keys()) if (!old.has(name) && whole(name, old, now)) found.push(`'${name}' is sent now`);
  const order = (names: Iterable<string>, other: ReadonlyMap<string, string>) =>
    [...names].filter((name) => other.has(name)).join();
  if (found.length === 0 && order(old.keys(), now) !== order(now.keys(), old)) found.push('the order of fields has changed');
  return found;
}

/** Every field and subsection that may be on the wire, with all that matters of it. */
function sentOf(sections: readonly EffectiveDescription[]): Map<string, string> {
  const sent = new Map<string, string>();
  const walk = (description: EffectiveDescription, path: string): void => {
    if (description.present === 'no') return;
    sent.set(path, `version ${description.version_id}${conditionOf(description)}`);
    for (const field of description.Fields) {
      if (field.present === 'no') continue;
      const { type, size, count, equals, version_id: since } = field;
      const range = (bounds: { min: number; max: number } | undefined) => (bounds ? `${bounds.min}..${bounds.max}` : '');
      const parts = [type, range(size), range(count), equals ?? '', since > 0 ? `since ${since}` : ''].filter(
        (part) => part !== '',
      );
      sent.set(`${path}.${field.field}`, `${parts.join(' ')}${conditionOf(field)}`);
      if (field.Description) walk(field.Description, `${path}.${field.field}`);
    }
    for (const subsection of description.Subsections) walk(subsection, subsection.name);
  };
  for (const section of sections) walk(section, section.name);
  return sent;
}

function conditionOf({ present, reads = [] }: { readonly present: string; readonly reads?: readonly string[] }): string {
  return present === 'maybe' ? ` if ${reads.join(', ')}` : '';
}

function report(found: LockDifference[], verdict: LockVerdict, where: string, message: string, advice: string, bump: Bump): void {
  found.push({ verdict, where, message, advice, bump });
}
