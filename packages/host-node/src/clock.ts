import type { HostClock } from '@pagurus/machine';
import type { HostTimer } from '@pagurus/migration';

/** Real time for a machine: nanoseconds, monotonic and since 1970. */
export const realTimeClock: HostClock = {
  monotonic: () => process.hrtime.bigint(),
  wall: () => BigInt(Date.now()) * 1_000_000n,
};

/** Real time for a migration: milliseconds. */
export const realTimer: HostTimer = {
  now: () => performance.now(),
  sleep: (milliseconds) =>
    new Promise((resolve) => {
      if (milliseconds <= 0) setImmediate(resolve);
      else setTimeout(resolve, milliseconds);
    }),
};
