import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventTime, openEvents, silentEvents } from './event-log.js';

describe('events', () => {
  it('are JSON lines with the time', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pagurus-events-'));
    try {
      const before = performance.timeOrigin + performance.now();
      const log = openEvents(join(folder, 'e'));
      log.emit('STOP', { state: 'paused' });
      log.emit('RESUME');
      const events = readFileSync(join(folder, 'e'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(events).toMatchObject([{ event: 'STOP', data: { state: 'paused' } }, { event: 'RESUME' }]);
      const [stop, resume] = events.map(eventTime);
      expect(stop).toBeGreaterThan(before - 1);
      expect(resume).toBeGreaterThanOrEqual(stop!);
      expect(resume).toBeLessThan(before + 5000);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('go nowhere where nobody asked', () => {
    expect(silentEvents.emit('STOP')).toBeUndefined();
  });

  it('refuse what cannot be written', () => {
    expect(() => openEvents('/no/such/folder/e')).toThrow(
      '-events /no/such/folder/e: cannot write it: no such file or directory',
    );
    expect(() => openEvents('fd:987')).toThrow('-events fd:987: cannot write it: not an open file descriptor');
  });
});
