import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IncomingResult, MigrationInfo } from '@pagurus/migration';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutgoing } from './channel/index.js';
import { loadCpuModule } from './cpu-module.js';
import { MigrationController } from './migration-controller.js';
import { TinyMachine } from './testing-target.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pagurus-migration-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function source(): TinyMachine {
  const machine = new TinyMachine(64, 'running');
  machine.counter = 42;
  machine.memory.fill(7, 5 * 4096, 9 * 4096 - 1);
  return machine;
}

describe('migration controller', () => {
  it.each([
    ['tcp:127.0.0.1:0', false],
    ['tcp:127.0.0.1:0', true],
    ['unix:SOCKET', false],
  ])('moves a machine over %s (return path: %s)', async (template, returnPath) => {
    const from = source();
    const to = new TinyMachine(64, 'inmigrate');
    const loaded: IncomingResult[] = [];
    const progress: MigrationInfo[] = [];
    const receiver = new MigrationController(to, { onLoaded: (result) => loaded.push(result) });
    const sender = new MigrationController(from, { onProgress: (info) => progress.push(info) });
    const { uri, done } = await receiver.startIncoming(template.replace('SOCKET', `${folder}/s`));
    expect(receiver.info()['socket-address']).toBe(uri);
    if (returnPath) sender.setCapability('return-path', true);
    await sender.migrate(uri);
    const result = await done;
    expect(to.counter).toBe(42);
    expect(Buffer.from(to.memory).equals(from.memory)).toBe(true);
    expect([result.runState, from.runState]).toEqual(['running', 'postmigrate']);
    expect(loaded).toEqual([result]);
    expect(sender.info()).toMatchObject({ status: 'completed', ram: { total: 64 * 4096 } });
    expect(receiver.info()).toEqual({ status: 'completed' });
    expect(progress.at(-1)!.status).toBe('completed');
  });

  it('through a file and through commands', async () => {
    await new MigrationController(source()).migrate(`file:${folder}/a`);
    await new MigrationController(source()).migrate(`exec:cat > ${folder}/b`);
    expect(readFileSync(`${folder}/a`).equals(readFileSync(`${folder}/b`))).toBe(true);
    const to = new TinyMachine(64, 'inmigrate');
    await (await new MigrationController(to).startIncoming(`exec:cat ${folder}/a`)).done;
    expect(to.counter).toBe(42);
  });

  it('a target that is not there fails, and the machine runs on', async () => {
    const from = source();
    const sender = new MigrationController(from);
    await expect(sender.migrate(`unix:${folder}/none`)).rejects.toThrow(/cannot connect to unix:.*no such file/);
    expect(from.runState).toBe('running');
    expect(sender.info()).toMatchObject({ status: 'failed', 'error-desc': expect.stringContaining('no such file') });
    await expect(sender.migrate('nonsense')).rejects.toThrow(/invalid migration URI/);
  });

  it('a bad stream fails the destination and says where', async () => {
    writeFileSync(`${folder}/bad`, 'not a stream at all');
    const to = new TinyMachine(64, 'inmigrate');
    const failed: unknown[] = [];
    const receiver = new MigrationController(to, { onIncomingFailed: (error) => failed.push(error) });
    const { done } = await receiver.startIncoming(`file:${folder}/bad`);
    await expect(done).rejects.toThrow(/expected/);
    expect(failed).toHaveLength(1);
    expect(receiver.info().status).toBe('failed');
  });

  it('refuses what QEMU refuses', async () => {
    await expect(new MigrationController(new TinyMachine(1, 'inmigrate')).migrate('tcp:h:1')).rejects.toThrow(
      'Guest is waiting for an incoming migration',
    );
    await expect(new MigrationController(new TinyMachine(1, 'postmigrate')).migrate('tcp:h:1')).rejects.toThrow(
      'paused due to previous migration',
    );
    await expect(new MigrationController(source()).incoming('tcp:127.0.0.1:0')).rejects.toThrow("'-incoming' was not specified");
    const waiting = new MigrationController(new TinyMachine(1, 'inmigrate'));
    const { done } = await waiting.startIncoming('tcp:127.0.0.1:0');
    await expect(waiting.incoming('tcp:127.0.0.1:0')).rejects.toThrow('already been started');
    await Promise.all([waiting.close(), expect(done).rejects.toThrow('no longer listening')]);
  });

  it('one at a time, and a cancelled one leaves the machine running', async () => {
    const to = new MigrationController(new TinyMachine(4096, 'inmigrate'));
    const { uri, done } = await to.startIncoming('tcp:127.0.0.1:0');
    const from = new TinyMachine(4096, 'running');
    for (let page = 0; page < 4096; page++) from.memory[page * 4096] = 1;
    const sender = new MigrationController(from);
    sender.setParameter('max-bandwidth', '100k');
    const sending = sender.migrate(uri);
    await expect(sender.migrate(uri)).rejects.toThrow("There's a migration process in progress");
    await expect(sender.saveSnapshot(`${folder}/x`)).rejects.toThrow("There's a migration process in progress");
    while (sender.info().status !== 'active') await new Promise((resolve) => setTimeout(resolve, 5));
    sender.cancel();
    await expect(sending).rejects.toThrow('cancelled');
    await expect(done).rejects.toThrow();
    expect(from.runState).toBe('running');
    expect(sender.info().status).toBe('cancelled');
  });

  it('closing ends what is under way, on either side', async () => {
    for (const side of ['source', 'destination']) {
      const to = new MigrationController(new TinyMachine(4096, 'inmigrate'));
      const { uri, done } = await to.startIncoming('tcp:127.0.0.1:0');
      const machine = new TinyMachine(4096, 'running');
      for (let page = 0; page < 4096; page++) machine.memory[page * 4096] = 1;
      const from = new MigrationController(machine);
      from.setParameter('max-bandwidth', '1M');
      const sending = from.migrate(uri);
      const both = Promise.all([expect(sending).rejects.toThrow(), expect(done).rejects.toThrow()]);
      while (from.info().status !== 'active') await new Promise((resolve) => setTimeout(resolve, 5));
      await (side === 'source' ? from : to).close();
      await both;
      expect(machine.runState).toBe('running');
    }
  });

  it('snapshots come back, and a broken one stops the machine', async () => {
    const machine = source();
    const controller = new MigrationController(machine);
    await controller.saveSnapshot(`${folder}/s`);
    expect(existsSync(`${folder}/s.partial`)).toBe(false);
    expect(machine.runState).toBe('running');
    machine.counter = 1;
    machine.memory.fill(0);
    await controller.loadSnapshot(`${folder}/s`);
    expect([machine.counter, machine.memory[5 * 4096], machine.runState]).toEqual([42, 7, 'running']);
    writeFileSync(`${folder}/s`, readFileSync(`${folder}/s`).subarray(0, 500));
    await expect(controller.loadSnapshot(`${folder}/s`)).rejects.toThrow(/offset/);
    expect(machine.runState).toBe('paused');
    await expect(controller.loadSnapshot(`${folder}/none`)).rejects.toThrow(/no such file/);
    await expect(controller.saveSnapshot(`${folder}/no/x`)).rejects.toThrow(/no such file/);
  });

  it('parameters and capabilities', () => {
    const controller = new MigrationController(source());
    controller.setParameter('max-bandwidth', '8');
    controller.setParameter('downtime-limit', '50');
    expect([...controller.parameters()]).toEqual([
      ['max-bandwidth', `${8 * 2 ** 20} bytes/second`],
      ['downtime-limit', '50 milliseconds'],
    ]);
    controller.setParameter('max-bandwidth', '512k');
    expect(controller.parameters().get('max-bandwidth')).toBe('524288 bytes/second');
    expect(() => controller.setParameter('downtime-limit', 'soon')).toThrow(/takes 0 to 2000000 milliseconds, not 'soon'/);
    expect(() => controller.setParameter('multifd-channels', '2')).toThrow(
      /not available; there are: max-bandwidth, downtime-limit/,
    );
    controller.setCapability('return-path', true);
    expect(controller.capabilities().get('return-path')).toBe(true);
    expect(() => controller.setCapability('xbzrle', true)).toThrow(/'xbzrle' is not available/);
  });
});

describe('CPU module', () => {
  it('is compiled once; a bad one is named', async () => {
    // The smallest module: magic and version.
    writeFileSync(`${folder}/ok.wasm`, Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(await loadCpuModule(`${folder}/ok.wasm`)).toBe(await loadCpuModule(`${folder}/ok.wasm`));
    writeFileSync(`${folder}/bad.wasm`, 'x');
    await expect(loadCpuModule(`${folder}/bad.wasm`)).rejects.toThrow(/bad\.wasm' is not a WebAssembly module/);
    await expect(loadCpuModule(`${folder}/none.wasm`)).rejects.toThrow(/none\.wasm': no such file/);
  });

  it('has closed the sink of a failed connection', async () => {
    await expect(openOutgoing('tcp:127.0.0.1:1')).rejects.toThrow(/connection refused/);
  });
});
