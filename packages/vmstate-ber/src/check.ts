/** Checks data against an ASN.1 module. */
import * as asn1 from 'asn1js';
import { limitsOf } from './decode.js';
import type { AsnComponent, AsnModule, AsnType } from './module.js';

type Block = asn1.AsnType;

/** Everything in BER data that is not as a type of the module, by default its first, says; empty where all is well. */
export function checkBer(bytes: Uint8Array, module: AsnModule, root = module.root): string[] {
  const parsed = asn1.fromBER(bytes.slice(), limitsOf(bytes));
  if (parsed.offset < 0) return [`this is no BER: ${parsed.result.error}`];
  const found: string[] = [];
  if (parsed.offset !== bytes.length) found.push(`${bytes.length - parsed.offset} bytes are left over`);
  check(found, module, parsed.result, { kind: 'reference', to: root }, root);
  return found;
}

function check(found: string[], module: AsnModule, block: Block, type: AsnType, path: string): void {
  const expect = (fits: boolean, what: string) => {
    if (!fits) found.push(`${path}: ${what} is expected`);
    return fits;
  };
  switch (type.kind) {
    case 'reference':
      check(found, module, block, module.types.get(type.to)!, path);
      return;
    case 'integer': {
      if (!expect(block instanceof asn1.Integer, 'INTEGER')) return;
      const value = (block as asn1.Integer).toBigInt();
      expect(value >= type.min && value <= type.max, `INTEGER (${type.min}..${type.max})`);
      return;
    }
    case 'boolean':
      expect(block instanceof asn1.Boolean, 'BOOLEAN');
      return;
    case 'null':
      expect(block instanceof asn1.Null, 'NULL');
      return;
    case 'text':
      expect(block instanceof asn1.Utf8String, 'UTF8String');
      return;
    case 'octets': {
      if (!expect(block instanceof asn1.OctetString, 'OCTET STRING')) return;
      const { length } = (block as asn1.OctetString).valueBlock.valueHexView;
      expect(length >= type.min && length <= type.max, `SIZE(${type.min}..${type.max})`);
      return;
    }
    case 'list': {
      if (!expect(block instanceof asn1.Sequence, 'SEQUENCE OF')) return;
      const items = (block as asn1.Sequence).valueBlock.value as Block[];
      expect(items.length >= type.min && items.length <= type.max, `SIZE(${type.min}..${type.max})`);
      for (const [i, item] of items.entries()) check(found, module, item, type.of, `${path}[${i}]`);
      return;
    }
    case 'choice': {
      const tagged = type.alternatives.find(({ tag }) => tag !== undefined && isTagged(block, tag));
      if (tagged) {
        checkTagged(found, module, block, tagged.type, `${path}.${tagged.name}`);
        return;
      }
      const fits = type.alternatives.some(({ tag, type: one }) => {
        const trial: string[] = [];
        if (tag === undefined) check(trial, module, block, one, path);
        return tag === undefined && trial.length === 0;
      });
      expect(fits, type.alternatives.map(({ name }) => name).join(' or '));
      return;
    }
    case 'sequence':
      if (expect(block instanceof asn1.Sequence, 'SEQUENCE'))
        checkComponents(found, module, (block as asn1.Sequence).valueBlock.value as Block[], type.components, path);
  }
}

function checkComponents(
  found: string[],
  module: AsnModule,
  blocks: readonly Block[],
  components: readonly AsnComponent[],
  path: string,
): void {
  let at = 0;
  for (const component of components) {
    const here = `${path}.${component.name}`;
    const block = blocks[at];
    if (component.tag === undefined) {
      if (block) check(found, module, block, component.type, here);
      else found.push(`${here} is missing`);
      at++;
      continue;
    }
    if (block === undefined || !isTagged(block, component.tag)) {
      if (!component.optional) found.push(`${here} is missing`);
      continue;
    }
    checkTagged(found, module, block, component.type, here);
    at++;
  }
  if (at < blocks.length) found.push(`${path}: ${blocks.length - at} components are not known`);
}

function isTagged({ idBlock }: Block, tag: number): boolean {
  return idBlock.tagClass === 3 && idBlock.tagNumber === tag;
}

function checkTagged(found: string[], module: AsnModule, block: Block, type: AsnType, path: string): void {
  const [inner, ...more] = block instanceof asn1.Constructed ? (block.valueBlock.value as Block[]) : [];
  if (inner && more.length === 0) check(found, module, inner, type, path);
  else found.push(`${path}: an explicit tag holds one value`);
}
