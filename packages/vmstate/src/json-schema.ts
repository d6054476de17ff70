/** JSON Schema (2020-12) of the JSON form of a description. */
import { Path, Writer } from './bytes.js';
import type { Description, Field, ScalarType } from './description.js';
import { META } from './restore.js';
import { extent, fixedLength, type Items, type Keyed, structTarget, wireNames } from './walk.js';

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
  const schema = structSchema(description, sample as Keyed, description.version) as { properties: object; required: string[] };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: description.name,
    ...schema,
    properties: {
      [META.NAME]: { const: description.name },
      [META.VERSION]: { const: description.version },
      ...schema.properties,
    },
    required: [META.NAME, META.VERSION, ...schema.required],
  };
}

function structSchema(description: Description<never>, sample: Keyed, version: number): Schema {
  const properties: [string, Schema][] = [];
  const required: string[] = [];
  const sent = new Set(description.fields.filter(({ kind }) => kind === 'scalar').map(({ key }) => key));
  const names = wireNames(description);
  description.fields.forEach((field, index) => {
    if (field.kind === 'validate' || (field.when === undefined && field.since > version)) return;
    const name = names[index]!;
    properties.push([name, fieldSchema(field, sample, sent)]);
    if (field.when === undefined) required.push(name);
  });
  if (description.subsections.length > 0) {
    const always = description.subsections.filter(({ needed }) => needed === undefined).map(({ name }) => name);
    properties.push([META.SUBSECTIONS, subsectionsSchema(description.subsections, sample, always)]);
    if (always.length > 0) required.push(META.SUBSECTIONS);
  }
  return { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties: false };
}

function subsectionsSchema(subsections: readonly Description<never>[], sample: Keyed, required: string[]): Schema {
  const properties = subsections.map((one): [string, Schema] => {
    const schema = structSchema(one, sample, one.version) as { properties: object; required: string[] };
    const version = { [META.VERSION]: { const: one.version } };
    return [
      one.name,
      { ...schema, properties: { ...version, ...schema.properties }, required: [META.VERSION, ...schema.required] },
    ];
  });
  return { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties: false };
}

function scalarSchema(type: ScalarType | 'bool'): Schema {
  if (type === 'bool') return { type: 'boolean' };
  if (type === 'u64') return { type: 'string', pattern: '^\\d{1,20}$' };
  if (type === 'i64') return { type: 'string', pattern: '^-?\\d{1,19}$' };
  const [minimum, maximum] = RANGE[type];
  return { type: 'integer', minimum, maximum };
}

function hexSchema(min: number, max: number): Schema {
  return { type: 'string', pattern: '^([0-9a-f]{2})*$', minLength: 2 * min, maxLength: 2 * max };
}

function listSchema(items: Schema, min: number, max: number): Schema {
  return { type: 'array', items, minItems: min, maxItems: max };
}

function fieldSchema(field: Field, sample: Keyed, sent: ReadonlySet<string>): Schema {
  const where = new Writer(new Path(field.wire));
  const nested = (description: Description<object>, value: object, at = description.version) =>
    structSchema(description, value as Keyed, at);
  switch (field.kind) {
    case 'scalar':
      return scalarSchema(field.bool ? 'bool' : field.type);
    case 'bool':
      return scalarSchema('bool');
    case 'equal':
      return scalarSchema(field.type);
    case 'lessOrEqual':
      return { type: 'integer', minimum: 0, maximum: 0x7fff_ffff };
    case 'timer':
      return scalarSchema('i64');
    case 'bytes': {
      const length = fixedLength(field, sample[field.key] as Items);
      return hexSchema(length, length);
    }
    case 'byteArray':
      return hexSchema(0, field.max);
    case 'sizedBytes':
    case 'bitmap': {
      const key = field.kind === 'bitmap' ? field.bits : field.size;
      if (typeof key === 'string' && sent.has(key))
        return hexSchema(0, field.kind === 'bitmap' ? Math.ceil(field.max / 64) * 8 : field.max);
      const length = extent(where, field, sample);
      return hexSchema(length, length);
    }
    case 'array': {
      const count = fixedLength(field, sample[field.key] as Items);
      return listSchema(scalarSchema(field.bool ? 'bool' : field.type), count, count);
    }
    case 'varArray': {
      const count = sent.has(field.count) ? undefined : extent(where, field, sample);
      return listSchema(scalarSchema(field.type), count ?? 0, count ?? field.max);
    }
    case 'struct': {
      const target = structTarget(field, sample) as object | null;
      return target === null ? { type: 'object' } : nested(field.description, target, field.atVersion);
    }
    case 'structArray': {
      const items = sample[field.key] as object[];
      const count = fixedLength(field, items);
      const element = items[field.start];
      return listSchema(element === undefined ? false : nested(field.description, element, field.atVersion), count, count);
    }
    case 'varStructArray': {
      const count = sent.has(field.count) ? undefined : extent(where, field, sample);
      return listSchema(nested(field.description, field.create(), field.atVersion), count ?? 0, count ?? field.max);
    }
    case 'pointerArray': {
      const { length } = sample[field.key] as unknown[];
      const { item } = field;
      const value = item.kind === 'scalar' ? scalarSchema(item.type) : nested(item.description, item.create());
      return listSchema({ anyOf: [{ type: 'null' }, value] }, length, length);
    }
    case 'list':
      return listSchema(nested(field.description, field.create()), 0, field.max);
    case 'tree': {
      const key = field.createKey === undefined ? scalarSchema('u64') : nested(field.keyDescription!, field.createKey());
      const node = {
        type: 'object',
        properties: { key, value: nested(field.description, field.create()) },
        required: ['key', 'value'],
        additionalProperties: false,
      };
      return listSchema(node, 0, field.max);
    }
    case 'tmp':
      return nested(field.description, field.create(sample));
    case 'unused':
      if (field.count !== undefined && sent.has(field.count)) return hexSchema(0, field.length * field.max!);
      return hexSchema(extent(where, field, sample), extent(where, field, sample));
    case 'validate':
      return false;
    case 'custom':
      return (field.codec.jsonSchema ?? true) as Schema;
  }
}
