/** QEMU-binary output and its description JSON in one walk. This walk is the reference for every faster one. */
import { Path, Writer } from './bytes.js';
import type { Description, Field, ScalarType } from './description.js';
import type { VmdescField, VmdescMembers } from './vmdesc.js';
import {
  fixedLength,
  guarded,
  type Items,
  isPresent,
  type Keyed,
  pathPart,
  SCALAR_NAME,
  SCALAR_SIZE,
  structTarget,
  subsectionPart,
  wireNames,
} from './walk.js';

export interface SaveOptions {
  /** Root of the paths in errors, e.g. the section's idstr. Default: the description's name. */
  readonly path?: string;
}

export interface Saved {
  readonly bytes: Uint8Array;
  /** `vmsd_name`, `version`, `fields` and, if any were sent, `subsections`: the members of a `devices` entry. */
  readonly description: VmdescMembers;
}

/**
 * Encodes a state: the data of one section, without header and footer. `needed` of the description itself is the caller's question.
 * @throws {StateError} when a value does not fit its width, a hook refuses or the description is unmigratable.
 */
export function save<S extends object>(description: Description<S>, state: S, options: SaveOptions = {}): Uint8Array {
  const writer = new Writer(new Path(options.path ?? description.name));
  saveDescription(writer, description, state, description.version, undefined);
  return writer.finish();
}

/** {@link save} with the description JSON of exactly what was sent. */
export function saveDescribed<S extends object>(description: Description<S>, state: S, options: SaveOptions = {}): Saved {
  const writer = new Writer(new Path(options.path ?? description.name));
  const members = emptyMembers(description, description.version);
  saveDescription(writer, description, state, description.version, members);
  return { bytes: writer.finish(), description: members };
}

/** The description JSON alone. Runs `preSave` and `postSave`, because what is sent may depend on them. */
export function describe<S extends object>(description: Description<S>, state: S, options: SaveOptions = {}): VmdescMembers {
  return saveDescribed(description, state, options).description;
}

function emptyMembers(description: Description<never>, version: number): VmdescMembers {
  return { vmsd_name: description.name, version, fields: [] };
}

/** Writes fields and needed subsections at `version`; fills `members` where it is given. */
export function saveDescription<S extends object>(
  writer: Writer,
  description: Description<S>,
  state: S,
  version: number,
  members: VmdescMembers | undefined,
): void {
  if (description.unmigratable !== undefined) writer.fail('unmigratable', description.unmigratable);
  const where = { path: writer.path, offset: -1 };
  guarded(where, 'preSave', () => description.preSave?.(state));
  try {
    const names = members === undefined ? undefined : wireNames(description);
    description.fields.forEach((field, index) => {
      writer.path.push(pathPart(field));
      if (guarded(where, 'field test', () => isPresent(field, state, version))) {
        const described = names && { name: names[index]!, into: members!.fields };
        saveField(writer, field, state as Keyed, version, described);
      }
      writer.path.pop();
    });
    saveSubsections(writer, description, state, members);
  } finally {
    guarded(where, 'postSave', () => description.postSave?.(state));
  }
}

function saveSubsections<S extends object>(
  writer: Writer,
  description: Description<S>,
  state: S,
  members: VmdescMembers | undefined,
): void {
  for (const subsection of description.subsections) {
    writer.path.push(subsectionPart(description, subsection.name));
    const needed = guarded({ path: writer.path, offset: -1 }, 'needed', () => subsection.needed?.(state) ?? true);
    if (needed) {
      const name = new Uint8Array([...subsection.name].map((character) => character.charCodeAt(0)));
      writer.u8(5);
      writer.u8(name.length);
      writer.bytes(name);
      writer.u32(subsection.version);
      const described = members && emptyMembers(subsection, subsection.version);
      saveDescription(writer, subsection, state, subsection.version, described);
      if (members && described) {
        members.subsections ??= [];
        members.subsections.push(described);
      }
    }
    writer.path.pop();
  }
}

/** Where a field's entries go; undefined when only bytes are wanted. */
type Described = { readonly name: string; readonly into: VmdescField[] } | undefined;

