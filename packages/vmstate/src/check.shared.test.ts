/** The checker on QEMU's own dumps and streams. Needs the recordings: PAGURUS_SHARED names the folder that has `qemu`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, describe as group, it } from 'vitest';
import { breaks, checkSchemas, type MachineSchema, schemaFromVmdesc, type Vmdesc } from './index.js';

const shared = process.env.PAGURUS_SHARED;
const read = <T>(path: string): T => JSON.parse(gunzipSync(readFileSync(join(shared!, 'qemu', path))).toString()) as T;
const dump = (version: string, machine: string) => read<MachineSchema>(`vmstate/${version}/${machine}.json.gz`);

group.skipIf(shared === undefined)('dumps of real QEMU (PAGURUS_SHARED)', () => {
  it('a dump has nothing against itself', () => {
    for (const one of [dump('7.2', 'pc-i440fx-1.4'), dump('10.0', 'pc-i440fx-2.4')]) expect(checkSchemas(one, one)).toEqual([]);
  });

  it('finds what came between 7.2 and 10.0', () => {
    const errors = (from: MachineSchema, to: MachineSchema) =>
      checkSchemas(from, to)
        .filter(({ severity }) => severity === 'error')
        .map(({ code, path }) => `${code} ${path}`);
    const [old, now] = [dump('7.2', 'pc-i440fx-1.4'), dump('10.0', 'pc-i440fx-2.4')];
    expect(errors(old, now)).toContain('field-differs acpi-ged/ghes.ghes_state.ghes_addr_le');
    expect(errors(now, old)).toContain('entry-missing i8259');
  });

  it('has nothing against any stream of the same version', () => {
    let streams = 0;
    for (const [version, machine] of [
      ['7.2', 'pc-i440fx-1.4'],
      ['10.0', 'pc-i440fx-2.4'],
    ] as const) {
      const schema = dump(version, machine);
      for (const file of readdirSync(join(shared!, 'qemu/streams', version)).filter((name) => name.endsWith('.vmdesc.json.gz'))) {
        const found = checkSchemas(schemaFromVmdesc(read<Vmdesc>(`streams/${version}/${file}`)), schema, { stream: true });
        expect(breaks(found), `${version}/${file}: ${JSON.stringify(found)}`).toBe(0);
        streams++;
      }
    }
    expect(streams).toBeGreaterThan(100);
  });
});
