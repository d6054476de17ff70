import { fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { systemError, writeFully } from '@pagurus/host-node';
import { UsageError } from './usage-error.js';

/** Events as JSON lines, each in the form of a QMP event. The time is the host's, so that two processes can be compared. */
export interface EventLog {
  emit(event: string, data?: object): void;
}

/** Nobody listens. */
export const silentEvents: EventLog = { emit() {} };

/**
 * `-events FILE` or `-events fd:N`.
 * @param gone called when the other side of a socket has closed it: whoever started this process is no more.
 * @throws {UsageError} if it cannot be written.
 */
export function openEvents(target: string, gone: () => void = () => {}): EventLog {
  const descriptor = /^fd:(\d+)$/.exec(target);
  const open = (): number => {
    try {
      return descriptor ? Number(descriptor[1]) : openSync(target, 'w');
    } catch (error) {
      throw new UsageError(systemError(`-events ${target}: cannot write it`, error).message);
    }
  };
  const file = open();
  if (descriptor) watchPeer(target, file, gone);
  return {
    emit(event, data) {
      const now = performance.timeOrigin + performance.now();
      const seconds = Math.floor(now / 1000);
      const timestamp = { seconds, microseconds: Math.floor((now - seconds * 1000) * 1000) };
      writeFully(file, new TextEncoder().encode(`${JSON.stringify({ timestamp, event, ...(data ? { data } : {}) })}\n`));
    },
  };
}

/** A socket's end of stream tells that its other side is gone; pipes and files tell nothing. Does not keep the process alive. */
function watchPeer(target: string, descriptor: number, gone: () => void): void {
  try {
    if (!fstatSync(descriptor).isSocket()) return;
  } catch (error) {
    throw new UsageError(systemError(`-events ${target}: cannot write it`, error).message);
  }
  const peer = new Socket({ fd: descriptor, readable: true, writable: false, allowHalfOpen: true });
  peer.on('error', gone).on('end', gone);
  peer.resume();
  peer.unref();
}

/** Milliseconds since 1970 of an event's timestamp. */
export function eventTime(event: { readonly timestamp: { readonly seconds: number; readonly microseconds: number } }): number {
  return event.timestamp.seconds * 1000 + event.timestamp.microseconds / 1000;
}