function saveField(writer: Writer, field: Field, state: Keyed, version: number, described: Described): void {
  const start = writer.length;
  const { key } = field;
  const single = (type: string, members?: object) => {
    described?.into.push({ name: described.name, type, ...members, size: writer.length - start });
  };
  switch (field.kind) {
    case 'scalar':
      writeScalar(writer, field.type, state[key]);
      single(SCALAR_NAME[field.type]);
      return;
    case 'bool':
      writer.u8(state[key] ? 1 : 0);
      single('bool');
      return;
    case 'equal':
      writeScalar(writer, field.type, state[key]);
      single(field.type === 'u64' ? 'int64 equal' : `${SCALAR_NAME[field.type]} equal`);
      return;
    case 'lessOrEqual':
      writer.i32(state[key] as number);
      single('int32 le');
      return;
    case 'timer':
      writer.i64(state[key] as bigint);
      single('timer');
      return;
    case 'bytes': {
      const source = state[key] as Uint8Array;
      const length = fixedLength(field, source);
      checkLength(writer, source, field.start + length);
      writer.bytes(source.subarray(field.start, field.start + length));
      single('buffer');
      return;
    }
    case 'sizedBytes': {
      const source = state[key] as Uint8Array;
      const length = boundedCount(writer, state[field.size], field.max, field.multiply);
      checkLength(writer, source, length);
      writer.bytes(source.subarray(0, length));
      single('buffer');
      return;
    }
    case 'array': {
      const items = state[key] as Items;
      saveScalars(writer, field, items, field.type, field.start, fixedLength(field, items), described);
      return;
    }
    case 'varArray': {
      const count = boundedCount(writer, state[field.count], field.max, 1);
      saveScalars(writer, field, state[key] as Items, field.type, 0, count, described);
      return;
    }
    case 'struct': {
      const { description, atVersion } = field;
      const at = atVersion ?? description.version;
      const members = described && emptyMembers(description, at);
      saveDescription(writer, description, structTarget(field, state), at, members);
      if (atVersion === undefined) single('struct', { struct: members });
      else single('vstruct', members);
      return;
    }
    case 'structArray':
      saveStructs(writer, field, field.description, state[key] as Items, (state[key] as Items).length, described);
      return;
    case 'varStructArray': {
      const count = boundedCount(writer, state[field.count], field.max, 1);
      saveStructs(writer, field, field.description, state[key] as Items, count, described);
      return;
    }
    case 'tmp': {
      const { description } = field;
      const members = described && emptyMembers(description, description.version);
      const scratch = guarded({ path: writer.path, offset: -1 }, 'create', () => field.create(state));
      saveDescription(writer, description, scratch, description.version, members);
      single('tmp', members);
      return;
    }
    case 'unused':
      writer.zeros(field.length);
      single('unused_buffer');
      return;
    case 'validate':
      if (!guarded({ path: writer.path, offset: -1 }, 'validation', () => field.test(state, version))) {
        writer.fail('invalid', `the state is not valid: ${field.wire}`);
      }
      return;
    case 'custom':
      guarded({ path: writer.path, offset: -1 }, field.codec.type, () => field.codec.put(writer, state[key]));
      single(field.codec.type);
      return;
  }
}

/** Booleans that travel as integers become 0 or 1; everything else must already be a value of the type. */
function writeScalar(writer: Writer, type: ScalarType, value: unknown): void {
  if (type === 'u64' || type === 'i64') writer[type](typeof value === 'boolean' ? BigInt(value) : (value as bigint));
  else writer[type](typeof value === 'boolean' ? Number(value) : (value as number));
}

function saveScalars(
  writer: Writer,
  field: Field,
  items: Items,
  type: ScalarType,
  start: number,
  count: number,
  described: Described,
): void {
  checkLength(writer, items, start + count);
  for (let i = start; i < start + count; i++) writeScalar(writer, type, items[i]);
  const entry = { type: SCALAR_NAME[type], size: SCALAR_SIZE[type] };
  if (count > 0) describeArray(described, count, field.when === undefined, () => entry);
}

function saveStructs(
  writer: Writer,
  field: Field,
  description: Description<object>,
  items: Items,
  count: number,
  described: Described,
): void {
  checkLength(writer, items, count);
  const entries: Omit<VmdescField, 'name'>[] = [];
  const compressible = isCompressible(field);
  for (let i = 0; i < count; i++) {
    const members = described && (i === 0 || !compressible) ? emptyMembers(description, description.version) : undefined;
    const start = writer.length;
    writer.path.push(`[${i}]`);
    saveDescription(writer, description, items[i] as object, description.version, members);
    writer.path.pop();
    if (members) entries.push({ type: 'struct', struct: members, size: writer.length - start });
  }
  if (count > 0) describeArray(described, count, compressible, (i) => entries[i]!);
}

/** One entry with `array_len` for a compressible array, else one entry with `index` for each element; neither for a single element. */
function describeArray(
  described: Described,
  count: number,
  compressible: boolean,
  entry: (index: number) => Omit<VmdescField, 'name'>,
): void {
  if (!described) return;
  const { name, into } = described;
  if (count === 1) into.push({ name, ...entry(0) });
  else if (compressible) into.push({ name, array_len: count, ...entry(0) });
  else for (let index = 0; index < count; index++) into.push({ name, index, ...entry(index) });
}

/** QEMU's rule: no field test here or anywhere below, and no subsections below. */
export function isCompressible(field: Field): boolean {
  if (field.when !== undefined) return false;
  if (field.kind !== 'struct' && field.kind !== 'structArray' && field.kind !== 'varStructArray') return true;
  if (field.kind === 'struct' && field.atVersion !== undefined) return true;
  return field.description.subsections.length === 0 && field.description.fields.every(isCompressible);
}

function boundedCount(writer: Writer, value: unknown, max: number, multiply: number): number {
  const count = Math.max(Number(value), 0) * multiply;
  if (!(count <= max)) {
    writer.fail('out-of-range', `${count} elements, at most ${max} can be held`, { expected: `0 to ${max}`, got: String(count) });
  }
  return count;
}

function checkLength(writer: Writer, items: Items | Uint8Array, needed: number): void {
  if (items.length < needed) {
    writer.fail('invalid', `the array holds ${items.length} elements, ${needed} are to be saved`, {
      expected: String(needed),
      got: String(items.length),
    });
  }
}
