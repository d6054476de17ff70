/** A state as one archived section in BER. */
import {
  capture,
  type Description,
  isCustom,
  isStruct,
  type Shape,
  type StructNode,
  type StructShape,
  shapeOf,
  type TreeEntry,
  type TreeValue,
} from '@pagurus/vmstate';
import * as asn1 from 'asn1js';
import { SUBSECTIONS_TAG } from './module.js';

type Block = asn1.AsnType;
type Layouts = Map<string, { readonly fields: readonly string[]; readonly subsections: readonly string[] }>;

/**
 * Encodes a state (definite lengths, shortest integers: the output is also DER). What is in it is what a save would send, with names.
 * @throws {StateError} as a save does.
 */
export function toBer<S extends object>(description: Description<S>, state: S): Uint8Array {
  const node = capture(description, state);
  const shape = shapeOf(description, state);
  const layouts: Layouts = new Map();
  const body = struct(layouts, shape.name, node, shape);
  const section = new asn1.Sequence({
    value: [
      new asn1.Utf8String({ value: node.name }),
      asn1.Integer.fromBigInt(node.version),
      new asn1.Sequence({ value: [...layouts].map(([path, { fields, subsections }]) => layout(path, fields, subsections)) }),
      body,
    ],
  });
  return new Uint8Array(section.toBER());
}

function layout(path: string, fields: readonly string[], subsections: readonly string[]): Block {
  const texts = (names: readonly string[]) => new asn1.Sequence({ value: names.map((value) => new asn1.Utf8String({ value })) });
  return new asn1.Sequence({ value: [new asn1.Utf8String({ value: path }), texts(fields), texts(subsections)] });
}

function struct(layouts: Layouts, path: string, node: StructNode, shape: StructShape): Block {
  const fields = shape.members.map(({ name }) => name);
  const subsections = shape.subsections.map(({ struct: one }) => one.name);
  layouts.set(path, { fields, subsections });
  const value: Block[] = node.fields.map((field) => {
    const at = fields.indexOf(field.name);
    return tagged(at, encode(layouts, `${path}.${field.name}`, field.value, shape.members[at]!.shape));
  });
  if (node.subsections.length > 0) {
    const sent = node.subsections.map((one) => {
      const at = subsections.indexOf(one.name);
      const state = struct(layouts, `${path}/${one.name}`, one, shape.subsections[at]!.struct);
      return tagged(at, new asn1.Sequence({ value: [asn1.Integer.fromBigInt(one.version), state] }));
    });
    value.push(tagged(SUBSECTIONS_TAG, new asn1.Sequence({ value: sent })));
  }
  return new asn1.Sequence({ value });
}

function tagged(tagNumber: number, value: Block): Block {
  return new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value] });
}

function encode(layouts: Layouts, path: string, value: TreeValue, shape: Shape): Block {
  if (value === null) return new asn1.Null();
  if (value instanceof Uint8Array) return octets(value);
  if (typeof value === 'boolean') return new asn1.Boolean({ value });
  if (typeof value === 'number' || typeof value === 'bigint') return asn1.Integer.fromBigInt(value);
  if (Array.isArray(value)) {
    const items = (shape as Extract<Shape, { kind: 'list' }>).items;
    return new asn1.Sequence({ value: (value as readonly TreeValue[]).map((item) => encode(layouts, path, item, items)) });
  }
  if (isCustom(value)) return octets(value.bytes);
  if (isStruct(value)) return struct(layouts, path, value, (shape.kind === 'nullable' ? shape.value : shape) as StructShape);
  const { key, value: inner } = value as TreeEntry;
  const node = shape as Extract<Shape, { kind: 'node' }>;
  return new asn1.Sequence({
    value: [encode(layouts, `${path}.key`, key, node.key), encode(layouts, `${path}.value`, inner, node.value)],
  });
}

function octets(bytes: Uint8Array): Block {
  return new asn1.OctetString({ valueHex: bytes.slice().buffer });
}
