/** The same state for libraries that serialize plain objects: what a program would do without state descriptions. */
import protobuf from 'protobufjs';

export type Plain = number | bigint | boolean | string | null | ArrayBufferView | Plain[] | { [key: string]: Plain };

/** A plain copy. 64-bit typed arrays become lists, because neither library knows them. */
export function plainOf(value: unknown): Plain {
  if (typeof value !== 'object' || value === null) return value as Plain;
  if (value instanceof BigUint64Array || value instanceof BigInt64Array) return [...value];
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice();
  if (Array.isArray(value)) return value.map(plainOf);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainOf(member)]));
}

export interface ProtobufPeer {
  encode(): Uint8Array;
  decode(bytes: Uint8Array): object;
}

/** Message types after the sample's own shape, and the sample as a message of them; both made beforehand, as a program would. */
export function protobufOf(sample: { [key: string]: Plain }): ProtobufPeer {
  const root = new protobuf.Root();
  const made = { count: 0 };
  const { type, convert } = messageType(root, made, [sample]);
  root.resolveAll();
  const message = convert(sample) as object;
  return { encode: () => type.encode(message).finish(), decode: (bytes) => type.decode(bytes) };
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
  for (const key of Object.keys(samples[0] ?? {})) {
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
