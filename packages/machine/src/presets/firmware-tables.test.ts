import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { createMachine, type Machine } from '../machine.js';
import { findMachineType } from './index.js';

const FIRMWARE_BYTES = 0x10000;
let cpuModule: WebAssembly.Module;
beforeAll(async () => {
  cpuModule = await WebAssembly.compile(readFileSync(createRequire(import.meta.url).resolve('@pagurus/cpu-wasm/cpu.wasm')));
});

const recorded = JSON.parse(readFileSync(new URL('../../fixtures/firmware-tables.json', import.meta.url), 'utf8')).runs.one as {
  smbios: string;
  APIC: string;
};

function machine(name: string, properties: Record<string, string> = {}): Machine {
  return createMachine(
    findMachineType(name),
    { memory: 128 * 2 ** 20, noDefaults: true, properties, firmware: new Uint8Array(FIRMWARE_BYTES) },
    { cpuModule },
  );
}

/** Reads fw_cfg as firmware does. */
function item({ ports }: Machine, key: number, length: number): Buffer {
  ports.write(0x510, key, 2);
  return Buffer.from(Array.from({ length }, () => ports.read(0x511, 1)));
}

function directory(of: Machine): Map<string, { key: number; length: number }> {
  const count = item(of, 0x19, 4).readUInt32BE();
  const entries = item(of, 0x19, 4 + 64 * count).subarray(4);
  return new Map(
    Array.from({ length: count }, (_, n) => {
      const entry = entries.subarray(64 * n, 64 * n + 64);
      const name = entry.toString('latin1', 8, entry.indexOf(0, 8));
      return [name, { key: entry.readUInt16BE(4), length: entry.readUInt32BE(0) }];
    }),
  );
}

function file(of: Machine, name: string): Buffer {
  const { key, length } = directory(of).get(name)!;
  return item(of, key, length);
}

describe('fw_cfg files of the tables', () => {
  it('have the lengths that QEMU gives them', () => {
    const files = directory(machine('pc-i440fx-7.2'));
    expect(files.get('etc/acpi/tables')?.length).toBe(0x20000);
    expect(files.get('etc/table-loader')?.length).toBe(0x1000);
    expect(files.get('etc/acpi/rsdp')?.length).toBe(20);
    expect(files.get('etc/system-states')?.length).toBe(6);
    expect(directory(machine('pc-i440fx-2.0')).get('etc/acpi/tables')?.length).toBe(0x2000);
  });

  it('hold the tables of this machine', () => {
    const pc = machine('pc-i440fx-7.2');
    const tables = file(pc, 'etc/acpi/tables');
    expect(tables.toString('latin1', 0, 4)).toBe('FACS');
    // Without checksum, which firmware adds.
    const madt = Buffer.from(recorded.APIC, 'hex');
    madt[9] = 0;
    expect(tables.includes(madt)).toBe(true);
    expect(file(pc, 'etc/smbios/smbios-tables').toString('hex')).toBe(recorded.smbios);
  });

  it('tell what the machine has and has not', () => {
    const tables = (name: string, properties?: Record<string, string>): string =>
      file(machine(name, properties), 'etc/acpi/tables').toString('latin1');
    expect(tables('pc-i440fx-7.2')).toMatch(/HPET.*CPRG/s);
    expect(tables('pc-i440fx-7.2', { hpet: 'off' })).not.toContain('HPET');
    expect(tables('pc-i440fx-2.6')).not.toContain('CPRG');
  });

  it('are those of old machines on old machines', () => {
    const old = directory(machine('pc-i440fx-1.6'));
    expect(old.has('etc/acpi/tables') || old.has('etc/smbios/smbios-tables')).toBe(false);
    expect(directory(machine('pc-i440fx-7.2', { acpi: 'off' })).has('etc/acpi/tables')).toBe(false);
    expect(file(machine('pc-i440fx-2.2'), 'etc/acpi/rsdp').toString('latin1', 0, 8)).toBe('RSD PTR ');
  });
});
