/** Plain values to BER and back, by nothing but a module: what a module describes needs no code of its own. */
import * as asn1 from 'asn1js';
import { children, fail, integer, nameOf, octets, parse, text } from './decode.js';
import type { AsnModule, AsnType } from './module.js';

type Block = asn1.AsnType;

/**
 * A value of a module's type. INTEGER: number where every value of the type fits, else bigint. SEQUENCE: an object, optional components
 * absent. CHOICE: the alternative's name in `is`, and its value.
 */
export type AsnValue =
  | number
  | bigint
  | boolean
  | null
  | string
  | Uint8Array
  | readonly AsnValue[]
  | { readonly is: string; readonly value: AsnValue }
  | { readonly [component: string]: AsnValue | undefined };

/** DER of a value. @param type a type of the module, by default its first. @throws {StateError} `invalid` with the place of what does not fit. */
export function valueToBer(module: AsnModule, value: AsnValue, type = module.root): Uint8Array {
  return new Uint8Array(encode(module, value, { kind: 'reference', to: type }, type).toBER());
}

/** The reverse; takes any BER. @throws {StateError} */
export function valueFromBer(module: AsnModule, bytes: Uint8Array, type = module.root): AsnValue {
  const block = parse(bytes, type);
  try {
    return decode(module, block, { kind: 'reference', to: type }, type);
  } catch (error) {
    // Nested deeper than this engine's stack.
    if (error instanceof RangeError) return fail(type, 'the data is nested too deep');
    throw error;
  }
}

function encode(module: AsnModule, value: AsnValue | undefined, type: AsnType, path: string): Block {
  const wrong = (expected: string): never => fail(path, `${expected} is expected`, expected, typeof value);
  switch (type.kind) {
    case 'reference':
      return encode(module, value, module.types.get(type.to)!, path);
    case 'integer':
      if (typeof value !== 'number' && typeof value !== 'bigint') return wrong('INTEGER');
      inRange(value, type, path);
      return asn1.Integer.fromBigInt(value);
    case 'boolean':
      return typeof value === 'boolean' ? new asn1.Boolean({ value }) : wrong('BOOLEAN');
    case 'null':
      return value === null ? new asn1.Null() : wrong('NULL');
    case 'text':
      return typeof value === 'string' ? new asn1.Utf8String({ value }) : wrong('UTF8String');
    case 'octets':
      return value instanceof Uint8Array ? new asn1.OctetString({ valueHex: value.slice().buffer }) : wrong('OCTET STRING');
    case 'list':
      if (!Array.isArray(value)) return wrong('SEQUENCE OF');
      return new asn1.Sequence({
        value: (value as readonly AsnValue[]).map((item, i) => encode(module, item, type.of, `${path}[${i}]`)),
      });
    case 'choice': {
      const { is, value: inner } = objectOf(value) ?? {};
      const chosen = type.alternatives.find(({ name }) => name === is);
      if (!chosen) return wrong(type.alternatives.map(({ name }) => name).join(' or '));
      return tagged(chosen.tag, encode(module, inner, chosen.type, `${path}.${chosen.name}`));
    }
    case 'sequence': {
      const members = objectOf(value) ?? wrong('SEQUENCE');
      return new asn1.Sequence({
        value: type.components.flatMap(({ name, tag, type: of, optional }) =>
          optional && members[name] === undefined ? [] : [tagged(tag, encode(module, members[name], of, `${path}.${name}`))],
        ),
      });
    }
  }
}

function objectOf(value: AsnValue | undefined): { readonly [component: string]: AsnValue | undefined } | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
    ? (value as { readonly [component: string]: AsnValue | undefined })
    : undefined;
}

function tagged(tagNumber: number | undefined, value: Block): Block {
  return tagNumber === undefined ? value : new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value] });
}

