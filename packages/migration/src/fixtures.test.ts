import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fixture, list, parseExactly } from '../test/support.js';
import { bytesChannel, collectingChannel, convertFromJson, convertToJson, convertToQemu } from './index.js';

const recorded = JSON.parse(readFileSync(new URL('../fixtures/sections.json', import.meta.url), 'utf8')) as Record<
  string,
  unknown[][]
>;
const names = Object.keys(recorded);

/** The lengths of PARTs are those of streams with pages, and were not kept. */
const withoutPartLengths = (rows: unknown[][]): unknown[][] => rows.map((row) => (row[0] === 'PART' ? row.slice(0, 2) : row));

describe.each(names)('%s', (name) => {
  const bytes = fixture(`${name}.bin`);

  it('lists the sections that were recorded', async () => {
    const { rows, decodedBy } = await list(bytesChannel(bytes));
    expect(withoutPartLengths(rows)).toEqual(recorded[name]);
    const expected = name.startsWith('virtio-all')
      ? ['next-section']
      : name.startsWith('postcopy')
        ? ['footer', 'catalogue']
        : ['vmdesc'];
    expect([...decodedBy]).toEqual(expected); // the run state is our own
  });

  it('reads the same one byte at a time', async () => {
    const { rows } = await list(bytesChannel(bytes, 1));
    expect(withoutPartLengths(rows)).toEqual(recorded[name]);
  });

  it('is written back byte for byte, directly and by way of JSON', async () => {
    const copy = collectingChannel();
    expect(await convertToQemu(bytesChannel(bytes), copy)).toBe(bytes.length);
    expect(Buffer.from(copy.bytes()).equals(bytes)).toBe(true);
    const json = collectingChannel();
    await convertToJson(bytesChannel(bytes), json);
    const again = collectingChannel();
    await convertFromJson(bytesChannel(json.bytes(), 1000), again);
    expect(Buffer.from(again.bytes()).equals(bytes)).toBe(true);
  });
});

describe('fields', () => {
  it('have the values that were recorded', async () => {
    const { decoded } = await list(bytesChannel(fixture('uuid-pc-i440fx-7.2-i386.bin')));
    expect(decoded).toEqual(parseExactly(Buffer.from(fixture('uuid-pc-i440fx-7.2-i386.decoded.json')).toString()));
  });

  it('are re-encoded from their values, not copied', async () => {
    const copy = collectingChannel();
    await convertToQemu(bytesChannel(fixture('uuid-pc-i440fx-7.2-i386.bin')), copy, {
      transform(event) {
        if (event.kind !== 'state' || event.node.name !== 'cpu_common') return event;
        const fields = event.node.fields.map((field) => (field.name === 'halted' ? { ...field, value: 0x1234 } : field));
        return { ...event, node: { ...event.node, fields } };
      },
    });
    const { decoded } = await list(bytesChannel(copy.bytes()));
    expect(decoded.find((row) => row.section === 'cpu_common')!.values).toMatchObject({ halted: 0x1234 });
  });
});
