import { encodeTree } from '@pagurus/vmstate';
import type { ByteSink } from './channel.js';
import { writeCommand } from './command.js';
import { writeConfiguration } from './configuration.js';
import { hex, StreamError } from './errors.js';
import type { SectionEvent, StreamEvent } from './events.js';
import { bytesFromText, SECTION, STREAM_MAGIC } from './format.js';
import { RamWriter } from './ram-writer.js';
import { StreamWriter } from './writer.js';

const SECTION_TYPE = { START: SECTION.START, PART: SECTION.PART, END: SECTION.END, FULL: SECTION.FULL } as const;

/**
 * Writes a stream from its events: device state is encoded field by field, nothing is copied from the stream it was read from.
 *
 *     const encoder = new StreamEncoder(channel);
 *     await parseStream(source, (event) => encoder.write(event));
 *     await encoder.end();
 */
export class StreamEncoder {
  private readonly writer: StreamWriter;
  private readonly ram: RamWriter;
  private section: SectionEvent | undefined;
  private sectionStart = 0;
  private packageEnd: number | undefined;

  constructor(sink: ByteSink) {
    this.writer = new StreamWriter(sink);
    this.ram = new RamWriter(this.writer);
  }

  /** Bytes written so far. */
  get offset(): number {
    return this.writer.offset;
  }

  /**
   * Appends an event; the promise, if any, must be awaited before the next.
   * @throws {StreamError} if events contradict each other, e.g. a section's length is not what its fields take.
   */
  write(event: StreamEvent): void | Promise<void> {
    const waiting = this.append(event);
    if (waiting) return waiting.then(() => (this.writer.full ? this.writer.flush() : undefined));
    if (this.writer.full) return this.writer.flush();
  }

  /** Flushes and half-closes the sink. */
  async end(): Promise<void> {
    await this.writer.end();
  }

  private append(event: StreamEvent): void | Promise<void> {
    const { writer } = this;
    switch (event.kind) {
      case 'header':
        writer.u32(STREAM_MAGIC);
        return writer.u32(event.version);
      case 'configuration':
        return writeConfiguration(writer, event.configuration);
      case 'command':
        return writeCommand(writer, event.command);
      case 'package':
        this.packageEnd = writer.offset + event.size;
        return;
      case 'package-end':
        if (writer.offset !== this.packageEnd) this.lengthError('the postcopy package', this.packageEnd ?? 0, writer.offset);
        this.packageEnd = undefined;
        return;
      case 'section':
        writeSectionHeader(writer, event);
        this.section = event;
        this.sectionStart = writer.offset;
        return;
      case 'state':
        return writer.bytes(encodeTree(event.node, this.section?.idstr));
      case 'section-end': {
        const length = writer.offset - this.sectionStart;
        if (event.length >= 0 && length !== event.length) this.lengthError('the data of the section', event.length, length);
        if (event.footer) writeFooter(writer, event.sectionId);
        this.section = undefined;
        return;
      }
      case 'eof':
        return writer.u8(SECTION.EOF);
      case 'vmdesc':
        return writeVmdesc(writer, event.text, event.declaredLength);
      case 'trailing':
        return writer.bytes(event.bytes);
      default:
        return this.ram.write(event);
    }
  }

  private lengthError(what: string, expected: number, got: number): never {
    throw new StreamError('save-failed', `${what} has another length than the events say`, {
      section: this.section?.idstr ?? '',
      instance: this.section?.instance ?? 0,
      expected: `${expected} bytes`,
      got: `${got} bytes`,
    });
  }
}

/** Type byte, section id and, for START and FULL, name, instance and version. */
export function writeSectionHeader(writer: StreamWriter, section: Omit<SectionEvent, 'kind' | 'offset'>): void {
  writer.u8(SECTION_TYPE[section.type]);
  writer.u32(section.sectionId);
  if (section.type === 'PART' || section.type === 'END') return;
  if (section.idstr.length === 0) throw new StreamError('section-name', `section ${hex(section.sectionId)} has no name`);
  writer.string8(section.idstr);
  writer.u32(section.instance);
  writer.u32(section.version);
}

export function writeFooter(writer: StreamWriter, sectionId: number): void {
  writer.u8(SECTION.FOOTER);
  writer.u32(sectionId);
}

export function writeVmdesc(writer: StreamWriter, text: string, declaredLength = text.length): void {
  writer.u8(SECTION.VMDESCRIPTION);
  writer.u32(declaredLength);
  writer.bytes(bytesFromText(text));
}
