import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/* All recorded streams that are files of their own, when PAGURUS_SHARED names the folder of recordings. */
const shared = process.env.PAGURUS_SHARED;
const folder = shared ? join(shared, 'qemu/streams') : '';
const recorded = shared
  ? (JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { sidecar: string; kind: string; file?: string }[]).filter(
      ({ kind, file }) => file && kind !== 'corrupt',
    )
  : [];

describe.skipIf(!shared)('our own descriptions and recorded streams', () => {
  it.each(recorded.map(({ sidecar, file }) => [sidecar, file!] as const))('%s', async (sidecar, file) => {
    const bytes = gunzipSync(readFileSync(join(folder, dirname(sidecar), file)));
    const { sections: expected } = JSON.parse(readFileSync(join(folder, sidecar), 'utf8')) as { sections: unknown[][] };
    const own = await inspectStream(bytesChannel(bytes), { catalogue: await ownCatalogue() });
    const carried = await inspectStream(bytesChannel(bytes));
    expect(own).toMatchObject({ error: undefined, problems: [] });
    const full = (list: typeof own) =>
      list.entries.filter((entry) => entry.kind === 'section' && entry.type === 'FULL') as InspectedSection[];
    const packaged =
      (expected.find((row) => (row[1] as { inner?: unknown })?.inner)?.[1] as { inner: unknown[][] } | undefined)?.inner ?? [];
    expect(full(own).map(({ type, name, instance, version, length }) => [type, name, instance, version, length])).toEqual(
      [...packaged, ...expected].filter((row) => row[0] === 'FULL'),
    );
    for (const [i, section] of full(carried).entries()) {
      if (section.decodedBy === 'vmdesc') expect(full(own)[i]!.values, section.name).toEqual(section.values);
    }
  });
});
