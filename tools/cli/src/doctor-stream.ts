/** A stream taken apart for `pagurus doctor`: what a walk finds, and the bytes of its device sections. RAM passes by. */
import {
  type ByteSource,
  findVmdesc,
  type InspectedSection,
  type Inspection,
  inspectStream,
  type SectionCatalogue,
  type StreamEvent,
} from '@pagurus/migration';
import type { DynamicField, ExaminedSection, VmdescDevice } from '@pagurus/vmstate';

/** A device section with its place in the stream. */
export interface PatientSection extends ExaminedSection {
  /** Of its data in the stream. */
  readonly streamOffset: number;
  /** Of its header. */
  readonly headerOffset: number;
  /** Its number in the description. */
  readonly described?: number;
  /** Its leaves, offsets in the stream, where it could be decoded. */
  readonly fields?: readonly DynamicField[];
}

export interface Patient {
  readonly inspection: Inspection;
  readonly sections: readonly PatientSection[];
  /** Where RAM blocks are announced, by name. */
  readonly blockOffsets: ReadonlyMap<string, number>;
}

/** type, id, length of the name; instance, version. */
const HEADER = 1 + 4 + 1 + 4 + 4;
const FULL = 4;
/** Pieces that are kept while RAM passes: more than a reader holds back. */
const KEPT_PIECES = 8;

/**
 * Reads a stream to its end or first error.
 * @param catalogue descriptions for streams that carry none.
 */
export async function readPatient(source: ByteSource, catalogue: SectionCatalogue): Promise<Patient> {
  const tee = new Tee(source);
  const found: (Omit<PatientSection, 'device'> & { bytes: Uint8Array })[] = [];
  let open: (StreamEvent & { kind: 'section' }) | undefined;
  let packaged = false;
  const blockOffsets = new Map<string, number>();
  const keep = (length?: number): void => {
    if (!open) return;
    const { idstr: name, instance, version, offset: headerOffset } = open;
    const streamOffset = headerOffset + HEADER + name.length;
    const bytes = tee.slice(streamOffset, length === undefined ? undefined : streamOffset + length);
    const end = length === undefined ? {} : { end: length };
    found.push({ name, instance, version, bytes, offset: 0, streamOffset, headerOffset, ...end });
    open = undefined;
  };
  const observe = (event: StreamEvent): void => {
    if (event.kind === 'command' && event.command.name === 'PACKAGED') packaged = true;
    else if (event.kind === 'package-end') packaged = false;
    else if (event.kind === 'section' && event.type === 'FULL') open = event;
    else if (event.kind === 'section-end' && open) keep(event.length);
    else if (event.kind === 'ram-block') blockOffsets.set(event.block.name, event.streamOffset);
    tee.keeping = packaged || open !== undefined;
  };
  const inspection = await inspectStream(tee, { observe, catalogue });
  keep();
  const failed = found.at(-1);
  if (inspection.error && failed) found.push(...sectionsBehind(tee, inspection, failed));
  // A description at the end that the walk did not come to still says what the sections are.
  const vmdesc = inspection.vmdesc ?? (failed ? findVmdesc(tee.slice(failed.streamOffset))?.vmdesc : undefined);
  const walked = new Map(fullSections(inspection).map((entry) => [entry.offset, entry.fields]));
  const sections = found.map((bare): PatientSection => {
    const { name, instance } = bare;
    const fields = walked.get(bare.headerOffset);
    const section = fields ? { ...bare, fields } : bare;
    const described = vmdesc?.devices.findIndex((one) => one?.name === name && one.instance_id === instance) ?? -1;
    return described < 0 ? section : { ...section, described, device: vmdesc!.devices[described]! };
  });
  return { inspection, sections, blockOffsets };
}

/** Sections behind the place where the walk ended, found by their headers: the description at the end names them. */
function sectionsBehind(
  tee: Tee,
  { error }: Inspection,
  failed: Omit<PatientSection, 'device'>,
): (Omit<PatientSection, 'device'> & { bytes: Uint8Array })[] {
  const rest = tee.slice(failed.streamOffset);
  const devices = findVmdesc(rest)?.vmdesc.devices ?? [];
  const behind = devices.findIndex((device) => device.name === failed.name && device.instance_id === failed.instance);
  let from = Math.max((error?.offset ?? 0) - failed.streamOffset, 0);
  return devices.slice(behind + 1).flatMap((device) => {
    const at = findHeader(rest, device, from);
    if (at === undefined) return [];
    const data = at + HEADER + device.name.length;
    from = data;
    const version = new DataView(rest.buffer, rest.byteOffset + data - 4).getUint32(0);
    const [streamOffset, headerOffset] = [failed.streamOffset + data, failed.streamOffset + at];
    return [
      {
        name: device.name,
        instance: device.instance_id,
        version,
        bytes: rest.subarray(data),
        offset: 0,
        streamOffset,
        headerOffset,
      },
    ];
  });
}

function findHeader(bytes: Uint8Array, { name, instance_id }: VmdescDevice, from: number): number | undefined {
  const wanted = Buffer.from(`${String.fromCharCode(name.length)}${name}\0\0\0\0`, 'latin1');
  wanted.writeUInt32BE(instance_id, wanted.length - 4);
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(wanted, from + 5) - 5;
  return at >= from && bytes[at] === FULL && at + HEADER + name.length <= bytes.length ? at : undefined;
}

/** Full sections of a walk, for people who want a name at an offset. */
export function fullSections({ entries }: Inspection): InspectedSection[] {
  return entries.filter((entry): entry is InspectedSection => entry.kind === 'section' && entry.type === 'FULL');
}

/** Passes a source on and keeps what was read last. */
class Tee implements ByteSource {
  /** Nothing is dropped. */
  keeping = false;
  private pieces: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  private length = 0;

  constructor(private readonly source: ByteSource) {}

  async read(): Promise<Uint8Array | undefined> {
    const bytes = await this.source.read();
    if (!bytes) return undefined;
    if (!this.keeping) this.pieces = this.pieces.slice(-KEPT_PIECES);
    this.pieces.push({ offset: this.length, bytes: bytes.slice() });
    this.length += bytes.length;
    return bytes;
  }

  /** Bytes from one offset of the stream to another, or to where it has been read. */
  slice(from: number, to: number = this.length): Uint8Array {
    const parts = this.pieces
      .filter(({ offset, bytes }) => offset < to && offset + bytes.length > from)
      .map(({ offset, bytes }) => bytes.subarray(Math.max(from - offset, 0), to - offset));
    return new Uint8Array(Buffer.concat(parts));
  }
}
