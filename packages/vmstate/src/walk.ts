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
