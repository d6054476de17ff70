import { NEVER } from '@pagurus/device-model';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from './clock.js';

const setup = () => {
  const time = { value: 0n };
  const moved: bigint[] = [];
  const clock: VirtualClock = new VirtualClock({ now: () => time.value, wallClock: () => 0n, rtcClock: () => 0n }, () => {
    moved.push(clock.nextDeadline()!);
  });
  return { time, clock, moved };
};

describe('virtual clock', () => {
  it('fires in order of deadline, then of arming', () => {
    const { time, clock } = setup();
    const fired: string[] = [];
    const timer = (name: string) => clock.timer(() => fired.push(name));
    const [a, b, c] = [timer('a'), timer('b'), timer('c')];
    a.arm(20n);
    b.arm(10n);
    c.arm(10n);
    clock.runDue();
    expect(fired).toEqual([]);
    time.value = 20n;
    clock.runDue();
    expect(fired).toEqual(['b', 'c', 'a']);
    expect(a.deadline).toBe(NEVER);
  });

  it('says when a nearer deadline appears', () => {
    const { clock, moved } = setup();
    clock.timer(() => {}).arm(50n);
    clock.timer(() => {}).arm(60n);
    clock.timer(() => {}).arm(40n);
    expect(moved).toEqual([50n, 40n]);
  });

  it('ends although a timer re-arms itself for the past', () => {
    const { time, clock } = setup();
    let count = 0;
    const again = clock.timer(() => {
      count++;
      again.arm(0n);
    });
    let other = 0;
    again.arm(1n);
    clock.timer(() => other++).arm(2n);
    time.value = 5n;
    clock.runDue();
    expect([count, other]).toEqual([1, 1]);
  });

  it('forgets a cancelled timer, also one cancelled by another that is due', () => {
    const { time, clock } = setup();
    const second = clock.timer(() => {
      throw new Error('was cancelled');
    });
    const first = clock.timer(() => second.cancel());
    first.arm(1n);
    second.arm(1n);
    time.value = 1n;
    clock.runDue();
    expect(clock.nextDeadline()).toBeUndefined();
  });
});
