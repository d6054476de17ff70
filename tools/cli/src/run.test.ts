import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pageBytes, verifyHeartbeats } from '@pagurus/guests';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, TestFolder, type TestRun } from './testing.js';

/** Whole runs of the command inside this process, with the embedded guest. Needs the CPU module. */
let folder: TestFolder;
let runs: TestRun[] = [];
beforeEach(() => {
  folder = new TestFolder();
});
afterEach(async () => {
  for (const run of runs) await run.stop();
  runs = [];
  folder.remove();
});

const MACHINE = '-M pc-i440fx-7.2 -m 8 -nodefaults -display none'.split(' ');
const DETERMINISTIC = '-icount shift=3,sleep=off'.split(' ');

function boot(...args: string[]): TestRun {
  const run = folder.run(...MACHINE, '-kernel', folder.guest, ...args);
  runs.push(run);
  return run;
}

const lines = (...runs: TestRun[]): string[] =>
  runs
    .map(({ console }) => console)
    .join('')
    .split('\r\n');

describe('the embedded guest', () => {
  it('boots, answers, keeps its memory and its ticks', async () => {
    const vm = boot('-append', 'region=2 dirty=2', '-serial', 'SERIAL');
    await vm.shows(/beat 3 /);
    await vm.type('mem\rsum\r');
    await vm.shows(/command line: kernel region=2 dirty=2\r\n/);
    await vm.shows(/sum pages=512 .* ok\r\n/);
    expect(verifyHeartbeats(lines(vm)).problems).toEqual([]);
    expect(await vm.monitor('quit')).toBe('');
    expect([await vm.ended, vm.errors]).toEqual([0, []]);
  });

  it.each([
    ['poweroff', [], 0],
    ['reboot', ['-no-reboot'], 0],
    ['exit 21', ['-device', 'isa-debug-exit'], 43],
  ])("ends the process: '%s' with %j gives %i", async (command, args, code) => {
    const vm = boot('-append', 'region=1', '-serial', 'SERIAL', ...args);
    await vm.shows(/> $/);
    await vm.type(`${command}\r`);
    expect([await vm.ended, vm.errors]).toEqual([code, []]);
  });

  it('starts again at a reset, by itself and by the monitor', async () => {
    const vm = boot('-append', 'region=1 beat=off', '-serial', 'SERIAL');
    await vm.type('\r');
    await vm.shows(/> $/);
    await vm.type('reboot\r');
    await vm.shows(/rebooting\r\nPagurus[^>]*> $/);
    const shown = vm.console.length;
    await vm.monitor('system_reset');
    await eventually(
      () => /^Pagurus[^>]*> $/.test(vm.console.slice(shown)) || undefined,
      () => `after the reset:\n${vm.console.slice(shown)}`,
    );
  });

  it('-no-shutdown keeps the machine, stopped', async () => {
    const vm = boot('-append', 'region=1', '-serial', 'SERIAL', '-no-shutdown');
    await vm.shows(/> $/);
    await vm.type('poweroff\r');
    await vm.status('paused (shutdown)');
  });
});

describe('what cannot be', () => {
  it.each<[string[], RegExp]>([
    [['-device', 'flux-capacitor'], /'flux-capacitor' is not a known device/],
    [['-device', 'isa-debug-exit,iobsae=1'], /isa-debug-exit\.iobsae: no such property; isa-debug-exit has: iobase, iosize/],
    [['-device', 'isa-debug-exit,iobase=lots'], /isa-debug-exit\.iobase: 'lots' is not a number/],
    [['-global', 'isa-serial.colour=red', '-serial', 'null'], /isa-serial\.colour: no such property/],
    [['-M', 'pc-i440fx-7.2,flux=on'], /flux: no such machine property/],
    [['-cpu', 'z80'], /z80/],
    [['-append', `x${'y'.repeat(70000)}`], /kernel command line has/],
    [['-m', '1'], /kernel segment 0 .* would lie at 0x100000/],
    [['-boot', 'order=x'], /'x' is not a boot device/],
    [['-incoming', 'carrier:pigeon'], /invalid migration URI 'carrier:pigeon'/],
    [['-incoming', 'file:/no/such/file'], /cannot read '\/no\/such\/file': no such file or directory/],
    [['-loadvm', '/no/such/file'], /cannot read '\/no\/such\/file': no such file or directory/],
  ])('%j ends with one line and code 2', async (args, message) => {
    const vm = boot(...args);
    expect([await vm.ended, vm.out]).toEqual([2, '']);
    expect(vm.errors).toEqual([expect.stringMatching(message)]);
    expect(vm.errors[0]).not.toContain('\n');
  });
});

