import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, pagurus } from './process.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-streams-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Streams of the installed QEMU, written now: the machine and its options. */
const MACHINES: [name: string, options: string[]][] = [
  ['nodefaults', ['-M', 'pc-i440fx-7.2', '-m', '8', '-nodefaults']],
  ['defaults', ['-M', 'pc-i440fx-7.2', '-m', '8']],
  ['old', ['-M', 'pc-i440fx-2.4', '-m', '8', '-nodefaults', '-device', 'virtio-net-pci,romfile=']],
  ['before-footers', ['-M', 'pc-i440fx-2.3', '-m', '8', '-nodefaults']],
  ['isapc', ['-M', 'isapc', '-m', '8', '-nodefaults']],
  [
    'many',
    [
      '-M',
      'pc-i440fx-7.2',
      '-m',
      '8',
      '-nodefaults',
      '-device',
      'piix3-usb-uhci',
      '-device',
      'virtio-scsi-pci',
      '-device',
      'virtio-serial-pci',
      '-device',
      'AC97',
    ],
  ],
];

withParts('streams of the installed QEMU', ['qemu'], () => {
  beforeAll(() => {
    for (const [name, options] of MACHINES) {
      const qemu = spawnSync(
        'qemu-system-i386',
        [...options, '-accel', 'tcg', '-S', '-display', 'none', '-audiodev', 'none,id=a0', '-monitor', 'stdio'],
        { input: `migrate "exec:cat > ${join(folder, name)}"\nquit\n`, encoding: 'utf8', timeout: 60_000 },
      );
      expect(qemu.status, qemu.stdout + qemu.stderr).toBe(0);
    }
  });

  it.each(MACHINES)('inspect lists every section of %s', async (name) => {
    const inspect = pagurus('inspect', join(folder, name), '--json');
    expect(await inspect.ended, inspect.errors).toBe(0);
    const { sections } = JSON.parse(inspect.output) as { sections: { name: string; fields?: unknown[] }[] };
    const names = sections.map((section) => section.name);
    expect(names).toEqual(expect.arrayContaining(['timer', 'cpu', 'i8259', 'mc146818rtc', 'ps2kbd']));
  });

  it.each(MACHINES)('convert --to qemu reproduces %s byte for byte', async (name) => {
    const out = join(folder, `${name}.again`);
    const convert = pagurus('convert', join(folder, name), out, '--to', 'qemu');
    expect(await convert.ended, convert.errors).toBe(0);
    expect(readFileSync(out).equals(readFileSync(join(folder, name)))).toBe(true);
  });

  it('and through JSON, which QEMU then loads', async () => {
    const [json, back] = [join(folder, 'stream.json'), join(folder, 'back')];
    for (const args of [
      [join(folder, 'nodefaults'), json, '--to', 'json'],
      [json, back, '--to', 'qemu'],
    ]) {
      const convert = pagurus('convert', ...args);
      expect(await convert.ended, convert.errors).toBe(0);
    }
    expect(readFileSync(back).equals(readFileSync(join(folder, 'nodefaults')))).toBe(true);
    const qemu = command(
      'qemu-system-i386',
      ...MACHINES[0]![1],
      '-display',
      'none',
      '-incoming',
      `exec:cat ${back}`,
      '-monitor',
      'stdio',
    );
    await qemu.waitFor(/\(qemu\)/);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    qemu.type('info status\n');
    await qemu.waitFor(/VM status: paused/);
    await qemu.stop();
  });
});
