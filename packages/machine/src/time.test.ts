import { decode, saveDescribed } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { MachineTime, TimerState, timerVmState } from './time.js';

/** A host of a given speed, and a machine that counts. */
function machine(shift: number | 'auto') {
  const host = { now: 0n, instructions: 0 };
  const time = new MachineTime(
    { monotonic: () => host.now, wall: () => 0n },
    { base: 0n, clock: 'vm' },
    { shift, sleep: true },
    () => host.instructions,
  );
  /** 10 ms of the host at so many instructions per microsecond. */
  const run = (speed: number, times = 1) => {
    for (let i = 0; i < times; i++) {
      host.now += 10_000_000n;
      host.instructions += speed * 10_000;
      const before = time.now();
      time.adapt();
      const jump = time.now() - before;
      expect(jump < 0n ? -jump : jump).toBeLessThan(2048n);
    }
  };
  return { host, time, run };
}

it('a sleep of the source ends when the machine goes on', () => {
  const { time } = machine(3);
  time.state.warpStart = 5n;
  time.state.warpTimer = 7n;
  time.start();
  expect([time.state.warpStart, time.state.warpTimer]).toEqual([-1n, -1n]);
});

describe('-icount shift=auto', () => {
  it('makes instructions longer on a slow host, until virtual time keeps pace', () => {
    const { host, time, run } = machine('auto');
    time.start();
    run(4, 400);
    expect([7, 8, 9]).toContain(time.state.icountTimeShift);
    const [before, started] = [time.now(), host.now];
    run(4, 100);
    const ratio = Number(time.now() - before) / Number(host.now - started);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2.1);
  });

  it('makes them shorter on a fast one', () => {
    const { time, run } = machine('auto');
    time.start();
    run(1000, 400);
    expect(time.state.icountTimeShift).toBeLessThan(2);
  });

  it('goes no further than it may, and leaves a fixed shift alone', () => {
    const slow = machine('auto');
    slow.time.start();
    slow.run(0, 400);
    expect(slow.time.state.icountTimeShift).toBe(10);
    const fixed = machine(3);
    fixed.time.start();
    fixed.run(1, 400);
    expect(fixed.time.state.icountTimeShift).toBe(3);
  });

  it('is sent with its shift, which the other side goes on with', () => {
    const { time, run } = machine('auto');
    time.start();
    run(4, 100);
    time.stop();
    time.beforeSave();
    const { bytes } = saveDescribed(timerVmState, time.state);
    const other = new TimerState();
    Object.assign(other, { instructionCounting: true, adapting: true });
    decode(timerVmState, other, bytes, 0, 2).commit();
    expect(other.icountTimeShift).toBe(time.state.icountTimeShift);
    expect(Buffer.from(saveDescribed(timerVmState, other).bytes).equals(Buffer.from(bytes))).toBe(true);
    const fixed = machine(3);
    fixed.time.beforeSave();
    expect(Buffer.from(saveDescribed(timerVmState, fixed.time.state).bytes).includes('timer/icount/shift')).toBe(false);
  });
});
