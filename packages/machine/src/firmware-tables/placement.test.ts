import { describe, expect, it } from 'vitest';
import { ACPI_FILE, acpiFiles } from './acpi.js';
import { LoaderScript } from './loader.js';
import { completeTables } from './placement.js';
import { sample } from './testing.js';

const BASE = 0x7fe_0000;
const ROOT = 0x9_fc00;

function placed() {
  const { tables, loader, rootPointer } = acpiFiles(sample);
  completeTables(
    loader,
    new Map([
      [ACPI_FILE.TABLES, { bytes: tables, address: BASE }],
      [ACPI_FILE.ROOT_POINTER, { bytes: rootPointer, address: ROOT }],
    ]),
  );
  return { tables, rootPointer, at: (address: number) => tables.subarray(address - BASE) };
}

const word = (bytes: Uint8Array, offset: number) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
const name = (bytes: Uint8Array) => new TextDecoder().decode(bytes.subarray(0, 4));
const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

describe('tables that are completed without firmware', () => {
  it('are found from the root pointer on, with right checksums', () => {
    const { rootPointer, at } = placed();
    expect(sum(rootPointer)).toBe(0);
    const rsdt = at(word(rootPointer, 16));
    expect(name(rsdt)).toBe('RSDT');
    const count = (word(rsdt, 4) - 36) / 4;
    const listed = Array.from({ length: count }, (_, i) => at(word(rsdt, 36 + 4 * i)));
    expect(listed.map(name).slice(0, 2)).toEqual(['FACP', 'APIC']);
    const facp = listed[0]!;
    const [facs, dsdt] = [at(word(facp, 36)), at(word(facp, 40))];
    expect([name(facs), name(dsdt)]).toEqual(['FACS', 'DSDT']);
    for (const table of [rsdt, dsdt, ...listed]) expect(sum(table.subarray(0, word(table, 4))), name(table)).toBe(0);
  });

  it('are refused where the script names what was not placed, or lies outside', () => {
    const { loader } = acpiFiles(sample);
    expect(() => completeTables(loader, new Map())).toThrow("names 'etc/acpi/tables', which was not placed");
    const script = new LoaderScript();
    script.addChecksum('a', 0, 0, 5);
    expect(() => completeTables(script.encode(), new Map([['a', { bytes: new Uint8Array(4), address: 0 }]]))).toThrow(
      'sums up 5 bytes at 0 of 4',
    );
  });
});
