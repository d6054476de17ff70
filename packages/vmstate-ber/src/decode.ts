/** An archived section in BER back into a state. */
import {
  type Description,
  type FieldNode,
  restore,
  type Shape,
  StateError,
  type StructNode,
  type StructShape,
  shapeOf,
  type TreeValue,
} from '@pagurus/vmstate';
import * as asn1 from 'asn1js';
import { SUBSECTIONS_TAG } from './module.js';

type Block = asn1.AsnType;
type Layouts = ReadonlyMap<string, { readonly fields: readonly string[]; readonly subsections: readonly string[] }>;

/** What an archive says of itself, readable without its description. */
export interface BerSection {
  readonly name: string;
  readonly version: number;
  readonly layouts: Layouts;
  readonly state: Block;
}

/**
 * Puts an archived section into a state: all of it or, when it throws, nothing. Fields are found by the names that the archive carries, so
 * that a description may have got new fields anywhere since.
 *
 * @throws {StateError}
 */
export function fromBer<S extends object>(
  description: Description<S>,
  state: S,
  bytes: Uint8Array,
  options: { readonly path?: string } = {},
): void {
  const path = options.path ?? description.name;
  const section = readBerSection(bytes, path);
  if (section.name !== description.name) fail(path, `this is the state of '${section.name}'`, description.name, section.name);
  const walk = new Decoder(section.layouts, path);
  const node = walk.struct(section.state, shapeOf(description, state), description.name, section.version);
  restore(description, state, node, { path });
}

/** Reads the frame of an archived section: what it is, in which version, with which fields. */
export function readBerSection(bytes: Uint8Array, path = 'section'): BerSection {
  const [name, version, layouts, state] = members(parse(bytes, path), path, 4);
  const entries = children(layouts!, path).map((entry): [string, { fields: string[]; subsections: string[] }] => {
    const [at, fields, subsections] = members(entry, path, 3);
    const texts = (block: Block) => children(block, path).map((one) => text(one, path));
    return [text(at!, path), { fields: texts(fields!), subsections: texts(subsections!) }];
  });
  return { name: text(name!, path), version: small(version!, path), layouts: new Map(entries), state: state! };
}

/**
 * Bounds of the library: a value has at least two octets, so that the input's length bounds what it becomes. Its own bounds are for
 * certificates; a large device's state has more values and is longer.
 */
export function limitsOf({ length }: Uint8Array): BerLimits {
  return { maxDepth: 500, maxNodes: length, maxContentLength: length, parseEmbedded: false };
}

type BerLimits = NonNullable<Parameters<typeof asn1.fromBER>[1]>;

/** @throws {StateError} for anything but one BER value. */
export function parse(bytes: Uint8Array, path: string): Block {
  let parsed: asn1.FromBerResult;
  try {
    parsed = asn1.fromBER(bytes.slice(), limitsOf(bytes));
  } catch (error) {
    return fail(path, `this is no BER: ${(error as Error).message}`);
  }
  if (parsed.offset < 0) return fail(path, `this is no BER: ${parsed.result.error}`);
  if (parsed.offset !== bytes.length)
    throw new StateError('trailing-data', path, parsed.offset, `${bytes.length - parsed.offset} bytes are left over`);
  return parsed.result;
}

class Decoder {
  constructor(
    private readonly layouts: Layouts,
    private readonly root: string,
  ) {}

  struct(block: Block, shape: StructShape, layout: string, version: number): StructNode {
    const names = this.layouts.get(layout);
    if (names === undefined) return fail(this.root, `the archive has no layout of '${layout}'`);
    const fields: FieldNode[] = [];
    let subsections: StructNode[] = [];
    for (const part of children(block, this.root)) {
      const [tag, value] = this.untag(part);
      if (tag === SUBSECTIONS_TAG) subsections = this.subsections(value, shape, layout, names.subsections);
      else fields.push(this.field(tag, value, shape, layout, names.fields));
    }
    return { name: shape.name, version, fields, subsections };
  }

  private field(tag: number, block: Block, shape: StructShape, layout: string, names: readonly string[]): FieldNode {
    const name = names[tag];
    if (name === undefined) return fail(this.root, `component [${tag}] of '${layout}' has no name`);
    const member = shape.members.find((one) => one.name === name);
    if (member === undefined) return fail(this.root, `'${name}' of '${layout}' is not known here`, undefined, name);
    return { name, type: '', value: this.value(block, member.shape, `${layout}.${name}`) };
  }

