/** What values a description's states have, without any encoding: JSON Schema and ASN.1 are two ways to write it down. */
import { Path, Writer } from './bytes.js';
import type { Description, Field, ScalarType } from './description.js';
import { extent, fixedLength, type Items, infoName, type Keyed, structTarget, wireNames } from './walk.js';

export type Shape =
  /** `least` where it is more than the type's. */
  | { readonly kind: 'integer'; readonly type: ScalarType; readonly least?: number }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'bytes'; readonly min: number; readonly max: number }
  | { readonly kind: 'list'; readonly items: Shape; readonly min: number; readonly max: number }
  | { readonly kind: 'nullable'; readonly value: Shape }
  /** A node of a tree. */
  | { readonly kind: 'node'; readonly key: Shape; readonly value: Shape }
  /** What only a codec understands. */
  | {
      readonly kind: 'custom';
      readonly type: string;
      readonly min: number;
      readonly max: number;
      readonly jsonSchema: object | undefined;
    }
  | StructShape;

export interface StructShape {
  readonly kind: 'struct';
  readonly name: string;
  readonly version: number;
  readonly members: readonly ShapeMember[];
  readonly subsections: readonly { readonly struct: StructShape; readonly optional: boolean }[];
}

export interface ShapeMember {
  /** QEMU's field name, made unique with `[k]`. */
  readonly name: string;
  readonly shape: Shape;
  /** A test decides whether it is present. */
  readonly optional: boolean;
}

/**
 * The shape of states like `sample`, whose fixed arrays have its lengths and whose unsent counts are its own, at the description's own
 * version. A pointer that is null in the sample has no shape and is left out.
 */
export function shapeOf<S extends object>(description: Description<S>, sample: S): StructShape {
  return structShape(description, sample as Keyed, description.version);
}

function structShape(description: Description<never>, sample: Keyed, version: number): StructShape {
  const names = wireNames(description);
  const sent = new Set(description.fields.filter(({ kind }) => kind === 'scalar').map(({ key }) => key));
  const members = description.fields.flatMap((field, index): ShapeMember[] => {
    if (field.when === undefined && field.since > version) return [];
    const shape = fieldShape(field, sample, sent);
    return shape === undefined ? [] : [{ name: names[index]!, shape, optional: field.when !== undefined }];
  });
  return {
    kind: 'struct',
    name: description.name,
    version,
    members,
    subsections: description.subsections.map((one) => ({
      struct: structShape(one, sample, one.version),
      optional: one.needed !== undefined,
    })),
  };
}

/** Undefined for what has no values: validations, and pointers to nothing. */
function fieldShape(field: Field, sample: Keyed, sent: ReadonlySet<string>): Shape | undefined {
  const where = new Writer(new Path(field.wire));
  const nested = (description: Description<object>, value: object, at = description.version) =>
    structShape(description, value as Keyed, at);
  switch (field.kind) {
    case 'scalar':
      return field.bool ? { kind: 'boolean' } : { kind: 'integer', type: field.type };
    case 'bool':
      return { kind: 'boolean' };
    case 'equal':
      return { kind: 'integer', type: field.type };
    case 'lessOrEqual':
      return { kind: 'integer', type: 'i32', least: 0 };
    case 'timer':
      return { kind: 'integer', type: 'i64' };
    case 'bytes':
      return exactBytes(fixedLength(field, sample[field.key] as Items));
    case 'byteArray':
      return { kind: 'bytes', min: 0, max: field.max };
    case 'sizedBytes':
      return sent.has(field.size) ? { kind: 'bytes', min: 0, max: field.max } : exactBytes(extent(where, field, sample));
    case 'bitmap': {
      const varies = typeof field.bits === 'string' && sent.has(field.bits);
      return varies ? { kind: 'bytes', min: 0, max: Math.ceil(field.max / 64) * 8 } : exactBytes(extent(where, field, sample));
    }
    case 'array': {
      const count = fixedLength(field, sample[field.key] as Items);
      const items: Shape = field.bool || field.type === 'bool' ? { kind: 'boolean' } : { kind: 'integer', type: field.type };
      return { kind: 'list', items, min: count, max: count };
    }
    case 'varArray': {
      const count = sent.has(field.count) ? undefined : extent(where, field, sample);
      return { kind: 'list', items: { kind: 'integer', type: field.type }, min: count ?? 0, max: count ?? field.max };
    }
    case 'struct': {
      const target = structTarget(field, sample) as object | null;
      return target === null ? undefined : nested(field.description, target, field.atVersion);
    }
    case 'structArray': {
      const items = sample[field.key] as object[];
      const count = fixedLength(field, items);
      const element = items[field.start];
      return element === undefined
        ? undefined
        : { kind: 'list', items: nested(field.description, element, field.atVersion), min: count, max: count };
    }
    case 'varStructArray': {
      const count = sent.has(field.count) ? undefined : extent(where, field, sample);
      const items = nested(field.description, field.create(), field.atVersion);
      return { kind: 'list', items, min: count ?? 0, max: count ?? field.max };
    }
    case 'pointerArray': {
      const { length } = sample[field.key] as unknown[];
      const { item } = field;
      const value: Shape =
        item.kind === 'scalar' ? { kind: 'integer', type: item.type } : nested(item.description, item.create());
      return { kind: 'list', items: { kind: 'nullable', value }, min: length, max: length };
    }
    case 'list':
      return { kind: 'list', items: nested(field.description, field.create()), min: 0, max: field.max };
    case 'tree': {
      const key: Shape =
        field.createKey === undefined ? { kind: 'integer', type: 'u64' } : nested(field.keyDescription!, field.createKey());
      const items: Shape = { kind: 'node', key, value: nested(field.description, field.create()) };
      return { kind: 'list', items, min: 0, max: field.max };
    }
    case 'tmp':
      return nested(field.description, field.create(sample));
    case 'unused': {
      const varies = field.count !== undefined && sent.has(field.count);
      return varies ? { kind: 'bytes', min: 0, max: field.length * field.max! } : exactBytes(extent(where, field, sample));
    }
    case 'validate':
      return undefined;
    case 'custom': {
      const { minSize, maxSize, jsonSchema } = field.codec;
      return { kind: 'custom', type: infoName(field), min: minSize, max: maxSize, jsonSchema };
    }
  }
}

function exactBytes(length: number): Shape {
  return { kind: 'bytes', min: length, max: length };
}
