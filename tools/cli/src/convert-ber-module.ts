/** The ASN.1 module of archives of streams: it is the format, code and checks follow from it. */
import { type AsnComponent, type AsnModule, type AsnType, treeTypes } from '@pagurus/vmstate-ber';

const MOST_BYTES = 2 ** 28;
const U32: AsnType = { kind: 'integer', min: 0n, max: 0xffff_ffffn };
const SIZE: AsnType = { kind: 'integer', min: 0n, max: BigInt(Number.MAX_SAFE_INTEGER) };
/** -1 = not known. */
const LENGTH: AsnType = { kind: 'integer', min: -1n, max: BigInt(Number.MAX_SAFE_INTEGER) };
const U64: AsnType = { kind: 'integer', min: 0n, max: 2n ** 64n - 1n };
const TEXT: AsnType = { kind: 'text' };
const FLAG: AsnType = { kind: 'boolean' };
const OCTETS: AsnType = { kind: 'octets', min: 0, max: MOST_BYTES };
const NULL: AsnType = { kind: 'null' };

const list = (of: AsnType): AsnType => ({ kind: 'list', of, min: 0, max: MOST_BYTES });
const to = (name: string): AsnType => ({ kind: 'reference', to: name });

/** Components; those behind a question mark are optional and therefore tagged. */
function sequence(members: Readonly<Record<string, AsnType>>): AsnType {
  let tags = 0;
  const components = Object.entries(members).map(([key, type]): AsnComponent => {
    const optional = key.endsWith('?');
    return { name: key.replace('?', ''), tag: optional ? tags++ : undefined, type, optional, comment: '' };
  });
  return { kind: 'sequence', components };
}

const page = { block: TEXT, offset: SIZE };

/** By kind of event; the number of an event is its tag. New kinds go to the end. */
const EVENTS: Readonly<Record<string, AsnType>> = {
  header: sequence({ version: U32 }),
  configuration: sequence({ machine: TEXT, subsections: list(to('ConfigurationSubsection')) }),
  command: to('Command'),
  package: sequence({ size: SIZE }),
  'package-end': NULL,
  section: sequence({ type: TEXT, sectionId: U32, idstr: TEXT, instance: U32, version: U32 }),
  state: sequence({ decodedBy: TEXT, node: to('Node') }),
  'section-end': sequence({ length: LENGTH, footer: FLAG, sectionId: U32 }),
  eof: NULL,
  vmdesc: sequence({ declaredLength: U32, text: TEXT }),
  trailing: sequence({ bytes: OCTETS }),
  'ram-total': sequence({ total: SIZE }),
  'ram-block': sequence({ name: TEXT, usedLength: SIZE, 'pageSize?': U64, 'address?': U64, 'mapped?': to('MappedRam') }),
  'ram-eos': NULL,
  'ram-multifd-flush': NULL,
  'ram-zero': sequence({ ...page, continued: FLAG, byte: { kind: 'integer', min: 0n, max: 255n } }),
  'ram-page': sequence({ ...page, continued: FLAG, bytes: OCTETS }),
  'ram-compressed': sequence({ ...page, continued: FLAG, data: OCTETS }),
  'ram-xbzrle': sequence({ ...page, continued: FLAG, delta: OCTETS }),
  'ram-mapped': sequence({ ...page, stored: FLAG, bytes: OCTETS }),
};

export const STREAM_MODULE: AsnModule = {
  name: 'Pagurus-Stream',
  root: 'Stream',
  types: new Map<string, AsnType>([
    ['Stream', list(to('Event'))],
    ['Event', { kind: 'choice', alternatives: Object.entries(EVENTS).map(([name, type], tag) => ({ name, tag, type })) }],
    [
      'ConfigurationSubsection',
      sequence({ name: TEXT, version: U32, 'pageBits?': U32, 'capabilities?': list(TEXT), 'uuid?': TEXT }),
    ],
    [
      'Command',
      sequence({
        name: TEXT,
        'value?': U32,
        'size?': U32,
        'block?': TEXT,
        'version?': U32,
        'ranges?': list(sequence({ start: U64, length: U64 })),
        'pageSizes?': sequence({ ofBlocks: U64, ofTarget: U64 }),
      }),
    ],
    ['MappedRam', sequence({ version: U32, pageSize: SIZE, bitmapOffset: SIZE, pagesOffset: SIZE, bitmap: OCTETS })],
    ...treeTypes(),
  ]),
};
