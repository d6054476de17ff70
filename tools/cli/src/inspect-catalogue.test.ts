import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { bytesChannel, type InspectedSection, inspectStream } from '@pagurus/migration';
import { describe, expect, it } from 'vitest';
import { ownCatalogue } from './inspect-catalogue.js';

const stream = (name: string) =>
  gunzipSync(readFileSync(new URL(`../../../packages/migration/fixtures/${name}.bin.gz`, import.meta.url)));

async function sections(name: string, own: boolean): Promise<InspectedSection[]> {
  const inspection = await inspectStream(bytesChannel(stream(name)), own ? { catalogue: await ownCatalogue() } : {});
  expect(inspection.error).toBeUndefined();
  return inspection.entries.filter((entry) => entry.kind === 'section' && entry.type === 'FULL') as InspectedSection[];
}

const namesOf = (list: readonly InspectedSection[], by: string) =>
  list.filter(({ decodedBy }) => decodedBy === by).map(({ name }) => name);

/** Devices that every machine has whose descriptions are ours. */
const OURS = [
  'timer',
  'cpu_common',
  'fw_cfg',
  'PCIBUS',
  '0000:00:00.0/I440FX',
  'dma',
  'dma',
  '0000:00:01.0/PIIX3',
  'i8259',
  'i8259',
  'mc146818rtc',
  'i8254',
  'ps2kbd',
  'ps2mouse',
  'pckbd',
  'port92',
];

describe('our own descriptions', () => {
  it.each(['uuid-pc-i440fx-7.2-i386', 'reset-nodefaults-pc-i440fx-10.0-x86_64'])(
    'find in %s what the stream says of itself',
    async (name) => {
      const own = await sections(name, true);
      const carried = await sections(name, false);
      expect(own.map(({ values }) => values)).toEqual(carried.map(({ values }) => values));
      expect(namesOf(own, 'catalogue')).toEqual(expect.arrayContaining(OURS));
      expect(namesOf(own, 'footer')).toEqual([]);
    },
  );

  it('read streams of machines that describe nothing', async () => {
    const own = await sections('virtio-all-legacy-pc-i440fx-2.0-i386', true);
    expect(namesOf(own, 'catalogue')).toEqual(expect.arrayContaining(OURS.filter((name) => name !== 'fw_cfg')));
    expect(own.find(({ name, instance }) => name === 'i8259' && instance === 1)!.values).toMatchObject({ irq_base: 0, elcr: 0 });
    expect(own.find(({ name }) => name === 'ps2kbd')!.values).toMatchObject({ scancode_set: 2 });
  });
});
