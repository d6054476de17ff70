/** Stable codes of {@link HostError}. */
export type HostErrorCode =
  /** A URI, `-serial`/`-chardev` text or monitor argument that cannot be understood. */
  | 'syntax'
  /** Understood, but not something this host does. */
  | 'unsupported'
  | 'not-found'
  | 'permission'
  /** The address is in use. */
  | 'busy'
  | 'refused'
  | 'closed'
  /** Any other failure of the operating system. */
  | 'system'
  /** A child process ended with an error. */
  | 'process';

/** What a host operation could not do: one line with what, where and why. */
export class HostError extends Error {
  override readonly name = 'HostError';
  constructor(
    readonly code: HostErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

const MEANING: Readonly<Record<string, [HostErrorCode, string]>> = {
  ENOENT: ['not-found', 'no such file or directory'],
  ENOTDIR: ['not-found', 'a part of the path is not a directory'],
  ENOTFOUND: ['not-found', 'unknown host name'],
  EAI_AGAIN: ['not-found', 'unknown host name'],
  EACCES: ['permission', 'permission denied'],
  EPERM: ['permission', 'operation not permitted'],
  EADDRINUSE: ['busy', 'the address is already in use'],
  EADDRNOTAVAIL: ['not-found', 'this host does not have that address'],
  ECONNREFUSED: ['refused', 'connection refused: nobody listens there'],
  ECONNRESET: ['closed', 'the other side closed the connection'],
  EPIPE: ['closed', 'the other side closed the connection'],
  ETIMEDOUT: ['refused', 'timed out'],
  EISDIR: ['system', 'is a directory'],
  ENOSPC: ['system', 'no space left on the device'],
  EBADF: ['not-found', 'not an open file descriptor'],
};

/** Wraps an error of Node.js: `what` says the attempted action with its object, e.g. `cannot listen on tcp:127.0.0.1:4444`. */
export function systemError(what: string, error: unknown): HostError {
  if (error instanceof HostError) return error;
  const code = (error as { code?: unknown } | undefined)?.code;
  const known = typeof code === 'string' ? MEANING[code] : undefined;
  const text = known?.[1] ?? (error instanceof Error ? error.message : String(error));
  return new HostError(known?.[0] ?? 'system', `${what}: ${text}`, { cause: error });
}

/** The one line of any error, for people. */
export function errorLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
