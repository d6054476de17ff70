import type { MigrationInfo, MigrationRamInfo } from '@pagurus/migration';
import { describe, expect, it } from 'vitest';
import { ConsoleLines } from './demo.js';
import { ownProgram } from './machine-process.js';
import { migrationBar, migrationPayload, migrationShare } from './progress.js';
import { UsageError } from './usage-error.js';

const BEATS = [
  'beat 1 tick=50 of=1024 wrote=0 at=0+16 sum=9cfd7000 err=0',
  'beat 2 tick=100 of=1024 wrote=0 at=16+16 sum=4b82b401 err=0',
  'beat 3 tick=150 of=1024 wrote=0 at=32+16 sum=ffb93402 err=0',
];

describe('two consoles as one', () => {
  function collect(pieces: readonly (readonly [string, string])[]) {
    const shown: string[] = [];
    const lines = new ConsoleLines((text, from) => shown.push(`${from}: ${text}`));
    for (const [text, from] of pieces) lines.push(Buffer.from(text, 'latin1'), from);
    return { shown, follower: lines.follower };
  }

  it('a line that the source began and the destination ended is one', () => {
    const [first, second, third] = BEATS;
    const { shown, follower } = collect([
      [`> \r\x1b[K${first}\r\n> \r\x1b[K${second!.slice(0, 20)}`, 'source'],
      [`${second!.slice(20)}\r\n> \r\x1b[K${third}\r\n> `, 'destination'],
    ]);
    expect(shown).toEqual([`source: ${first}`, `destination: ${second}`, `destination: ${third}`]);
    expect(follower.problems).toEqual([]);
    expect(follower.beats).toHaveLength(3);
  });

  it('a lost byte shows', () => {
    const { follower } = collect([
      [`${BEATS[0]}\r\n${BEATS[1]!.slice(0, 20)}`, 'source'],
      [`${BEATS[1]!.slice(21)}\r\n${BEATS[2]}\r\n`, 'destination'],
    ]);
    expect(follower.problems.length).toBeGreaterThan(0);
  });

  it('what is typed is shown with its prompt', () => {
    expect(collect([['> sum\r\n', 'destination']]).shown).toEqual(['destination: > sum']);
  });
});

describe('progress', () => {
  const info = (status: MigrationInfo['status'], ram: Partial<MigrationRamInfo>): MigrationInfo => ({
    status,
    ram: {
      total: 1000,
      remaining: 0,
      normal: 1,
      duplicate: 0,
      transferred: 2 ** 20,
      'dirty-sync-count': 2,
      ...ram,
    } as MigrationRamInfo,
  });

  it('is the share of RAM that is not left, and whole only at the end', () => {
    expect(migrationShare(info('setup', { normal: 0 }))).toBe(0);
    expect(migrationShare(info('active', { remaining: 750 }))).toBe(25);
    expect(migrationShare(info('active', { remaining: 0 }))).toBe(99);
    expect(migrationShare(info('active', { remaining: 2000 }))).toBe(0);
    expect(migrationShare(info('completed', { remaining: 0 }))).toBe(100);
    expect(migrationShare({ status: 'setup' })).toBe(0);
  });

  it('counts in MiB', () => {
    expect(migrationPayload(info('active', { remaining: 3 * 2 ** 19 }))).toEqual({ sent: '1.0', round: 2, remaining: '1.5' });
  });

  it('draws on a terminal only', () => {
    const drawn: string[] = [];
    const stream = (isTTY: boolean) =>
      ({
        isTTY,
        columns: 100,
        write: (text: string) => drawn.push(text),
        on() {},
        cursorTo() {},
        clearLine() {},
      }) as unknown as NodeJS.WriteStream;
    migrationBar(stream(false))(info('active', {}));
    expect(drawn).toEqual([]);
    const bar = migrationBar(stream(true));
    bar(info('active', { remaining: 500 }));
    bar(info('completed', {}));
    expect(drawn.join('')).toContain('100%');
  });
});

describe('the demo', () => {
  it('needs to know how to start further processes', () => {
    // Under vitest this process is no pagurus.
    expect(() => ownProgram()).toThrow(UsageError);
  });
});
