import { describe, expect, it } from 'vitest';
import { type Fetch, HttpFile } from './http-file.js';
import { randomBytes, randomNumbers } from './testing.js';

const contents = randomBytes(randomNumbers(1), 700_001);

/** A server of one file. */
function server(change: { ranges?: boolean; tag?: () => string; status?: (request: number) => number } = {}) {
  const requests: string[] = [];
  const fetch: Fetch = async (_url, { headers }) => {
    requests.push(headers.range!);
    const status = change.status?.(requests.length) ?? 206;
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(headers.range!)!.map(Number) as [number, number, number];
    const bytes = contents.slice(from, to + 1);
    const replies: Record<string, string> = {
      'content-range': `bytes ${from}-${to}/${contents.length}`,
      etag: change.tag?.() ?? '"1"',
    };
    return {
      status: change.ranges === false ? 200 : status,
      headers: { get: (name) => replies[name] ?? null },
      arrayBuffer: async () => bytes.buffer,
    };
  };
  return { fetch, requests };
}

describe('HTTP ranges', () => {
  it('reads what is asked for, in pieces that are kept', async () => {
    const { fetch, requests } = server();
    const file = await HttpFile.open('http://h/x', fetch);
    expect(file.length).toBe(contents.length);
    const random = randomNumbers(2);
    for (let n = 0; n < 100; n++) {
      const at = random(contents.length + 1000);
      const bytes = new Uint8Array(random(300_000)).fill(9);
      await file.read(at, bytes);
      const expected = new Uint8Array(bytes.length);
      expected.set(contents.subarray(at, at + bytes.length));
      expect(Buffer.compare(bytes, expected)).toBe(0);
    }
    expect(requests).toHaveLength(1 + 6);
    await expect(file.write()).rejects.toMatchObject({ code: 'read-only' });
  });

  it.each<[Parameters<typeof server>[0], string]>([
    [{ ranges: false }, 'unsupported'],
    [{ status: () => 404 }, 'not-found'],
    [{ status: () => 403 }, 'permission'],
    [{ status: () => 500 }, 'io'],
  ])('%o', async (change, code) => {
    await expect(HttpFile.open('http://h/x', server(change).fetch)).rejects.toMatchObject({ name: 'BlockError', code });
  });

  it('asks again after a failure, and knows when the file has changed', async () => {
    const flaky = server({ status: (request) => (request % 2 ? 503 : 206) });
    const file = await HttpFile.open('http://h/x', flaky.fetch);
    const bytes = new Uint8Array(10);
    await file.read(0, bytes);
    expect([...bytes]).toEqual([...contents.subarray(0, 10)]);

    let tag = '"1"';
    const changing = server({ tag: () => tag });
    const other = await HttpFile.open('http://h/x', changing.fetch);
    tag = '"2"';
    await expect(other.read(0, bytes)).rejects.toThrow('changed while it was in use');
  });
});
