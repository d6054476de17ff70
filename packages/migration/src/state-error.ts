import type { StateError } from '@pagurus/vmstate';
import { StreamError, type StreamErrorCode } from './errors.js';

/** A device's complaint, with its place in the stream. `start` is the stream offset of the byte that the device called 0,
 * and stands for errors without a place of their own. */
export function stateErrorAt(error: StateError, place: { section: string; instance: number }, start: number): StreamError {
  const problem = error.message.slice(error.message.indexOf(': ') + 2);
  return new StreamError(stateErrorCode(error, place.section), problem, {
    section: place.section,
    instance: place.instance,
    path: error.path,
    offset: start + Math.max(error.offset, 0),
    expected: error.expected,
    got: error.got,
    cause: error,
  });
}

function stateErrorCode(error: StateError, section: string): StreamErrorCode {
  if (error.code === 'truncated') return 'truncated';
  if (section === 'globalstate' && error.code === 'out-of-range') return 'run-state';
  // The section's own version, not that of a subsection or a nested structure.
  if (error.code === 'version-too-old' && error.path === section) return 'section-version-too-old';
  return 'device-state';
}
