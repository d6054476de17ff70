/** The JSON form of a state: lossless, and readable without a program. */
import { capture } from './capture.js';
import { type Description, StateError } from './description.js';
import { hexOf } from './dynamic.js';
import { META, restoreFrom } from './restore.js';
import { isCustom, isStruct, type StructNode, type TreeEntry, type TreeValue } from './tree.js';

/** What `JSON.parse` gives. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * A state as an object for `JSON.stringify`. Members are QEMU's field names; 64-bit numbers are decimal text, buffers hexadecimal text;
 * `@name` and `@version` stand at the top, `@subsections` where some are present.
 * @throws {StateError} as a save does.
 */
export function toJson<S extends object>(description: Description<S>, state: S, options: { readonly path?: string } = {}): Json {
  return treeToJson(capture(description, state, options));
}

/**
 * Puts the JSON form (parsed, or as text) into a state: all or nothing.
 * @throws {StateError} `json` where the shape is wrong, otherwise as a load does.
 */
export function fromJson<S extends object>(
  description: Description<S>,
  state: S,
  json: unknown,
  options: { readonly path?: string } = {},
): void {
  const parsed = typeof json === 'string' ? parse(json, options.path ?? description.name) : json;
  restoreFrom('json', description, state, parsed, options.path);
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StateError('json', path, -1, (error as Error).message);
  }
}

/** The JSON form of a tree. */
export function treeToJson(node: StructNode): Json {
  return { [META.NAME]: node.name, [META.VERSION]: node.version, ...(structToJson(node) as { [key: string]: Json }) };
}

function structToJson(node: StructNode): Json {
  const entries: [string, Json][] = node.fields.map(({ name, value }) => [name, valueToJson(value)]);
  if (node.subsections.length > 0) {
    const sent = node.subsections.map((one): [string, Json] => [
      one.name,
      { [META.VERSION]: one.version, ...(structToJson(one) as { [key: string]: Json }) },
    ]);
    entries.push([META.SUBSECTIONS, Object.fromEntries(sent)]);
  }
  return Object.fromEntries(entries);
}

function valueToJson(value: TreeValue): Json {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return hexOf(value);
  if (Array.isArray(value)) return (value as readonly TreeValue[]).map(valueToJson);
  if (isStruct(value)) return structToJson(value);
  if (isCustom(value)) return value.json as Json;
  const { key, value: inner } = value as TreeEntry;
  return { key: valueToJson(key), value: valueToJson(inner) };
}
