import type { DeviceType } from '@pagurus/device-model';
import { describe, it } from 'vitest';
import { type ConformanceOptions, conformance } from './conformance.js';

/** Milliseconds; a hundred thousand accesses on a busy host. */
const FUZZ_TIMEOUT = 600_000;

/**
 * Runs the conformance suite as vitest tests:
 *
 *     describeConformance(i8042, { sections: [{ name: 'ps2kbd', version: 3, size: 284 }] });
 *
 * Where the environment has PAGURUS_FUZZ_STEPS, at least so many random accesses are tried.
 */
export function describeConformance<P extends object>(type: DeviceType<P>, options: ConformanceOptions<P>): void {
  describe(`conformance of ${type.type}`, () => {
    const { process } = globalThis as { process?: { env: Record<string, string | undefined> } };
    const atLeast = Number(process?.env.PAGURUS_FUZZ_STEPS ?? 0);
    const cases = conformance(type, atLeast > 0 ? { ...options, fuzz: { ...options.fuzz, atLeast } } : options);
    for (const { name, run, skipped } of cases) {
      if (skipped === undefined) it(name, run, atLeast > 0 ? FUZZ_TIMEOUT : undefined);
      else it.skip(`${name} (not tried: ${skipped})`, run);
    }
  });
}
