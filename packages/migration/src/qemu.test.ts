import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { acceptOne, connect, Qemu, qemuVersion, realTimer } from '../test/qemu.js';
import { recordedMachine } from '../test/recorded-machine.js';
import { fixture } from '../test/support.js';
import { collectingChannel, incoming, migrate, saveSnapshot } from './index.js';

/*
 * A real QEMU 7.2 at the other end. Our side is a machine that has the sections of a recorded stream, described by that stream's own
 * JSON: it can be loaded and saved, not run. Only when PAGURUS_REQUIRE names `qemu`, or PAGURUS_SHARED is set.
 */

const wanted = process.env.PAGURUS_REQUIRE?.split(',').includes('qemu') ?? false;
const version = wanted || process.env.PAGURUS_SHARED ? qemuVersion() : undefined;
const usable = version === '7.2';
if (!usable)
  console.log(`migration with real QEMU: skipped, ${version ? `QEMU is ${version}, not 7.2` : 'not asked for or not installed'}`);

describe.skipIf(!usable && !wanted)('with QEMU 7.2', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pagurus-qemu-'));
  });
  const running: Qemu[] = [];
  const qemu = (name: string, ...options: string[]) => {
    const one = new Qemu(folder, name, ...options);
    running.push(one);
    return one.start();
  };
  afterEach(() => {
    for (const one of running.splice(0)) one.stop();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([false, true])('a machine goes from QEMU to us and on to another QEMU (return path: %s)', async (returnPath) => {
    const id = returnPath ? 'rp' : 'plain';
    const { machine, states } = await recordedMachine(fixture('control-pc-i440fx-7.2-i386.bin'));

    const source = await qemu(`source-${id}`);
    const listener = await acceptOne(join(folder, `${id}-in.sock`));
    await source.execute('migrate-set-capabilities', { capabilities: [{ capability: 'return-path', state: returnPath }] });
    await source.execute('migrate', { uri: `unix:${join(folder, `${id}-in.sock`)}` });
    const channel = await listener.channel;
    const result = await incoming(machine, channel, { timer: realTimer });
    expect(await source.migrationStatus()).toBe('completed');
    channel.close();
    listener.close();
    expect(result).toMatchObject({ runState: 'running', missing: [], warnings: [] });
    const bios = machine.ramBlocks.find((block) => block.name === 'pc.bios')!;
    expect([...bios.bytes.subarray(0xffee, 0xfff3)]).toEqual([0x90, 0x90, 0xf4, 0xeb, 0xfd]);
    expect(states.get('cpu_common#0')).toMatchObject({ halted: 1 });
    const before = collectingChannel();
    await saveSnapshot(machine, before);

    const path = join(folder, `${id}-out.sock`);
    const destination = await qemu(`destination-${id}`, '-incoming', `unix:${path}`);
    const outgoing = await connect(path);
    const info = await migrate(machine, outgoing, { timer: realTimer, returnPath }).done.catch((error: unknown) => {
      throw new Error(`${String(error)}; QEMU: ${destination.errors}`);
    });
    expect(await destination.migrationStatus()).toBe('completed');
    outgoing.close();
    expect(info.status).toBe('completed');
    expect(destination.errors).toBe('');
    expect(await destination.execute('query-status')).toMatchObject({ status: 'running', running: true });
    expect(await destination.execute('human-monitor-command', { 'command-line': 'x /3bx 0xffff0' })).toMatch(
      /0xf4\s+0xeb\s+0xfd/,
    );

    // Once more to us: what QEMU made of it is what we sent, but for the time that went by.
    await destination.execute('stop');
    const back = await acceptOne(join(folder, `${id}-back.sock`));
    await destination.execute('migrate', { uri: `unix:${join(folder, `${id}-back.sock`)}` });
    const again = await recordedMachine(fixture('control-pc-i440fx-7.2-i386.bin'));
    await incoming(again.machine, await back.channel, { timer: realTimer });
    back.close();
    for (const [i, block] of machine.ramBlocks.entries()) {
      expect(Buffer.from(again.machine.ramBlocks[i]!.bytes).equals(block.bytes), block.name).toBe(true);
    }
    // The timer ticks wherever the machine runs, and what it reaches with it; these it does not reach.
    for (const name of ['i8259#1', 'dma#0', '0000:00:01.0/PIIX3#0', 'ps2kbd#0', 'fw_cfg#0']) {
      expect(again.states.get(name), name).toEqual(states.get(name));
    }
    expect(again.states.get('cpu_common#0')).toMatchObject({ halted: 1 });
  });

  it('a snapshot of ours is loaded from a file by QEMU', async () => {
    const { machine } = await recordedMachine(fixture('control-pc-i440fx-7.2-i386.bin'));
    machine.runState = 'paused';
    const source = await qemu('snapshot-source');
    const listener = await acceptOne(join(folder, 'snapshot.sock'));
    await source.execute('stop');
    await source.execute('migrate', { uri: `unix:${join(folder, 'snapshot.sock')}` });
    await incoming(machine, await listener.channel, { timer: realTimer });
    listener.close();
    const file = collectingChannel();
    await saveSnapshot(machine, file);
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(folder, 'snapshot.bin'), file.bytes());
    const destination = await qemu('snapshot-destination', '-incoming', `exec:cat ${join(folder, 'snapshot.bin')}`);
    expect(await destination.migrationStatus()).toBe('completed');
    expect(await destination.execute('query-status')).toMatchObject({ status: 'paused' });
  });

  it('a source that we refuse goes on', async () => {
    const { machine } = await recordedMachine(fixture('control-pc-i440fx-7.2-i386.bin'), { name: 'pc-i440fx-7.1' });
    const source = await qemu('refused');
    const listener = await acceptOne(join(folder, 'refused.sock'));
    await source.execute('migrate-set-capabilities', { capabilities: [{ capability: 'return-path', state: true }] });
    await source.execute('migrate', { uri: `unix:${join(folder, 'refused.sock')}` });
    await expect(incoming(machine, await listener.channel, { timer: realTimer })).rejects.toMatchObject({
      code: 'machine-mismatch',
    });
    listener.close();
    expect(await source.migrationStatus()).toBe('failed');
    expect(await source.execute('query-status')).toMatchObject({ running: true });
  });
});
