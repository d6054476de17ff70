import { openSync, writeSync } from 'node:fs';
import { systemError } from '@pagurus/host-node';
import { UsageError } from './usage-error.js';

/** Events as JSON lines, each in the form of a QMP event. The time is the host's, so that two processes can be compared. */
export interface EventLog {
  emit(event: string, data?: object): void;
}

/** Nobody listens. */
export const silentEvents: EventLog = { emit() {} };

/**
 * `-events FILE` or `-events fd:N`.
 * @throws {UsageError} if it cannot be written.
 */
export function openEvents(target: string): EventLog {
  const descriptor = /^fd:(\d+)$/.exec(target);
  const open = (): number => {
    try {
      return descriptor ? Number(descriptor[1]) : openSync(target, 'w');
    } catch (error) {
      throw new UsageError(systemError(`-events ${target}: cannot write it`, error).message);
    }
  };
  const file = open();
  const log: EventLog = {
    emit(event, data) {
      const now = performance.timeOrigin + performance.now();
      const seconds = Math.floor(now / 1000);
      const timestamp = { seconds, microseconds: Math.round((now - seconds * 1000) * 1000) };
      try {
        writeSync(file, `${JSON.stringify({ timestamp, event, ...(data ? { data } : {}) })}\n`);
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === 'EBADF') throw new UsageError(`-events ${target}: not an open file descriptor`);
        if (code !== 'EPIPE' && code !== 'EAGAIN') throw error;
      }
    },
  };
  return log;
}

/** Milliseconds since 1970 of an event's timestamp. */
export function eventTime(event: { readonly timestamp: { readonly seconds: number; readonly microseconds: number } }): number {
  return event.timestamp.seconds * 1000 + event.timestamp.microseconds / 1000;
}
