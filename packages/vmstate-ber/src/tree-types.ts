/** The neutral tree of `@pagurus/vmstate` as types of a module: state of devices that nobody here has a description of. */
import { isCustom, isStruct, type StructNode, type TreeEntry, type TreeValue } from '@pagurus/vmstate';
import { fail } from './decode.js';
import type { AsnComponent, AsnType } from './module.js';
import type { AsnValue } from './values.js';

const MOST = 2 ** 28;
const part = (name: string, type: AsnType, tag?: number): AsnComponent => ({
  name,
  tag,
  type,
  optional: tag !== undefined,
  comment: '',
});
const to = (name: string): AsnType => ({ kind: 'reference', to: name });
const list = (of: AsnType): AsnType => ({ kind: 'list', of, min: 0, max: MOST });
const text: AsnType = { kind: 'text' };

/** `Node`, `Field`, `Value` and `Entry`, for a module that uses them. */
export function treeTypes(): [name: string, type: AsnType][] {
  return [
    [
      'Node',
      {
        kind: 'sequence',
        components: [
          part('name', text),
          part('version', { kind: 'integer', min: 0n, max: 0xffff_ffffn }),
          part('fields', list(to('Field'))),
          part('subsections', list(to('Node'))),
        ],
      },
    ],
    [
      'Field',
      {
        kind: 'sequence',
        components: [part('name', text), part('type', text), part('value', to('Value')), part('marks', { kind: 'null' }, 0)],
      },
    ],
    [
      'Value',
      {
        kind: 'choice',
        alternatives: [
          { name: 'integer', type: { kind: 'integer', min: -(2n ** 31n), max: 2n ** 32n - 1n } },
          { name: 'flag', type: { kind: 'boolean' } },
          { name: 'absent', type: { kind: 'null' } },
          { name: 'octets', type: { kind: 'octets', min: 0, max: MOST } },
          { name: 'items', type: list(to('Value')) },
          { name: 'wide', tag: 0, type: { kind: 'integer', min: -(2n ** 63n), max: 2n ** 64n - 1n } },
          { name: 'node', tag: 1, type: to('Node') },
          { name: 'entry', tag: 2, type: to('Entry') },
        ],
      },
    ],
    ['Entry', { kind: 'sequence', components: [part('key', to('Value')), part('value', to('Node'))] }],
  ];
}

/** A tree as a value of `Node`. */
export function treeValue({ name, version, fields, subsections }: StructNode): AsnValue {
  return {
    name,
    version,
    fields: fields.map((field) => ({
      name: field.name,
      type: field.type,
      value: berValue(field.value),
      ...(field.marks === undefined ? {} : { marks: null }),
    })),
    subsections: subsections.map(treeValue),
  };
}

function berValue(value: TreeValue): AsnValue {
  if (value === null) return { is: 'absent', value: null };
  if (typeof value === 'number') return { is: 'integer', value };
  if (typeof value === 'bigint') return { is: 'wide', value };
  if (typeof value === 'boolean') return { is: 'flag', value };
  if (value instanceof Uint8Array) return { is: 'octets', value };
  if (Array.isArray(value)) return { is: 'items', value: (value as readonly TreeValue[]).map(berValue) };
  if (isStruct(value)) return { is: 'node', value: treeValue(value) };
  if (isCustom(value)) return { is: 'octets', value: value.bytes };
  const { key, value: inner } = value as TreeEntry;
  return { is: 'entry', value: { key: berValue(key), value: treeValue(inner) } };
}

interface NodeValue {
  readonly name: string;
  readonly version: number;
  readonly fields: readonly { readonly name: string; readonly type: string; readonly value: Chosen; readonly marks?: null }[];
  readonly subsections: readonly NodeValue[];
}

type Chosen = { readonly is: string; readonly value: unknown };

/** The reverse of {@link treeValue}. @param value has been decoded as `Node`. @throws {StateError} */
export function treeFromValue(value: AsnValue): StructNode {
  return nodeOf(value as unknown as NodeValue);
}

function nodeOf({ name, version, fields, subsections }: NodeValue): StructNode {
  return {
    name,
    version,
    fields: fields.map((field) => ({
      name: field.name,
      type: field.type,
      value: fromValue(field.value, field.name),
      ...(field.marks === undefined ? {} : { marks: 'each' as const }),
    })),
    subsections: subsections.map(nodeOf),
  };
}

function fromValue({ is, value }: Chosen, path: string): TreeValue {
  switch (is) {
    case 'items':
      return (value as readonly Chosen[]).map((item) => fromValue(item, path));
    case 'node':
      return nodeOf(value as NodeValue);
    case 'entry': {
      const entry = value as { readonly key: Chosen; readonly value: NodeValue };
      const key = fromValue(entry.key, path);
      if (typeof key !== 'bigint' && !(key !== null && isStruct(key))) return fail(path, 'a key is an integer or a structure');
      return { key, value: nodeOf(entry.value) };
    }
    default:
      return value as TreeValue;
  }
}