  private subsections(block: Block, shape: StructShape, layout: string, names: readonly string[]): StructNode[] {
    return children(block, this.root).map((part) => {
      const [tag, value] = this.untag(part);
      const [version, state] = members(value, this.root, 2);
      const name = names[tag];
      const known = shape.subsections.find(({ struct }) => struct.name === name);
      if (name === undefined || known === undefined) {
        throw new StateError(
          'unknown-subsection',
          this.root,
          -1,
          `subsection '${name ?? tag}' of '${shape.name}' is not known here`,
        );
      }
      return this.struct(state!, known.struct, `${layout}/${name}`, small(version!, this.root));
    });
  }

  private untag(part: Block): [number, Block] {
    const [value, ...more] = children(part, this.root);
    if (part.idBlock.tagClass !== 3 || value === undefined || more.length > 0)
      return fail(this.root, 'a component without its tag');
    return [part.idBlock.tagNumber, value];
  }

  private value(block: Block, shape: Shape, layout: string): TreeValue {
    switch (shape.kind) {
      case 'integer':
        return block instanceof asn1.Integer ? integer(block, this.root) : this.wrong(layout, 'INTEGER', block);
      case 'boolean':
        return block instanceof asn1.Boolean ? block.getValue() : this.wrong(layout, 'BOOLEAN', block);
      case 'bytes':
      case 'custom':
        return block instanceof asn1.OctetString ? octets(block, this.root) : this.wrong(layout, 'OCTET STRING', block);
      case 'nullable':
        return block instanceof asn1.Null ? null : this.value(block, shape.value, layout);
      case 'list':
        return children(block, this.root).map((item) => this.value(item, shape.items, layout));
      case 'node': {
        const [key, value] = members(block, this.root, 2);
        return {
          key: this.value(key!, shape.key, `${layout}.key`) as bigint | StructNode,
          value: this.value(value!, shape.value, `${layout}.value`) as StructNode,
        };
      }
      case 'struct':
        return this.struct(block, shape, layout, shape.version);
    }
  }

  private wrong(layout: string, expected: string, block: Block): never {
    return fail(`${this.root}${layout.slice(layout.indexOf('.'))}`, `${expected} is expected`, expected, nameOf(block));
  }
}

export function children(block: Block, path: string): Block[] {
  if (block instanceof asn1.Sequence || block instanceof asn1.Constructed) return block.valueBlock.value as Block[];
  return fail(path, 'SEQUENCE is expected', 'SEQUENCE', nameOf(block));
}

function members(block: Block, path: string, count: number): Block[] {
  const found = children(block, path);
  if (found.length !== count) fail(path, `${count} members are expected`, String(count), String(found.length));
  return found;
}

export function text(block: Block, path: string): string {
  return block instanceof asn1.Utf8String ? block.getValue() : fail(path, 'UTF8String is expected', 'UTF8String', nameOf(block));
}

function small(block: Block, path: string): number {
  const value =
    block instanceof asn1.Integer ? integer(block, path) : fail(path, 'INTEGER is expected', 'INTEGER', nameOf(block));
  return value >= 0n && value <= 0xffff_ffffn ? Number(value) : fail(path, `${value} is no version`);
}

export function integer(block: asn1.Integer, path: string): bigint {
  const { valueHexView } = block.valueBlock;
  // No field has more than 64 bits, and one octet may hold the sign.
  if (valueHexView.length === 0 || valueHexView.length > 9) return fail(path, `an INTEGER of ${valueHexView.length} octets`);
  let value = 0n;
  for (const octet of valueHexView) value = (value << 8n) | BigInt(octet);
  return BigInt.asIntN(8 * valueHexView.length, value);
}

export function octets(block: asn1.OctetString, path: string): Uint8Array {
  if (block.idBlock.isConstructed) {
    const parts = (block.valueBlock.value as Block[]).map((part) =>
      part instanceof asn1.OctetString
        ? octets(part, path)
        : fail(path, 'OCTET STRING is expected', 'OCTET STRING', nameOf(part)),
    );
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
  return block.valueBlock.valueHexView.slice();
}

export function nameOf(block: Block): string {
  return (block.constructor as { NAME?: string }).NAME ?? 'unknown';
}

export function fail(path: string, message: string, expected?: string, got?: string): never {
  throw new StateError('invalid', path, -1, message, expected, got);
}
