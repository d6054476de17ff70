import type { Section } from '@pagurus/device-model';
import { load, StateError, save } from '@pagurus/vmstate';

/** One section as it would stand in a stream, without header and footer. */
export interface SavedSection {
  readonly name: string;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** The section's bytes, or undefined where its top-level `needed` says that it is not sent. */
export function saveSection(section: Section): SavedSection | undefined {
  const { description, state } = section;
  if (description.needed && !description.needed(state)) return undefined;
  return { name: description.name, version: description.version, bytes: save(description, state) };
}

/** All sections of a device; undefined in the place of one that is not sent. */
export function saveSections(sections: readonly Section[]): (SavedSection | undefined)[] {
  return sections.map(saveSection);
}

/**
 * Loads bytes into the section's own state.
 * @throws {StateError} also for bytes that are left over, as the footer check of a stream would.
 */
export function loadSection(section: Section, bytes: Uint8Array, version = section.description.version): void {
  const end = load(section.description, section.state, bytes, version);
  if (end === bytes.length) return;
  throw new StateError('trailing-data', section.description.name, end, `${bytes.length - end} bytes are left over`);
}

/** `0a 0b …`, for messages. */
export function hex(bytes: Uint8Array, most = 32): string {
  const text = Array.from(bytes.subarray(0, most), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return bytes.length > most ? `${text} …` : text;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Where two byte strings part, for messages. */
export function describeDifference(expected: Uint8Array, got: Uint8Array): string {
  if (expected.length !== got.length) return `${got.length} bytes instead of ${expected.length}`;
  const at = expected.findIndex((byte, i) => byte !== got[i]);
  return `first difference at ${at}: expected ${hex(expected.subarray(at), 8)}, got ${hex(got.subarray(at), 8)}`;
}
