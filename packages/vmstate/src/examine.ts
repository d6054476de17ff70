/** Would a section load, and if not: every objection, where, and why probably. The engine of `pagurus doctor`. */
import { Path, Reader } from './bytes.js';
import type { FindingCode } from './check.js';
import { checkSchemas, type Finding } from './check.js';
import { cloneState } from './clone.js';
import { type AnyDescription, StateError, type StateErrorCode } from './description.js';
import { type DynamicField, decodeWithVmdesc } from './dynamic.js';
import { loadDescription } from './load.js';
import { machineSchema, schemaFromVmdesc, sectionSchema } from './schema.js';
import type { VmdescDevice } from './vmdesc.js';

/** A section as found in a stream. */
export interface ExaminedSection {
  readonly name: string;
  readonly instance: number;
  readonly version: number;
  /** The stream, or a part of it that holds the section. */
  readonly bytes: Uint8Array;
  /** First byte of the section's data in `bytes`. */
  readonly offset: number;
  /** Behind the data, where a footer or a description says so. */
  readonly end?: number;
  /** Its entry of the stream's description JSON. */
  readonly device?: VmdescDevice;
}

/** What would load it. The state is not touched. */
export interface Destination {
  readonly description: AnyDescription;
  readonly state: object;
}

export interface Objection {
  readonly code: StateErrorCode | FindingCode | 'section-unknown';
  readonly section: string;
  readonly instance: number;
  readonly path: string;
  /** In `bytes`, or -1 where the objection has no place. */
  readonly offset: number;
  readonly message: string;
  readonly expected?: string;
  readonly got?: string;
}

/**
 * All objections of a destination to one section. Values that are wrong do not end the examination; where the data does not have the
 * expected structure, the stream's own description says what it is instead.
 */
export function examineSection(section: ExaminedSection, destination: Destination | undefined): Objection[] {
  const { name, instance, offset } = section;
  if (destination === undefined) {
    const message = `there is no section '${name}' instance ${instance} here`;
    return [{ code: 'section-unknown', section: name, instance, path: name, offset, message, got: `${name} ${instance}` }];
  }
  const trial = tryToLoad(section, destination);
  const fromError = ({ code, path, offset: at, message, expected, got }: StateError): Objection => ({
    code,
    section: name,
    instance,
    path,
    offset: at,
    message: message.slice(message.indexOf(': ') + 2),
    ...(expected === undefined ? {} : { expected }),
    ...(got === undefined ? {} : { got }),
  });
  const values = trial.values.map(fromError);
  if (trial.structure === undefined) return values;
  const shapes = structureObjections(section, destination);
  return shapes.length > 0
    ? [...shapes, ...values.filter(({ offset: at }) => at <= firstOffset(shapes))]
    : [...values, fromError(trial.structure)];
}

/** Objections to all sections of a stream, in its order. */
export function examineSections(
  sections: readonly ExaminedSection[],
  find: (name: string, instance: number) => Destination | undefined,
): Objection[] {
  return sections.flatMap((section) => examineSection(section, find(section.name, section.instance)));
}

function tryToLoad(
  section: ExaminedSection,
  { description, state }: Destination,
): { values: StateError[]; structure: StateError | undefined } {
  const { name, version, bytes, offset } = section;
  const end = endOf(section);
  const reader = new Reader(bytes, offset, new Path(name), end);
  const values: StateError[] = [];
  reader.objections = values;
  try {
    loadDescription(reader, description, cloneState(state), version);
    const left = end === undefined ? 0 : end - reader.offset;
    if (left > 0)
      reader.fail('trailing-data', `${left} bytes are left over`, {
        expected: String(reader.offset - offset),
        got: String(end! - offset),
      });
    return { values, structure: undefined };
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    return { values, structure: error };
  }
}

/** What the stream says itself about its length. */
function endOf({ end, device, bytes, offset }: ExaminedSection): number | undefined {
  if (end !== undefined || device === undefined) return end;
  try {
    return decodeWithVmdesc(device, bytes, offset).end;
  } catch {
    return undefined;
  }
}

/** Compares what was sent, by its own description, with what is expected here; every finding with its place in the data. */
function structureObjections(
  { name, instance, version, bytes, offset, device, end }: ExaminedSection,
  { description, state }: Destination,
): Objection[] {
  if (device?.vmsd_name === undefined) return [];
  const sent = schemaFromVmdesc({ page_size: 0, devices: [{ ...device, name, instance_id: 0 }] });
  const here = machineSchema('', [sectionSchema(name, description, state)]);
  const findings = checkSchemas(sent, here, { stream: true }).filter(({ severity }) => severity === 'error');
  const fields = fieldsOf(device, bytes, offset, end);
  const place = ({ path }: Finding): number =>
    fields.find((field) => normal(field.path).startsWith(normal(path)))?.offset ?? offset;
  const objections = findings.map((finding): Objection => {
    const { code, message, expected, got } = finding;
    const path = `${name}${finding.path.slice(description.name.length)}`;
    const details = { ...(expected === undefined ? {} : { expected }), ...(got === undefined ? {} : { got }) };
    return { code, section: name, instance, path, offset: place({ ...finding, path }), message, ...details };
  });
  return objections.some(({ code }) => code === 'section-missing') || version > description.version ? [] : objections;
}

function fieldsOf(device: VmdescDevice, bytes: Uint8Array, offset: number, end: number | undefined): readonly DynamicField[] {
  try {
    return decodeWithVmdesc(device, bytes, offset, end).fields;
  } catch {
    return [];
  }
}

/** Paths of schemas have no elements. */
function normal(path: string): string {
  return path.replaceAll(/\[\d+\]/g, '');
}

function firstOffset(objections: readonly Objection[]): number {
  return Math.min(...objections.map(({ offset }) => offset));
}

/** The same stream examined with another machine. */
export interface Candidate {
  /** e.g. `pc-i440fx-2.3`. */
  readonly machine: string;
  /** By `driver.property`: what differs between machine types. */
  readonly properties: { readonly [property: string]: string };
  readonly objections: readonly Objection[];
}

/**
 * The likely reason why a stream does not load, as a sentence, or undefined where no machine type would load it either.
 *
 * @param here the examination with the machine type that was asked for.
 * @param others examinations with other machine types; the one with the fewest differences in properties is taken for the sender's.
 */
export function likelyCause(here: Candidate, others: readonly Candidate[]): string | undefined {
  if (here.objections.length === 0) return undefined;
  const unknown = here.objections.find(
    ({ code }) => code === 'unknown-subsection' || code === 'subsection-missing' || code === 'version-too-new',
  );
  const best = others
    .filter(({ objections }) => objections.length === 0)
    .map((candidate) => ({ candidate, differences: differences(here, candidate) }))
    .sort((a, b) => a.differences.length - b.differences.length)[0];
  if (best === undefined) {
    return unknown === undefined ? undefined : `the sender is newer: ${unknown.message}`;
  }
  const { machine } = best.candidate;
  const reasons = best.differences.map(({ property, there, local }) => `${property} is ${there} there and ${local} here`);
  const because = reasons.length === 0 ? '' : `: ${reasons.slice(0, 3).join(', ')}`;
  return `the sender's machine type is probably ${machine}, not ${here.machine}${because}`;
}

function differences(here: Candidate, other: Candidate): { property: string; there: string; local: string }[] {
  const names = [...new Set([...Object.keys(here.properties), ...Object.keys(other.properties)])].sort();
  return names
    .map((property) => ({ property, there: other.properties[property] ?? 'unset', local: here.properties[property] ?? 'unset' }))
    .filter(({ there, local }) => there !== local);
}
