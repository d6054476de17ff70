import { SECTION } from './format.js';
import { u32At } from './vmdesc.js';

/*
 * Last resort for sections that nobody describes: find the end of their data by what must follow it.
 */

const NAME_CHARACTERS = /^[\w./:@#,+ -]+$/;
/** Section ids count registered handlers; no machine has more. */
const MAX_SECTION_ID = 0xffff;
const MAX_VERSION = 0xff;
const MAX_INSTANCE = 0xffff_ffff;

/**
 * Index of the footer that ends the section with this id: 0x7e, the id, and something that may follow a section.
 * @returns undefined if there is none in `bytes`.
 */
export function findFooter(bytes: Uint8Array, from: number, sectionId: number): number | undefined {
  for (let index = bytes.indexOf(SECTION.FOOTER, from); index >= 0; index = bytes.indexOf(SECTION.FOOTER, index + 1)) {
    if (index + 5 > bytes.length) return undefined;
    if (u32At(bytes, index + 1) === sectionId && mayFollow(bytes, index + 5)) return index;
  }
  return undefined;
}

function mayFollow(bytes: Uint8Array, index: number): boolean {
  switch (bytes[index]) {
    case undefined:
    case SECTION.EOF:
    case SECTION.PART:
    case SECTION.END:
    case SECTION.COMMAND:
      return true;
    case SECTION.START:
    case SECTION.FULL:
      return sectionHeaderLength(bytes, index) !== undefined;
    default:
      return false;
  }
}

/** Length of what looks like the header of a START or FULL section, type byte included; undefined if it does not look so. */
export function sectionHeaderLength(bytes: Uint8Array, index: number): number | undefined {
  const nameLength = bytes[index + 5];
  if (nameLength === undefined || nameLength === 0) return undefined;
  const length = 1 + 4 + 1 + nameLength + 4 + 4;
  if (index + length > bytes.length || u32At(bytes, index + 1) > MAX_SECTION_ID) return undefined;
  const name = String.fromCharCode(...bytes.subarray(index + 6, index + 6 + nameLength));
  const instance = u32At(bytes, index + 6 + nameLength);
  const version = u32At(bytes, index + 10 + nameLength);
  return NAME_CHARACTERS.test(name) && instance <= MAX_INSTANCE && version <= MAX_VERSION ? length : undefined;
}

/**
 * Index where the data that begins at `from` ends, in a stream without footers: the next thing that looks like a FULL section
 * whose own end can be found likewise, down to the end-of-stream byte and the end of `bytes` (or a description JSON).
 * @param usedIds ids of the sections before; each is sent once.
 */
export function findNextSection(bytes: Uint8Array, from: number, usedIds: ReadonlySet<number>): number | undefined {
  // Candidates from the last to the first: an index is good if it is the end of the stream or a header followed by a good one.
  const good: number[] = [];
  for (let index = bytes.length - 1; index >= from; index--) {
    if (isStreamEnd(bytes, index)) {
      good.push(index);
      continue;
    }
    if (bytes[index] !== SECTION.FULL || usedIds.has(u32At(bytes, index + 1))) continue;
    const header = sectionHeaderLength(bytes, index);
    if (header !== undefined && good.length > 0 && good[0]! >= index + header) good.push(index);
  }
  return good.at(-1);
}

/** The end-of-stream byte, with nothing or with a description of the right length behind it. */
function isStreamEnd(bytes: Uint8Array, index: number): boolean {
  if (bytes[index] !== SECTION.EOF) return false;
  if (index + 1 === bytes.length) return true;
  return bytes[index + 1] === SECTION.VMDESCRIPTION && index + 6 + u32At(bytes, index + 2) === bytes.length;
}

/** True if, in a stream without footers, a section's data may end at `index`: the next section begins there, or the stream ends. */
export function mayEndAt(bytes: Uint8Array, index: number): boolean {
  return isStreamEnd(bytes, index) || (bytes[index] === SECTION.FULL && sectionHeaderLength(bytes, index) !== undefined);
}
