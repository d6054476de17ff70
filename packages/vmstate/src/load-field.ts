import type { Reader } from './bytes.js';
import type { Description, Field, ScalarType } from './description.js';
import { loadDescription } from './load.js';
import { NULL_MARK, POINTER_MARK } from './tree.js';
import {
  bytesToFill,
  extent,
  fixedLength,
  guarded,
  hexText,
  type Items,
  itemsToFill,
  type Keyed,
  SCALAR_SIZE,
  structsToFill,
  structTarget,
} from './walk.js';

/** Reads one field that is present into the state. */
export function loadField(reader: Reader, field: Field, state: Keyed, version: number): void {
  const { key } = field;
  switch (field.kind) {
    case 'scalar': {
      const value = reader[field.type]();
      state[key] = field.bool ? Boolean(value) : value;
      return;
    }
    case 'bool':
      state[key] = reader.u8() !== 0;
      return;
    case 'equal':
      checkEqual(reader, state[key] as number | bigint, reader[field.type](), field.hint);
      return;
    case 'lessOrEqual':
      state[key] = checkLessOrEqual(reader, state[key] as number, reader.i32());
      return;
    case 'timer':
      state[key] = reader.i64();
      return;
    case 'bytes': {
      const target = state[key] as Uint8Array;
      reader.bytesInto(target, field.start, fixedLength(field, target));
      return;
    }
    case 'sizedBytes':
    case 'bitmap':
    case 'byteArray':
      loadBytes(reader, field, state);
      return;
    case 'array': {
      const items = state[key] as Items;
      loadScalars(reader, items, field.type, field.start, fixedLength(field, items), field.bool);
      return;
    }
    case 'varArray': {
      const count = extent(reader, field, state);
      reader.require(count * SCALAR_SIZE[field.type]);
      loadScalars(reader, itemsToFill(state, key, count), field.type, 0, count, false);
      return;
    }
    case 'struct': {
      const target = structTarget(field, state) as object | null;
      if (target === null)
        reader.fail('invalid', 'there is no object here to load into', { expected: field.description.name, got: 'null' });
      loadDescription(reader, field.description, target, field.atVersion ?? field.description.version);
      return;
    }
    case 'structArray': {
      const items = state[key] as object[];
      loadStructs(reader, items, field.start, fixedLength(field, items), field.description, field.atVersion);
      return;
    }
    case 'varStructArray': {
      const count = extent(reader, field, state);
      const items = guarded(reader, 'create', () => structsToFill(state[key] as object[], count, field.create));
      loadStructs(reader, items, 0, count, field.description, field.atVersion);
      return;
    }
    case 'pointerArray':
      loadPointers(reader, field, state[key] as unknown[]);
      return;
    case 'list':
      state[key] = loadList(reader, field, state[key] as object[]);
      return;
    case 'tree':
      state[key] = loadTree(reader, field, state[key] as object[]);
      return;
    case 'tmp': {
      const scratch = guarded(reader, 'create', () => field.create(state));
      loadDescription(reader, field.description, scratch, field.since);
      return;
    }
    case 'unused':
      reader.skip(extent(reader, field, state));
      return;
    case 'validate':
      if (!guarded(reader, 'validation', () => field.test(state, version)))
        reader.object('invalid', `input validation failed: ${field.wire}`);
      return;
    case 'custom':
      state[key] = guarded(reader, field.codec.type, () => field.codec.get(reader, state[key]) as unknown);
      return;
  }
}

/** A reader or a walk over a tree. */
type Fails = Pick<Reader, 'fail'>;
type Objects = Pick<Reader, 'object'>;

export function checkEqual(where: Objects, local: number | bigint, value: number | bigint, hint: string | undefined): void {
  if (value === local) return;
  const because = hint === undefined ? '' : ` (${hint})`;
  where.object('not-equal', `${hexText(value)} does not equal ${hexText(local)} here${because}`, {
    expected: hexText(local),
    got: hexText(value),
  });
}

export function checkLessOrEqual(where: Objects, most: number, value: number): number {
  if (value < 0 || value > most) {
    where.object('out-of-range', `${value} is not between 0 and ${most}`, { expected: `0 to ${most}`, got: String(value) });
  }
  return value;
}

