import type { Reader, Writer } from './bytes.js';
import type { Description, Field } from './description.js';
import { loadDescription, peekSubsection } from './load.js';
import { loadField } from './load-field.js';
import { Emit } from './plan-emit.js';
import { loadCode } from './plan-load-code.js';
import { saveCode } from './plan-save-code.js';
import { emptyMembers } from './save.js';
import { type Described, describeRun, saveField, structEntry } from './save-field.js';
import { writeSubsectionHeader } from './tree.js';
import type { VmdescMembers } from './vmdesc.js';
import { bytesToFill, itemsToFill, type Keyed, structsToFill } from './walk.js';

export type LoadFunction = (reader: Reader, state: object, version: number) => void;
export type SaveFunction = (writer: Writer, state: object, version: number) => void;
export type DescribeFunction = (writer: Writer, state: object, version: number, members: VmdescMembers) => void;

/** Thrown by generated code that gives up. Never leaves the plan. */
const GIVE_UP = new Error('the interpreter takes over');

/** What generated code can reach besides its arguments. */
interface Scope {
  readonly load: LoadFunction[];
  readonly save: SaveFunction[];
  /** Saving that also describes. */
  readonly describe: DescribeFunction[];
  readonly descriptions: Description<object>[];
  readonly fields: Field[];
}

/**
 * Generates load and save functions for a description and all it nests.
 * @returns undefined where code generation is forbidden.
 */
export function planCode(
  description: Description<never>,
): { loadFrom: LoadFunction; saveInto: SaveFunction; describeInto: DescribeFunction } | undefined {
  const scope: Scope = { load: [], save: [], describe: [], descriptions: [], fields: [] };
  try {
    const index = addDescription(scope, description as unknown as Description<object>);
    return { loadFrom: scope.load[index]!, saveInto: scope.save[index]!, describeInto: scope.describe[index]! };
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function addDescription(scope: Scope, description: Description<object>): number {
  const known = scope.descriptions.indexOf(description);
  if (known >= 0) return known;
  const index = scope.descriptions.push(description) - 1;
  const generate = (parameters: string[], body: string) =>
    new Function('scope', 'fallback', 'GIVE_UP', `'use strict';\nreturn function (${parameters.join(', ')}) {\n${body}\n};`)(
      scope,
      fallback,
      GIVE_UP,
    ) as (...values: unknown[]) => void;
  const emit = () =>
    new Emit(
      description,
      `scope.descriptions[${index}]`,
      (nested) => addDescription(scope, nested),
      (field) => fieldName(scope, field),
    );
  scope.load[index] = generate(['r', 's', 'version'], loadCode(emit())) as LoadFunction;
  scope.save[index] = generate(['w', 's', 'version'], saveCode(emit(), false)) as SaveFunction;
  scope.describe[index] = generate(['w', 's', 'version', 'm'], saveCode(emit(), true)) as DescribeFunction;
  return index;
}

function fieldName(scope: Scope, field: Field): string {
  let at = scope.fields.indexOf(field);
  if (at < 0) at = scope.fields.push(field) - 1;
  return `scope.fields[${at}]`;
}

/** What generated code leaves to the interpreter's own functions. */
const fallback = {
  loadField: (reader: Reader, field: Field, state: object, version: number) => loadField(reader, field, state as Keyed, version),
  saveField: (writer: Writer, field: Field, state: object, version: number, described?: Described) =>
    saveField(writer, field, state as Keyed, version, described),
  members: emptyMembers,
  structEntry,
  describeRun,
  items: itemsToFill,
  bytes: bytesToFill,
  structs: structsToFill,
  /** Consumes one subsection if there is one; an unknown one is for the interpreter to complain about. */
  subsection(scope: Scope, reader: Reader, parent: Description<object>, state: object): boolean {
    const name = peekSubsection(reader, parent.name);
    if (name === undefined) return false;
    const subsection = parent.subsections.find((candidate) => candidate.name === name);
    if (subsection === undefined) throw GIVE_UP;
    reader.skip(2 + name.length);
    const version = reader.u32() & 0xff;
    const index = scope.descriptions.indexOf(subsection);
    if (index >= 0) scope.load[index]!(reader, state, version);
    else loadDescription(reader, subsection, state, version);
    return true;
  },
  header: writeSubsectionHeader,
};
