/** Reads sections of any device through the description JSON (`vmdesc`) of their own stream. */
import { Path, Reader } from './bytes.js';
import { COUNTED_BYTES, type FieldNode, SCALAR_INFO, type StructNode, type TreeValue } from './tree.js';
import { checkVmdesc, type VmdescDevice, type VmdescField, type VmdescMembers } from './vmdesc.js';
import { SCALAR_SIZE } from './walk.js';

/** A leaf as found on the wire. An array of scalars is one leaf. */
export interface DynamicField {
  /** e.g. `fdc.state.drives[1]/media_rate.media_rate`. */
  readonly path: string;
  readonly type: string;
  /** Bytes in all. */
  readonly size: number;
  /** In the input. */
  readonly offset: number;
  readonly value: TreeValue;
}

/**
 * Plain values: numbers (bigint above 2^53), lowercase hex for buffers and opaque fields, arrays, objects. A subsection is the key
 * `SUB name vVERSION`, an element of an array that was not compressed the key `name[index]`.
 */
export type PlainValue = number | bigint | string | null | PlainValue[] | { [key: string]: PlainValue };

export interface DynamicSection {
  readonly values: { [key: string]: PlainValue };
  readonly fields: readonly DynamicField[];
  /** The same as a tree; `encodeTree(node)` gives the bytes back. */
  readonly node: StructNode;
  /** Offset behind the section's data. */
  readonly end: number;
}

const NULL_TYPE = 'nullptr';

interface Walk {
  readonly reader: Reader;
  readonly fields: DynamicField[];
}

/**
 * Decodes one section's data.
 *
 * @param device its entry in `devices` (or `configuration`). Untrusted like the data: every shape and size is checked.
 * @throws {StateError} `truncated` or `invalid` with the path and offset of the field; `json` where the description itself is malformed.
 */
export function decodeWithVmdesc(
  device: VmdescDevice | VmdescMembers,
  bytes: Uint8Array,
  offset = 0,
  end = bytes.length,
): DynamicSection {
  const name = 'name' in device ? device.name : device.vmsd_name;
  checkVmdesc(device, String(name));
  const reader = new Reader(bytes, offset, new Path(String(name)), end);
  const walk: Walk = { reader, fields: [] };
  const { node, values } = readMembers(walk, { vmsd_name: device.vmsd_name ?? String(name), version: 0, ...device });
  return { values, fields: walk.fields, node, end: reader.offset };
}

function readMembers(walk: Walk, members: VmdescMembers): { node: StructNode; values: { [key: string]: PlainValue } } {
  const { reader } = walk;
  const { vmsd_name: name, version, subsections: sent = [] } = members;
  const fields: FieldNode[] = [];
  const values: { [key: string]: PlainValue } = Object.create(null) as { [key: string]: PlainValue };
  for (const entry of members.fields) {
    reader.path.push(entry.index === undefined ? `.${entry.name}` : `.${entry.name}[${entry.index}]`);
    const { value, plain } = readEntry(walk, entry);
    addField(fields, entry, value);
    values[entry.index === undefined ? entry.name : `${entry.name}[${entry.index}]`] = plain;
    reader.path.pop();
  }
  const subsections: StructNode[] = [];
  for (const subsection of sent) {
    const found = readSubsection(walk, name, subsection);
    subsections.push(found.node);
    values[`SUB ${found.node.name} v${found.node.version}`] = found.values;
  }
  return { node: { name, version, fields, subsections }, values };
}

/** Entries of one name that follow each other are the elements of one array (names are unique otherwise). */
function addField(fields: FieldNode[], entry: VmdescField, value: TreeValue): void {
  const last = fields.at(-1);
  const type = entry.size === 1 && entry.type === 'uint64' ? NULL_TYPE : entry.type;
  if (last?.name === entry.name && last.type === type) {
    const items = Array.isArray(last.value) ? (last.value as TreeValue[]) : [last.value];
    items.push(...(Array.isArray(value) ? (value as TreeValue[]) : [value]));
    fields[fields.length - 1] = { name: entry.name, type, value: items };
  } else {
    fields.push({ name: entry.name, type, value: entry.index === undefined ? value : [value] });
  }
}

function readSubsection(walk: Walk, parent: string, members: VmdescMembers): ReturnType<typeof readMembers> {
  const { reader } = walk;
  const name = members.vmsd_name;
  reader.path.push(`/${name.startsWith(`${parent}/`) ? name.slice(parent.length + 1) : name}`);
  const mark = reader.u8();
  if (mark !== 5) notFound(reader, name, `byte ${mark}`);
  const found = String.fromCharCode(...reader.bytes(reader.u8()));
  if (found !== name) notFound(reader, name, `'${found}'`);
  const result = readMembers(walk, { ...members, version: reader.u32() });
  reader.path.pop();
  return result;
}

