/** QEMU-binary input. This walk over the description is the reference for every faster one. */
import { Path, Reader } from './bytes.js';
import { cloneState, copyState } from './clone.js';
import type { Description, Field, ScalarType } from './description.js';
import {
  fixedLength,
  guarded,
  type Items,
  isPresent,
  type Keyed,
  pathPart,
  SCALAR_SIZE,
  structTarget,
  subsectionPart,
} from './walk.js';

export interface LoadOptions {
  /** First byte of the section's data. Default 0. */
  readonly offset?: number;
  /** Root of the paths in errors, e.g. the section's idstr. Default: the description's name. */
  readonly path?: string;
}

/** A decoded section that has not touched the state yet. */
export interface Decoded {
  /** Offset behind the last byte read. */
  readonly end: number;
  /** Puts the decoded values into the live state; cannot fail. */
  commit(): void;
}

/**
 * Decodes into a copy of `state`, runs every check and hook on the copy and returns the action that puts it in place.
 * Absent fields and subsections keep what `state` (or `preLoad`) says.
 *
 * @throws {StateError} for anything wrong with the data; `state` is then as it was.
 */
export function decode<S extends object>(
  description: Description<S>,
  state: S,
  bytes: Uint8Array,
  offset = 0,
  version = description.version,
  options: { readonly path?: string } = {},
): Decoded {
  const fresh = cloneState(state);
  const reader = new Reader(bytes, offset, new Path(options.path ?? description.name));
  loadDescription(reader, description, fresh, version);
  return { end: reader.offset, commit: () => copyState(state, fresh) };
}

/**
 * Loads one section's data into `state`: all of it or, when it throws, nothing.
 *
 * @param version the version on the wire (section header); default: the description's own.
 * @returns the offset behind the section. Surplus data is the caller's to find (QEMU does by its section footer).
 * @throws {StateError}
 */
export function load<S extends object>(
  description: Description<S>,
  state: S,
  bytes: Uint8Array,
  version = description.version,
  options: LoadOptions = {},
): number {
  const decoded = decode(description, state, bytes, options.offset ?? 0, version, options);
  decoded.commit();
  return decoded.end;
}

/** Reads one description's data straight into `state`, which is half changed if it throws. */
export function loadDescription<S extends object>(reader: Reader, description: Description<S>, state: S, version: number): void {
  checkVersion(reader, description, version);
  guarded(reader, 'preLoad', () => description.preLoad?.(state));
  for (const field of description.fields) {
    reader.path.push(pathPart(field));
    if (guarded(reader, 'field test', () => isPresent(field, state, version))) loadField(reader, field, state as Keyed, version);
    reader.path.pop();
  }
  loadSubsections(reader, description, state);
  guarded(reader, 'postLoad', () => description.postLoad?.(state, version));
}

function checkVersion(reader: Reader, { version: own, minVersion, name }: Description<never>, version: number): void {
  if (version > own) {
    reader.fail('version-too-new', `version ${version} of ${name} is newer than ${own}, the newest known here`, {
      expected: `${minVersion} to ${own}`,
      got: String(version),
    });
  }
  if (version < minVersion) {
    reader.fail('version-too-old', `version ${version} of ${name} is older than ${minVersion}, the oldest that can be loaded`, {
      expected: `${minVersion} to ${own}`,
      got: String(version),
    });
  }
}

