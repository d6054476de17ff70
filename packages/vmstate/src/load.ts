/** QEMU-binary input. This walk over the description is the reference for every faster one. */
import { Path, Reader } from './bytes.js';
import { cloneState, copyState } from './clone.js';
import type { Description, StateError } from './description.js';
import { loadField } from './load-field.js';
import { guarded, isPresent, type Keyed, pathPart, subsectionPart } from './walk.js';

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
  /** Puts the decoded values into the live state, once; cannot fail. */
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
  try {
    guarded(reader, 'postLoad', () => description.postLoad?.(state, version));
  } catch (error) {
    if (reader.objections === undefined) throw error;
    reader.objections.push(error as StateError);
  }
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
