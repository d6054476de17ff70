import { expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, pagurus } from './process.js';

const BIOS = '/usr/share/seabios/bios-256k.bin';
const OPTIONS = ['-m', '64', '-nodefaults', '-display', 'none', '-bios', BIOS];
const LOG_OPTIONS = ['-debugcon', 'stdio', '-global', 'isa-debugcon.iobase=0x402', '-no-reboot', '-boot', 'reboot-timeout=100'];

/** Lines of SeaBIOS's log about tables; where they lie depends on the length of the DSDT, which is our own. */
const TABLES = /^(Moving pm_base|Using pmtimer|Copying SMBIOS|table\(|ACPI|parse_)/;
const tables = (log: string) =>
  log
    .split(/\r?\n/)
    .filter((line) => TABLES.test(line))
    .map((line) => line.replace(/=?0x0[0-9a-f]{7}|\d+(?=\))|0x000[0-9a-f]{5}/g, '…'));

async function seabios(machine: ReturnType<typeof pagurus>): Promise<string> {
  expect(await machine.ended, machine.errors).toBe(0);
  return machine.output;
}

withParts('ACPI tables in SeaBIOS', ['seabios'], () => {
  it.each(['10.0', '7.2', '2.6', '2.2', '2.1', '2.0', '1.7'])('of pc-i440fx-%s are found and understood', async (version) => {
    const log = await seabios(pagurus('run', '-M', `pc-i440fx-${version}`, ...OPTIONS, ...LOG_OPTIONS));
    expect(log).toContain('Moving pm_base to 0x600');
    expect(log).toContain('Using pmtimer, ioport 0x608');
    expect(log).toMatch(/table\(50434146\)=0x03f[ef][0-9a-f]{4} \(via rsdt\)/);
    expect(log).toMatch(/ACPI: parse DSDT at 0x03f[ef][0-9a-f]040 \(len \d+\)/);
    // What its parser says of a term that it does not know.
    expect(log).not.toContain('parse error');
    expect(log).toContain('PS2 keyboard initialized');
  });

  it('are not there with acpi=off', async () => {
    const log = await seabios(pagurus('run', '-M', 'pc-i440fx-7.2,acpi=off', ...OPTIONS, ...LOG_OPTIONS));
    expect(log).not.toMatch(/table\(50434146\)/);
    expect(log).toContain('Copying SMBIOS');
  });
});

withParts('ACPI tables in SeaBIOS beside QEMU', ['seabios', 'qemu'], () => {
  it('are taken as QEMU’s are', async () => {
    const theirs = command('qemu-system-i386', '-M', 'pc-i440fx-7.2', ...OPTIONS, ...LOG_OPTIONS);
    const ours = pagurus('run', '-M', 'pc-i440fx-7.2', ...OPTIONS, ...LOG_OPTIONS);
    await Promise.all([theirs.ended, ours.ended]);
    expect(tables(ours.output)).toEqual(tables(theirs.output));
    expect(tables(ours.output).length).toBe(5);
  });
});
