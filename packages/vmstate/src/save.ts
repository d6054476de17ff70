/** QEMU-binary output and its description JSON in one walk. This walk is the reference for every faster one. */
import { Path, Writer } from './bytes.js';
import type { Description } from './description.js';
import { saveField } from './save-field.js';
import { writeSubsectionHeader } from './tree.js';
import type { VmdescMembers } from './vmdesc.js';
import { guarded, isPresent, type Keyed, pathPart, subsectionPart, wireNames } from './walk.js';

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

/** The members of a description that has sent nothing yet. */
export function emptyMembers(description: Description<never>, version: number): VmdescMembers {
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
      writeSubsectionHeader(writer, subsection.name, subsection.version);
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