function readEntry(walk: Walk, entry: VmdescField): { value: TreeValue; plain: PlainValue } {
  const { reader } = walk;
  const count = entry.array_len;
  if (entry.struct === undefined && entry.fields === undefined) return readLeaf(walk, entry, count);
  if (count === undefined) return readNested(walk, entry);
  reader.require(count * Math.max(entry.size, 1));
  const value: TreeValue[] = [];
  const plain: PlainValue[] = [];
  for (let i = 0; i < count; i++) {
    reader.path.push(`[${i}]`);
    const element = readNested(walk, entry);
    value.push(element.value);
    plain.push(element.plain);
    reader.path.pop();
  }
  return { value, plain };
}

/** `struct` has its members in an object of that name, `tmp` and `vstruct` inline; lists repeat keys that no JSON parser keeps. */
function readNested(walk: Walk, entry: VmdescField): { value: TreeValue; plain: PlainValue } {
  const { reader } = walk;
  if (entry.type === 'qtailq' || entry.type === 'qlist' || entry.type === 'gtree') return readLeaf(walk, entry, undefined);
  const start = reader.offset;
  const { node, values } = readMembers(walk, entry.struct ?? (entry as VmdescMembers));
  const length = reader.offset - start;
  if (length !== entry.size) {
    reader.fail('invalid', `the fields of '${entry.name}' take ${length} bytes, its size is ${entry.size}`, {
      expected: `${entry.size} bytes`,
      got: `${length} bytes`,
    });
  }
  return { value: node, plain: entry.type === 'tmp' ? hexOf(reader.slice(start, length)) : values };
}

function readLeaf(walk: Walk, entry: VmdescField, count: number | undefined): { value: TreeValue; plain: PlainValue } {
  const { reader } = walk;
  const { offset } = reader;
  const { size, type } = entry;
  if (count !== undefined) reader.require(count * Math.max(size, 1));
  const one = () => readOne(reader, type, size);
  const value = count === undefined ? one() : Array.from({ length: count }, one);
  const plainOf = (item: TreeValue): PlainValue => plainScalar(type, item);
  const plain = Array.isArray(value) ? (value as TreeValue[]).map(plainOf) : plainOf(value);
  walk.fields.push({ path: reader.path.toString(), type, size: reader.offset - offset, offset, value });
  return { value, plain };
}

function readOne(reader: Reader, type: string, size: number): TreeValue {
  if (type === NULL_TYPE || (type === 'uint64' && size === 1)) {
    const mark = reader.u8();
    if (mark !== 0x30) reader.fail('invalid', `byte ${mark} is no NULL mark`, { expected: '48', got: String(mark) });
    return null;
  }
  if (type === COUNTED_BYTES && size >= 4) {
    const length = reader.u32();
    if (length !== size - 4)
      reader.fail('invalid', `${length} bytes announced in a field of ${size}`, {
        expected: String(size - 4),
        got: String(length),
      });
    return reader.bytes(length);
  }
  const scalar = SCALAR_INFO.get(type);
  if (scalar !== undefined && SCALAR_SIZE[scalar] === size) return reader[scalar]();
  // A byte that is neither 0 nor 1 stays a byte, so that it can be written again.
  if (type === 'bool' && size === 1 && (reader.peek(0) ?? 2) < 2) return reader.u8() === 1;
  return reader.bytes(size);
}

function plainScalar(type: string, value: TreeValue): PlainValue {
  if (value instanceof Uint8Array) return type === 'bool' && value.length === 1 ? value[0]! : hexOf(value);
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'bigint') return value as number | null;
  const shown = type === 'timer' ? BigInt.asUintN(64, value) : value;
  const small = Number(shown);
  return Number.isSafeInteger(small) ? small : shown;
}

/** Values as they are printed for people: a buffer of more than 64 bytes becomes its length and its first 16 bytes. */
export function abbreviate(value: PlainValue): PlainValue {
  if (typeof value === 'string') return value.length > 128 ? `${value.length / 2} bytes ${value.slice(0, 32)}..` : value;
  if (Array.isArray(value)) return value.map(abbreviate);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, abbreviate(item)]));
}

export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

function notFound(reader: Reader, name: string, got: string): never {
  reader.fail('invalid', `subsection '${name}' is not here`, { expected: `'${name}'`, got });
}
