/**
 * The neutral form of a visited state: names, types and values, no bytes and no classes. Filters rewrite it, JSON and BER print it,
 * streams of devices we do not have are decoded into it through their own description JSON.
 */
import { Path, Writer } from './bytes.js';
import type { ScalarType } from './description.js';

/** One description's worth of state. */
export interface StructNode {
  /** `vmsd_name`. */
  readonly name: string;
  readonly version: number;
  readonly fields: readonly FieldNode[];
  /** Only those that are present. */
  readonly subsections: readonly StructNode[];
}

/** One field that is present. */
export interface FieldNode {
  /** QEMU's field name; made unique with `[k]` where a description uses it twice. */
  readonly name: string;
  /** QEMU's info name: `uint32`, `buffer`, `struct`, `timer`, …, or a device's own. */
  readonly type: string;
  readonly value: TreeValue;
  /** An array of pointers whose every element has a mark before it on the wire. */
  readonly marks?: 'each';
}

/** A value that only its codec understands: the bytes it writes and its own JSON form. */
export interface CustomValue {
  readonly bytes: Uint8Array;
  readonly json: unknown;
}

/**
 * Scalars up to 32 bits are numbers, 64-bit ones bigints, booleans booleans; buffers and everything opaque are bytes;
 * a NULL pointer is null; arrays and lists are arrays.
 */
export type TreeValue =
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | CustomValue
  | StructNode
  | TreeEntry
  | readonly TreeValue[];

/** One node of a tree-shaped field (`gtree`). */
export interface TreeEntry {
  readonly key: bigint | StructNode;
  readonly value: StructNode;
}

/** Info names that are one scalar on the wire. */
export const SCALAR_INFO: ReadonlyMap<string, ScalarType> = new Map<string, ScalarType>([
  ['uint8', 'u8'],
  ['uint16', 'u16'],
  ['uint32', 'u32'],
  ['uint64', 'u64'],
  ['int8', 'i8'],
  ['int16', 'i16'],
  ['int32', 'i32'],
  ['int64', 'i64'],
  ['uint8 equal', 'u8'],
  ['uint16 equal', 'u16'],
  ['uint32 equal', 'u32'],
  ['int32 equal', 'i32'],
  ['int8 equal', 'i8'],
  ['int16 equal', 'i16'],
  // QEMU calls its *unsigned* 64-bit equal so.
  ['int64 equal', 'u64'],
  ['int32 le', 'i32'],
  ['timer', 'i64'],
  ['CPU_Double_U', 'u64'],
  ['ptr-marker', 'u8'],
  ['fd', 'i32'],
]);

export function isStruct(value: TreeValue): value is StructNode {
  return typeof value === 'object' && value !== null && 'fields' in value;
}

/** The info name of bytes that are preceded by their u32 length. */
export const COUNTED_BYTES = 'GByteArray';

const SCALAR_WIDE: ReadonlySet<ScalarType> = new Set<ScalarType>(['u64', 'i64']);

export function isCustom(value: TreeValue): value is CustomValue {
  return typeof value === 'object' && value !== null && 'json' in value;
}

/** The byte that stands for a NULL element of an array of pointers; `POINTER_MARK` precedes an element of a self-allocating one. */
export const NULL_MARK = 0x30;
export const POINTER_MARK = 0x31;

/**
 * QEMU-binary form of a tree, without any description.
 * @throws {StateError} `invalid` where a value does not fit its type.
 */
export function encodeTree(node: StructNode, path = node.name): Uint8Array {
  const writer = new Writer(new Path(path));
  encodeStruct(writer, node);
  return writer.finish();
}

function encodeStruct(writer: Writer, node: StructNode): void {
  for (const field of node.fields) {
    writer.path.push(`.${field.name}`);
    const items = Array.isArray(field.value) ? (field.value as readonly TreeValue[]) : undefined;
    if (items && isList(field.type)) encodeList(writer, field.type, items);
    else if (items && field.marks === 'each') encodeMarked(writer, field.type, items);
    else encodeValue(writer, field.type, field.value);
    writer.path.pop();
  }
  for (const subsection of node.subsections) {
    writer.path.push(`/${subsection.name}`);
    writeSubsectionHeader(writer, subsection.name, subsection.version);
    encodeStruct(writer, subsection);
    writer.path.pop();
  }
}

/** `05`, length, name, version. */
export function writeSubsectionHeader(writer: Writer, name: string, version: number): void {
  writer.u8(5);
  writer.u8(name.length);
  for (let i = 0; i < name.length; i++) writer.u8(name.charCodeAt(i));
  writer.u32(version);
}

function isList(type: string): boolean {
  return type === 'qtailq' || type === 'qlist' || type === 'gtree';
}

function encodeList(writer: Writer, type: string, items: readonly TreeValue[]): void {
  if (type === 'gtree') writer.u32(items.length);
  for (const item of items) {
    writer.u8(1);
    encodeValue(writer, type, item);
  }
  writer.u8(0);
}

function encodeMarked(writer: Writer, type: string, items: readonly TreeValue[]): void {
  for (const item of items) {
    if (item !== null) writer.u8(POINTER_MARK);
    encodeValue(writer, type, item);
  }
}

function encodeValue(writer: Writer, type: string, value: TreeValue): void {
  const scalar = SCALAR_INFO.get(type);
  if (Array.isArray(value)) for (const item of value as readonly TreeValue[]) encodeValue(writer, type, item);
  else if (value === null) writer.u8(NULL_MARK);
  else if (value instanceof Uint8Array) {
    if (type === COUNTED_BYTES) writer.u32(value.length);
    writer.bytes(value);
  } else if (isStruct(value)) encodeStruct(writer, value);
  else if (isCustom(value)) writer.bytes(value.bytes);
  else if (typeof value === 'object') {
    const { key, value: inner } = value as TreeEntry;
    if (typeof key === 'bigint') writer.u64(key);
    else encodeStruct(writer, key);
    encodeStruct(writer, inner);
  } else if (type === 'bool') writer.u8(value ? 1 : 0);
  else if (typeof value === 'boolean' && scalar !== undefined)
    encodeValue(writer, type, SCALAR_WIDE.has(scalar) ? BigInt(value) : Number(value));
  else if (scalar === 'u64' || scalar === 'i64') writer[scalar](value as bigint);
  else if (scalar !== undefined) writer[scalar](value as number);
  else writer.fail('invalid', `${String(value)} is no value of type '${type}'`);
}
