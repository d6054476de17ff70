import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HeartbeatFollower, parseHeartbeat, verifyHeartbeats } from './heartbeat.js';
import { pageBytes, pageGeneration, pageSum, sliceSum } from './pattern.js';

const recorded = readFileSync(new URL('../fixtures/qemu-7.2-console.txt', import.meta.url), 'latin1').split('\r\n');
const beatLines = recorded.filter((l) => /beat \d+ tick=/.test(l));
const messages = (lines: string[]): string[] => verifyHeartbeats(lines).problems.map((p) => p.message);

describe('parseHeartbeat', () => {
  it('reads a line behind a prompt and an erase sequence', () => {
    const line = '> dir\r\x1b[Kbeat 3 tick=150 of=1024 wrote=7 at=32+16 sum=deadbeef err=0\r';
    expect(parseHeartbeat(line)).toEqual({
      seq: 3,
      tick: 150,
      pages: 1024,
      written: 7,
      first: 32,
      count: 16,
      sum: 0xdeadbeef,
      errors: 0,
    });
  });

  it('does not take anything else for one', () => {
    expect(parseHeartbeat('beat on tick=4')).toBeUndefined();
    expect(parseHeartbeat('beat 3 tick=150 of=1024')).toBeUndefined();
    expect(parseHeartbeat('')).toBeUndefined();
  });
});

describe('verifyHeartbeats on a console recorded from QEMU 7.2', () => {
  it('finds nothing wrong, across a pause of the heartbeat', () => {
    const report = verifyHeartbeats(recorded);
    expect(report.problems).toEqual([]);
    expect(report.beats.length).toBeGreaterThan(8);
    expect(report.beats.at(-1)!.written).toBeGreaterThan(2 * report.beats[0]!.pages);
  });

  it('can begin in the middle', () => {
    expect(messages(recorded.slice(recorded.length >> 1))).toEqual([]);
  });

  it('agrees with the sum the guest read from its memory', () => {
    const line = recorded.find((l) => /sum pages=/.test(l))!;
    const [, pages, written, sum] = /pages=(\d+) written=(\d+) sum=([0-9a-f]{8})/.exec(line)!;
    expect(sliceSum(0, Number(pages), Number(pages), Number(written))).toBe(Number.parseInt(sum!, 16));
  });

  it.each([
    ['a lost line', (lines: string[]) => lines.toSpliced(2, 1), /seq is 4, expected 3/],
    ['a lost tick', (lines: string[]) => lines.with(2, lines[2]!.replace(/tick=\d+/, 'tick=149')), /tick is 149, expected 150/],
    ['another sum', (lines: string[]) => lines.with(2, lines[2]!.replace(/sum=\w+/, 'sum=00000000')), /^sum is 0, expected/],
    ['written going back', (lines: string[]) => lines.with(3, lines[3]!.replace(/wrote=\d+/, 'wrote=0')), /written went back/],
    ['a skipped slice', (lines: string[]) => lines.with(2, lines[2]!.replace(/at=\d+/, 'at=0')), /^first is 0, expected/],
    ['the guest counting errors', (lines: string[]) => lines.with(2, lines[2]!.replace('err=0', 'err=1')), /counts 1/],
    ['a cut line', (lines: string[]) => lines.with(2, lines[2]!.slice(0, -20)), /cut or garbled/],
    [
      'a CORRUPT line',
      (lines: string[]) => lines.toSpliced(2, 0, 'CORRUPT page=7 address=1 found=2 expected=3'),
      /reports damage/,
    ],
    ['a FAULT line', (lines: string[]) => [...lines, 'FAULT vector=14 error=0 eip=1 cr2=0'], /reports damage/],
    ['a bad sum', (lines: string[]) => [...lines, 'sum pages=1 written=0 sum=1 expected=2 BAD'], /reports damage/],
  ])('notices %s', (_what, spoil, expected) => {
    expect(messages(spoil(beatLines)).join('\n')).toMatch(expected);
  });

  it('numbers the lines it was given', () => {
    const follower = new HeartbeatFollower();
    follower.push('nothing');
    follower.push('FAULT vector=6 error=0 eip=0 cr2=0');
    expect(follower.problems[0]!.line).toBe(2);
  });
});

describe('pattern', () => {
  it('rewrites pages in turn', () => {
    expect([0, 1, 2].map((p) => pageGeneration(p, 3, 0))).toEqual([0, 0, 0]);
    expect([0, 1, 2].map((p) => pageGeneration(p, 3, 1))).toEqual([1, 0, 0]);
    expect([0, 1, 2].map((p) => pageGeneration(p, 3, 5))).toEqual([2, 2, 1]);
  });

  it('sums to what the bytes sum to', () => {
    const bytes = pageBytes(5, 100, 312);
    const view = new DataView(bytes.buffer);
    let sum = 0;
    for (let i = 0; i < 4096; i += 4) sum = (sum + view.getUint32(i, true)) >>> 0;
    expect(pageSum(5, 100, 312)).toBe(sum);
  });

  it('differs between pages and between generations', () => {
    const sums = new Set([0, 1, 2, 3].flatMap((p) => [0, 4, 8].map((w) => pageSum(p, 4, w))));
    expect(sums.size).toBe(12);
  });
});
