import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verifyHeartbeats } from '@pagurus/guests';
import { bytesChannel, collectingChannel, type HostTimer, incoming, saveSnapshot } from '@pagurus/migration';
import { createMachine, type Machine, type MachineConfig } from 'pagurus';
import { afterAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, programCommand, type Running } from './process.js';
import { qemu10 } from './qemu10.js';

const GUEST = fileURLToPath(new URL('../../tools/guests/embedded/embedded.bin', import.meta.url));
const MIB = 2 ** 20;
const MEMORY_MIB = 16;
/** SeaBIOS, which starts the guest; its contents come with the stream. */
const FIRMWARE_LENGTH = 256 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'pagurus-double-hop-'));
afterAll(() => rmSync(folder, { recursive: true }));

const timer: HostTimer = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

type Version = 'host' | '10.0';

/** The installed QEMU, or 10.0, with its monitor on standard input and the guest's serial port in a file. */
function qemu(version: Version, machine: string, serial: string, ...extra: string[]): Running {
  const options = ['-M', machine, '-m', String(MEMORY_MIB), '-nodefaults', '-display', 'none', '-accel', 'tcg'];
  options.push('-serial', `file:${serial}`, '-monitor', 'stdio', ...extra);
  return version === 'host' ? command('qemu-system-i386', ...options) : programCommand(qemu10('qemu-system-i386'), ...options);
}

async function beats(serial: string, count: number): Promise<string> {
  for (let tries = 0; tries < 600; tries++) {
    await timer.sleep(50);
    const text = readFileSync(serial, 'latin1');
    if (verifyHeartbeats(text.split('\r\n')).beats.length >= count) return text;
  }
  throw new Error(`never ${count} beats in ${serial}`);
}

/** Until the stream is in: the machine is then in the state that we saved it in, or runs where the stream does not say. */
async function arrived(machine: Running): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const from = machine.output.length;
    machine.type('info status\n');
    await timer.sleep(100);
    if (/VM status: (paused$|paused[^(]*\r|running)/m.test(machine.output.slice(from))) return;
  }
  throw new Error(`never arrived:\n${machine.output}${machine.errors}`);
}

/** Ours, like the one that {@link qemu} starts. */
async function ours(type: string, icount?: MachineConfig['icount']): Promise<{ machine: Machine; text(): string }> {
  let text = '';
  const serial: NonNullable<MachineConfig['serial']>[number] = {
    write: (bytes) => {
      text += String.fromCharCode(...bytes);
    },
    connect() {},
  };
  const machine = await createMachine(type, {
    memory: MEMORY_MIB * MIB,
    firmware: new Uint8Array(FIRMWARE_LENGTH),
    noDefaults: true,
    serial: [serial],
    icount,
  });
  return { machine, text: () => text };
}

/** A guest that QEMU `first` starts is loaded here, runs, is saved, and is loaded by QEMU `last`, where it goes on. */
async function doubleHop(type: string, from: Version, to: Version, shift?: number | 'auto'): Promise<void> {
  const counting = shift === undefined ? [] : ['-icount', `shift=${shift}`];
  const file = (name: string) => join(folder, `${type}-${from}-${to}-${shift ?? 'host'}-${name}`);
  for (const log of ['first.log', 'last.log']) writeFileSync(file(log), '');
  const first = qemu(from, type, file('first.log'), '-kernel', GUEST, '-append', 'region=4', ...counting);
  await beats(file('first.log'), 2);
  first.type(`stop\nmigrate "exec:cat > ${file('there')}"\n`);
  await first.waitFor(/\(qemu\)[^\n]*migrate [^\n]*\n[\s\S]*\(qemu\)/);
  first.type('quit\n');
  expect(await first.ended, first.errors).toBe(0);

  const { machine, text } = await ours(type, shift === undefined ? undefined : { shift, sleep: true });
  await incoming(machine, bytesChannel(new Uint8Array(readFileSync(file('there')))), { timer });
  machine.start();
  while (verifyHeartbeats(text().split('\r\n')).beats.length < 3) await timer.sleep(20);
  machine.stop();
  await machine.whenStopped();
  const back = collectingChannel();
  await saveSnapshot(machine, back);
  writeFileSync(file('back'), back.bytes());

  const last = qemu(to, type, file('last.log'), '-incoming', `exec:cat ${file('back')}`, ...counting);
  await arrived(last);
  last.type('cont\n');
  await beats(file('last.log'), 3);
  await last.stop();
  const whole = readFileSync(file('first.log'), 'latin1') + text() + readFileSync(file('last.log'), 'latin1');
  const { beats: all, problems } = verifyHeartbeats(whole.split('\r\n'));
  expect(problems).toEqual([]);
  expect(all.length).toBeGreaterThanOrEqual(8);
}

/** Up to 1.7 what starts a kernel is a RAM block of its own, which we do not have. */
const MACHINES = ['pc-i440fx-7.2', 'pc-i440fx-5.2', 'pc-i440fx-2.4', 'pc-i440fx-2.3', 'pc-i440fx-2.0'];

withParts('a guest goes from QEMU to us and back', ['qemu'], () => {
  it.each(MACHINES)('on %s, without a gap', (type) => doubleHop(type, 'host', 'host'));
  it.each([3, 'auto'] as const)('counting instructions, shift=%s', (shift) => doubleHop('pc-i440fx-7.2', 'host', 'host', shift));
});

/** Machines that both programs have. */
const COMMON = ['pc-i440fx-7.2', 'pc-i440fx-5.2', 'pc-i440fx-2.12', 'pc-i440fx-2.4'];

withParts('a guest goes from QEMU to us and on to another version', ['qemu', 'qemu10'], () => {
  it.each(COMMON)('on %s, from the installed one to 10.0', (type) => doubleHop(type, 'host', '10.0'));
  it.each(COMMON)('on %s, from 10.0 to the installed one', (type) => doubleHop(type, '10.0', 'host'));
});

withParts('a guest goes from QEMU 10.0 to us and back', ['qemu10'], () => {
  it.each(['pc-i440fx-10.0', 'pc-i440fx-9.2', 'pc-i440fx-8.2'])('on %s', (type) => doubleHop(type, '10.0', '10.0'));
});
