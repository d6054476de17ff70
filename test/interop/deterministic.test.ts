import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linuxGuest } from '@pagurus/guests/linux';
import { afterAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { pagurus } from './process.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-deterministic-'));
afterAll(() => rmSync(folder, { recursive: true }));
const MACHINE = '-M pc-i440fx-7.2 -nodefaults -display none -no-reboot -icount shift=3,sleep=off -S -monitor stdio'.split(' ');

/** A machine from its start to several instruction counts: the digests of its whole state there. */
async function states(counts: readonly number[], ...options: string[]): Promise<string[]> {
  const machine = pagurus('run', ...MACHINE, ...options);
  const result: string[] = [];
  const stream = join(folder, 'stream');
  const ask = async (command: string, pattern: RegExp): Promise<void> => {
    for (let from = 0; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
      from = machine.output.length;
      machine.type(`${command}\n`);
      await machine.waitFor(new RegExp(`^[^]{${from}}[^]*\\(qemu\\) $`));
      if (pattern.test(machine.output.slice(from))) return;
    }
  };
  await machine.waitFor(/\(qemu\) $/);
  for (const count of counts) {
    machine.type(`replay_break ${count}\ncont\n`);
    await ask('info status', /VM status: paused/);
    machine.type(`migrate file:${stream}\n`);
    await ask('info migrate', /status: completed/);
    result.push(createHash('sha256').update(readFileSync(stream)).digest('hex'));
  }
  machine.type('quit\n');
  expect(await machine.ended, machine.errors).toBe(0);
  return result;
}

withParts('SeaBIOS, deterministic', ['seabios'], () => {
  it('two boots take the same path and give the same stream; looking changes neither', { timeout: 300_000 }, async () => {
    const options = ['-m', '16', '-bios', '/usr/share/seabios/bios-256k.bin'];
    const trace = join(folder, 'trace');
    const counts = [400_000, 1_200_000];
    const recorded = await states(counts, ...options, '-trace-record', trace);
    // a difference would end the process before it is asked for its state
    const compared = await states(counts, ...options, '-trace-compare', trace);
    expect(compared).toEqual(recorded);
    expect(await states(counts, ...options)).toEqual(recorded);
    expect(new Set(recorded).size).toBe(counts.length);
  });
});

withParts('Debian kernel, deterministic', ['guests'], () => {
  it('two boots are in the same state at every instruction that is looked at', { timeout: 900_000 }, async () => {
    const { kernel, initrd } = linuxGuest('amd64', '#!/bin/busybox sh\nexec /bin/busybox sh\n');
    const options = ['-target', 'x86_64', '-cpu', 'qemu64', '-m', '128', '-kernel', kernel, '-initrd', initrd];
    const counts = [1e6, 30e6, 100e6, 200e6, 300e6];
    const first = await states(counts, ...options, '-append', 'console=ttyS0 acpi=off panic=-1', '-serial', 'null');
    const second = await states(counts, ...options, '-append', 'console=ttyS0 acpi=off panic=-1', '-serial', 'null');
    expect(second).toEqual(first);
    expect(new Set(first).size).toBe(counts.length);
  });
});
