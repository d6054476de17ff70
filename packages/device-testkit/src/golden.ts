import type { DeviceType } from '@pagurus/device-model';
import { describe } from '@pagurus/vmstate';
import { type BenchOptions, realize } from './bench.js';
import { describeDifference, loadSection, sameBytes, saveSection } from './codec.js';
import { differences } from './inspect-state.js';
import { ConformanceError } from './report.js';

/** A section that a real peer wrote. */
export interface GoldenSection {
  /** Where it comes from, for messages: `QEMU 7.2 devstate`. */
  readonly origin: string;
  /** The description's name, e.g. `ps2kbd`. */
  readonly name: string;
  /** Among sections of equal name, in the device's order. Default 0. */
  readonly index?: number;
  readonly bytes: Uint8Array;
  /** Version in the section's header. Default: our own, whose bytes must then be reproduced. */
  readonly version?: number;
  /**
   * What the stream's own description says of the section: the members `vmsd_name`, `version`, `fields` and `subsections` of its
   * entry. Ours must be the same, names, types and sizes.
   */
  readonly vmdesc?: object;
  /** Called with the loaded state and, where another version was loaded, instead of the comparison of bytes. */
  readonly check?: (state: object) => void;
}

/** Names a recorded section; data only, to be given to `conformance` or {@link checkGolden}. */
export function goldenSection(
  name: string,
  bytes: Uint8Array,
  options: Partial<Omit<GoldenSection, 'name' | 'bytes'>> = {},
): GoldenSection {
  return { origin: 'recorded', ...options, name, bytes };
}

/**
 * Loads the recorded bytes into a fresh device, resumes it, saves, and expects the same bytes.
 * @throws {ConformanceError} with the first difference.
 */
export function checkGolden<P extends object>(type: DeviceType<P>, options: BenchOptions<P>, golden: GoldenSection): void {
  const { device } = realize(type, options);
  const section = device.sections.filter(({ description }) => description.name === golden.name)[golden.index ?? 0];
  if (!section) throw new ConformanceError(`${type.type} has no section '${golden.name}' ${golden.index ?? 0}`);
  const own = section.description.version;
  loadSection(section, golden.bytes, golden.version ?? own);
  device.resume?.();
  golden.check?.(section.state);
  if ((golden.version ?? own) !== own) return;
  const saved = saveSection(section);
  if (!saved) throw new ConformanceError(`${golden.origin}: section '${golden.name}' is not sent again`);
  if (golden.vmdesc) {
    const found = differences(golden.vmdesc, describe(section.description, section.state), 'vmdesc');
    if (found.length > 0)
      throw new ConformanceError(`${golden.origin}: '${golden.name}' is described differently: ${found.join('; ')}`);
  }
  if (!sameBytes(golden.bytes, saved.bytes)) {
    throw new ConformanceError(
      `${golden.origin}: '${golden.name}' saved differently, ${describeDifference(golden.bytes, saved.bytes)}`,
    );
  }
}
