import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { expect, describe as group, it } from 'vitest';
import { Everything, everything } from './everything.fixture.js';
import {
  descriptionFromVmdesc,
  drawState,
  fromJson,
  type Json,
  jsonSchema,
  load,
  StateError,
  toJson,
  type VmdescDevice,
} from './index.js';

const ajv = new Ajv2020({ strict: true, allErrors: true });
const validate = ajv.compile(jsonSchema(everything, new Everything()) as object);
const anyState = fc.uint8Array({ maxLength: 600, size: 'max' }).map(drawState(everything, () => new Everything()));

group('JSON Schema, checked by ajv', () => {
  it('is a valid schema of draft 2020-12', () => {
    expect(ajv.validateSchema(jsonSchema(everything, new Everything()) as object)).toBe(true);
  });

  it('accepts the JSON form of every state', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        expect(validate(toJson(everything, state)), JSON.stringify(validate.errors)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('what it refuses does not load either', () => {
    const good = toJson(everything, new Everything()) as { [key: string]: Json };
    // The loader is more liberal than the schema only with numbers for booleans and 64-bit texts, with what it ignores, and with subsections
    // that are not there.
    const keys = Object.keys(good).filter((key) => !['unused', 'reserved', '@name', '@subsections'].includes(key));
    const wrong = fc.oneof(fc.constant(null), fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()));
    let refused = 0;
    fc.assert(
      fc.property(fc.constantFrom(...keys), wrong, (key, value) => {
        const json = { ...good, [key]: value as Json };
        if (validate(json)) return;
        refused++;
        expect(() => fromJson(everything, new Everything(), json), key).toThrow(StateError);
      }),
      { numRuns: 1500 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it.each<[string, (json: { [key: string]: Json }) => void]>([
    ['a number out of range', (json) => (json.u8 = 256)],
    ['a negative number', (json) => (json.u32 = -1)],
    ['a number as 64-bit text', (json) => (json.u64 = 5)],
    ['a buffer of another length', (json) => (json.raw = '00')],
    ['text that is no hex', (json) => (json.raw = 'xx0000000000000000')],
    ['a missing field', (json) => delete json.u16],
    ['an unknown field', (json) => (json.u17 = 1)],
    ['too many elements', (json) => (json.list = new Array<Json>(9).fill({ track: 1 }))],
    ['a missing subsection that is always sent', (json) => delete json['@subsections']],
    ['another name', (json) => (json['@name'] = 'nothing')],
    ['another version', (json) => (json['@version'] = 2)],
    ['an element that is no struct', (json) => (json.points = [1, 2])],
    ['a codec value that it refuses', (json) => (json.text = 'x'.repeat(256))],
  ])('refuses %s', (_name, spoil) => {
    const json = structuredClone(toJson(everything, new Everything())) as { [key: string]: Json };
    expect(validate(json)).toBe(true);
    spoil(json);
    expect(validate(json)).toBe(false);
  });

  it('fits sections of real QEMU', () => {
    const fixtures = JSON.parse(readFileSync(new URL('../fixtures/sections.json', import.meta.url), 'utf8')) as {
      version: number;
      device: VmdescDevice;
      hex: string;
    }[];
    for (const { device, version, hex } of fixtures) {
      const { description, create } = descriptionFromVmdesc(device);
      const state = create();
      load(description, state, Uint8Array.from(Buffer.from(hex, 'hex')), version);
      const check = ajv.compile(jsonSchema(description, state) as object);
      expect(check(toJson(description, state)), JSON.stringify(check.errors)).toBe(true);
    }
  });
});
