/** JSON Schema (2020-12) of the JSON form of a description. */
import type { Description, ScalarType } from './description.js';
import { META } from './restore.js';
import { type Shape, type StructShape, shapeOf } from './shape.js';

export type Schema = boolean | { [keyword: string]: unknown };

const RANGE: Record<Exclude<ScalarType, 'u64' | 'i64'>, readonly [number, number]> = {
  u8: [0, 0xff],
  u16: [0, 0xffff],
  u32: [0, 0xffff_ffff],
  i8: [-0x80, 0x7f],
  i16: [-0x8000, 0x7fff],
  i32: [-0x8000_0000, 0x7fff_ffff],
};

/**
 * Schema of what `toJson` gives for states like `sample` (whose fixed arrays have its lengths), at the description's own version.
 * Fields and subsections that may be absent are optional; nothing unknown is allowed.
 */
export function jsonSchema<S extends object>(description: Description<S>, sample: S): Schema {
  const schema = withVersion(shapeOf(description, sample));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: description.name,
    ...schema,
    properties: { [META.NAME]: { const: description.name }, ...schema.properties },
    required: [META.NAME, ...schema.required],
  };
}

interface ObjectSchema {
  readonly [keyword: string]: unknown;
  readonly properties: { [name: string]: Schema };
  readonly required: string[];
}

function structSchema({ members, subsections }: StructShape): ObjectSchema {
  const properties = members.map(({ name, shape }): [string, Schema] => [name, schemaOf(shape)]);
  const required = members.filter(({ optional }) => !optional).map(({ name }) => name);
  if (subsections.length > 0) {
    const always = subsections.filter(({ optional }) => !optional).map(({ struct }) => struct.name);
    const sent = subsections.map(({ struct }): [string, Schema] => [struct.name, withVersion(struct)]);
    properties.push([META.SUBSECTIONS, objectSchema(sent, always)]);
    if (always.length > 0) required.push(META.SUBSECTIONS);
  }
  return objectSchema(properties, required);
}

/** Sections and subsections say their version. */
function withVersion(struct: StructShape): ObjectSchema {
  const schema = structSchema(struct);
  return {
    ...schema,
    properties: { [META.VERSION]: { const: struct.version }, ...schema.properties },
    required: [META.VERSION, ...schema.required],
  };
}

function objectSchema(properties: readonly [string, Schema][], required: string[]): ObjectSchema {
  return { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties: false };
}

function schemaOf(shape: Shape): Schema {
  switch (shape.kind) {
    case 'integer':
      return integerSchema(shape.type, shape.least);
    case 'boolean':
      return { type: 'boolean' };
    case 'bytes':
      return { type: 'string', pattern: '^([0-9a-f]{2})*$', minLength: 2 * shape.min, maxLength: 2 * shape.max };
    case 'list':
      return { type: 'array', items: schemaOf(shape.items), minItems: shape.min, maxItems: shape.max };
    case 'nullable':
      return { anyOf: [{ type: 'null' }, schemaOf(shape.value)] };
    case 'node':
      return objectSchema(
        [
          ['key', schemaOf(shape.key)],
          ['value', schemaOf(shape.value)],
        ],
        ['key', 'value'],
      );
    case 'custom':
      return (shape.jsonSchema ?? true) as Schema;
    case 'struct':
      return structSchema(shape);
  }
}

function integerSchema(type: ScalarType, least: number | undefined): Schema {
  if (type === 'u64') return { type: 'string', pattern: '^\\d{1,20}$' };
  if (type === 'i64') return { type: 'string', pattern: '^-?\\d{1,19}$' };
  const [minimum, maximum] = RANGE[type];
  return { type: 'integer', minimum: least ?? minimum, maximum };
}