function loadBytes(reader: Reader, field: Extract<Field, { kind: 'sizedBytes' | 'bitmap' | 'byteArray' }>, state: Keyed): void {
  if (field.kind === 'byteArray') {
    const length = checkCount(reader, reader.u32(), field.max);
    state[field.key] = reader.bytes(length);
    return;
  }
  const length = extent(reader, field, state);
  reader.require(length);
  const target = bytesToFill(state, field.key, length);
  reader.bytesInto(target, 0, length);
  if (field.kind === 'bitmap') reverseWords(target, length);
}

/** Big-endian 64-bit words to least significant byte first, and back. */
export function reverseWords(bytes: Uint8Array, length: number): void {
  for (let at = 0; at < length; at += 8) bytes.subarray(at, at + 8).reverse();
}

/** A count that was read from the wire. */
export function checkCount(where: Fails, count: number, max: number): number {
  if (count > max)
    where.fail('out-of-range', `${count} elements, at most ${max} can be held`, { expected: `0 to ${max}`, got: String(count) });
  return count;
}

function loadScalars(reader: Reader, items: Items, type: ScalarType | 'bool', start: number, count: number, bool: boolean): void {
  for (let i = start; i < start + count; i++) {
    const value = type === 'bool' ? reader.u8() : reader[type]();
    items[i] = bool || type === 'bool' ? Boolean(value) : value;
  }
}

function loadStructs(
  reader: Reader,
  items: readonly object[],
  start: number,
  count: number,
  description: Description<object>,
  atVersion: number | undefined,
): void {
  for (let i = start; i < start + count; i++) {
    reader.path.push(`[${i}]`);
    loadDescription(reader, description, items[i]!, atVersion ?? description.version);
    reader.path.pop();
  }
}

function loadPointers(reader: Reader, { item, marks }: Extract<Field, { kind: 'pointerArray' }>, items: unknown[]): void {
  for (let i = 0; i < items.length; i++) {
    reader.path.push(`[${i}]`);
    if (marks === 'each') {
      const mark = reader.u8();
      if (mark !== NULL_MARK && mark !== POINTER_MARK) wrongMark(reader, mark, '48 or 49');
      if (mark === NULL_MARK) items[i] = null;
      else items[i] ??= item.kind === 'struct' ? guarded(reader, 'create', () => item.create()) : 0;
    } else if (items[i] === null) {
      const mark = reader.u8();
      if (mark !== NULL_MARK) wrongMark(reader, mark, '48');
    }
    if (items[i] !== null) {
      if (item.kind === 'scalar') items[i] = reader[item.type]();
      else loadDescription(reader, item.description, items[i] as object, item.description.version);
    }
    reader.path.pop();
  }
}

function wrongMark(reader: Reader, mark: number, expected: string): never {
  reader.fail('invalid', `byte ${mark} is no mark of a pointer`, { expected, got: String(mark) });
}

/** Elements that are there already are loaded into, in order, so that their identity survives. */
function loadList(reader: Reader, field: Extract<Field, { kind: 'list' }>, old: readonly object[]): object[] {
  const items: object[] = [];
  while (reader.u8() !== 0) {
    reader.path.push(`[${items.length}]`);
    checkCount(reader, items.length + 1, field.max);
    const item = old[items.length] ?? guarded(reader, 'create', () => field.create());
    loadDescription(reader, field.description, item, field.since);
    items.push(item);
    reader.path.pop();
  }
  return items;
}

function loadTree(reader: Reader, field: Extract<Field, { kind: 'tree' }>, old: readonly object[]): object[] {
  const count = checkCount(reader, reader.u32(), field.max);
  const nodes: Keyed[] = [];
  while (reader.u8() !== 0) {
    reader.path.push(`[${nodes.length}]`);
    checkCount(reader, nodes.length + 1, count);
    const node: Keyed = (old[nodes.length] as Keyed | undefined) ?? {
      key: guarded(reader, 'create', () => field.createKey?.() ?? 0n),
      value: guarded(reader, 'create', () => field.create()),
    };
    if (field.keyDescription === undefined) node.key = reader.u64();
    else loadDescription(reader, field.keyDescription, node.key as object, field.keyDescription.version);
    loadDescription(reader, field.description, node.value as object, field.since);
    nodes.push(node);
    reader.path.pop();
  }
  if (nodes.length !== count) {
    reader.fail('invalid', `the tree ends after ${nodes.length} of ${count} nodes`, {
      expected: String(count),
      got: String(nodes.length),
    });
  }
  return nodes;
}
