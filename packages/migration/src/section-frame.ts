import { hex } from './errors.js';
import type { SectionEvent } from './events.js';
import { RAM_SECTION_VERSION, SECTION, STREAM_MAGIC, STREAM_VERSION, STREAM_VERSION_OBSOLETE, textFromBytes } from './format.js';
import type { StreamReader } from './reader.js';
import { mayEndAt } from './resync.js';
import { u32At } from './vmdesc.js';

/*
 * What surrounds the data of sections: read alike by the walker and by the loader.
 */

/** Reads magic and version. @throws {StreamError} `not-a-stream`, `stream-version` */
export async function readHeader(reader: StreamReader): Promise<number> {
  reader.place.section = '';
  const available = await reader.fill(8);
  const magic = available >= 4 ? reader.u32() : undefined;
  if (magic !== STREAM_MAGIC) {
    reader.fail('not-a-stream', 'this is no migration stream', {
      offset: 0,
      expected: `${hex(STREAM_MAGIC)} ("QEVM")`,
      got: magic === undefined ? (available === 0 ? 'nothing' : `${available} bytes`) : hex(magic),
    });
  }
  await reader.need(4, 'the stream version');
  const version = reader.u32();
  if (version !== STREAM_VERSION) {
    const problem =
      version === STREAM_VERSION_OBSOLETE ? 'stream version 2 is obsolete and cannot be read' : 'unknown stream version';
    reader.fail('stream-version', problem, { offset: 4, expected: `${STREAM_VERSION}`, got: `${version}` });
  }
  return version;
}

/** Reads what follows a START or FULL type byte. @throws {StreamError} */
export async function readSectionHeader(reader: StreamReader, type: 'START' | 'FULL'): Promise<SectionEvent> {
  const offset = reader.offset - 1;
  reader.place.section = '';
  reader.place.path = '';
  await reader.need(4, 'a section id');
  const sectionId = reader.u32();
  const nameAt = reader.offset;
  const nameLength = (await reader.fill(1)) > 0 ? reader.u8() : 0;
  if (nameLength === 0 || (await reader.fill(nameLength)) < nameLength) {
    reader.fail('section-name', `the name of section ${sectionId} cannot be read`, {
      offset: nameAt,
      expected: nameLength === 0 ? 'a name of at least one byte' : `${nameLength} bytes`,
      got: `${reader.available} bytes`,
    });
  }
  const idstr = textFromBytes(reader.take(nameLength));
  reader.place.section = idstr;
  await reader.need(8, 'instance and version of a section');
  const instance = reader.u32();
  reader.place.instance = instance;
  return { kind: 'section', type, sectionId, idstr, instance, version: reader.u32(), offset };
}

/** A byte that is no section type, or not here. @throws {StreamError} `unknown-section-type` */
export function unknownSectionType(reader: StreamReader, type: number, offset: number): never {
  return reader.fail('unknown-section-type', `unknown section type ${type}`, { offset, got: hex(type) });
}

/** Reads what follows a PART or END type byte. @throws {StreamError} `unknown-section-id` */
export async function readPartHeader(
  reader: StreamReader,
  type: 'PART' | 'END',
  started: ReadonlyMap<number, SectionEvent>,
): Promise<SectionEvent> {
  const offset = reader.offset - 1;
  await reader.need(4, 'a section id');
  const sectionId = reader.u32();
  const section =
    started.get(sectionId) ??
    reader.fail('unknown-section-id', `a part of section ${sectionId}, which was never started`, { offset, got: `${sectionId}` });
  reader.place.section = section.idstr;
  reader.place.instance = section.instance;
  return { ...section, type, offset };
}

/** @throws {StreamError} for any version of the `ram` section but the one there is. */
export function checkRamVersion(reader: StreamReader, section: SectionEvent): void {
  if (section.version === RAM_SECTION_VERSION) return;
  reader.fail(
    section.version > RAM_SECTION_VERSION ? 'section-version-too-new' : 'section-version-too-old',
    `version ${section.version} of section 'ram' cannot be read`,
    { offset: section.offset, expected: `${RAM_SECTION_VERSION}`, got: `${section.version}` },
  );
}

/** Reads the footer of a section. @throws {StreamError} `footer-missing`, `footer-mismatch` */
export async function readFooter(reader: StreamReader, section: SectionEvent): Promise<void> {
  const offset = reader.offset;
  const mark = (await reader.fill(1)) > 0 ? reader.peek() : undefined;
  if (mark !== SECTION.FOOTER) {
    const problem = `the footer of section '${section.idstr}' is not behind its data: the two ends describe the device differently, or bytes are damaged`;
    reader.fail('footer-missing', problem, {
      offset,
      expected: hex(SECTION.FOOTER),
      got: mark === undefined ? 'the end of the data' : hex(mark),
    });
  }
  await reader.need(5, 'a section footer');
  reader.skip(1);
  const id = reader.u32();
  if (id === section.sectionId) return;
  reader.fail('footer-mismatch', `the footer of section '${section.idstr}' has another section id`, {
    offset,
    expected: hex(section.sectionId),
    got: hex(id),
  });
}

/** True if a footer, or what may follow a section without one, is at `end`. */
export function endsWell(bytes: Uint8Array, end: number, section: SectionEvent, footers: boolean): boolean {
  if (!footers) return mayEndAt(bytes, end);
  return bytes.length >= end + 5 && bytes[end] === SECTION.FOOTER && u32At(bytes, end + 1) === section.sectionId;
}
