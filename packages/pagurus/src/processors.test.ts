import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CharacterBackend } from '@pagurus/device-model';
import type { Machine, MachineConfig } from '@pagurus/machine';
import { bytesChannel, incoming } from '@pagurus/migration';
import { describe, expect, it } from 'vitest';
import { deadlineFirmware, numericErrorFirmware, processorsFirmware } from '../test/firmware.bytes.js';
import { createMachine } from './index.js';
import { saved, timer } from './testing.js';

/*
 * Four processors under firmware of our own (test/processors.asm): three are started, count under a lock, and answer an interrupt. The
 * console then shows a plus of each, the sum of what they counted, the id of each, and E.
 */
interface Run {
  readonly machine: Machine;
  console(): string;
}

async function make(config: MachineConfig = {}): Promise<Run> {
  let text = '';
  const log: CharacterBackend = {
    write: (bytes) => {
      text += String.fromCharCode(...bytes);
    },
    connect() {},
  };
  const machine = await createMachine('pc-i440fx-7.2', {
    memory: 4 * 2 ** 20,
    noDefaults: true,
    smp: { cpus: 4 },
    icount: { shift: 3, sleep: false },
    firmware: processorsFirmware(),
    devices: [
      { driver: 'isa-debugcon', properties: { iobase: 0x402, chardev: 'log' } },
      { driver: 'isa-debug-exit', properties: { iobase: 0x501 } },
    ],
    backends: { chardev: { log } },
    ...config,
  });
  return { machine, console: () => text };
}

const MOST = 20_000_000;
const GOOD = /^\+\+\+3000(?=.*1)(?=.*2)(?=.*3)[123]{3}E$/;

async function whole(): Promise<Run> {
  const run = await make();
  run.machine.runUntil(MOST);
  expect(run.machine.runState).toBe('shutdown');
  return run;
}

describe('four processors', () => {
  it('are started, take turns under a lock, and answer each other', async () => {
    const run = await whole();
    expect(run.console()).toMatch(GOOD);
  });

  it('run the same way each time', async () => {
    const [first, second] = [await whole(), await whole()];
    expect(second.console()).toBe(first.console());
    expect(second.machine.cpu.instructions).toBe(first.machine.cpu.instructions);
    expect(Buffer.from(await saved(second.machine)).equals(await saved(first.machine))).toBe(true);
  });

  it('go on elsewhere from whatever moment they are saved at', async () => {
    const total = (await whole()).machine.cpu.instructions;
    for (let part = 0; part < 12; part++) {
      const here = await make();
      here.machine.runUntil(Math.floor((total * part) / 12) + 7 * part);
      const there = await make();
      await incoming(there.machine, bytesChannel(await saved(here.machine)), { timer });
      there.machine.runUntil(MOST);
      expect(here.console() + there.console(), `saved in part ${part}`).toMatch(GOOD);
    }
  });

  it('have a section each, numbered as QEMU does', async () => {
    const { machine } = await make();
    const of = (name: string) => machine.sections.filter(({ idstr }) => idstr === name).map(({ instance }) => instance);
    for (const name of ['cpu_common', 'cpu', 'apic']) expect(of(name)).toEqual([0, 1, 2, 3]);
    expect(of('kvm-tpr-opt')).toEqual([0]);
  });

  it('start over at a reset of the machine', async () => {
    const { machine, console } = await make();
    machine.runUntil(30_000);
    machine.requestReset('test');
    const before = console().length;
    machine.runUntil(MOST);
    expect(console().slice(before)).toMatch(GOOD);
  });

  it('are refused beyond what the machine has room for', async () => {
    await expect(make({ smp: { cpus: 300 } })).rejects.toThrow('300 processors; pc-i440fx-7.2 has at most 255');
    await expect(createMachine('isapc', { firmware: processorsFirmware(), smp: { cpus: 2 } })).rejects.toThrow(
      'isapc has at most 1',
    );
  });
});

describe('an x87 error with CR0.NE clear', () => {
  it('is request 13, once each, until port F0 and the handler have seen to it', async () => {
    const { machine, console } = await make({ smp: { cpus: 1 }, cpu: '486', firmware: numericErrorFirmware() });
    machine.runUntil(MOST);
    expect([console(), machine.runState]).toEqual(['FFE', 'shutdown']);
  });
});

describe('the local APIC’s timer at a deadline of the time-stamp counter', () => {
  const GOOD_DEADLINE = '0- 1!0 0- !0 0- 1! !0-1E';
  const max = (): Promise<Run> => make({ smp: { cpus: 1 }, cpu: 'max', firmware: deadlineFirmware() });

  it('is armed by the MSR, fires once and not early, is dropped with its mode', async () => {
    const { machine, console } = await max();
    machine.runUntil(MOST);
    expect([console(), machine.runState]).toEqual([GOOD_DEADLINE, 'shutdown']);
  });

  it('goes on elsewhere from whatever moment it is saved at', async () => {
    const whole = await max();
    whole.machine.runUntil(MOST);
    const total = whole.machine.cpu.instructions;
    let armed = 0;
    for (let part = 0; part < 24; part++) {
      const here = await max();
      here.machine.runUntil(Math.floor((total * part) / 24) + 7 * part);
      const stream = await saved(here.machine);
      if (Buffer.from(stream).includes('cpu/msr_tscdeadline')) armed++;
      const there = await max();
      await incoming(there.machine, bytesChannel(stream), { timer });
      there.machine.runUntil(MOST);
      expect(here.console() + there.console(), `saved in part ${part}`).toBe(GOOD_DEADLINE);
    }
    // The MSR goes along while it is armed, and is 0 otherwise.
    expect(armed).toBeGreaterThan(3);
    expect(armed).toBeLessThan(20);
  });

  it('is not there on models without it: the MSR faults', async () => {
    const { machine, console } = await make({ smp: { cpus: 1 }, cpu: 'qemu32', firmware: deadlineFirmware() });
    machine.runUntil(100_000);
    expect([console(), machine.runState]).toEqual(['', 'paused']);
  });
});

describe('their firmware', () => {
  const haveNasm = spawnSync('nasm', ['-v']).status === 0 || (process.env.PAGURUS_REQUIRE ?? '').split(',').includes('nasm');
  it.skipIf(!haveNasm).each([
    ['processors.asm', processorsFirmware()],
    ['numeric-error.asm', numericErrorFirmware()],
    ['deadline.asm', deadlineFirmware()],
  ])('is what %s assembles to', (name, firmware) => {
    const folder = mkdtempSync(join(tmpdir(), 'pagurus-processors-'));
    try {
      const source = fileURLToPath(new URL(`../test/${name}`, import.meta.url));
      execFileSync('nasm', ['-f', 'bin', '-o', join(folder, 'out'), source]);
      expect(readFileSync(join(folder, 'out')).equals(firmware)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
