import { verifyHeartbeats } from '@pagurus/guests';
import { channelPair, incoming, migrate, StreamError } from '@pagurus/migration';
import { describe, expect, it } from 'vitest';
import { type Console, guest, loaded, saved, timer } from './testing.js';

/** Instructions at 8 ns each: two seconds of guest time, some of it asleep. */
const SOME = 20_000_000;

describe('the embedded guest', () => {
  it('shows that it is healthy', async () => {
    const pc = await guest();
    pc.machine.runUntil(SOME);
    const { beats, problems } = verifyHeartbeats(pc.text().split('\n'));
    expect(problems).toEqual([]);
    expect(beats.length).toBeGreaterThan(3);
  });

  it('answers at its prompt, on the serial port and by keys', async () => {
    const pc = await guest();
    pc.machine.runUntil(SOME / 4);
    pc.type('ticks\r');
    pc.machine.runUntil(SOME / 2);
    expect(pc.text()).toMatch(/> ticks\r\n.*\d+/);
  });
});

describe('saved and loaded in the middle', () => {
  it('goes on exactly as if nothing had happened', async () => {
    const whole = await guest();
    whole.type('dirty 4\r');
    whole.machine.runUntil(SOME);

    const first = await guest();
    first.type('dirty 4\r');
    first.machine.runUntil(SOME / 2 + 12_345);
    const stream = await saved(first.machine);
    const second = await guest();
    await loaded(second.machine, stream);
    expect(second.machine.cpu.instructions).toBe(first.machine.cpu.instructions);
    second.machine.runUntil(SOME);
    expect(first.text() + second.text()).toBe(whole.text());
    expect(Buffer.from(await saved(second.machine)).equals(Buffer.from(await saved(whole.machine)))).toBe(true);
  });

  it('gives the same stream twice, byte for byte', async () => {
    const streams = [];
    for (let run = 0; run < 2; run++) {
      const pc = await guest();
      pc.machine.runUntil(SOME / 4 + 1);
      streams.push(await saved(pc.machine));
    }
    expect(Buffer.from(streams[0]!).equals(Buffer.from(streams[1]!))).toBe(true);
  });

  it('leaves the destination as it was when the stream is damaged, and takes a good one afterwards', async () => {
    const source = await guest();
    source.machine.runUntil(SOME / 4);
    const stream = await saved(source.machine);
    const destination = await guest();
    const fresh = await saved(destination.machine);
    const cut = stream.subarray(0, stream.lastIndexOf(0x7e) - 3);
    await expect(loaded(destination.machine, cut)).rejects.toThrow(StreamError);
    expect(Buffer.from(await saved(destination.machine)).equals(Buffer.from(fresh))).toBe(true);
    await loaded(destination.machine, stream);
    destination.machine.runUntil(SOME / 2);
    expect(verifyHeartbeats(destination.text().split('\n')).problems).toEqual([]);
  });

  it('refuses a machine of another name', async () => {
    const source = await guest();
    const stream = await saved(source.machine);
    await expect(loaded((await guest({}, 'isapc')).machine, stream)).rejects.toThrow(/pc-i440fx-7\.2/);
  });
});

/** However slow the host is. */
async function beats(of: Console, count: number): Promise<void> {
  while (verifyHeartbeats(of.text().split('\n')).beats.length < count) await timer.sleep(50);
}

describe('live migration', () => {
  it('moves a guest that keeps writing, without a gap', async () => {
    const source = await guest({ icount: { shift: 3, sleep: true } });
    const destination = await guest({ icount: { shift: 3, sleep: true } });
    source.type('dirty 8\r');
    source.machine.start();
    await beats(source, 2);
    const [there, here] = channelPair();
    const arriving = incoming(destination.machine, here, { timer });
    const { done } = migrate(source.machine, there, { timer, parameters: { maxBandwidth: 64 * 2 ** 20 } });
    const [info] = await Promise.all([done, arriving]);
    expect(info.ram!['dirty-sync-count']).toBeGreaterThan(1);
    expect(source.machine.runState).toBe('postmigrate');
    destination.machine.start();
    await beats(destination, 2);
    destination.machine.stop();
    const whole = verifyHeartbeats((source.text() + destination.text()).split('\n'));
    expect(whole.problems).toEqual([]);
    expect(whole.beats.length).toBeGreaterThanOrEqual(4);
  });
});
