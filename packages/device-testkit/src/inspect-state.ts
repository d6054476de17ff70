/** What can be said about a state without running its device. */
import type { Description, Field } from '@pagurus/vmstate';

// biome-ignore lint/suspicious/noExplicitAny: descriptions of unlike states.
type AnyDescription = Description<any>;

/**
 * Keys of a state, and of the objects in it, that no field carries and that are not declared `derived`.
 * @returns paths such as `ps2kbd.queue.count`.
 */
export function undescribedKeys(description: AnyDescription, state: object): string[] {
  const found: string[] = [];
  const described = new Set<string>();
  collect(description, description.name, state, described, found);
  for (const key of Object.keys(state)) if (!described.has(key)) found.push(`${description.name}.${key}`);
  return [...new Set(found)];
}

function collect(description: AnyDescription, path: string, state: object, described: Set<string>, found: string[]): void {
  for (const key of description.derived) described.add(key);
  for (const field of description.fields) {
    if (field.key !== '') described.add(field.key);
    for (const key of extraKeys(field)) described.add(key);
    visitNested(field, path, state, described, found);
  }
  for (const subsection of description.subsections) collect(subsection, path, state, described, found);
}

function extraKeys(field: Field): readonly string[] {
  switch (field.kind) {
    case 'sizedBytes':
      return [field.size];
    case 'varArray':
    case 'varStructArray':
      return [field.count];
    default:
      return [];
  }
}

function visitNested(field: Field, path: string, state: object, described: Set<string>, found: string[]): void {
  const value = (state as Record<string, unknown>)[field.key];
  switch (field.kind) {
    case 'struct':
      if (field.key === '') collect(field.description, path, state, described, found);
      else nested(field.description, `${path}.${field.key}`, value, found);
      return;
    case 'structArray':
      for (const [i, item] of [...(value as readonly object[])].entries()) {
        nested(field.description, `${path}.${field.key}[${i}]`, item, found);
      }
      return;
    case 'varStructArray':
      nested(field.description, `${path}.${field.key}[]`, field.create(), found);
      return;
    default:
      return;
  }
}

function nested(description: AnyDescription, path: string, value: unknown, found: string[]): void {
  for (const key of undescribedKeys(description, value as object)) found.push(path + key.slice(description.name.length));
}

/** Values in a state that can't be copied or sent: functions, promises, symbols. State is plain data. */
export function hostValues(state: unknown, path: string, seen = new Set<object>()): string[] {
  if (typeof state === 'function' || typeof state === 'symbol') return [path];
  if (typeof state !== 'object' || state === null || ArrayBuffer.isView(state) || seen.has(state)) return [];
  seen.add(state);
  if (state instanceof Promise) return [path];
  return Object.entries(state).flatMap(([key, value]) => hostValues(value, `${path}.${key}`, seen));
}

/** Paths at which two states differ, e.g. `queue.count: 1 instead of 0`. At most `most`. */
export function differences(expected: unknown, got: unknown, path = '', most = 8): string[] {
  const found: string[] = [];
  walk(expected, got, path, found, most);
  return found;
}

function walk(expected: unknown, got: unknown, path: string, found: string[], most: number): void {
  if (found.length >= most || Object.is(expected, got)) return;
  const bothObjects = typeof expected === 'object' && typeof got === 'object' && expected !== null && got !== null;
  if (!bothObjects) {
    found.push(`${path || 'state'}: ${show(got)} instead of ${show(expected)}`);
    return;
  }
  const keys = new Set([...Object.keys(expected), ...Object.keys(got)]);
  const prefix = path === '' ? '' : `${path}.`;
  for (const key of keys) {
    walk((expected as Record<string, unknown>)[key], (got as Record<string, unknown>)[key], prefix + key, found, most);
  }
}

function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value);
}
