/** Stable codes of {@link BlockError}. */
export type BlockErrorCode =
  /** Not an image of the format, or a header field that cannot be. */
  | 'format'
  /** The image contradicts itself; nothing more is written to it. */
  | 'corrupt'
  /** A feature of the format that is not implemented, by name. */
  | 'unsupported'
  | 'not-found'
  | 'permission'
  /** Another process has the image open. */
  | 'locked'
  | 'read-only'
  /** The host's disk is full (ENOSPC, or a quota). */
  | 'no-space'
  /** Any other failure of the host while reading or writing. */
  | 'io';

/** What a disk image could not do: one line with the image, what and why. */
export class BlockError extends Error {
  override readonly name = 'BlockError';
  constructor(
    readonly code: BlockErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
