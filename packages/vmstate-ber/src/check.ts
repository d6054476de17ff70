/** Checks data against an ASN.1 module. */
import * as asn1 from 'asn1js';
import type { AsnComponent, AsnModule, AsnType } from './module.js';

type Block = asn1.AsnType;

/** Everything in BER data that is not as the module's first type says; empty where all is well. */
export function checkBer(bytes: Uint8Array, module: AsnModule): string[] {
  const parsed = asn1.fromBER(bytes.slice());
  if (parsed.offset < 0) return [`this is no BER: ${parsed.result.error}`];
  const found: string[] = [];
  if (parsed.offset !== bytes.length) found.push(`${bytes.length - parsed.offset} bytes are left over`);
  check(found, module, parsed.result, { kind: 'reference', to: module.root }, module.root);
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
      const fits = type.alternatives.some(({ type: one }) => {
        const trial: string[] = [];
        check(trial, module, block, one, path);
        return trial.length === 0;
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
    if (block?.idBlock.tagClass !== 3 || block.idBlock.tagNumber !== component.tag) {
      if (!component.optional) found.push(`${here} is missing`);
      continue;
    }
    const [inner, ...more] = (block as asn1.Constructed).valueBlock.value as Block[];
    if (inner && more.length === 0) check(found, module, inner, component.type, here);
    else found.push(`${here}: an explicit tag holds one value`);
    at++;
  }
  if (at < blocks.length) found.push(`${path}: ${blocks.length - at} components are not known`);
}
