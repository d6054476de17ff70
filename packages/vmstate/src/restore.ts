/** Tree or parsed JSON to state: the same order of checks and hooks as a load from bytes. */
import { Path, Reader, Writer } from './bytes.js';
import { cloneState, copyState } from './clone.js';
import { type Description, StateError, type StateErrorCode } from './description.js';
import { restoreField } from './restore-field.js';
import { isStruct, type StructNode, type TreeValue } from './tree.js';
import { guarded, isPresent, type Keyed, pathPart, subsectionPart, wireNames } from './walk.js';

/** Knows where in the tree a walk is. */
export class TreeWalk {
  readonly offset = -1;

  constructor(
    readonly path: Path,
    /** A tree of ours, or whatever a JSON parser gave. */
    readonly form: 'tree' | 'json',
  ) {}

  fail(code: StateErrorCode, message: string, details: { expected?: string; got?: string } = {}): never {
    throw new StateError(code, this.path.toString(), -1, message, details.expected, details.got);
  }

  object(code: StateErrorCode, message: string, details: { expected?: string; got?: string } = {}): void {
    this.fail(code, message, details);
  }

  /** A reader over a codec's own bytes, with this walk's path. */
  reader(bytes: Uint8Array): Reader {
    return new Reader(bytes, 0, this.path);
  }

  writer(): Writer {
    return new Writer(this.path);
  }
}

/** Members of a struct by name, whatever form they came in. */
export interface Members {
  readonly version: number | undefined;
  readonly fields: ReadonlyMap<string, unknown>;
  readonly subsections: ReadonlyMap<string, unknown>;
}

/**
 * Puts a tree into a state: all of it or, when it throws, nothing.
 * @throws {StateError}
 */
export function restore<S extends object>(
  description: Description<S>,
  state: S,
  node: StructNode,
  options: { readonly path?: string } = {},
): void {
  restoreFrom('tree', description, state, node, options.path);
}

export function restoreFrom<S extends object>(
  form: TreeWalk['form'],
  description: Description<S>,
  state: S,
  source: unknown,
  path: string = description.name,
): void {
  const fresh = cloneState(state);
  const walk = new TreeWalk(new Path(path), form);
  restoreStruct(walk, description, fresh, source, membersOf(walk, source).version ?? description.version);
  copyState(state, fresh);
}

export function restoreStruct<S extends object>(
  walk: TreeWalk,
  description: Description<S>,
  state: S,
  source: unknown,
  version: number,
): void {
  const members = membersOf(walk, source);
  const { version: own, minVersion, name } = description;
  if (version > own || version < minVersion) {
    walk.fail(version > own ? 'version-too-new' : 'version-too-old', `version ${version} of ${name} cannot be loaded`, {
      expected: `${minVersion} to ${own}`,
      got: String(version),
    });
  }
  guarded(walk, 'preLoad', () => description.preLoad?.(state));
  const names = wireNames(description);
  const known = new Set<string>();
  description.fields.forEach((field, index) => {
    const wire = names[index]!;
    known.add(wire);
    walk.path.push(pathPart(field));
    if (guarded(walk, 'field test', () => isPresent(field, state, version))) {
      const optional = field.kind === 'unused' || field.kind === 'validate';
      if (!optional && !members.fields.has(wire)) walk.fail('json', `'${wire}' is missing`, { expected: wire });
      restoreField(walk, field, state as Keyed, version, members.fields.get(wire));
    } else if (members.fields.has(wire)) walk.fail('json', `'${wire}' has no place in version ${version} of this state`);
    walk.path.pop();
  });
  for (const name of members.fields.keys()) if (!known.has(name)) walk.fail('json', `'${name}' is not known here`, { got: name });
  restoreSubsections(walk, description, state, members.subsections);
  guarded(walk, 'postLoad', () => description.postLoad?.(state, version));
}

function restoreSubsections<S extends object>(
  walk: TreeWalk,
  description: Description<S>,
  state: S,
  sent: ReadonlyMap<string, unknown>,
): void {
  for (const [name, source] of sent) {
    const subsection = description.subsections.find((candidate) => candidate.name === name);
    if (subsection === undefined)
      walk.fail('unknown-subsection', `subsection '${name}' of '${description.name}' is not known here`, { got: name });
    walk.path.push(subsectionPart(description, name));
    restoreStruct(walk, subsection, state, source, membersOf(walk, source).version ?? subsection.version);
    walk.path.pop();
  }
}

/** JSON keys that are no fields. */
export const META = { NAME: '@name', VERSION: '@version', SUBSECTIONS: '@subsections' } as const;

export function membersOf(walk: TreeWalk, source: unknown): Members {
  if (typeof source !== 'object' || source === null || Array.isArray(source) || ArrayBuffer.isView(source)) {
    walk.fail('json', 'an object is expected here', { expected: 'object', got: typeNameOf(source) });
  }
  if (walk.form === 'tree') {
    if (!isStruct(source as TreeValue)) walk.fail('json', 'a struct is expected here');
    const { version, fields, subsections } = source as StructNode;
    return {
      version,
      fields: new Map(fields.map(({ name, value }) => [name, value])),
      subsections: new Map(subsections.map((one) => [one.name, one])),
    };
  }
  const fields = new Map(Object.entries(source));
  const version = fields.get(META.VERSION);
  if (version !== undefined && !Number.isSafeInteger(version)) walk.fail('json', `'${META.VERSION}' is no number`);
  const sent = fields.has(META.SUBSECTIONS) ? fields.get(META.SUBSECTIONS) : {};
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) walk.fail('json', `'${META.SUBSECTIONS}' is no object`);
  for (const key of Object.values(META)) fields.delete(key);
  return { version: version as number | undefined, fields, subsections: new Map(Object.entries(sent)) };
}

export function typeNameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  return value instanceof Uint8Array ? 'bytes' : typeof value;
}
