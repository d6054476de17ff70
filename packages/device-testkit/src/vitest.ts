import type { DeviceType } from '@pagurus/device-model';
import { describe, it } from 'vitest';
import { type ConformanceOptions, conformance } from './conformance.js';

/**
 * Runs the conformance suite as vitest tests:
 *
 *     describeConformance(i8042, { sections: [{ name: 'ps2kbd', version: 3, size: 284 }] });
 */
export function describeConformance<P extends object>(type: DeviceType<P>, options: ConformanceOptions<P>): void {
  describe(`conformance of ${type.type}`, () => {
    for (const { name, run, skipped } of conformance(type, options)) {
      if (skipped === undefined) it(name, run);
      else it.skip(`${name} (not tried: ${skipped})`, run);
    }
  });
}
