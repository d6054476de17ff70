/** Exit codes of `pagurus`; shown by `pagurus help`. */
export const EXIT_CODES = {
  /** Done; the guest has powered off, or reset with `-no-reboot`; `quit`. */
  OK: 0,
  /** A stream is broken, an incoming migration failed, the emulator has a defect. */
  FAILED: 1,
  /** An option, device, property, machine, file or address that cannot be. Nothing has run. */
  USAGE: 2,
} as const;

/** Ended by a signal: 128 and its number. */
export const SIGNAL_CODE = 128;

export const EXIT_CODE_TEXT = `Exit codes:
  0    done; the guest powered off; monitor command quit
  1    a stream is broken, an incoming migration failed, an internal error
  2    an option, device, property, machine, file or address that cannot be
  N    what the guest wrote to isa-debug-exit, times two plus one
  130  ended by Ctrl-C (128 and the number of the signal)`;
