import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, pagurus, type Running } from './process.js';

const BIOS = '/usr/share/seabios/bios-256k.bin';
const HARDWARE_OPTIONS = ['-M', 'pc-i440fx-7.2', '-m', '64', '-nodefaults', '-display', 'none', '-bios', BIOS];
const LOG_OPTIONS = ['-global', 'isa-debugcon.iobase=0x402', '-no-reboot', '-boot', 'reboot-timeout=100'];
const DETERMINISTIC = ['-icount', 'shift=3,sleep=off'];

const folder = mkdtempSync(join(tmpdir(), 'pagurus-seabios-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(file(name), 'latin1');

/** Lines of SeaBIOS's log that say what hardware it found. */
const HARDWARE =
  /^(qemu\/e820|Running on|Found QEMU|QEMU fw_cfg|PCI: |Found \d+ (PCI|cpu|lpt|serial)|PIIX|PS2|ATA controller|No bootable|Rebooting)/;
const hardware = (log: string) => log.split(/\r?\n/).filter((line) => HARDWARE.test(line));

/** Asks the monitor until the machine is in a state; other states before it do not matter. */
async function status(machine: Running, state: string): Promise<void> {
  await machine.waitFor(/\(qemu\) /);
  for (let tries = 0; tries < 200; tries++) {
    const from = machine.output.length;
    machine.type('info status\n');
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (new RegExp(`VM status: ${state}(?! \\()`).test(machine.output.slice(from))) return;
  }
  throw new Error(`never '${state}' in:\n${machine.output}${machine.errors}`);
}

withParts('SeaBIOS', ['seabios'], () => {
  it('runs to "No bootable device" and ends at the reboot', async () => {
    const machine = pagurus('run', ...HARDWARE_OPTIONS, '-debugcon', 'stdio', ...LOG_OPTIONS);
    expect(await machine.ended, machine.errors).toBe(0);
    const lines = hardware(machine.output);
    expect(lines).toContain('PCI: init bdf=00:00.0 id=8086:1237');
    expect(lines).toContain('PCI: init bdf=00:01.0 id=8086:7000');
    expect(lines).toContain('PS2 keyboard initialized');
    expect(lines).toContain('qemu/e820: addr 0x0000000000000000 len 0x0000000004000000 [RAM]');
    expect(machine.output).toContain('No bootable device.');
    expect(machine.output).toContain('Rebooting.');
  });

  it('is stopped at an instruction, saved, and goes on in a new process as if nothing had happened', async () => {
    const deterministic = [...HARDWARE_OPTIONS, ...LOG_OPTIONS, ...DETERMINISTIC];
    const whole = pagurus('run', ...deterministic, '-debugcon', `file:${file('whole.log')}`);
    expect(await whole.ended, whole.errors).toBe(0);

    for (const half of ['a', 'b']) {
      const first = pagurus('run', ...deterministic, '-debugcon', `file:${file(`${half}.log`)}`, '-S', '-monitor', 'stdio');
      first.type('replay_break 1500000\ncont\n');
      await status(first, 'paused');
      first.type(`migrate file:${file(`${half}.mig`)}\nquit\n`);
      expect(await first.ended, first.errors).toBe(0);
    }
    expect(readFileSync(file('a.mig')).equals(readFileSync(file('b.mig'))), 'two runs give the same stream').toBe(true);

    const incoming = [...deterministic, '-debugcon', `file:${file('second.log')}`, '-incoming', `file:${file('a.mig')}`];
    const second = pagurus('run', ...incoming, '-monitor', 'stdio');
    await status(second, 'paused');
    second.type('cont\n');
    expect(await second.ended, second.errors).toBe(0);
    expect(text('a.log').length).toBeGreaterThan(500);
    expect(text('a.log') + text('second.log')).toBe(text('whole.log'));
  });

  it('runs the VGA BIOS and shows its text screen', async () => {
    const machine = pagurus('run', ...HARDWARE_OPTIONS, '-vga', 'std', '-monitor', 'stdio');
    const dump = file('screen.json');
    let lines: string[] = [];
    for (let tries = 0; tries < 40 && !lines.some((line) => line.includes('No bootable device')); tries++) {
      rmSync(dump, { force: true });
      machine.type(`screendump ${dump}\n`);
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (existsSync(dump)) ({ lines } = JSON.parse(readFileSync(dump, 'utf8')) as { lines: string[] });
    }
    expect(lines.join('\n')).toContain('No bootable device');
    expect(lines[0]).toMatch(/^SeaBIOS \(version /);
    machine.type('quit\n');
    expect(await machine.ended, machine.errors).toBe(0);
  });

  it('offers its boot menu, takes keys, and boots what was chosen', async () => {
    for (const [name, letter] of [
      ['disk', 'D'],
      ['floppy', 'F'],
    ] as const) {
      const image = new Uint8Array(1_474_560);
      // mov ax, 0x0e00 + letter; mov bx, 7; int 0x10; hlt; jmp to the hlt
      image.set([0xb8, letter.charCodeAt(0), 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10, 0xf4, 0xeb, 0xfd]);
      image.set([0x55, 0xaa], 510);
      writeFileSync(file(`${name}.img`), image);
    }
    const drive = (name: string, bus: string) => ['-drive', `file=${file(`${name}.img`)},format=raw,if=${bus}`];
    const machine = pagurus(
      ...['run', ...HARDWARE_OPTIONS, '-vga', 'std', '-monitor', 'stdio', '-boot', 'menu=on,splash-time=60000'],
      ...[...drive('disk', 'ide'), ...drive('floppy', 'floppy')],
    );
    const dump = file('menu.json');
    const shows = async (pattern: RegExp): Promise<string> => {
      let screen = '';
      for (let tries = 0; tries < 240 && !pattern.test(screen); tries++) {
        rmSync(dump, { force: true });
        machine.type(`screendump ${dump}\n`);
        await new Promise((resolve) => setTimeout(resolve, 250));
        if (!existsSync(dump)) continue;
        try {
          screen = (JSON.parse(readFileSync(dump, 'utf8')) as { lines: string[] }).lines.map((line) => line.trimEnd()).join('\n');
        } catch {
          // It is being written.
        }
      }
      expect(screen).toMatch(pattern);
      return screen;
    };
    await shows(/Press ESC for boot menu/);
    machine.type('sendkey esc\n');
    expect(await shows(/2\. /)).toMatch(/Select boot device:\n\n1\. .*Hard-Disk.*\n2\. Floppy/);
    machine.type('sendkey 2\n');
    await shows(/Booting from Floppy\.\.\.\nF/);
    machine.type('quit\n');
    expect(await machine.ended, machine.errors).toBe(0);
  });
});

withParts('SeaBIOS beside QEMU', ['seabios', 'qemu'], () => {
  it('finds the same hardware', async () => {
    const ours = pagurus('run', ...HARDWARE_OPTIONS, '-debugcon', 'stdio', ...LOG_OPTIONS);
    const theirs = command('qemu-system-i386', ...HARDWARE_OPTIONS, '-debugcon', 'stdio', ...LOG_OPTIONS);
    await Promise.all([ours.ended, theirs.ended]);
    expect(hardware(ours.output)).toEqual(hardware(theirs.output));
  });

  it('goes on in QEMU after it began here', async () => {
    const stream = file('to-qemu.mig');
    const here = pagurus(
      'run',
      ...HARDWARE_OPTIONS,
      ...LOG_OPTIONS,
      ...DETERMINISTIC,
      '-debugcon',
      'null',
      '-S',
      '-monitor',
      'stdio',
    );
    here.type('replay_break 1500000\ncont\n');
    await status(here, 'paused');
    here.type(`migrate file:${stream}\nquit\n`);
    expect(await here.ended, here.errors).toBe(0);

    const log = file('qemu.log');
    const there = command(
      'qemu-system-i386',
      ...HARDWARE_OPTIONS,
      ...LOG_OPTIONS,
      ...['-debugcon', `file:${log}`, '-incoming', `exec:cat ${stream}`, '-monitor', 'stdio'],
    );
    await there.waitFor(/\(qemu\)/);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    there.type('cont\n');
    for (let tries = 0; !readFileSync(log, 'latin1').includes('No bootable device'); tries++) {
      expect(tries, readFileSync(log, 'latin1') + there.errors).toBeLessThan(100);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await there.stop();
    expect(readFileSync(log, 'latin1')).not.toContain('SeaBIOS (version');
  });
});
