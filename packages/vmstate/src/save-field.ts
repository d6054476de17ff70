import type { Writer } from './bytes.js';
import type { Description, Field, ScalarType } from './description.js';
import { reverseWords } from './load-field.js';
import { emptyMembers, saveDescription } from './save.js';
import { NULL_MARK, POINTER_MARK } from './tree.js';
import type { VmdescField } from './vmdesc.js';
import {
  checkLength,
  extent,
  fixedLength,
  guarded,
  type Items,
  infoName,
  type Keyed,
  SCALAR_NAME,
  SCALAR_SIZE,
  structTarget,
} from './walk.js';

/** Where a field's entries go; undefined when only bytes are wanted. */
export type Described = { readonly name: string; readonly into: VmdescField[] } | undefined;

type Entry = Omit<VmdescField, 'name'>;

/** Writes one field that is present and, if wanted, its entries of the description JSON. */
export function saveField(writer: Writer, field: Field, state: Keyed, version: number, described: Described): void {
  const start = writer.length;
  const { key } = field;
  const where = { path: writer.path, offset: -1 };
  const single = (type = infoName(field), members?: object) => {
    described?.into.push({ name: described.name, type, ...members, size: writer.length - start });
  };
  switch (field.kind) {
    case 'scalar':
    case 'equal':
      writeScalar(writer, field.type, state[key]);
      single();
      return;
    case 'bool':
      writer.u8(state[key] ? 1 : 0);
      single();
      return;
    case 'lessOrEqual':
      writer.i32(state[key] as number);
      single();
      return;
    case 'timer':
      writer.i64(state[key] as bigint);
      single();
      return;
    case 'bytes': {
      const source = state[key] as Uint8Array;
      const end = field.start + fixedLength(field, source);
      checkLength(writer, source, end);
      writer.bytes(source.subarray(field.start, end));
      single();
      return;
    }
    case 'sizedBytes':
    case 'bitmap':
    case 'byteArray':
      saveBytes(writer, field, state);
      single();
      return;
    case 'array': {
      const items = state[key] as Items;
      saveScalars(writer, field, items, field.type, field.start, fixedLength(field, items), described);
      return;
    }
    case 'varArray':
      saveScalars(writer, field, state[key] as Items, field.type, 0, extent(writer, field, state), described);
      return;
    case 'struct': {
      const { description, atVersion } = field;
      const at = atVersion ?? description.version;
      const members = described && emptyMembers(description, at);
      const target = structTarget(field, state) as object | null;
      if (target === null) writer.fail('invalid', 'there is no object here to save', { expected: description.name, got: 'null' });
      saveDescription(writer, description, target, at, members);
      if (infoName(field) === 'struct') single('struct', { struct: members });
      else single(infoName(field), members);
      return;
    }
    case 'structArray': {
      const items = state[key] as object[];
      saveStructs(writer, field, items, field.start, fixedLength(field, items), described);
      return;
    }
    case 'varStructArray':
      saveStructs(writer, field, state[key] as object[], 0, extent(writer, field, state), described);
      return;
    case 'pointerArray':
      savePointers(writer, field, state[key] as readonly unknown[], described);
      return;
    case 'list':
    case 'tree': {
      const items = state[key] as readonly object[];
      checkMost(writer, items.length, field.max);
      const members = described && items.length > 0 ? emptyMembers(field.description, field.description.version) : undefined;
      if (field.kind === 'tree') writer.u32(items.length);
      items.forEach((item, index) => {
        writer.path.push(`[${index}]`);
        writer.u8(1);
        saveNode(writer, field, item, index === 0 ? members : undefined);
        writer.path.pop();
      });
      writer.u8(0);
      single(infoName(field), members);
      return;
    }
    case 'tmp': {
      const { description } = field;
      const members = described && emptyMembers(description, description.version);
      const scratch = guarded(where, 'create', () => field.create(state));
      saveDescription(writer, description, scratch, description.version, members);
      single('tmp', members);
      return;
    }
    case 'unused':
      writer.zeros(extent(writer, field, state));
      single();
      return;
    case 'validate':
      if (!guarded(where, 'validation', () => field.test(state, version)))
        writer.fail('invalid', `the state is not valid: ${field.wire}`);
      return;
    case 'custom':
      guarded(where, field.codec.type, () => field.codec.put(writer, state[key]));
      single();
      return;
  }
}

/** Booleans that travel as integers become 0 or 1; everything else must already be a value of the type. */
export function writeScalar(writer: Writer, type: ScalarType, value: unknown): void {
  if (type === 'u64' || type === 'i64') writer[type](typeof value === 'boolean' ? BigInt(value) : (value as bigint));
  else writer[type](typeof value === 'boolean' ? Number(value) : (value as number));
}

function saveBytes(writer: Writer, field: Extract<Field, { kind: 'sizedBytes' | 'bitmap' | 'byteArray' }>, state: Keyed): void {
  const source = state[field.key] as Uint8Array;
  if (field.kind === 'byteArray') {
    checkMost(writer, source.length, field.max);
    writer.u32(source.length);
    writer.bytes(source);
    return;
  }
  const length = extent(writer, field, state);
  checkLength(writer, source, length);
  const sent = field.kind === 'bitmap' ? source.slice(0, length) : source.subarray(0, length);
  if (field.kind === 'bitmap') reverseWords(sent, length);
  writer.bytes(sent);
}

