import { expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, pagurus } from './process.js';

const BIOS = '/usr/share/seabios/bios-256k.bin';
const OPTIONS =
  `-M pc-i440fx-7.2 -m 64 -nodefaults -display none -bios ${BIOS} -debugcon stdio -global isa-debugcon.iobase=0x402 -no-reboot -boot reboot-timeout=100`.split(
    ' ',
  );

/** Lines of SeaBIOS's log that say what hardware it found; both machines must give the same ones. */
const HARDWARE =
  /^(qemu\/e820|Running on|Found QEMU|QEMU fw_cfg|PCI: |Found \d+ (PCI|cpu|lpt|serial)|PIIX|PS2|Using pmtimer|Moving pm_base|ATA controller|No bootable|Rebooting| {2}\d: 0)/;
const hardware = (log: string) => log.split(/\r?\n/).filter((line) => HARDWARE.test(line));

withParts('SeaBIOS', ['seabios'], () => {
  it('runs to "No bootable device" and ends at the reboot', async () => {
    const machine = pagurus('run', ...OPTIONS);
    expect(await machine.ended, machine.errors).toBe(0);
    const lines = hardware(machine.output);
    expect(lines).toContain('PCI: init bdf=00:00.0 id=8086:1237');
    expect(lines).toContain('PS2 keyboard initialized');
    expect(machine.output).toContain('No bootable device.');
  });

  withParts('compared with QEMU', ['qemu'], () => {
    it('finds the same hardware', async () => {
      const ours = pagurus('run', ...OPTIONS);
      const theirs = command('qemu-system-i386', ...OPTIONS);
      await Promise.all([ours.ended, theirs.ended]);
      expect(hardware(ours.output)).toEqual(hardware(theirs.output));
    });
  });
});
