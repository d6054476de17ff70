import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { verifyHeartbeats } from '@pagurus/guests';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, TestFolder, type TestRun } from './testing.js';

/* Programs at the machine protocol, and machine types by file. Needs the CPU module. */

let folder: TestFolder;
let runs: TestRun[] = [];
let sockets: Socket[] = [];
beforeEach(() => {
  folder = new TestFolder();
});
afterEach(async () => {
  for (const run of runs) await run.stop();
  for (const socket of sockets) socket.destroy();
  runs = [];
  sockets = [];
  folder.remove();
});

const MACHINE = '-M pc-i440fx-7.2 -m 8 -nodefaults -display none'.split(' ');

interface Message {
  readonly event?: string;
  readonly data?: object;
  readonly return?: unknown;
  readonly error?: object;
  readonly id?: number;
}

/** A client that has negotiated. */
async function client(path: string) {
  const messages: Message[] = [];
  let partial = '';
  const socket = await eventually(
    () => (connected?.readyState === 'open' ? connected : void retry()),
    () => `nobody at ${path}`,
  );
  let count = 0;
  const ask = async (execute: string, args?: object): Promise<unknown> => {
    const id = ++count;
    socket.write(`${JSON.stringify({ execute, id, ...(args ? { arguments: args } : {}) })}\n`);
    const answer = await eventually(
      () => messages.find((message) => message.id === id),
      () => `no answer to ${execute}`,
    );
    return answer.return ?? answer;
  };
  await ask('qmp_capabilities');
  return { ask, messages, event: (name: string) => messages.find(({ event }) => event === name) };

  function retry(): void {
    if (connected?.connecting) return;
    connected = connect(path);
    sockets.push(connected);
    connected.on('error', () => {});
    connected.setEncoding('utf8').on('data', (text: string) => {
      const lines = (partial + text).split('\r\n');
      partial = lines.pop()!;
      messages.push(...lines.map((line) => JSON.parse(line) as Message));
    });
  }
}
let connected: Socket | undefined;
beforeEach(() => {
  connected = undefined;
});

function boot(name: string, ...args: string[]): TestRun {
  const qmp = `unix:${folder.file(name)},server=on,wait=off`;
  const run = folder.run(...MACHINE, '-qmp', qmp, '-kernel', folder.guest, '-append', 'region=2', ...args);
  runs.push(run);
  return run;
}

describe('-qmp', () => {
  it('stops, goes on, resets, says so, and ends the process', async () => {
    const vm = boot('a', '-serial', 'SERIAL', '-S');
    const { ask, event, messages } = await client(folder.file('a'));
    expect(await ask('query-status')).toEqual({ running: false, status: 'prelaunch' });
    expect(await ask('cont')).toEqual({});
    await vm.shows(/beat 2 /);
    expect(await ask('system_reset')).toEqual({});
    await eventually(
      () => event('RESET'),
      () => 'no RESET',
    );
    expect(event('RESET')).toMatchObject({ data: { guest: false, reason: 'host-qmp-system-reset' } });
    expect(await ask('stop')).toEqual({});
    expect(await ask('human-monitor-command', { 'command-line': 'info status' })).toBe('VM status: paused\r\n');
    expect(messages.flatMap(({ event: name }) => name ?? [])).toEqual(['RESUME', 'RESET', 'STOP']);
    expect(await ask('quit')).toEqual({});
    expect(await vm.ended).toBe(0);
  });

  it('moves a running machine to another process', async () => {
    const source = boot('a', '-serial', 'SERIAL');
    const destination = boot('b', '-serial', 'SERIAL', '-incoming', 'defer');
    const from = await client(folder.file('a'));
    connected = undefined;
    const to = await client(folder.file('b'));
    await source.shows(/beat 3 /);
    const uri = `unix:${folder.file('moving')}`;
    expect(await to.ask('migrate-incoming', { uri })).toEqual({});
    expect(await from.ask('migrate-set-parameters', { 'downtime-limit': 1000, 'max-bandwidth': 1 << 30 })).toEqual({});
    expect(await from.ask('query-migrate-parameters')).toMatchObject({ 'max-bandwidth': 1 << 30 });
    expect(await from.ask('migrate', { uri })).toEqual({});
    for (let status = ''; status !== 'completed'; ) {
      ({ status } = (await from.ask('query-migrate')) as { status: string });
      expect(status).not.toBe('failed');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await from.ask('query-status')).toEqual({ running: false, status: 'postmigrate' });
    await destination.shows(/beat \d+ /);
    expect(await to.ask('query-status')).toEqual({ running: true, status: 'running' });
    const lines = (source.console + destination.console).split('\r\n');
    expect(verifyHeartbeats(lines).problems).toEqual([]);
  });

  it('says at once why a migration cannot be', async () => {
    boot('a', '-serial', 'null');
    const { ask } = await client(folder.file('a'));
    expect(await ask('migrate', { uri: 'carrier-pigeon:x' })).toMatchObject({ error: { class: 'GenericError' } });
    expect(await ask('migrate-incoming', { uri: 'tcp:127.0.0.1:0' })).toMatchObject({
      error: { desc: expect.stringContaining('-incoming') },
    });
  });
});

describe('-M FILE', () => {
  const file = (name: string) => fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));
  const started = (...args: string[]): TestRun => {
    const run = folder.run(...args);
    runs.push(run);
    return run;
  };

  it.each([
    ['headless-isa.mjs', []],
    ['acme-pc.mjs', ['-nodefaults']],
  ])('%s boots the embedded guest', async (name, args) => {
    const vm = started('-M', file(name), ...args, '-kernel', folder.guest, '-append', 'region=1', '-serial', 'SERIAL');
    await vm.shows(/beat 2 /);
  });

  it('takes properties and lists them', async () => {
    const help = started('-M', `${file('acme-pc.mjs')},help`);
    expect(await help.ended).toBe(0);
    expect(help.out).toMatch(/^acme-pc-2\.0: PC with lamps\n[\s\S]*hpet=<bool>/);
    const wrong = started('-M', `${file('acme-pc.mjs')},lamps=9`, '-kernel', folder.guest);
    expect(await wrong.ended).toBe(2);
    expect(wrong.errors.join()).toMatch(/acme-pc-2\.0\.lamps: no such machine property/);
  });

  it('names a file that is not there, and one without a machine', async () => {
    const absent = started('-M', file('nowhere.mjs'));
    expect(await absent.ended).toBe(2);
    expect(absent.errors.join()).toMatch(/nowhere\.mjs: no such file/);
    const empty = folder.file('empty.mjs');
    writeFileSync(empty, 'export const answer = 42;\n');
    const other = started('-M', empty);
    expect(await other.ended).toBe(2);
    expect(other.errors.join()).toMatch(/empty\.mjs: exports no machine type/);
  });
});
