import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ACPI_FILE, acpiFiles, systemStates } from './acpi.js';
import { fadt, hpetTable, madt, waet } from './acpi-tables.js';
import { checksum } from './bytes.js';
import { dsdt } from './dsdt.js';
import type { FirmwareTableInput } from './input.js';
import { full, sample } from './testing.js';

type Run = Record<'FACP' | 'APIC' | 'HPET' | 'WAET', string>;
const recorded = JSON.parse(readFileSync(new URL('../../fixtures/firmware-tables.json', import.meta.url), 'utf8')).runs as Record<
  'one' | 'hotplug' | 'nine',
  Run
>;
const CHECKSUM = 9;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** As firmware completes it. */
function complete(table: Uint8Array): Uint8Array {
  const result = table.slice();
  result[CHECKSUM] = checksum(result);
  return result;
}

const processors = (count: number, present = count): FirmwareTableInput['processors'] =>
  Array.from({ length: count }, (_, apicId) => ({ apicId, present: apicId < present }));

const variants = {
  one: sample,
  hotplug: { ...sample, processors: processors(4, 2) },
  nine: { ...sample, processors: processors(9) },
} satisfies Record<string, FirmwareTableInput>;

describe.each(['one', 'hotplug', 'nine'] as const)('tables of a real machine: %s', (run) => {
  it('MADT, HPET, WAET equal byte for byte', () => {
    expect(hex(complete(madt(variants[run])))).toBe(recorded[run].APIC);
    expect(hex(complete(hpetTable(3)))).toBe(recorded[run].HPET);
    expect(hex(complete(waet()))).toBe(recorded[run].WAET);
  });

  it('FADT equals but for two addresses', () => {
    const theirs = Buffer.from(recorded[run].FACP, 'hex');
    const ours = complete(fadt(variants[run], theirs.readUInt32LE(36), theirs.readUInt32LE(40)));
    expect(hex(ours)).toBe(recorded[run].FACP);
  });
});

describe('processors', () => {
  it('beyond what 8 bits name are refused', () => {
    expect(() => madt({ ...sample, processors: [{ apicId: 255, present: true }] })).toThrow(/x2APIC/);
  });

  it('that are not present are no devices without hotplug', () => {
    const text = (input: FirmwareTableInput): string => Buffer.from(dsdt(input)).toString('latin1');
    expect(text({ ...full, cpuHotplug: false })).toContain('C001');
    expect(text({ ...full, cpuHotplug: false })).not.toContain('C002');
    expect(text(full)).toContain('C003');
  });
});

/** What a loader script does: the files in memory, at the given addresses. */
function link(input: FirmwareTableInput, bases: Record<string, number>): { memory: (address: number, length: number) => Buffer } {
  const files = acpiFiles(input);
  const contents: Record<string, Buffer> = {
    [ACPI_FILE.TABLES]: Buffer.from(files.tables),
    [ACPI_FILE.ROOT_POINTER]: Buffer.from(files.rootPointer),
  };
  const placed = new Set<string>();
  const script = Buffer.from(files.loader);
  const string = (at: number): string => script.toString('latin1', at, script.indexOf(0, at));
  expect(script.length % 128).toBe(0);
  for (let at = 0; at < script.length; at += 128) {
    const file = string(at + 4);
    switch (script.readUInt32LE(at)) {
      case 1:
        expect(bases[file]! % script.readUInt32LE(at + 60)).toBe(0);
        expect(script[at + 64]).toBe(file === ACPI_FILE.TABLES ? 1 : 2);
        placed.add(file);
        break;
      case 2: {
        const target = string(at + 60);
        expect(placed.has(file) && placed.has(target) && script[at + 120]).toBe(4);
        const offset = script.readUInt32LE(at + 116);
        contents[file]!.writeUInt32LE(contents[file]!.readUInt32LE(offset) + bases[target]!, offset);
        break;
      }
      case 3: {
        const [offset, start, length] = [60, 64, 68].map((field) => script.readUInt32LE(at + field)) as [number, number, number];
        contents[file]![offset] = checksum(contents[file]!.subarray(start, start + length));
        break;
      }
      default:
        expect.fail(`command ${script.readUInt32LE(at)}`);
    }
  }
  return {
    memory(address, length) {
      const [file, base] = Object.entries(bases).find(
        ([name, from]) => address >= from && address < from + contents[name]!.length,
      )!;
      return contents[file]!.subarray(address - base, address - base + length);
    },
  };
}