function decode(module: AsnModule, block: Block, type: AsnType, path: string): AsnValue {
  const wrong = (expected: string): never => fail(path, `${expected} is expected`, expected, nameOf(block));
  switch (type.kind) {
    case 'reference':
      return decode(module, block, module.types.get(type.to)!, path);
    case 'integer': {
      const value = block instanceof asn1.Integer ? integer(block, path) : wrong('INTEGER');
      inRange(value, type, path);
      return isSmall(type.min) && isSmall(type.max) ? Number(value) : value;
    }
    case 'boolean':
      return block instanceof asn1.Boolean ? block.getValue() : wrong('BOOLEAN');
    case 'null':
      return block instanceof asn1.Null ? null : wrong('NULL');
    case 'text':
      return text(block, path);
    case 'octets': {
      const bytes = block instanceof asn1.OctetString ? octets(block, path) : wrong('OCTET STRING');
      return sized(bytes, type, path);
    }
    case 'list':
      return sized(children(block, path), type, path).map((item, i) => decode(module, item, type.of, `${path}[${i}]`));
    case 'choice': {
      const chosen = type.alternatives.find((one) =>
        one.tag === undefined ? fits(module, block, one.type) : hasTag(block, one.tag),
      );
      if (!chosen) return wrong(type.alternatives.map(({ name }) => name).join(' or '));
      const here = `${path}.${chosen.name}`;
      return { is: chosen.name, value: decode(module, untagged(block, chosen.tag, here), chosen.type, here) };
    }
    case 'sequence':
      return block instanceof asn1.Sequence ? components(module, block, type, path) : wrong('SEQUENCE');
  }
}

function components(
  module: AsnModule,
  block: asn1.Sequence,
  { components: known }: Extract<AsnType, { kind: 'sequence' }>,
  path: string,
): AsnValue {
  const parts = block.valueBlock.value as Block[];
  const members: { [component: string]: AsnValue } = {};
  let at = 0;
  for (const { name, tag, type, optional } of known) {
    const part = parts[at];
    const here = `${path}.${name}`;
    if (part === undefined || (tag !== undefined && !hasTag(part, tag))) {
      if (!optional) fail(here, 'the component is missing');
      continue;
    }
    members[name] = decode(module, untagged(part, tag, here), type, here);
    at++;
  }
  if (at < parts.length) fail(path, `${parts.length - at} components are not known`);
  return members;
}

/** Alternatives without a tag have different universal types. */
function fits(module: AsnModule, block: Block, type: AsnType): boolean {
  switch (type.kind) {
    case 'reference':
      return fits(module, block, module.types.get(type.to)!);
    case 'integer':
      return block instanceof asn1.Integer;
    case 'boolean':
      return block instanceof asn1.Boolean;
    case 'null':
      return block instanceof asn1.Null;
    case 'text':
      return block instanceof asn1.Utf8String;
    case 'octets':
      return block instanceof asn1.OctetString;
    case 'list':
    case 'sequence':
      return block instanceof asn1.Sequence;
    case 'choice':
      return type.alternatives.some(({ type: one }) => fits(module, block, one));
  }
}

function hasTag({ idBlock }: Block, tag: number): boolean {
  return idBlock.tagClass === 3 && idBlock.tagNumber === tag;
}

function untagged(block: Block, tag: number | undefined, path: string): Block {
  if (tag === undefined) return block;
  const [inner, ...more] = children(block, path);
  return inner !== undefined && more.length === 0 ? inner : fail(path, 'an explicit tag holds one value');
}

function inRange(value: number | bigint, { min, max }: { readonly min: bigint; readonly max: bigint }, path: string): void {
  if (typeof value === 'number' && !Number.isInteger(value)) fail(path, `${value} is no integer`);
  if (BigInt(value) < min || BigInt(value) > max) fail(path, `${value} is out of range`, `${min} to ${max}`, String(value));
}

function sized<T extends { readonly length: number }>(
  value: T,
  { min, max }: { readonly min: number; readonly max: number },
  path: string,
): T {
  return value.length >= min && value.length <= max ? value : fail(path, `a size of ${min} to ${max} is expected`);
}

function isSmall(value: bigint): boolean {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
}
