import type { Codec, Description, Field, ScalarType } from './description.js';
import { checkCount, checkEqual, checkLessOrEqual, reverseWords } from './load-field.js';
import { restoreStruct, type TreeWalk, typeNameOf } from './restore.js';
import { type CustomValue, isCustom, type TreeValue } from './tree.js';
import {
  bytesToFill,
  extent,
  fixedLength,
  guarded,
  type Items,
  itemsToFill,
  type Keyed,
  structsToFill,
  structTarget,
} from './walk.js';

/** Puts one value of a tree or of parsed JSON into the state. */
export function restoreField(walk: TreeWalk, field: Field, state: Keyed, version: number, value: unknown): void {
  const { key } = field;
  switch (field.kind) {
    case 'scalar':
      state[key] = field.bool ? toBoolean(walk, value) : toScalar(walk, field.type, value);
      return;
    case 'bool':
      state[key] = toBoolean(walk, value);
      return;
    case 'equal':
      checkEqual(walk, state[key] as number | bigint, toScalar(walk, field.type, value), field.hint);
      return;
    case 'lessOrEqual':
      state[key] = checkLessOrEqual(walk, state[key] as number, toScalar(walk, 'i32', value) as number);
      return;
    case 'timer':
      state[key] = toScalar(walk, 'i64', value);
      return;
    case 'bytes': {
      const target = state[key] as Uint8Array;
      target.set(toBytes(walk, value, fixedLength(field, target)), field.start);
      return;
    }
    case 'byteArray': {
      const bytes = toBytes(walk, value, undefined);
      checkCount(walk, bytes.length, field.max);
      state[key] = bytes;
      return;
    }
    case 'sizedBytes':
    case 'bitmap': {
      const length = extent(walk, field, state);
      const bytes = toBytes(walk, value, length);
      if (field.kind === 'bitmap') reverseWords(bytes, length);
      bytesToFill(state, key, length).set(bytes);
      return;
    }
    case 'array': {
      const items = state[key] as Items;
      restoreScalars(walk, items, field.type, field.start, toList(walk, value, fixedLength(field, items)), field.bool);
      return;
    }
    case 'varArray': {
      const values = toList(walk, value, extent(walk, field, state));
      restoreScalars(walk, itemsToFill(state, key, values.length), field.type, 0, values, false);
      return;
    }
    case 'struct': {
      const target = structTarget(field, state) as object | null;
      if (target === null)
        walk.fail('invalid', 'there is no object here to load into', { expected: field.description.name, got: 'null' });
      restoreStruct(walk, field.description, target, value, field.atVersion ?? field.description.version);
      return;
    }
    case 'structArray': {
      const items = state[key] as object[];
      const values = toList(walk, value, fixedLength(field, items));
      restoreStructs(walk, field.description, items.slice(field.start), values, field.atVersion);
      return;
    }
    case 'varStructArray': {
      const values = toList(walk, value, extent(walk, field, state));
      const items = guarded(walk, 'create', () => structsToFill(state[key] as object[], values.length, field.create));
      restoreStructs(walk, field.description, items, values, field.atVersion);
      return;
    }
    case 'pointerArray':
      restorePointers(walk, field, state[key] as unknown[], value);
      return;
    case 'list': {
      const values = toList(walk, value, undefined);
      checkCount(walk, values.length, field.max);
      const items = guarded(walk, 'create', () => structsToFill([...(state[key] as object[])], values.length, field.create));
      restoreStructs(walk, field.description, items, values, field.since);
      state[key] = items;
      return;
    }
    case 'tree':
      state[key] = restoreTree(walk, field, value);
      return;
    case 'tmp': {
      const scratch = guarded(walk, 'create', () => field.create(state));
      restoreStruct(walk, field.description, scratch, value, field.since);
      return;
    }
    case 'unused':
      return;
    case 'validate':
      if (!guarded(walk, 'validation', () => field.test(state, version)))
        walk.fail('invalid', `input validation failed: ${field.wire}`);
      return;
    case 'custom':
      state[key] = guarded(walk, field.codec.type, () => restoreCustom(walk, field.codec, state[key], value));
      return;
  }
}

function restoreCustom(walk: TreeWalk, codec: Codec<unknown>, current: unknown, value: unknown): unknown {
  if (walk.form === 'json') return codec.fromJson(value, current);
  const bytes = isCustom(value as TreeValue) ? (value as CustomValue).bytes : value;
  if (!(bytes instanceof Uint8Array)) walk.fail('json', 'bytes are expected here', { expected: 'bytes', got: typeNameOf(value) });
  const reader = walk.reader(bytes);
  const result = codec.get(reader, current);
  if (reader.remaining > 0) walk.fail('trailing-data', `${reader.remaining} bytes are left over`);
  return result;
}

const RANGE: Record<Exclude<ScalarType, 'u64' | 'i64'>, readonly [number, number]> = {
  u8: [0, 0xff],
  u16: [0, 0xffff],
  u32: [0, 0xffff_ffff],
  i8: [-0x80, 0x7f],
  i16: [-0x8000, 0x7fff],
  i32: [-0x8000_0000, 0x7fff_ffff],
};