describe.each([
  ['smallest', sample],
  ['with all parts', full],
  ['without HPET', { ...sample, hpetTimers: undefined as never }],
] as const)('linked tables, %s', (_, input) => {
  const ROOT = 0xf_5a00;
  const { memory } = link(input, { [ACPI_FILE.TABLES]: 0x07fe_0000, [ACPI_FILE.ROOT_POINTER]: ROOT });
  const tableAt = (address: number): Buffer => memory(address, memory(address, 8).readUInt32LE(4));

  it('are found from the root pointer, each with a good checksum', () => {
    const root = memory(ROOT, 20);
    expect(root.toString('latin1', 0, 8)).toBe('RSD PTR ');
    expect([checksum(root), root[15]]).toEqual([0, 0]);
    const rsdt = tableAt(root.readUInt32LE(16));
    expect(checksum(rsdt)).toBe(0);
    const tables = Array.from({ length: (rsdt.length - 36) / 4 }, (_, i) => tableAt(rsdt.readUInt32LE(36 + 4 * i)));
    const signatures = tables.map((table) => table.toString('latin1', 0, 4));
    expect(signatures).toEqual(['FACP', 'APIC', ...(input.hpetTimers === undefined ? [] : ['HPET']), 'WAET']);
    expect(tables.map(checksum)).toEqual(tables.map(() => 0));
    const facs = memory(tables[0]!.readUInt32LE(36), 64);
    expect(facs.toString('latin1', 0, 4)).toBe('FACS');
    expect(tables[0]!.readUInt32LE(36) % 64).toBe(0);
    const description = tableAt(tables[0]!.readUInt32LE(40));
    expect([description.toString('latin1', 0, 4), checksum(description)]).toEqual(['DSDT', 0]);
  });

  it('fit where the oldest machines with tables keep them', () => {
    const files = acpiFiles(input);
    expect(files.tables.length).toBeLessThanOrEqual(0x2000);
    expect(files.loader.length).toBeLessThanOrEqual(0x1000);
    expect(files.rootPointer.length).toBe(20);
  });
});

it('system states', () => {
  expect([...systemStates(sample)]).toEqual([0x80, 0, 0, 0x81, 0x82, 0x80]);
  expect([...systemStates({ suspend: false })]).toEqual([0x80, 0, 0, 1, 0, 0x80]);
});

const noCompiler = spawnSync('iasl', ['-v']).error !== undefined;
if (noCompiler) console.log('iasl (acpica-tools) is not installed: its check of the DSDT is skipped');

describe.skipIf(noCompiler)('DSDT by the ACPI component architecture', () => {
  it.each([
    ['smallest', sample],
    ['with all parts', full],
    ['without hotplug', { ...full, pciHotplug: false, cpuHotplug: false, suspend: false }],
  ] as const)('%s: disassembled and compiled without a complaint', (_, input) => {
    const folder = mkdtempSync(join(tmpdir(), 'pagurus-dsdt-'));
    try {
      writeFileSync(join(folder, 'dsdt.aml'), complete(dsdt(input)));
      const disassembled = execFileSync('iasl', ['-d', 'dsdt.aml'], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
      expect(disassembled).not.toMatch(/error|unresolved|external/i);
      const compiled = spawnSync('iasl', ['-p', 'again', 'dsdt.dsl'], { cwd: folder, encoding: 'utf8' });
      expect(compiled.stdout + compiled.stderr).toMatch(/Compilation successful. 0 Errors, 0 Warnings, 0 Remarks/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
