/**
 * XBZRLE: the difference between the page the receiver has and the new one, as runs of equal and of changed bytes.
 *
 *     uleb128 equal, uleb128 changed, changed bytes, uleb128 equal, …        (a trailing equal run is left out)
 *
 * Numbers have at most two bytes (14 bits). Only the first `equal` may be 0, `changed` never is.
 */

/** A run of changed bytes, `skip` bytes after the end of the one before. */
export interface XbzrleRun {
  readonly skip: number;
  readonly bytes: Uint8Array;
}

/** What is wrong with an encoded delta. */
export class XbzrleError extends Error {
  override readonly name: string = 'XbzrleError';
  constructor(
    /** Byte in the delta. */
    readonly offset: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Splits a delta into runs; their bytes are views into it.
 * @throws {XbzrleError} on anything that an encoder cannot have written for a page of `pageSize` bytes.
 */
export function decodeXbzrle(delta: Uint8Array, pageSize: number): XbzrleRun[] {
  const runs: XbzrleRun[] = [];
  let at = 0;
  let position = 0;
  const number = (what: string): number => {
    const first = delta[at];
    if (first === undefined) throw new XbzrleError(at, `the delta ends before the length of ${what}`);
    at += 1;
    if (first < 0x80) return first;
    const second = delta[at];
    if (second === undefined) throw new XbzrleError(at, `the delta ends inside the length of ${what}`);
    if (second >= 0x80) throw new XbzrleError(at, `the length of ${what} has more than two bytes`);
    at += 1;
    return (first & 0x7f) | (second << 7);
  };
  while (at < delta.length) {
    const runStart = at;
    const skip = number('an equal run');
    if (skip === 0 && runs.length > 0) throw new XbzrleError(runStart, 'an equal run of 0 bytes inside the page');
    const changedAt = at;
    const changed = number('a changed run');
    if (changed === 0) throw new XbzrleError(changedAt, 'a changed run of 0 bytes');
    position += skip + changed;
    if (position > pageSize) throw new XbzrleError(runStart, `a run ends at ${position}, behind the page of ${pageSize} bytes`);
    if (at + changed > delta.length) throw new XbzrleError(at, `${changed} changed bytes announced, ${delta.length - at} there`);
    runs.push({ skip, bytes: delta.subarray(at, at + changed) });
    at += changed;
  }
  return runs;
}

/** Puts runs onto a page. */
export function applyXbzrle(runs: readonly XbzrleRun[], page: Uint8Array): void {
  let position = 0;
  for (const run of runs) {
    position += run.skip;
    page.set(run.bytes, position);
    position += run.bytes.length;
  }
}

/** The reverse of {@link decodeXbzrle}. */
export function encodeXbzrleRuns(runs: readonly XbzrleRun[]): Uint8Array {
  const bytes: number[] = [];
  const number = (value: number) => {
    if (value < 0x80) bytes.push(value);
    else bytes.push((value & 0x7f) | 0x80, value >> 7);
  };
  for (const run of runs) {
    number(run.skip);
    number(run.bytes.length);
    for (const byte of run.bytes) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
