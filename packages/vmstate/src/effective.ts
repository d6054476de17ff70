/**
 * Schemas with everything evaluated that does not depend on what the guest did: properties, machine version, configuration. QEMU's dump
 * is the same for every machine type; this one is not.
 */

import { fieldBounds, type SizeBounds } from './bounds.js';
import { Path, Writer } from './bytes.js';
import type { Description, Field } from './description.js';
import { extent, fixedLength, type Items, infoName, isPresent, type Keyed, structTarget, wireNames } from './walk.js';

/** `maybe`: a predicate over run-time state decides. */
export type Presence = 'yes' | 'no' | 'maybe';

export interface EffectiveField {
  readonly field: string;
  readonly type: string;
  readonly version_id: number;
  readonly present: Presence;
  /** State that the predicate reads, where it is `maybe`. */
  readonly reads?: readonly string[];
  /** Encoded size in all; not given for structures, whose fields have their own. */
  readonly size?: SizeBounds;
  /** Elements of an array; a range where the count is sent or a list grows. */
  readonly count?: SizeBounds;
  /** The local value that the sender's must equal. */
  readonly equals?: string;
  readonly Description?: EffectiveDescription;
}

export interface EffectiveDescription {
  readonly name: string;
  readonly version_id: number;
  readonly minimum_version_id: number;
  /** Whether it is sent at all: sections and subsections with `needed`. */
  readonly present: Presence;
  readonly reads?: readonly string[];
  readonly Fields: readonly EffectiveField[];
  readonly Subsections: readonly EffectiveDescription[];
}

/**
 * Evaluates a description for a configured device. Keys of the state that a field describes, or that are `derived`, are run-time state;
 * any other key is configuration. A predicate that reads none of the former is evaluated, others are `maybe`.
 *
 * @param state the device's state after reset.
 */
export function effectiveSchema<S extends object>(description: Description<S>, state: S): EffectiveDescription {
  return effective(description, state as Keyed, description.version, runTimeKeys(description));
}

function effective(
  description: Description<never>,
  state: Keyed,
  version: number,
  runTime: ReadonlySet<string>,
): EffectiveDescription {
  const names = wireNames(description);
  const sent = new Set(description.fields.filter(({ kind }) => kind === 'scalar').map(({ key }) => key));
  const fields = description.fields.flatMap((field, index): EffectiveField[] =>
    field.kind === 'validate' ? [] : [effectiveField(field, names[index]!, state, version, runTime, sent)],
  );
  return {
    name: description.name,
    version_id: description.version,
    minimum_version_id: description.minVersion,
    ...presenceOf(description.needed as ((state: object) => boolean) | undefined, state, runTime),
    Fields: fields,
    Subsections: description.subsections.map((one) => effective(one, state, one.version, runTime)),
  };
}

/** Keys that some field of the description or of one that runs over the same object carries. */
function runTimeKeys(description: Description<never>): Set<string> {
  const keys = new Set<string>(description.derived);
  for (const field of description.fields) {
    if (field.key !== '') keys.add(field.key);
    else if (field.kind === 'struct') for (const key of runTimeKeys(field.description)) keys.add(key);
  }
  for (const subsection of description.subsections) for (const key of runTimeKeys(subsection)) keys.add(key);
  return keys;
}

type Found = { readonly present: Presence; readonly reads?: readonly string[] };

function presenceOf(predicate: ((state: object) => boolean) | undefined, state: Keyed, runTime: ReadonlySet<string>): Found {
  if (predicate === undefined) return { present: 'yes' };
  const reads = new Set<string>();
  const watched = new Proxy(state, {
    get(target, key, receiver) {
      if (typeof key === 'string' && runTime.has(key)) reads.add(key);
      return Reflect.get(target, key, receiver) as unknown;
    },
    has(target, key) {
      if (typeof key === 'string' && runTime.has(key)) reads.add(key);
      return Reflect.has(target, key);
    },
  });
  try {
    const answer = predicate(watched);
    if (reads.size === 0) return { present: answer ? 'yes' : 'no' };
  } catch {
    // It cannot be asked out of context; a real save may.
  }
  return { present: 'maybe', reads: [...reads].sort() };
}

function effectiveField(
  field: Field,
  name: string,
  state: Keyed,
  version: number,
  runTime: ReadonlySet<string>,
  sent: ReadonlySet<string>,
): EffectiveField {
  const { when } = field;
  const found: Found = when
    ? presenceOf((watched) => when(watched, version), state, runTime)
    : { present: isPresent(field, state, version) ? 'yes' : 'no' };
  const nested = nestedOf(field, state);
  const count = countOf(field, state, sent);
  return {
    field: name,
    type: infoName(field),
    version_id: field.since,
    ...found,
    ...(nested ? {} : { size: fieldBounds(field, state, sent) }),
    ...(count ? { count } : {}),
    ...(field.kind === 'equal' ? { equals: String(state[field.key]) } : {}),
    ...(nested ? { Description: nested } : {}),
  };
}

function nestedOf(field: Field, state: Keyed): EffectiveDescription | undefined {
  const of = (description: Description<object>, sample: object, version = description.version) =>
    effective(description, sample as Keyed, version, runTimeKeys(description));
  switch (field.kind) {
    case 'struct': {
      const target = structTarget(field, state) as object | null;
      return of(field.description, target ?? {}, field.atVersion);
    }
    case 'structArray':
      return of(field.description, (state[field.key] as object[])[field.start] ?? {}, field.atVersion);
    case 'varStructArray':
      return of(field.description, field.create(), field.atVersion);
    case 'list':
    case 'tree':
      return of(field.description, field.create());
    case 'pointerArray':
      return field.item.kind === 'struct' ? of(field.item.description, field.item.create()) : undefined;
    case 'tmp':
      return of(field.description, field.create(state));
    default:
      return undefined;
  }
}

function countOf(field: Field, state: Keyed, sent: ReadonlySet<string>): SizeBounds | undefined {
  const exactly = (count: number): SizeBounds => ({ min: count, max: count });
  const where = new Writer(new Path(field.wire));
  switch (field.kind) {
    case 'array':
    case 'structArray':
      return exactly(fixedLength(field, state[field.key] as Items));
    case 'varArray':
    case 'varStructArray':
      return sent.has(field.count) ? { min: 0, max: field.max } : exactly(extent(where, field, state));
    case 'pointerArray':
      return exactly((state[field.key] as unknown[]).length);
    case 'list':
    case 'tree':
      return { min: 0, max: field.max };
    default:
      return undefined;
  }
}
