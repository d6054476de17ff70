/** What every walk over a description shares: presence, sizes, names and the wrapping of hooks. */

import type { Path } from './bytes.js';
import { type Description, type Field, type ScalarType, StateError, type StateErrorCode } from './description.js';

/** A state with its type erased. */
export type Keyed = Record<string, unknown>;

export const SCALAR_SIZE: Record<ScalarType, number> = { u8: 1, u16: 2, u32: 4, u64: 8, i8: 1, i16: 2, i32: 4, i64: 8 };

/** QEMU's info names of scalars, as the description JSON prints them. */
export const SCALAR_NAME: Record<ScalarType, string> = {
  u8: 'uint8',
  u16: 'uint16',
  u32: 'uint32',
  u64: 'uint64',
  i8: 'int8',
  i16: 'int16',
  i32: 'int32',
  i64: 'int64',
};

export type ScalarItem = number | bigint | boolean;

/** Anything that can be indexed: a plain or a typed array. */
export type Items = { readonly length: number; [index: number]: unknown };

/** QEMU's rule: a `when` test overrules the version. */
export function isPresent(field: Field, state: object, version: number): boolean {
  return field.when === undefined ? field.since <= version : field.when(state, version);
}

/** A member's name in a path: the TypeScript key, or the wire name for members without one. */
export function pathPart(field: Field): string {
  return `.${field.key === '' ? field.wire : field.key}`;
}

/** `parent/child` names lose the parent in a path. */
export function subsectionPart(parent: Description<never>, name: string): string {
  return `/${name.startsWith(`${parent.name}/`) ? name.slice(parent.name.length + 1) : name}`;
}

/** The object that a struct field's description runs over: a member, or the state itself for an inline one. */
export function structTarget(field: Field, state: object): object {
  return field.key === '' ? state : ((state as Keyed)[field.key] as object);
}

/** Elements of a fixed array field. */
export function fixedLength(field: { start: number; length: number | undefined }, items: Items): number {
  return field.length ?? items.length - field.start;
}

/** Wire names made unique as QEMU does: names that occur more than once in a declaration get `[k]`. */
export function wireNames(description: Description<never>): readonly string[] {
  let names = uniqueNames.get(description);
  if (names === undefined) {
    const total = new Map<string, number>();
    for (const { wire } of description.fields) total.set(wire, (total.get(wire) ?? 0) + 1);
    const next = new Map<string, number>();
    names = description.fields.map(({ wire }) => {
      if (total.get(wire) === 1) return wire;
      const k = next.get(wire) ?? 0;
      next.set(wire, k + 1);
      return `${wire}[${k}]`;
    });
    uniqueNames.set(description, names);
  }
  return names;
}

const uniqueNames = new WeakMap<object, readonly string[]>();

/** Runs code of a description's author: whatever it throws becomes a StateError with the present path and offset. */
export function guarded<T>(where: { readonly path: Path; readonly offset: number }, what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof StateError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new StateError('hook-failed', where.path.toString(), where.offset, `${what} refused: ${text}`);
  }
}

/** A StateError at a path without an offset (save, JSON). */
export function failAt(path: Path, code: StateErrorCode, message: string, expected?: string, got?: string): never {
  throw new StateError(code, path.toString(), -1, message, expected, got);
}

/** Whoever knows where it is and can say so. */
export interface Failing {
  fail(code: StateErrorCode, message: string, details?: { expected?: string; got?: string }): never;
}

/** A count kept in the state: negative means none (as QEMU's loops do), more than `max` is refused before anything is allocated. */
export function boundedCount(where: Failing, value: unknown, multiply: number, max: number): number {
  const count = Math.max(Number(value), 0) * multiply;
  if (!(count <= max)) {
    where.fail('out-of-range', `${count} elements, at most ${max} can be held`, { expected: `0 to ${max}`, got: String(count) });
  }
  return count;
}

type Counted = Extract<Field, { kind: 'sizedBytes' | 'bitmap' | 'varArray' | 'varStructArray' | 'unused' }>;

/** Bytes (buffers, bitmaps, unused) or elements (arrays) of a field whose extent is in the state or the description. */
export function extent(where: Failing, field: Counted, state: Keyed): number {
  switch (field.kind) {
    case 'sizedBytes':
      return boundedCount(where, state[field.size], field.multiply, field.max);
    case 'bitmap': {
      const bits = typeof field.bits === 'number' ? field.bits : boundedCount(where, state[field.bits], 1, field.max);
      return Math.ceil(bits / 64) * 8;
    }
    case 'varArray':
      return boundedCount(where, state[field.count], field.multiply, field.max);
    case 'varStructArray':
      return boundedCount(where, state[field.count], 1, field.max);
    case 'unused':
      return field.count === undefined ? field.length : boundedCount(where, state[field.count], 1, field.max!) * field.length;
  }
}

/** The array to load `count` scalars into: a plain one is resized, a typed one replaced if it is too short. */
export function itemsToFill(state: Keyed, key: string, count: number): Items {
  let items = state[key] as Items;
  if (Array.isArray(items)) {
    if (items.length > count) items.length = count;
    while (items.length < count) items.push(0);
  } else if (items.length < count) state[key] = items = new (items.constructor as new (length: number) => Items)(count);
  return items;
}

/** The byte array to load `length` bytes into. */
export function bytesToFill(state: Keyed, key: string, length: number): Uint8Array {
  let bytes = state[key] as Uint8Array;
  if (bytes.length < length) state[key] = bytes = new Uint8Array(length);
  return bytes;
}

/** The structs to load into: `count` of them, existing ones kept. */
export function structsToFill(items: object[], count: number, create: () => object): object[] {
  if (items.length > count) items.length = count;
  while (items.length < count) items.push(create());
  return items;
}

/** Fails unless an array has the elements that are to be saved. */
export function checkLength(where: Failing, items: { readonly length: number }, needed: number): void {
  if (items.length < needed) {
    where.fail('invalid', `the array holds ${items.length} elements, ${needed} are to be saved`, {
      expected: String(needed),
      got: String(items.length),
    });
  }
}

/** The info name that the description JSON prints for a field's elements. */
export function infoName(field: Field): string {
  switch (field.kind) {
    case 'scalar':
      return field.info ?? SCALAR_NAME[field.type];
    case 'array':
      return field.info ?? (field.type === 'bool' ? 'bool' : SCALAR_NAME[field.type]);
    case 'varArray':
      return SCALAR_NAME[field.type];
    case 'equal':
      // QEMU's name for the unsigned 64-bit one.
      return field.type === 'u64' ? 'int64 equal' : `${SCALAR_NAME[field.type]} equal`;
    case 'lessOrEqual':
      return 'int32 le';
    case 'bytes':
      return field.info ?? 'buffer';
    case 'sizedBytes':
      return 'buffer';
    case 'byteArray':
      return 'GByteArray';
    case 'struct':
      return field.info ?? (field.atVersion === undefined ? 'struct' : 'vstruct');
    case 'structArray':
    case 'varStructArray':
      return field.atVersion === undefined ? 'struct' : 'vstruct';
    case 'pointerArray':
      return field.item.kind === 'struct' ? 'struct' : SCALAR_NAME[field.item.type];
    case 'list':
      return field.info;
    case 'tree':
      return 'gtree';
    case 'unused':
      return 'unused_buffer';
    case 'custom':
      return field.codec.type;
    default:
      return field.kind;
  }
}

/** Not a scalar that fits; the text for an error. */
export function hexText(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