/** Numbers, bigints, and for 64 bits decimal or 0x text; anything else or out of range is refused. */
export function toScalar(walk: TreeWalk, type: ScalarType, value: unknown): number | bigint {
  const wide = type === 'u64' || type === 'i64';
  const exact = toInteger(value, wide);
  if (exact === undefined) walk.fail('json', `a ${type} is expected here`, { expected: type, got: textOf(value) });
  const fits = wide
    ? (type === 'u64' ? BigInt.asUintN(64, exact) : BigInt.asIntN(64, exact)) === exact
    : inRange(type, Number(exact));
  if (!fits) walk.fail('out-of-range', `${exact} is no ${type}`, { expected: type, got: String(exact) });
  return wide ? exact : Number(exact);
}

function toInteger(value: unknown, wide: boolean): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return BigInt(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return wide && typeof value === 'string' && /^(-?\d{1,20}|0x[0-9a-f]{1,16})$/i.test(value) ? BigInt(value) : undefined;
}

function inRange(type: Exclude<ScalarType, 'u64' | 'i64'>, value: number): boolean {
  const [least, most] = RANGE[type];
  return value >= least && value <= most;
}

function toBoolean(walk: TreeWalk, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return Boolean(value);
  return walk.fail('json', 'a boolean is expected here', { expected: 'boolean', got: textOf(value) });
}

/** Bytes or their hex text; a copy. */
function toBytes(walk: TreeWalk, value: unknown, length: number | undefined): Uint8Array {
  const bytes = value instanceof Uint8Array ? value.slice() : fromHex(value);
  if (bytes === undefined) walk.fail('json', 'hexadecimal text is expected here', { expected: 'hex', got: textOf(value) });
  if (length !== undefined && bytes.length !== length) {
    walk.fail('json', `${length} bytes are expected here`, { expected: `${length} bytes`, got: `${bytes.length} bytes` });
  }
  return bytes;
}

export function fromHex(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

function toList(walk: TreeWalk, value: unknown, length: number | undefined): readonly unknown[] {
  if (!Array.isArray(value)) walk.fail('json', 'a list is expected here', { expected: 'list', got: typeNameOf(value) });
  if (length !== undefined && value.length !== length) {
    walk.fail('json', `${length} elements are expected here`, { expected: String(length), got: String(value.length) });
  }
  return value as unknown[];
}

function restoreScalars(
  walk: TreeWalk,
  items: Items,
  type: ScalarType | 'bool',
  start: number,
  values: readonly unknown[],
  bool: boolean,
): void {
  values.forEach((value, i) => {
    walk.path.push(`[${i}]`);
    items[start + i] = bool || type === 'bool' ? toBoolean(walk, value) : toScalar(walk, type, value);
    walk.path.pop();
  });
}

function restoreStructs(
  walk: TreeWalk,
  description: Description<object>,
  items: readonly object[],
  values: readonly unknown[],
  atVersion: number | undefined,
): void {
  values.forEach((value, i) => {
    walk.path.push(`[${i}]`);
    restoreStruct(walk, description, items[i]!, value, atVersion ?? description.version);
    walk.path.pop();
  });
}

function restorePointers(
  walk: TreeWalk,
  { item, marks }: Extract<Field, { kind: 'pointerArray' }>,
  items: unknown[],
  source: unknown,
): void {
  toList(walk, source, items.length).forEach((value, i) => {
    walk.path.push(`[${i}]`);
    if (marks === 'null' && (value === null) !== (items[i] === null)) {
      walk.fail('invalid', 'what is null on one side must be null on the other', {
        expected: items[i] === null ? 'null' : 'a value',
        got: textOf(value),
      });
    }
    if (value === null) items[i] = null;
    else if (item.kind === 'scalar') items[i] = toScalar(walk, item.type, value);
    else {
      items[i] ??= guarded(walk, 'create', () => item.create());
      restoreStruct(walk, item.description, items[i] as object, value, item.description.version);
    }
    walk.path.pop();
  });
}

function restoreTree(walk: TreeWalk, field: Extract<Field, { kind: 'tree' }>, source: unknown): object[] {
  const values = toList(walk, source, undefined);
  checkCount(walk, values.length, field.max);
  return values.map((entry, i) => {
    walk.path.push(`[${i}]`);
    if (typeof entry !== 'object' || entry === null || !('key' in entry) || !('value' in entry)) {
      walk.fail('json', "an object with 'key' and 'value' is expected here", { expected: 'key, value', got: textOf(entry) });
    }
    const value = guarded(walk, 'create', () => field.create());
    let key: unknown = guarded(walk, 'create', () => field.createKey?.());
    if (field.keyDescription === undefined) key = toScalar(walk, 'u64', entry.key);
    else restoreStruct(walk, field.keyDescription, key as object, entry.key, field.keyDescription.version);
    restoreStruct(walk, field.description, value, entry.value, field.since);
    walk.path.pop();
    return { key, value };
  });
}

function textOf(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? typeNameOf(value) : String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
