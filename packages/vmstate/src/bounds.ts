/** How many bytes a description's data can have. */
import { Path, Writer } from './bytes.js';
import type { Description, Field } from './description.js';
import { extent, fixedLength, type Items, type Keyed, SCALAR_SIZE, structTarget } from './walk.js';

export interface SizeBounds {
  readonly min: number;
  readonly max: number;
}

/**
 * Bounds of the encoded size over all states whose fixed arrays have the lengths of `sample`'s and whose local configuration (counts that
 * are not sent themselves) is `sample`'s. A load never holds more than `max` bytes of input in arrays.
 *
 * @param versions consider data of older versions too, which may be shorter.
 */
export function sizeBounds<S extends object>(
  description: Description<S>,
  sample: S,
  versions: 'own' | 'all' = 'own',
): SizeBounds {
  return structBounds(description, sample as Keyed, description.version, versions);
}

function structBounds(description: Description<never>, sample: Keyed, version: number, versions: 'own' | 'all'): SizeBounds {
  let min = 0;
  let max = 0;
  const sent = new Set(description.fields.filter(({ kind }) => kind === 'scalar').map(({ key }) => key));
  for (const field of description.fields) {
    const bounds = fieldBounds(field, sample, sent);
    if (field.when === undefined && field.since > version) continue;
    const always = field.when === undefined && (versions === 'own' || field.since <= description.minVersion);
    if (always) min += bounds.min;
    max += bounds.max;
  }
  for (const subsection of description.subsections) {
    const bounds = structBounds(subsection, sample, subsection.version, versions);
    const header = 2 + subsection.name.length + 4;
    if (subsection.needed === undefined && versions === 'own') min += header + bounds.min;
    max += header + bounds.max;
  }
  return { min, max };
}

/** Bounds of one field that is present. `sent`: keys whose value travels, so that a count among them can be anything. */
export function fieldBounds(field: Field, sample: Keyed, sent: ReadonlySet<string>): SizeBounds {
  const exactly = (size: number): SizeBounds => ({ min: size, max: size });
  const times = ({ min, max }: SizeBounds, least: number, most: number): SizeBounds => ({ min: min * least, max: max * most });
  const nested = (description: Description<object>, value: object, at = description.version) =>
    structBounds(description, value as Keyed, at, 'own');
  const where = new Writer(new Path(field.wire));
  switch (field.kind) {
    case 'scalar':
    case 'equal':
      return exactly(SCALAR_SIZE[field.type]);
    case 'bool':
      return exactly(1);
    case 'lessOrEqual':
      return exactly(4);
    case 'timer':
      return exactly(8);
    case 'bytes':
      return exactly(fixedLength(field, sample[field.key] as Items));
    case 'byteArray':
      return { min: 4, max: 4 + field.max };
    case 'sizedBytes':
      return sent.has(field.size) ? { min: 0, max: field.max } : exactly(extent(where, field, sample));
    case 'bitmap': {
      const fixed = typeof field.bits === 'number' || !sent.has(field.bits);
      return fixed ? exactly(extent(where, field, sample)) : { min: 0, max: Math.ceil(field.max / 64) * 8 };
    }
    case 'array':
      return exactly(fixedLength(field, sample[field.key] as Items) * (field.type === 'bool' ? 1 : SCALAR_SIZE[field.type]));
    case 'varArray': {
      const size = SCALAR_SIZE[field.type];
      return sent.has(field.count) ? { min: 0, max: field.max * size } : exactly(extent(where, field, sample) * size);
    }
    case 'struct': {
      const target = structTarget(field, sample) as object | null;
      return target === null ? exactly(0) : nested(field.description, target, field.atVersion);
    }
    case 'structArray': {
      const items = sample[field.key] as object[];
      const count = fixedLength(field, items);
      let sum = exactly(0);
      for (const item of items.slice(field.start, field.start + count)) {
        const { min, max } = nested(field.description, item, field.atVersion);
        sum = { min: sum.min + min, max: sum.max + max };
      }
      return sum;
    }
    case 'varStructArray': {
      const element = nested(field.description, field.create(), field.atVersion);
      const count = extent(where, field, sample);
      return sent.has(field.count) ? times(element, 0, field.max) : times(element, count, count);
    }
    case 'pointerArray': {
      const { item, marks } = field;
      const items = sample[field.key] as unknown[];
      const element = item.kind === 'scalar' ? exactly(SCALAR_SIZE[item.type]) : nested(item.description, item.create());
      if (marks === 'each') return { min: items.length, max: items.length * (1 + element.max) };
      const nulls = items.filter((value) => value === null).length;
      const values = times(element, items.length - nulls, items.length - nulls);
      return { min: nulls + values.min, max: nulls + values.max };
    }
    case 'list':
      return { min: 1, max: 1 + field.max * (1 + nested(field.description, field.create()).max) };
    case 'tree': {
      const key = field.createKey === undefined ? 8 : nested(field.keyDescription!, field.createKey()).max;
      return { min: 5, max: 5 + field.max * (1 + key + nested(field.description, field.create()).max) };
    }
    case 'tmp':
      return nested(field.description, field.create(sample));
    case 'unused':
      if (field.count !== undefined && sent.has(field.count)) return { min: 0, max: field.length * field.max! };
      return exactly(extent(where, field, sample));
    case 'validate':
      return exactly(0);
    case 'custom':
      return { min: field.codec.minSize, max: field.codec.maxSize };
  }
}
