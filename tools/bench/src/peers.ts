/** The same state for libraries that serialize plain objects: what a program would do without state descriptions. */
import { type CustomValue, isCustom, isStruct, type StructNode, type TreeEntry, type TreeValue } from '@pagurus/vmstate';
import protobuf from 'protobufjs';

export type Plain = number | bigint | boolean | string | null | ArrayBufferView | Plain[] | { [key: string]: Plain };

/** Numbers of one type go in the typed array that is cheapest for the libraries. */
const TYPED: { [type: string]: (values: number[]) => Plain } = {
  uint8: (values) => Uint8Array.from(values),
  uint16: (values) => Uint16Array.from(values),
  uint32: (values) => Uint32Array.from(values),
  int8: (values) => Int8Array.from(values),
  int16: (values) => Int16Array.from(values),
  int32: (values) => Int32Array.from(values),
};

/** What a section carries and nothing else: present fields by name, needed subsections; no padding. */
export function plainOf(node: StructNode): { [key: string]: Plain } {
  const plain: { [key: string]: Plain } = {};
  for (const { name, type, value } of node.fields) if (type !== 'unused_buffer') plain[name] = plainValue(value, type);
  for (const subsection of node.subsections) plain[subsection.name] = plainOf(subsection);
  return plain;
}

function plainValue(value: TreeValue, type: string): Plain {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) {
    const numbers = value.every((item) => typeof item === 'number') ? TYPED[type] : undefined;
    return numbers ? numbers(value as number[]) : value.map((item: TreeValue) => plainValue(item, type));
  }
  if (isStruct(value as TreeValue)) return plainOf(value as StructNode);
  if (isCustom(value as TreeValue)) return (value as CustomValue).json as Plain;
  const { key, value: item } = value as TreeEntry;
  return { key: plainValue(key, type), value: plainOf(item) };
}

export interface ProtobufPeer {
  encode(): Uint8Array;
  decode(bytes: Uint8Array): object;
  /** Where a program would keep the values. */
  readonly message: object;
}

/** Puts decoded values into objects that exist, as a program with state of its own has to: the same shape, nothing checked. */
export function place(target: Members, values: Members): void {
  for (const key of Object.keys(values)) {
    const value = values[key];
    const own = target[key];
    if (typeof value !== 'object' || value === null || typeof own !== 'object' || own === null) target[key] = value;
    else if (ArrayBuffer.isView(value)) (own as Uint8Array).set(value as Uint8Array);
    else place(own as Members, value as Members);
  }
}

type Members = { [key: string]: unknown };

/** Message types after the sample's own shape, and the sample as a message of them; both made beforehand, as a program would. */
export function protobufOf(sample: { [key: string]: Plain }): ProtobufPeer {
  const root = new protobuf.Root();
  const made = { count: 0 };
  const { type, convert } = messageType(root, made, [sample]);
  root.resolveAll();
  const message = convert(sample) as object;
  return { encode: () => type.encode(message).finish(), decode: (bytes) => type.decode(bytes), message };
}

type Convert = (value: Plain) => unknown;

/** A type that fits all samples (the elements of an array are all the samples of their type). */
function messageType(
  root: protobuf.Root,
  made: { count: number },
  samples: readonly { [key: string]: Plain }[],
): { type: protobuf.Type; convert: Convert } {
  const type = new protobuf.Type(`T${made.count++}`);
  root.add(type);
  const members: [key: string, name: string, convert: Convert][] = [];
  for (const key of new Set(samples.flatMap((sample) => Object.keys(sample)))) {
    const values = samples.map((sample) => sample[key] ?? null);
    const items = values
      .flatMap((value) => (isList(value) ? [...(value as Iterable<Plain>)] : [value]))
      .filter((item) => item !== null);
    if (items.length === 0) continue;
    const { fieldType, convert } = fieldTypeOf(root, made, items);
    const name = `f${members.length + 1}`;
    const list = values.some(isList);
    type.add(new protobuf.Field(name, members.length + 1, fieldType, list ? 'repeated' : undefined));
    members.push([key, name, list ? (value) => Array.from(value as Iterable<Plain>, convert) : convert]);
  }
  const convert: Convert = (value) => {
    const message: { [name: string]: unknown } = {};
    for (const [key, name, member] of members) {
      const one = (value as { [key: string]: Plain })[key];
      if (one !== null && one !== undefined) message[name] = member(one);
    }
    return message;
  };
  return { type, convert };
}

function isList(value: Plain): boolean {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof Uint8Array));
}

function fieldTypeOf(
  root: protobuf.Root,
  made: { count: number },
  items: readonly Plain[],
): { fieldType: string; convert: Convert } {
  const same: Convert = (value) => value;
  const [first] = items;
  if (typeof first === 'number') {
    const least = Math.min(...(items as number[]).slice(0, 10_000));
    return { fieldType: least < 0 ? 'sint32' : 'uint32', convert: same };
  }
  if (typeof first === 'bigint') {
    const Long = protobuf.util.Long as unknown as { fromString(text: string): unknown };
    return { fieldType: 'fixed64', convert: (value) => Long.fromString(BigInt.asIntN(64, value as bigint).toString()) };
  }
  if (typeof first === 'boolean') return { fieldType: 'bool', convert: same };
  if (typeof first === 'string') return { fieldType: 'string', convert: same };
  if (first instanceof Uint8Array) return { fieldType: 'bytes', convert: same };
  const { type, convert } = messageType(root, made, items as { [key: string]: Plain }[]);
  return { fieldType: type.name, convert };
}
