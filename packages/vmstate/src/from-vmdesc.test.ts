import { readFileSync } from 'node:fs';
import { expect, describe as group, it } from 'vitest';
import {
  describe,
  descriptionFromVmdesc,
  fromJson,
  jsonSchema,
  load,
  StateError,
  save,
  toJson,
  type VmdescDevice,
} from './index.js';

interface Fixture {
  qemu: string;
  version: number;
  device: VmdescDevice;
  hex: string;
}
const fixtures = JSON.parse(readFileSync(new URL('../fixtures/sections.json', import.meta.url), 'utf8')) as Fixture[];
const device = (fields: object[], more: object = {}): VmdescDevice =>
  ({ name: 'dev', instance_id: 0, vmsd_name: 'dev', version: 1, fields, ...more }) as unknown as VmdescDevice;

group('a description out of a stream', () => {
  it.each(fixtures.map((fixture) => [`${fixture.device.name} of ${fixture.qemu}`, fixture] as const))(
    '%s loads, saves, goes through JSON and describes itself as QEMU did',
    (_name, { device: entry, version, hex, qemu }) => {
      const { description, create } = descriptionFromVmdesc(entry);
      const state = create();
      const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
      expect(load(description, state, bytes, version)).toBe(bytes.length);
      expect(Buffer.from(save(description, state)).toString('hex')).toBe(hex);
      const other = create();
      fromJson(description, other, JSON.stringify(toJson(description, state)));
      expect(Buffer.from(save(description, other)).toString('hex')).toBe(hex);
      const { name: _device, instance_id: _instance, ...members } = entry;
      // 10.0 forgets the index of the last element.
      if (qemu === '7.2') expect(JSON.stringify(describe(description, state))).toBe(JSON.stringify(members));
      expect(jsonSchema(description, state)).toMatchObject({ title: description.name });
    },
  );

  it('remembers which elements had a subsection', () => {
    const element = (index: number, subsections: object[]) => ({
      name: 'd',
      index,
      type: 'struct',
      struct: {
        vmsd_name: 'd',
        version: 1,
        fields: [{ name: 'x', type: 'uint8', size: 1 }],
        ...(subsections.length ? { subsections } : {}),
      },
      size: 1,
    });
    const extra = { vmsd_name: 'd/e', version: 2, fields: [{ name: 'y', type: 'uint8', size: 1 }] };
    const { description, create } = descriptionFromVmdesc(device([element(0, [extra]), element(1, [])]));
    const bytes = new Uint8Array([7, 5, 3, 100, 47, 101, 0, 0, 0, 2, 9, 8]);
    const state = create();
    expect(load(description, state, bytes)).toBe(bytes.length);
    expect(save(description, state)).toEqual(bytes);
    expect(toJson(description, state)).toMatchObject({ d: [{ x: 7, '@subsections': { 'd/e': { y: 9 } } }, { x: 8 }] });
  });

  it('keeps runs of one name apart', () => {
    const runs = [
      { name: 'p', type: 'int32', size: 4 },
      { name: 'p', type: 'nullptr', size: 1 },
      { name: 'p', type: 'int32', size: 4 },
    ];
    const { description, create } = descriptionFromVmdesc(device(runs));
    const bytes = new Uint8Array([0, 0, 0, 1, 0x30, 0, 0, 0, 3]);
    const state = create();
    load(description, state, bytes);
    expect(save(description, state)).toEqual(bytes);
  });

  it('refuses sizes that multiply beyond all bounds', () => {
    const bomb = {
      name: 's',
      array_len: 2 ** 20,
      type: 'struct',
      struct: { vmsd_name: 's', version: 1, fields: [{ name: 'b', type: 'buffer', size: 2 ** 20 }] },
      size: 1,
    };
    expect(() => descriptionFromVmdesc(device([bomb]))).toThrow(StateError);
    expect(() => descriptionFromVmdesc(device([{ name: 'b', array_len: 2 ** 40, type: 'uint8', size: 1 }]))).toThrow(StateError);
    expect(() => descriptionFromVmdesc(device([null as unknown as object]))).toThrow(expect.objectContaining({ code: 'json' }));
  });
});