function loadField(reader: Reader, field: Field, state: Keyed, version: number): void {
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
    case 'equal': {
      const local = state[key] as number | bigint;
      const value = reader[field.type]();
      if (value === local) return;
      const hint = field.hint === undefined ? '' : ` (${field.hint})`;
      reader.fail('not-equal', `${hex(value)} does not equal ${hex(local)} here${hint}`, {
        expected: hex(local),
        got: hex(value),
      });
      return;
    }
    case 'lessOrEqual': {
      const most = state[key] as number;
      const value = reader.i32();
      if (value < 0 || value > most) {
        reader.fail('out-of-range', `${value} is not between 0 and ${most}`, { expected: `0 to ${most}`, got: String(value) });
      }
      state[key] = value;
      return;
    }
    case 'timer':
      state[key] = reader.i64();
      return;
    case 'bytes': {
      const target = state[key] as Uint8Array;
      reader.bytesInto(target, field.start, fixedLength(field, target));
      return;
    }
    case 'sizedBytes': {
      const length = boundedCount(reader, state[field.size], field.max, field.multiply);
      reader.require(length);
      let target = state[key] as Uint8Array;
      if (target.length < length) state[key] = target = new Uint8Array(length);
      reader.bytesInto(target, 0, length);
      return;
    }
    case 'array': {
      const items = state[key] as Items;
      loadScalars(reader, items, field.type, field.start, fixedLength(field, items), field.bool);
      return;
    }
    case 'varArray': {
      const count = boundedCount(reader, state[field.count], field.max, 1);
      reader.require(count * SCALAR_SIZE[field.type]);
      let items = state[key] as Items;
      if (Array.isArray(items)) items.length = count;
      else if (items.length < count) state[key] = items = new (items.constructor as new (length: number) => Items)(count);
      loadScalars(reader, items, field.type, 0, count, false);
      return;
    }
    case 'struct': {
      loadDescription(reader, field.description, structTarget(field, state), field.atVersion ?? field.description.version);
      return;
    }
    case 'structArray':
      loadStructs(reader, state[key] as Items, field.description);
      return;
    case 'varStructArray': {
      const count = boundedCount(reader, state[field.count], field.max, 1);
      const items = state[key] as object[];
      items.length = Math.min(items.length, count);
      while (items.length < count) items.push(field.create());
      loadStructs(reader, items, field.description);
      return;
    }
    case 'tmp': {
      const scratch = guarded(reader, 'create', () => field.create(state));
      loadDescription(reader, field.description, scratch, field.since);
      return;
    }
    case 'unused':
      reader.skip(field.length);
      return;
    case 'validate':
      if (!guarded(reader, 'validation', () => field.test(state, version)))
        reader.fail('invalid', `input validation failed: ${field.wire}`);
      return;
    case 'custom':
      state[key] = guarded(reader, field.codec.type, () => field.codec.get(reader, state[key]) as unknown);
      return;
  }
}

function loadScalars(reader: Reader, items: Items, type: ScalarType, start: number, count: number, bool: boolean): void {
  for (let i = start; i < start + count; i++) {
    const value = reader[type]();
    items[i] = bool ? Boolean(value) : value;
  }
}

function loadStructs(reader: Reader, items: Items, description: Description<object>): void {
  for (let i = 0; i < items.length; i++) {
    reader.path.push(`[${i}]`);
    loadDescription(reader, description, items[i] as object, description.version);
    reader.path.pop();
  }
}

/** A count read from the state: negative means none (as QEMU's loop does), more than `max` is refused before anything is allocated. */
function boundedCount(reader: Reader, value: unknown, max: number, multiply: number): number {
  const count = Math.max(Number(value), 0) * multiply;
  if (!(count <= max)) {
    reader.fail('out-of-range', `${count} elements, at most ${max} can be held`, { expected: `0 to ${max}`, got: String(count) });
  }
  return count;
}

/**
 * Subsections after the fields of *every* description: byte 5, a name at least one longer than the parent's that begins with it.
 * Anything else is left unread for whoever comes next.
 */
function loadSubsections<S extends object>(reader: Reader, description: Description<S>, state: S): void {
  for (;;) {
    const name = peekSubsection(reader, description.name);
    if (name === undefined) return;
    const subsection = description.subsections.find((candidate) => candidate.name === name);
    if (subsection === undefined) {
      const known = description.subsections.map((candidate) => candidate.name).join(', ');
      reader.fail('unknown-subsection', `subsection '${name}' of '${description.name}' is not known here`, {
        expected: known === '' ? 'no subsection' : known,
        got: name,
      });
    }
    reader.path.push(subsectionPart(description, name));
    reader.skip(2 + name.length);
    // The loader keeps 8 bits of the version word, as QEMU does.
    loadDescription(reader, subsection, state, reader.u32() & 0xff);
    reader.path.pop();
  }
}

/** The name of a subsection of `parent` that begins at the next byte, or undefined. */
export function peekSubsection(reader: Reader, parent: string): string | undefined {
  if (reader.peek(0) !== 5) return undefined;
  const length = reader.peek(1);
  if (length === undefined || length < parent.length + 1 || reader.remaining < 2 + length) return undefined;
  for (let i = 0; i < parent.length; i++) if (reader.peek(2 + i) !== parent.charCodeAt(i)) return undefined;
  let name = '';
  for (let i = 0; i < length; i++) name += String.fromCharCode(reader.peek(2 + i)!);
  return name;
}

function hex(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
