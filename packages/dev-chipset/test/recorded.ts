import { readFileSync } from 'node:fs';
import { type GoldenSection, goldenSection } from '@pagurus/device-testkit';

interface Recorded {
  readonly origin: string;
  readonly section: string;
  readonly instance: number;
  readonly version: number;
  readonly hex: string;
}

const all = JSON.parse(readFileSync(new URL('../fixtures/qemu-sections.json', import.meta.url), 'utf8')) as readonly Recorded[];

/** Recorded sections of a name (and instance); throws if there is none, so that a test cannot pass on nothing. */
export function recorded(section: string, instance?: number): readonly Recorded[] {
  const found = all.filter((entry) => entry.section === section && (instance === undefined || entry.instance === instance));
  if (found.length === 0) throw new Error(`no recorded section '${section}'`);
  return found;
}

/** The one recorded section whose origin contains `origin`. */
export function recordedBytes(section: string, origin: string, instance = 0): Uint8Array {
  const found = recorded(section, instance).filter((entry) => entry.origin.includes(origin));
  if (found.length !== 1) throw new Error(`${found.length} recorded sections '${section}' of '${origin}'`);
  return bytesOf(found[0]!);
}

/** All recorded sections of a name, for the conformance suite. `index` says which of the device's sections of that name each is. */
export function golden(
  section: string,
  options: { instance?: number; index?: (instance: number) => number } = {},
): GoldenSection[] {
  return recorded(section, options.instance).map((entry) =>
    goldenSection(section, bytesOf(entry), {
      origin: `${entry.origin} (instance ${entry.instance})`,
      version: entry.version,
      index: options.index?.(entry.instance) ?? 0,
    }),
  );
}

function bytesOf(entry: Recorded): Uint8Array {
  return Uint8Array.from(Buffer.from(entry.hex, 'hex'));
}
