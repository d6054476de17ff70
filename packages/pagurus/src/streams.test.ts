import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { changedRegisters, changedSections, counterpart, load, type Sidecar, sectionsOf } from '../test/recorded.js';
import { saved } from './testing.js';

interface Fixture extends Sidecar {
  readonly file: string;
  readonly program: string;
  readonly qemu_version: string;
  readonly registers: readonly string[];
}

const read = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
const fixtures = (JSON.parse(read('streams.json').toString()) as Fixture[]).map((fixture) => ({
  ...fixture,
  qemu_version: fixture.file.slice(0, fixture.file.indexOf('-')),
}));

describe('streams that QEMU wrote', () => {
  it.each(fixtures.map((fixture) => [fixture.file, fixture] as const))(
    '%s is loaded and saved again as it was',
    async (_, fixture) => {
      const { machine } = await counterpart(fixture, fixture);
      const stream = new Uint8Array(gunzipSync(read(`${fixture.file}.bin.gz`)));
      await load(machine, stream);
      expect(changedRegisters(fixture.registers, machine)).toEqual([]);
      expect(await changedSections(stream, machine)).toEqual([]);
      const blocks = machine.ramBlocks.map(({ name, usedLength }) => ({ id: name, length: usedLength }));
      expect(new Set(blocks)).toEqual(new Set(fixture.ram_blocks_after_load));
    },
  );

  it.each(fixtures.filter(({ file }) => file.includes('-reset-')).map((fixture) => [fixture.file, fixture] as const))(
    '%s has the sections of our machine after reset: names, instances, versions, order, bytes',
    async (_, fixture) => {
      const { machine } = await counterpart(fixture, fixture);
      const lengths = await sectionsOf(await saved(machine));
      const ours = machine.sections
        .filter((section) => section.needed())
        .map(({ idstr, instance, version }) => [idstr, instance, version, lengths.get(`${idstr} ${instance}`)!.length]);
      expect(new Set(ours)).toEqual(new Set(fixture.sections.filter(([idstr]) => idstr !== 'globalstate')));
      const stream = new Uint8Array(gunzipSync(read(`${fixture.file}.bin.gz`)));
      expect(await changedSections(stream, machine)).toEqual([]);
    },
  );

  it('are refused where the machine lacks a device; it is then as after reset', async () => {
    const devices = fixtures.find(({ file }) => file.includes('-devstate-'))!;
    const { machine } = await counterpart(devices, devices, { serial: [] });
    const fresh = await saved(machine);
    const stream = new Uint8Array(gunzipSync(read(`${devices.file}.bin.gz`)));
    await expect(load(machine, stream)).rejects.toThrow(/there is no section 'serial' instance 0 here/);
    expect(Buffer.from(await saved(machine)).equals(Buffer.from(fresh))).toBe(true);
  });

  it('are refused where a device is of another version of the machine', async () => {
    const [newest] = fixtures;
    const { machine } = await counterpart(newest!, {
      ...newest!,
      command: newest!.command.map((word) => word.replace('-7.2', '-7.1')),
    });
    await expect(load(machine, new Uint8Array(gunzipSync(read(`${newest!.file}.bin.gz`))))).rejects.toThrow(
      /another machine type/,
    );
  });
});
