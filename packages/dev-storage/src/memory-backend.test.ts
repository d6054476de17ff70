import { describe, expect, it } from 'vitest';
import { SlowBackend } from '../test-support/machine.js';
import { BlockRequests } from './block-requests.js';
import { MemoryBlockBackend } from './memory-backend.js';

describe('image in memory', () => {
  it('reads and writes whole sectors', async () => {
    const image = new MemoryBlockBackend(new Uint8Array(2048));
    expect(image.sectors).toBe(4);
    image.writeNow(1, new Uint8Array(1024).fill(7));
    const target = new Uint8Array(512);
    await image.read(2, target);
    expect(target.every((byte) => byte === 7)).toBe(true);
    await image.write(2, new Uint8Array(512));
    image.readNow(2, target);
    expect(target.every((byte) => byte === 0)).toBe(true);
  });

  it('fills up a last, shorter sector', () => {
    const image = new MemoryBlockBackend(new Uint8Array(700).fill(1));
    const target = new Uint8Array(512).fill(9);
    image.readNow(1, target);
    expect([target[187], target[188], target[511]]).toEqual([1, 0, 0]);
    image.writeNow(1, new Uint8Array(512).fill(5));
    image.readNow(1, target);
    expect([target[187], target[188]]).toEqual([5, 0]);
  });

  it('refuses what lies outside, and writes where none are allowed', async () => {
    const image = new MemoryBlockBackend(new Uint8Array(1024), { readOnly: true });
    expect(() => image.readNow(2, new Uint8Array(512))).toThrow(RangeError);
    expect(() => image.readNow(-1, new Uint8Array(512))).toThrow(RangeError);
    expect(() => image.readNow(0, new Uint8Array(100))).toThrow(RangeError);
    await expect(image.write(0, new Uint8Array(512))).rejects.toThrow('read-only');
  });
});

describe('requests', () => {
  it('complete at once where the image can', () => {
    const requests = new BlockRequests(new MemoryBlockBackend(new Uint8Array(512)));
    const done: unknown[] = [];
    requests.read(0, new Uint8Array(512), (error) => done.push(error));
    requests.write(0, new Uint8Array(512), (error) => done.push(error));
    requests.flush((error) => done.push(error));
    requests.read(1, new Uint8Array(512), (error) => done.push(error));
    expect(done.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    expect(done[3]).toBeInstanceOf(RangeError);
  });

  it('complete later where it takes time, and not at all once cancelled', async () => {
    const slow = new SlowBackend(new MemoryBlockBackend(new Uint8Array(512)));
    const requests = new BlockRequests(slow);
    const done: string[] = [];
    requests.read(0, new Uint8Array(512), () => done.push('first'));
    expect(done).toEqual([]);
    await slow.complete();
    expect(done).toEqual(['first']);
    requests.read(0, new Uint8Array(512), () => done.push('second'));
    requests.cancel();
    requests.flush(() => done.push('third'));
    await slow.complete();
    await slow.complete();
    expect(done).toEqual(['first', 'third']);
  });

  it('hand errors over', async () => {
    const slow = new SlowBackend(new MemoryBlockBackend(new Uint8Array(512)));
    slow.failure = new Error('no');
    let seen: unknown;
    new BlockRequests(slow).read(0, new Uint8Array(512), (error) => {
      seen = error;
    });
    await slow.complete();
    expect(seen).toBe(slow.failure);
  });
});
