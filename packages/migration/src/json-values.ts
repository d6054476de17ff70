import { type FieldNode, hexOf, isStruct, type StructNode, type TreeEntry, type TreeValue } from '@pagurus/vmstate';
import { StreamError } from './errors.js';

/*
 * A tree of state as JSON that loses nothing:
 *
 *     number, true, null     as they are
 *     bigint                 { "int": "18446744073709551615" }
 *     bytes                  { "hex": "00ff" }
 *     struct                 { "name", "version", "fields": [ { "name", "type", "value" } ], "subsections": [ … ] }
 *     entry of a tree        { "key", "value" }
 */

export function nodeToJson(node: StructNode): object {
  return {
    name: node.name,
    version: node.version,
    fields: node.fields.map(({ value, ...field }) => ({ ...field, value: valueToJson(value) })),
    ...(node.subsections.length > 0 ? { subsections: node.subsections.map(nodeToJson) } : {}),
  };
}

function valueToJson(value: TreeValue): unknown {
  if (typeof value === 'bigint') return { int: value.toString() };
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return { hex: hexOf(value) };
  if (Array.isArray(value)) return (value as readonly TreeValue[]).map(valueToJson);
  if (isStruct(value)) return nodeToJson(value);
  if ('bytes' in value && value.bytes instanceof Uint8Array) return { hex: hexOf(value.bytes) }; // a device's own type
  const entry = value as TreeEntry;
  return { key: valueToJson(entry.key), value: nodeToJson(entry.value) };
}

/** The reverse of {@link nodeToJson}. @throws {StreamError} `json`, with the place in the document */
export function nodeFromJson(json: unknown, path: string): StructNode {
  const object = objectAt(json, path);
  const fields = arrayAt(object.fields, `${path}.fields`).map((field, i): FieldNode => {
    const at = `${path}.fields[${i}]`;
    const members = objectAt(field, at);
    return {
      name: stringAt(members.name, `${at}.name`),
      type: stringAt(members.type, `${at}.type`),
      value: valueFromJson(members.value, `${at}.value`),
      ...(members.marks === 'each' ? { marks: 'each' } : {}),
    };
  });
  const subsections = arrayAt(object.subsections ?? [], `${path}.subsections`);
  return {
    name: stringAt(object.name, `${path}.name`),
    version: numberAt(object.version, `${path}.version`),
    fields,
    subsections: subsections.map((subsection, i) => nodeFromJson(subsection, `${path}.subsections[${i}]`)),
  };
}

function valueFromJson(json: unknown, path: string): TreeValue {
  if (typeof json === 'number' || typeof json === 'boolean' || json === null) return json;
  if (Array.isArray(json)) return json.map((item, i) => valueFromJson(item, `${path}[${i}]`));
  const object = objectAt(json, path);
  if ('int' in object) return bigintAt(object.int, path);
  if ('hex' in object) return hexAt(object.hex, path);
  if ('key' in object) {
    const key = valueFromJson(object.key, `${path}.key`);
    if (typeof key !== 'bigint' && !isStruct(key)) jsonError(path, 'a key that is an integer or a struct');
    return { key, value: nodeFromJson(object.value, `${path}.value`) };
  }
  return nodeFromJson(object, path);
}

export function jsonError(path: string, expected: string, got?: unknown): never {
  throw new StreamError('json', `not what was written by this program: ${expected} was expected`, {
    path,
    ...(got === undefined ? {} : { got: String(JSON.stringify(got)).slice(0, 80) }),
  });
}

export function objectAt(json: unknown, path: string): { readonly [key: string]: unknown } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
    ? (json as { [key: string]: unknown })
    : jsonError(path, 'an object', json);
}

export function arrayAt(json: unknown, path: string): readonly unknown[] {
  return Array.isArray(json) ? json : jsonError(path, 'an array', json);
}

export function stringAt(json: unknown, path: string): string {
  return typeof json === 'string' ? json : jsonError(path, 'a string', json);
}

export function booleanAt(json: unknown, path: string): boolean {
  return typeof json === 'boolean' ? json : jsonError(path, 'true or false', json);
}

/** A whole number from 0 up. */
export function numberAt(json: unknown, path: string): number {
  return typeof json === 'number' && Number.isSafeInteger(json) && json >= 0 ? json : jsonError(path, 'a whole number', json);
}

export function bigintAt(json: unknown, path: string): bigint {
  return typeof json === 'string' && /^-?\d{1,24}$/.test(json) ? BigInt(json) : jsonError(path, 'digits in a string', json);
}

export function hexAt(json: unknown, path: string): Uint8Array {
  const text = stringAt(json, path);
  if (text.length % 2 !== 0 || /[^0-9a-fA-F]/.test(text)) jsonError(path, 'hexadecimal digits', text);
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
