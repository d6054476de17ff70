/** Stable codes of {@link StreamError}; a code's meaning never changes. */
export type StreamErrorCode =
  /** The data ends inside something. */
  | 'truncated'
  /** The first four bytes are not "QEVM". */
  | 'not-a-stream'
  /** File version 2 (obsolete) or unknown. */
  | 'stream-version'
  | 'configuration-missing'
  | 'configuration-invalid'
  | 'machine-mismatch'
  | 'page-bits-mismatch'
  | 'unknown-configuration-subsection'
  | 'unknown-capability'
  | 'capability-mismatch'
  | 'uuid-mismatch'
  | 'unknown-section-type'
  /** No handler has this idstr and instance. */
  | 'unknown-section'
  /** PART or END of a section id that was never started. */
  | 'unknown-section-id'
  | 'section-name'
  | 'section-version-too-new'
  | 'section-version-too-old'
  | 'footer-missing'
  | 'footer-mismatch'
  /** The device's own description refuses the data; `cause` is the StateError. */
  | 'device-state'
  | 'run-state'
  | 'unknown-command'
  | 'command-length'
  /** A command that is not allowed now, e.g. PING without a return path. */
  | 'command-order'
  /** The stream is complete and has no RAM. */
  | 'ram-missing'
  | 'ram-unknown-block'
  | 'ram-block-size'
  | 'ram-total'
  | 'ram-address'
  | 'ram-flags'
  /** A page that continues a block although none was named. */
  | 'ram-no-block'
  | 'ram-compressed'
  | 'ram-xbzrle'
  | 'ram-mapped'
  /** The stream contradicts the description that it carries. */
  | 'description-mismatch'
  /** Part of the protocol, not implemented here. */
  | 'unsupported'
  /** Larger than a bound that protects this process. */
  | 'limit'
  /** The connection failed. */
  | 'channel'
  /** The other side reported failure. */
  | 'peer-failed'
  | 'cancelled'
  /** The device refuses to be saved. */
  | 'save-failed'
  /** JSON given to be encoded is not ours. */
  | 'json'
  /** An archive in BER is not ours. */
  | 'ber';

/** Where in the stream something is. */
export interface StreamPlace {
  /** Section name (idstr), or '' outside of sections. */
  section: string;
  instance: number;
  /** Inside the section: a field path, or a RAM block and offset like `pc.ram+0x1000`. */
  path: string;
  /** Byte offset from the beginning of the stream, -1 where there is none. */
  offset: number;
}

export interface StreamErrorDetails extends Partial<StreamPlace> {
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  readonly cause?: unknown;
}

/** A stream that cannot be read, loaded or written: where, what, expected and found. */
export class StreamError extends Error {
  override readonly name: string = 'StreamError';
  readonly section: string;
  readonly instance: number;
  readonly path: string;
  readonly offset: number;
  readonly expected: string | undefined;
  readonly got: string | undefined;

  constructor(
    readonly code: StreamErrorCode,
    /** What is wrong, without the place. */
    readonly problem: string,
    details: StreamErrorDetails = {},
  ) {
    super(describe(problem, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.section = details.section ?? '';
    this.instance = details.instance ?? 0;
    this.path = details.path ?? '';
    this.offset = details.offset ?? -1;
    this.expected = details.expected;
    this.got = details.got;
  }
}

function describe(problem: string, details: StreamErrorDetails): string {
  const place: string[] = [];
  if (details.section) place.push(`section '${details.section}' instance ${details.instance ?? 0}`);
  if (details.path) place.push(details.path);
  if (details.offset !== undefined && details.offset >= 0) place.push(`offset ${details.offset} (${hex(details.offset)})`);
  const comparison: string[] = [];
  if (details.expected !== undefined) comparison.push(`expected ${details.expected}`);
  if (details.got !== undefined) comparison.push(`got ${details.got}`);
  return [place.join(', '), comparison.length > 0 ? `${problem}: ${comparison.join(', ')}` : problem]
    .filter((part) => part !== '')
    .join(': ');
}

/** `0x1f`; negative numbers keep their sign. */
export function hex(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
