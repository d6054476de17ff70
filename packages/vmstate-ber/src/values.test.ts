import type { StructNode } from '@pagurus/vmstate';
import { StateError } from '@pagurus/vmstate';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AsnModule,
  type AsnValue,
  checkBer,
  moduleText,
  parseModule,
  treeFromValue,
  treeTypes,
  treeValue,
  valueFromBer,
  valueToBer,
} from './index.js';

const module: AsnModule = {
  name: 'Test',
  root: 'Thing',
  types: new Map([
    [
      'Thing',
      {
        kind: 'choice',
        alternatives: [
          { name: 'number', type: { kind: 'integer', min: -5n, max: 5n } },
          { name: 'word', type: { kind: 'text' } },
          { name: 'pair', tag: 0, type: { kind: 'reference', to: 'Pair' } },
          { name: 'many', tag: 1, type: { kind: 'list', of: { kind: 'reference', to: 'Thing' }, min: 0, max: 3 } },
        ],
      },
    ],
    [
      'Pair',
      {
        kind: 'sequence',
        components: [
          { name: 'wide', tag: undefined, type: { kind: 'integer', min: 0n, max: 2n ** 64n - 1n }, optional: false, comment: '' },
          { name: 'raw', tag: 0, type: { kind: 'octets', min: 1, max: 4 }, optional: true, comment: '' },
        ],
      },
    ],
    ...treeTypes(),
  ]),
};

describe('values by a module', () => {
  it.each<AsnValue>([
    { is: 'number', value: -3 },
    { is: 'word', value: 'ä' },
    { is: 'pair', value: { wide: 2n ** 64n - 1n } },
    { is: 'pair', value: { wide: 0n, raw: Uint8Array.of(1, 2) } },
    {
      is: 'many',
      value: [
        { is: 'number', value: 1 },
        { is: 'many', value: [] },
      ],
    },
  ])('go to BER and back (%#)', (value) => {
    const bytes = valueToBer(module, value);
    expect(valueFromBer(module, bytes)).toEqual(value);
    expect(checkBer(bytes, parseModule(moduleText(module)))).toEqual([]);
  });

  it.each<[AsnValue, RegExp]>([
    [{ is: 'number', value: 6 }, /Thing\.number: 6 is out of range/],
    [{ is: 'other', value: 6 }, /number or word or pair or many is expected/],
    [{ is: 'pair', value: { raw: Uint8Array.of(1) } }, /Thing\.pair\.wide: INTEGER is expected/],
    [{ is: 'word', value: 5 }, /UTF8String is expected/],
  ])('that do not fit are refused (%#)', (value, message) => {
    expect(() => valueToBer(module, value)).toThrow(message);
  });

  it.each<[number[], RegExp]>([
    [[0x02, 1, 9], /out of range/],
    [[0x04, 1, 9], /is expected/],
    [[0xa0, 5, 0x30, 3, 0xa0, 1, 0], /./],
    [[0xa0, 2, 0x30, 0], /pair\.wide: the component is missing/],
    [[0xa1, 14, 0x30, 12, 2, 1, 0, 2, 1, 0, 2, 1, 0, 2, 1, 0], /a size of 0 to 3 is expected/],
  ])('BER %j is refused', (bytes, message) => {
    expect(() => valueFromBer(module, Uint8Array.from(bytes))).toThrow(message);
  });
});

describe('trees', () => {
  const node: fc.Memo<StructNode> = fc.memo((depth) =>
    fc.record(
      {
        name: fc.string({ maxLength: 5 }),
        version: fc.nat(9),
        fields: fc.array(
          fc.record(
            {
              name: fc.string({ maxLength: 5 }),
              type: fc.string({ maxLength: 5 }),
              value: value(depth),
              marks: fc.constant('each' as const),
            },
            { requiredKeys: ['name', 'type', 'value'], noNullPrototype: true },
          ),
          { maxLength: 3 },
        ),
        subsections: depth > 1 ? fc.array(node(depth - 1), { maxLength: 2 }) : fc.constant([]),
      },
      { noNullPrototype: true },
    ),
  );
  const leaf = fc.oneof(
    fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 9 }),
  );
  const value: (depth: number) => fc.Arbitrary<StructNode['fields'][number]['value']> = fc.memo((depth) =>
    depth <= 1
      ? leaf
      : fc.oneof(
          leaf,
          fc.array(leaf, { maxLength: 3 }),
          node(depth - 1),
          fc.record({ key: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), value: node(depth - 1) }, { noNullPrototype: true }),
        ),
  );

  it('come back as they were', () => {
    fc.assert(
      fc.property(node(4), (tree) => {
        const bytes = valueToBer(module, treeValue(tree), 'Node');
        expect(treeFromValue(valueFromBer(module, bytes, 'Node'))).toEqual(tree);
        expect(checkBer(bytes, module, 'Node')).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('of many values are read, and damage is a typed error', () => {
    const many: StructNode = {
      name: 'many',
      version: 1,
      fields: [{ name: 'words', type: 'uint32', value: Array.from({ length: 30_000 }, (_, i) => i) }],
      subsections: [],
    };
    const bytes = valueToBer(module, treeValue(many), 'Node');
    expect(treeFromValue(valueFromBer(module, bytes, 'Node'))).toEqual(many);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        try {
          valueFromBer(module, noise, 'Node');
        } catch (error) {
          expect(error).toBeInstanceOf(StateError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('nested without end are refused', () => {
    let bytes = Uint8Array.of(0x02, 1, 0);
    for (let depth = 0; depth < 2000; depth++) {
      const length = bytes.length;
      bytes = Uint8Array.of(0x30, 0x84, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255, ...bytes);
    }
    expect(() => valueFromBer(module, bytes, 'Value')).toThrow(StateError);
  });
});
