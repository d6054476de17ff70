/** The description JSON (`vmdesc`) that a stream carries behind its sections. Key order is QEMU's. */

import { StateError } from './description.js';

/** What a VMStateDescription prints of itself. */
export interface VmdescMembers {
  vmsd_name: string;
  version: number;
  fields: VmdescField[];
  /** Only those that were sent. */
  subsections?: VmdescMembers[];
}

/** One field as sent. `size` is in bytes; of one element where `array_len` is given. */
export interface VmdescField {
  name: string;
  array_len?: number;
  index?: number;
  type: string;
  /** Type `struct`. Other nested types carry the members inline. */
  struct?: VmdescMembers;
  vmsd_name?: string;
  version?: number;
  fields?: VmdescField[];
  subsections?: VmdescMembers[];
  size: number;
}

/** An entry of `devices`: a section described by fields, or an opaque one (`size` and one `data` field). */
export type VmdescDevice = { name: string; instance_id: number } & (
  | VmdescMembers
  | { size: number; fields: VmdescField[]; vmsd_name?: undefined }
);

/** The whole document. */
export interface Vmdesc {
  configuration?: VmdescMembers;
  page_size: number;
  devices: VmdescDevice[];
}

const DEPTH_LIMIT = 64;

/**
 * Checks the shape of untrusted description JSON: names, sizes, nesting. Sizes are not compared with any data.
 * @throws {StateError} `json`, with the path of the entry.
 */
export function checkVmdesc(value: unknown, path: string): asserts value is VmdescMembers | VmdescDevice {
  checkMembers(value, path, 0, false);
}

function checkMembers(value: unknown, path: string, depth: number, nested: boolean): void {
  if (depth > DEPTH_LIMIT) malformed(path, `nested deeper than ${DEPTH_LIMIT}`);
  if (typeof value !== 'object' || value === null) malformed(path, 'an object is expected');
  const { vmsd_name: name, version, fields, subsections = [] } = value as Partial<VmdescMembers>;
  const opaque = name === undefined && !nested;
  if (!opaque && typeof name !== 'string') malformed(path, "'vmsd_name' is missing");
  if (!opaque && !isCount(version)) malformed(path, "'version' is missing");
  if (!Array.isArray(fields)) malformed(path, "'fields' is no list");
  if (!Array.isArray(subsections)) malformed(path, "'subsections' is no list");
  for (const field of fields) checkField(field, path, depth);
  for (const subsection of subsections) checkMembers(subsection, `${path}/…`, depth + 1, true);
}

function checkField(value: unknown, path: string, depth: number): void {
  if (typeof value !== 'object' || value === null) malformed(path, 'a field is no object');
  const { name, type, size, array_len: count, index, struct, fields } = value as Partial<VmdescField>;
  if (typeof name !== 'string' || typeof type !== 'string') malformed(path, "a field without 'name' or 'type'");
  const at = `${path}.${name}`;
  if (!isCount(size)) malformed(at, "'size' is no count");
  if (count !== undefined && !isCount(count)) malformed(at, "'array_len' is no count");
  if (index !== undefined && !isCount(index)) malformed(at, "'index' is no count");
  if (struct !== undefined) checkMembers(struct, at, depth + 1, true);
  else if (fields !== undefined) checkMembers(value, at, depth + 1, true);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function malformed(path: string, message: string): never {
  throw new StateError('json', path, -1, `the description JSON is malformed: ${message}`);
}
