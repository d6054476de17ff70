import type { Vmdesc, VmdescDevice } from '@pagurus/vmstate';
import { SECTION, textFromBytes } from './format.js';

/** A description JSON found in the bytes of a stream's last part. */
export interface FoundVmdesc {
  /** Index of the 0x06 that begins it. */
  readonly index: number;
  readonly vmdesc: Vmdesc;
}

const OPENING_BRACE = 0x7b;

/**
 * Looks for the description JSON without knowing where the sections before it end: end-of-stream byte, 0x06, a length that fits,
 * and text that parses and has `devices`.
 */
export function findVmdesc(bytes: Uint8Array): FoundVmdesc | undefined {
  for (let index = bytes.indexOf(SECTION.VMDESCRIPTION); index >= 0; index = bytes.indexOf(SECTION.VMDESCRIPTION, index + 1)) {
    if (bytes[index + 5] !== OPENING_BRACE || (index > 0 && bytes[index - 1] !== SECTION.EOF)) continue;
    const length = u32At(bytes, index + 1);
    if (index + 5 + length > bytes.length) continue;
    const vmdesc = parseVmdesc(textFromBytes(bytes.subarray(index + 5, index + 5 + length)));
    if (vmdesc) return { index, vmdesc };
  }
  return undefined;
}

/** The document, or undefined if the text is not one. Its contents are untrusted beyond having a list of devices. */
export function parseVmdesc(text: string): Vmdesc | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && Array.isArray((parsed as Vmdesc).devices)
      ? (parsed as Vmdesc)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A line of what filters did to a stream on its way, as {@link Rewriter} writes it into the description. */
export interface FilterNote {
  readonly filter: string;
  readonly section: string;
  readonly text: string;
}

/** What filters did to a stream, where its description says so. Entries of another form are left out: it is untrusted. */
export function filterNotes(vmdesc: Vmdesc | undefined): FilterNote[] {
  const { filters } = (vmdesc ?? {}) as { filters?: unknown };
  return (Array.isArray(filters) ? (filters as Partial<FilterNote>[]) : []).flatMap((note) => {
    const { filter, section, text } = note ?? {};
    const whole = typeof filter === 'string' && typeof section === 'string' && typeof text === 'string';
    return whole ? [{ filter, section, text }] : [];
  });
}

/**
 * Finds the description of a section. Old machines send several sections of one name and instance (`isa-ide`): the `occurrence`-th
 * (from 0) has the entry of that number, or the last one.
 */
export function describedDevice(
  vmdesc: Vmdesc | undefined,
  idstr: string,
  instance: number,
  occurrence = 0,
): VmdescDevice | undefined {
  const entries = vmdesc?.devices.filter((device) => device?.name === idstr && device.instance_id === instance) ?? [];
  return entries[Math.min(occurrence, entries.length - 1)];
}

/** JSON text as QEMU 7.2 and newer write it: one line, `", "` and `": "` as separators. */
export function formatJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}: ${formatJson(member)}`).join(', ')}}`;
  }
  return JSON.stringify(value);
}

export function u32At(bytes: Uint8Array, index: number): number {
  return ((bytes[index]! << 24) | (bytes[index + 1]! << 16) | (bytes[index + 2]! << 8) | bytes[index + 3]!) >>> 0;
}