describe('the monitor of a running machine', () => {
  it('sees registers, devices, addresses and memory', async () => {
    const vm = boot('-append', 'region=1', '-serial', 'SERIAL');
    await vm.shows(/> $/);
    expect(await vm.monitor('info registers')).toMatch(/CR0=80010011[\s\S]*CR3=0010/);
    expect(await vm.monitor('info pci')).toMatch(/ISA bridge: PCI device 8086:7000/);
    expect(await vm.monitor('info qtree')).toMatch(/dev: isa-serial, id "serial0"\n(.*\n)* {2}iobase = 1016 \(0x3f8\)/);
    expect(await vm.monitor('info mtree')).toMatch(/0000000000100000-00000000007fffff \(ram\)/);
    expect(await vm.monitor('info pic')).toMatch(/pic0: irr=.. imr=e8 isr=.. .*irq_base=20/);
    await vm.type('mem\r');
    const [, base] = await vm.shows(/region=(\w+)\.\./);
    const page = new DataView(pageBytes(0, 256, 0).buffer);
    const expected = `0x${page.getUint32(0, true).toString(16).padStart(8, '0')}`;
    expect(await vm.monitor(`xp /1xw 0x${base}`)).toBe(`00000000${base}: ${expected}`);
    expect(await vm.monitor(`x /1xw 0x${base}`)).toBe(`${base}: ${expected}`);
    expect(await vm.monitor('x /1xw 0')).toBe('Error: x: nothing is mapped at 0x0');
  });

  it('types on the keyboard', async () => {
    const vm = boot('-append', 'region=1 beat=off', '-serial', 'SERIAL');
    await vm.type('\r');
    await vm.shows(/> $/);
    for (const key of ['t', 'i', 'c', 'k', 's', 'ret']) {
      await vm.monitor(`sendkey ${key} 20`);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    await vm.shows(/ticks\r\nticks=\d+ timer=\d+ keyboard=1[2-9] /);
  });

  it('dumps the screen as text and as pixels', async () => {
    const vm = boot('-append', 'region=1 beat=off', '-serial', 'SERIAL', '-vga', 'std');
    await vm.type('help\r');
    await vm.shows(/isa-debug-exit with value N\r\n> $/);
    await vm.monitor(`screendump ${folder.file('s.json')}`);
    const { columns, rows, lines: shown, cursor } = JSON.parse(readFileSync(folder.file('s.json'), 'utf8'));
    expect([columns, rows]).toEqual([80, 25]);
    expect(shown[0]).toMatch(/^Pagurus embedded guest, version 1 *$/);
    expect(shown[cursor.row]).toMatch(/^> *$/);
    expect(cursor.column).toBe(2);
    await vm.monitor(`screendump ${folder.file('s.png')}`);
    const png = readFileSync(folder.file('s.png'));
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([720, 400]);
    // Letters, not an empty picture: the guest has brought a font.
    expect(png.length).toBeGreaterThan(1500);
    expect(await vm.monitor('info pci')).toMatch(/VGA controller: PCI device 1234:1111/);
  });

  it('stops and goes on; -S does not start', async () => {
    const vm = boot('-append', 'region=1', '-serial', 'SERIAL', '-S');
    await vm.connectSerial();
    expect(await vm.monitor('info status')).toBe('VM status: paused (prelaunch)');
    await vm.monitor('cont');
    await vm.shows(/beat 2 /);
    await vm.monitor('stop');
    const shown = vm.console;
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(vm.console).toBe(shown);
    await vm.monitor('cont');
    await vm.shows(/beat 4 /);
    expect(verifyHeartbeats(lines(vm)).problems).toEqual([]);
  });

  it('says in one line what cannot be', async () => {
    const vm = boot('-append', 'region=1', '-serial', 'SERIAL', '-S');
    expect(await vm.monitor('replay_break 5')).toMatch(/^Error: replay_break needs a deterministic machine/);
    expect(await vm.monitor('screendump x.png')).toMatch(/^Error: screendump: the machine has no display adapter/);
    expect(await vm.monitor(`loadvm ${folder.file('none.bin')}`)).toMatch(/^Error: cannot read '.*none\.bin': no such file/);
    expect(await vm.monitor('migrate tcp:127.0.0.1:1')).toMatch(
      /^Error: cannot connect to tcp:127\.0\.0\.1:1: connection refused/,
    );
    expect(await vm.monitor('info status')).toBe('VM status: paused (prelaunch)');
  });
});

describe('migration', () => {
  it('moves the running guest over TCP without a gap', async () => {
    const source = boot('-append', 'region=4 dirty=4', '-serial', 'SERIAL');
    await source.shows(/beat 3 /);
    const destination = boot('-append', 'region=4', '-serial', 'SERIAL', '-S', '-incoming', 'tcp:127.0.0.1:0');
    await destination.connectSerial();
    const [, uri] = /\[ (tcp:.*) \]/.exec(await destination.monitor('info migrate'))!;
    // As on QEMU: it takes back -S, and is obeyed once the stream is in.
    expect(await destination.monitor('cont')).toBe('');
    expect(await destination.monitor('info status')).toBe('VM status: paused (inmigrate)');
    await source.monitor('migrate_set_capability return-path on');
    expect(await source.monitor(`migrate ${uri}`)).toBe('');
    expect(await source.monitor('info status')).toBe('VM status: paused (postmigrate)');
    expect(await source.monitor('info migrate')).toMatch(/Migration status: completed[\s\S]*dirty sync count: [2-9]/);
    const beats = verifyHeartbeats(lines(source)).beats.length;
    await destination.shows(new RegExp(`beat ${beats + 3} [^\\n]*\\n`));
    await destination.type('sum\r');
    await destination.shows(/sum pages=.* ok\r\n/);
    const report = verifyHeartbeats(lines(source, destination));
    expect(report.problems).toEqual([]);
    expect(report.beats.length).toBeGreaterThan(beats + 2);
  });

  it('a file taken in the middle gives the same console and the same stream as a run without a stop', async () => {
    const at = ['-append', 'region=2 dirty=4', ...DETERMINISTIC, '-S'];
    const until = async (vm: TestRun, instructions: number): Promise<void> => {
      await vm.monitor(`replay_break ${instructions}`);
      await vm.monitor('cont');
      await vm.status('paused');
      expect(await vm.monitor('info replay')).toBe(`instruction count = ${instructions}`);
    };
    const whole = boot(...at, '-serial', `file:${folder.file('whole')}`);
    await until(whole, 40_000_000);
    await whole.monitor(`migrate file:${folder.file('whole.bin')}`);

    const first = boot(...at, '-serial', `file:${folder.file('first')}`);
    await until(first, 17_654_321);
    await first.monitor(`savevm ${folder.file('middle.bin')}`);
    const again = boot(...at, '-serial', 'null');
    await until(again, 17_654_321);
    await again.monitor(`migrate file:${folder.file('again.bin')}`);
    expect(readFileSync(folder.file('again.bin')).equals(readFileSync(folder.file('middle.bin')))).toBe(true);

    for (const [name, ...how] of [
      ['loadvm', '-loadvm', folder.file('middle.bin')],
      ['incoming', '-incoming', `file:${folder.file('middle.bin')}`],
    ]) {
      const second = boot(...at, '-serial', `file:${folder.file(name!)}`, ...how);
      await second.status('paused');
      await until(second, 40_000_000);
      await second.monitor(`migrate file:${folder.file(`${name}.bin`)}`);
      const halves = readFileSync(folder.file('first'), 'latin1') + readFileSync(folder.file(name!), 'latin1');
      expect(halves).toBe(readFileSync(folder.file('whole'), 'latin1'));
      expect(readFileSync(folder.file(`${name}.bin`)).equals(readFileSync(folder.file('whole.bin')))).toBe(true);
    }
    const { beats, problems } = verifyHeartbeats(readFileSync(folder.file('whole'), 'latin1').split('\r\n'));
    expect([beats.length > 2, problems]).toEqual([true, []]);
  });

  it.each(['source', 'destination'])(
    'quit of the %s in the middle of it ends that process; the source runs on',
    async (which) => {
      const source = boot('-append', 'region=4', '-serial', 'SERIAL');
      await source.shows(/beat 1 /);
      const destination = boot('-serial', 'null', '-incoming', 'tcp:127.0.0.1:0');
      const [, uri] = /\[ (tcp:.*) \]/.exec(await destination.monitor('info migrate'))!;
      await source.monitor('migrate_set_parameter max-bandwidth 1M');
      await source.monitor(`migrate -d ${uri}`);
      await source.shows(/beat 3 /);
      expect(await source.monitor('info migrate')).toContain('Migration status: active');
      if (which === 'source') {
        await source.monitor('quit');
        expect([await source.ended, await destination.ended]).toEqual([0, 1]);
        expect(destination.errors).toEqual([
          expect.stringMatching(/^waiting for a migration on tcp:/),
          expect.stringMatching(/^incoming migration failed: /),
        ]);
      } else {
        await destination.monitor('quit');
        expect(await destination.ended).toBe(0);
        await source.shows(/beat 5 /);
        expect(await source.monitor('info migrate')).toContain('Migration status: failed');
        expect(verifyHeartbeats(lines(source)).problems).toEqual([]);
      }
    },
  );

  it('loadvm goes back in time', async () => {
    const vm = boot('-append', 'region=1', '-serial', 'SERIAL');
    await vm.shows(/beat 2 /);
    expect(await vm.monitor(`savevm ${folder.file('s.bin')}`)).toBe(`saved to ${folder.file('s.bin')}`);
    await vm.shows(/beat 4 /);
    await vm.monitor(`loadvm ${folder.file('s.bin')}`);
    await vm.shows(/beat 4 [\s\S]*beat 3 /);
  });

  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ['a truncated stream', (bytes) => bytes.subarray(0, 5000), /^incoming migration failed: .*offset \d+/],
    ['no stream', () => Buffer.from('#!/bin/sh\necho hello\n'), /^incoming migration failed: .*expected/],
    [
      'another machine',
      (bytes) => Buffer.from(bytes.toString('latin1').replace('pc-i440fx-7.2', 'pc-i440fx-7.3'), 'latin1'),
      /pc-i440fx-7\.3/,
    ],
  ])('%s ends the process with one line and code 1', async (_what, spoil, message) => {
    const vm = boot('-append', 'region=1', '-serial', 'null');
    await vm.monitor(`migrate file:${folder.file('good.bin')}`);
    writeFileSync(folder.file('bad.bin'), spoil(readFileSync(folder.file('good.bin'))));
    const loaded = boot('-serial', 'null', '-incoming', `file:${folder.file('bad.bin')}`);
    expect([await loaded.ended, loaded.errors]).toEqual([1, [expect.stringMatching(message)]]);
    expect(loaded.errors[0]).not.toContain('\n');
  });

  it('a bad snapshot ends the process, too', async () => {
    writeFileSync(folder.file('bad.bin'), 'QEVM');
    const vm = boot('-serial', 'null', '-loadvm', folder.file('bad.bin'));
    expect([await vm.ended, vm.errors.length]).toEqual([1, 1]);
  });

  it('events tell when the machine stopped and ran', async () => {
    const vm = boot('-append', 'region=1', '-serial', 'SERIAL', '-events', folder.file('events'));
    await vm.shows(/> $/);
    await vm.monitor(`migrate file:${folder.file('x.bin')}`);
    await vm.monitor('quit');
    await vm.ended;
    const events = readFileSync(folder.file('events'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const names = events.map(({ event }) => event).filter((name) => name !== 'X_MIGRATION_PROGRESS');
    expect(names[0]).toBe('RESUME');
    expect(names).toContain('STOP');
    expect(events.filter(({ event }) => event === 'MIGRATION').map(({ data }) => data.status)).toEqual([
      'setup',
      'active',
      'completed',
    ]);
    expect(existsSync(folder.file('x.bin'))).toBe(true);
  });
});