function checkMost(writer: Writer, count: number, max: number): void {
  if (count > max)
    writer.fail('out-of-range', `${count} elements, at most ${max} can be held`, { expected: `0 to ${max}`, got: String(count) });
}

function saveScalars(
  writer: Writer,
  field: Field,
  items: Items,
  type: ScalarType | 'bool',
  start: number,
  count: number,
  described: Described,
): void {
  checkLength(writer, items, start + count);
  for (let i = start; i < start + count; i++) {
    if (type === 'bool') writer.u8(items[i] ? 1 : 0);
    else writeScalar(writer, type, items[i]);
  }
  const entry = { type: infoName(field), size: type === 'bool' ? 1 : SCALAR_SIZE[type] };
  describeRun(described, 0, count, field.when === undefined, () => entry);
}

function saveStructs(
  writer: Writer,
  field: Extract<Field, { kind: 'structArray' | 'varStructArray' }>,
  items: readonly object[],
  start: number,
  count: number,
  described: Described,
): void {
  checkLength(writer, items, start + count);
  const { description, atVersion } = field;
  const at = atVersion ?? description.version;
  const entries: Entry[] = [];
  const compressible = isCompressible(field);
  for (let i = start; i < start + count; i++) {
    const members = described && (i === start || !compressible) ? emptyMembers(description, at) : undefined;
    const from = writer.length;
    writer.path.push(`[${i}]`);
    saveDescription(writer, description, items[i]!, at, members);
    writer.path.pop();
    if (members) entries.push(structEntry(atVersion, members, writer.length - from));
  }
  describeRun(described, 0, count, compressible, (i) => entries[i]!);
}

export function structEntry(atVersion: number | undefined, members: ReturnType<typeof emptyMembers>, size: number): Entry {
  return atVersion === undefined ? { type: 'struct', struct: members, size } : { type: 'vstruct', ...members, size };
}

/** In the description JSON nulls and other elements are separate runs, as QEMU 10.0 prints them (older ones describe such arrays wrongly). */
function savePointers(
  writer: Writer,
  field: Extract<Field, { kind: 'pointerArray' }>,
  items: readonly unknown[],
  described: Described,
): void {
  const { item, marks } = field;
  const entries: Entry[] = [];
  items.forEach((value, index) => {
    writer.path.push(`[${index}]`);
    if (marks === 'each') {
      writer.u8(value === null ? NULL_MARK : POINTER_MARK);
      entries.push({ type: 'ptr-marker', size: 1 });
    } else if (value === null) {
      writer.u8(NULL_MARK);
      entries.push({ type: 'nullptr', size: 1 });
    }
    const from = writer.length;
    if (value !== null) {
      if (item.kind === 'scalar') {
        writeScalar(writer, item.type, value);
        entries.push({ type: SCALAR_NAME[item.type], size: SCALAR_SIZE[item.type] });
      } else {
        const members = emptyMembers(item.description, item.description.version);
        saveDescription(writer, item.description, value as object, item.description.version, described && members);
        entries.push({ type: 'struct', struct: members, size: writer.length - from });
      }
    }
    writer.path.pop();
  });
  const compressible = isCompressible(field);
  for (let from = 0; from < entries.length; ) {
    let end = from + 1;
    while (end < entries.length && entries[end]!.type === entries[from]!.type) end++;
    describeRun(described, from, end, compressible || entries[from]!.struct === undefined, (i) => entries[i]!);
    from = end;
  }
}

function saveNode(
  writer: Writer,
  field: Extract<Field, { kind: 'list' | 'tree' }>,
  item: object,
  members: ReturnType<typeof emptyMembers> | undefined,
): void {
  const { description } = field;
  if (field.kind === 'list') {
    saveDescription(writer, description, item, description.version, members);
    return;
  }
  const { key, value } = item as { key: bigint | object; value: object };
  if (typeof key === 'bigint') writer.u64(key);
  else saveDescription(writer, field.keyDescription as Description<object>, key, field.keyDescription!.version, undefined);
  saveDescription(writer, description, value, description.version, members);
}

/** One entry with `array_len` for a compressible run, else one entry with `index` for each element; neither for a single element. */
export function describeRun(
  described: Described,
  from: number,
  end: number,
  compressible: boolean,
  entry: (index: number) => Entry,
): void {
  if (!described || end === from) return;
  const { name, into } = described;
  if (end - from === 1) into.push({ name, ...entry(from) });
  else if (compressible) into.push({ name, array_len: end - from, ...entry(from) });
  else for (let index = from; index < end; index++) into.push({ name, index, ...entry(index) });
}

/** QEMU's rule: no field test here or anywhere below, and no subsections below. */
export function isCompressible(field: Field): boolean {
  if (field.when !== undefined) return false;
  const nested = nestedOf(field);
  return nested === undefined || (nested.subsections.length === 0 && nested.fields.every(isCompressible));
}

function nestedOf(field: Field): Description<object> | undefined {
  if (field.kind === 'pointerArray') return field.item.kind === 'struct' ? field.item.description : undefined;
  if (field.kind !== 'struct' && field.kind !== 'structArray' && field.kind !== 'varStructArray') return undefined;
  return field.atVersion === undefined ? field.description : undefined;
}
