import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linuxGuest } from '@pagurus/guests/linux';
import { bytesChannel, collectingChannel, type HostTimer, incoming, saveSnapshot } from '@pagurus/migration';
import { createMachine, type MachineConfig } from 'pagurus';
import { afterAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, programCommand, type Running } from './process.js';
import { qemu10 } from './qemu10.js';

/* Debian's kernel boots on the installed QEMU, goes on here, is saved here, and goes on in QEMU 10.0: its shell answers at every stop. */

const TYPE = 'pc-i440fx-7.2';
const MIB = 2 ** 20;
const MEMORY_MIB = 64;
const FIRMWARE_LENGTH = 256 * 1024;
/** To the monitor and back. */
const SWITCH = '\x01c';
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
stty -echo
echo READY
exec sh
`;

const folder = mkdtempSync(join(tmpdir(), 'pagurus-linux-hop-'));
afterAll(() => rmSync(folder, { recursive: true }));

const timer: HostTimer = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

const OPTIONS = ['-M', TYPE, '-cpu', 'pentium3', '-m', String(MEMORY_MIB), '-nodefaults', '-display', 'none', '-accel', 'tcg'];

async function answers(machine: Running, sum: string, answer: RegExp): Promise<void> {
  machine.type(`echo $((${sum})) answers\n`);
  await machine.waitFor(answer, 120_000);
}

withParts('Linux goes from QEMU to us and on to QEMU 10.0', ['qemu', 'qemu10', 'guests'], () => {
  it('answers at its shell everywhere, and remembers', { timeout: 900_000 }, async () => {
    const { kernel, initrd } = linuxGuest('i386', INIT);
    const first = command(
      'qemu-system-i386',
      ...OPTIONS,
      ...['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 nokaslr', '-serial', 'mon:stdio'],
    );
    await first.waitFor(/READY/, 600_000);
    first.type('kept=from-the-first\n');
    await answers(first, '6 * 7', /42 answers/);
    const there = join(folder, 'there');
    first.type(`${SWITCH}stop\nmigrate "exec:cat > ${there}"\nquit\n`);
    expect(await first.ended, first.errors).toBe(0);

    let text = '';
    let frontend: { canReceive(): number; receive(bytes: Uint8Array): void } | undefined;
    const waiting: number[] = [];
    const feed = (): void => {
      while (frontend && waiting.length > 0 && frontend.canReceive() > 0) frontend.receive(Uint8Array.of(waiting.shift()!));
    };
    const serial = {
      write: (bytes: Uint8Array) => {
        text += Buffer.from(bytes).toString('latin1');
      },
      connect: (device: typeof frontend) => {
        frontend = device;
      },
      ready: feed,
    } as NonNullable<NonNullable<MachineConfig['serial']>[number]>;
    const machine = await createMachine(TYPE, {
      memory: MEMORY_MIB * MIB,
      cpu: 'pentium3',
      firmware: new Uint8Array(FIRMWARE_LENGTH),
      noDefaults: true,
      serial: [serial],
    });
    await incoming(machine, bytesChannel(new Uint8Array(readFileSync(there))), { timer });
    machine.start();
    waiting.push(...Buffer.from('echo $((7 * 11)) answers; here=in-the-middle; uptime\n'));
    for (let tries = 0; !/77 answers[\s\S]*load average/.test(text); tries++) {
      expect(tries, text).toBeLessThan(12_000);
      feed();
      await timer.sleep(50);
    }
    machine.stop();
    await machine.whenStopped();
    const channel = collectingChannel();
    await saveSnapshot(machine, channel);
    const back = join(folder, 'back');
    writeFileSync(back, channel.bytes());

    const last = programCommand(
      qemu10('qemu-system-i386'),
      ...OPTIONS,
      ...['-serial', 'mon:stdio', '-incoming', `exec:cat ${back}`],
    );
    last.type(SWITCH);
    await last.waitFor(/\(qemu\)/);
    for (let tries = 0; !/VM status: paused(?! \(inmigrate\))/.test(last.output); tries++) {
      expect(tries, last.output + last.errors).toBeLessThan(600);
      last.type('info status\n');
      await timer.sleep(200);
    }
    last.type(`cont\n${SWITCH}`);
    await answers(last, '8 * 12', /96 answers/);
    last.type('echo $kept $here; uptime\n');
    await last.waitFor(/from-the-first in-the-middle[\s\S]*load average/, 120_000);
    expect(last.output).not.toMatch(/Oops|BUG:|soft lockup|Call Trace/);
    await last.stop();
  });
});
