/** A description made from a stream's own description JSON, so that every visitor works for devices that we do not have. */
import { type Description, type Field, StateError, vmstate } from './description.js';
import { SCALAR_INFO } from './tree.js';
import { checkVmdesc, type VmdescDevice, type VmdescField, type VmdescMembers } from './vmdesc.js';
import { SCALAR_SIZE } from './walk.js';

/** State of a device without a class: one key for each field, by its name. */
export type DynamicState = Record<string, unknown>;

export interface DynamicDescription {
  readonly description: Description<DynamicState>;
  /** All zeros, with arrays of the lengths that the stream had. */
  create(): DynamicState;
}

/**
 * Turns an entry of `devices` into a description of exactly what that stream sent: a state remembers which subsections it was loaded from,
 * values that QEMU compares with local ones are plain values. Lists (`qtailq`, `gtree`) and types of a device's own are bytes.
 *
 * @throws {StateError} `json` where the entry is malformed or one of its fields is larger than 256 MiB.
 */
export function descriptionFromVmdesc(device: VmdescDevice | VmdescMembers): DynamicDescription {
  const name = device.vmsd_name ?? ('name' in device ? device.name : '');
  checkVmdesc(device, name);
  const { description, create } = convert({ version: 0, ...device, vmsd_name: name }, '');
  return { description, create };
}

const MOST_BYTES = 256 * 2 ** 20;

/** `weight`: bytes or elements that `initial` or `create` allocates, so that a lie about sizes cannot multiply. */
type Part = { readonly field: Field; readonly initial: () => unknown; readonly weight: number };
type Converted = DynamicDescription & { readonly weight: number };

/** `sent`: whether a fresh state has the subsections. */
function convert(members: VmdescMembers, prefix: string, sent = true): Converted {
  const used = new Set<string>();
  const parts = mergeElements(members.fields).map((entries) => {
    const { name, index } = entries[0]!;
    let key = index === undefined || entries.length > 1 ? `${prefix}${name}` : `${prefix}${name}[${index}]`;
    while (used.has(key)) key += "'";
    used.add(key);
    return convertField(entries, key);
  });
  const subsections = (members.subsections ?? []).map((one) => optional(convert(one, `${one.vmsd_name}:`), sent));
  const description = vmstate<DynamicState>({
    name: members.vmsd_name,
    version: members.version,
    minVersion: 0,
    fields: parts.map(({ field }) => field),
    subsections: subsections.map((one) => one.description),
    preLoad: (state) => {
      for (const one of subsections) state[flagOf(one.description)] = false;
    },
  });
  const create = (): DynamicState => {
    const own = parts.map(({ field, initial }): [string, unknown] => [field.key, initial()]);
    return Object.fromEntries([...own, ...subsections.flatMap((one) => Object.entries(one.create()))]);
  };
  const weight = [...parts, ...subsections].reduce((sum, one) => sum + one.weight, 1);
  return { description, create, weight };
}

/** A subsection remembers in the state whether it was sent. */
function optional(converted: Converted, sent: boolean): Converted {
  const { description, create, weight } = converted;
  const flag = flagOf(description);
  const preLoad = (state: DynamicState) => {
    description.preLoad?.(state);
    state[flag] = true;
  };
  return {
    description: { ...description, preLoad, needed: (state) => state[flag] === true },
    create: () => ({ ...create(), [flag]: sent }),
    weight,
  };
}

function flagOf(description: Description<DynamicState>): string {
  return `${description.name}?`;
}

/** Groups entries of one name and one shape that follow each other: the elements of an array that was not compressed. */
function mergeElements(entries: readonly VmdescField[]): VmdescField[][] {
  const groups: VmdescField[][] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    if (last && last[0]!.name === entry.name && sameShape(last[0]!, entry) && unionOf([...last, entry])) last.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

/** Equal but for what elements may send or not: subsections and therefore size. */
function sameShape(a: VmdescField, b: VmdescField): boolean {
  return JSON.stringify(shapeOf(a)) === JSON.stringify(shapeOf(b));
}

function shapeOf({ index: _index, size, struct, ...rest }: VmdescField): object {
  if (struct === undefined) return { ...rest, size };
  const { subsections: _subsections, ...members } = struct;
  return { ...rest, struct: members };
}

/** All subsections that any element sent, in an order that fits every element; undefined where there is none. */
function unionOf(entries: readonly VmdescField[]): VmdescMembers[] | undefined {
  const union: VmdescMembers[] = [];
  for (const { struct } of entries) {
    for (const one of struct?.subsections ?? []) if (!union.some((known) => known.vmsd_name === one.vmsd_name)) union.push(one);
  }
  const fits = entries.every(({ struct }) => {
    const sent = struct?.subsections ?? [];
    const chosen = union.filter((one) => sent.some((other) => other.vmsd_name === one.vmsd_name));
    return JSON.stringify(chosen) === JSON.stringify(sent);
  });
  return fits ? union : undefined;
}

function convertField(entries: readonly VmdescField[], key: string): Part {
  const [first] = entries as [VmdescField];
  // Elements with an index come from an array that QEMU does not compress; a test that is always true keeps it so.
  const when = entries.length > 1 && first.index !== undefined ? () => true : undefined;
  const base = { key, wire: first.name, since: 0, when };
  const count = first.array_len ?? (entries.length > 1 ? entries.length : undefined);
  const nested = first.type === 'qtailq' || first.type === 'qlist' || first.type === 'gtree' ? undefined : nestedMembers(first);
  if (nested) {
    const union = unionOf(entries)!;
    const every = entries.every(({ struct }) => (struct?.subsections?.length ?? 0) === union.length);
    const whole = entries.length > 1 && union.length > 0 ? { ...nested, subsections: union } : nested;
    const { description, create, weight } = convert(whole, '', every);
    if (count === undefined) {
      const field: Field = { ...base, kind: 'struct', description, atVersion: undefined, info: first.type };
      return bounded({ field, initial: create, weight });
    }
    const field: Field = { ...base, kind: 'structArray', description, start: 0, length: undefined, atVersion: undefined };
    return bounded({ field, initial: () => Array.from({ length: count }, create), weight: weight * count });
  }
  const scalar = SCALAR_INFO.get(first.type);
  if (scalar !== undefined && SCALAR_SIZE[scalar] === first.size) {
    const zero = scalar === 'u64' || scalar === 'i64' ? 0n : 0;
    if (count === undefined)
      return { field: { ...base, kind: 'scalar', type: scalar, bool: false, info: first.type }, initial: () => zero, weight: 1 };
    const field: Field = { ...base, kind: 'array', type: scalar, start: 0, length: undefined, bool: false, info: first.type };
    return bounded({ field, initial: () => new Array<number | bigint>(count).fill(zero), weight: count });
  }
  const length = first.size * (count ?? 1);
  const field: Field = { ...base, kind: 'bytes', start: 0, length: undefined, info: first.type };
  return bounded({ field, initial: () => new Uint8Array(length), weight: length });
}

function bounded(part: Part): Part {
  if (part.weight > MOST_BYTES) throw new StateError('json', part.field.key, -1, `more than ${MOST_BYTES} bytes`);
  return part;
}

function nestedMembers(entry: VmdescField): VmdescMembers | undefined {
  if (entry.struct) return entry.struct;
  const { vmsd_name, version, fields, subsections } = entry;
  if (vmsd_name === undefined || version === undefined || fields === undefined) return undefined;
  return subsections === undefined ? { vmsd_name, version, fields } : { vmsd_name, version, fields, subsections };
}
