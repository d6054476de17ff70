import {
  cloneState,
  type Description,
  type DynamicSection,
  decode,
  decodeWithVmdesc,
  describe,
  StateError,
  type Vmdesc,
} from '@pagurus/vmstate';
import type { ByteSource } from './channel.js';
import { readCommand } from './command.js';
import { type Configuration, capabilitiesOf, readConfiguration } from './configuration.js';
import { hex, StreamError, type StreamErrorCode } from './errors.js';
import type { DecodedBy, EventHandler, SectionEvent, SectionType } from './events.js';
import { RAM_SECTION_VERSION, SECTION, STREAM_MAGIC, STREAM_VERSION, STREAM_VERSION_OBSOLETE, textFromBytes } from './format.js';
import { bytesChannel } from './memory-channel.js';
import { RamReader } from './ram-reader.js';
import { StreamReader } from './reader.js';
import { findFooter, findNextSection } from './resync.js';
import { describedDevice, findVmdesc } from './vmdesc.js';

/** Our own descriptions of devices, looked up by section. */
export interface SectionCatalogue {
  /** A description and a state of power-on values that it can be loaded into (a copy is used). */
  find(
    idstr: string,
    instance: number,
    version: number,
  ): { readonly description: Description<object>; readonly state: object } | undefined;
}

export interface ParseOptions {
  readonly catalogue?: SectionCatalogue;
  /** Bound on the device part of a stream, which must be held in memory to find its description. Default 256 MiB. */
  readonly maxDeviceBytes?: number;
}

const DEFAULT_MAX_DEVICE_BYTES = 1 << 28;

/**
 * Walks a stream of any QEMU, without a machine, and reports every piece of it. RAM is streamed through; the device part behind it
 * is held in memory, because the description of its sections comes last.
 *
 * Events before an error are good; the error says what is wrong next.
 * @throws {StreamError}
 */
export async function parseStream(source: ByteSource, handle: EventHandler, options: ParseOptions = {}): Promise<void> {
  const reader = new StreamReader(source);
  await handle({ kind: 'header', version: await readHeader(reader) });
  await new Parser(reader, handle, options).run();
}

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

class Parser {
  private readonly started = new Map<number, SectionEvent>();
  private readonly usedIds = new Set<number>();
  /** How often each name and instance has been sent. */
  private readonly occurrences = new Map<string, number>();
  private ram: RamReader | undefined;
  private configuration: Configuration | undefined;
  private postcopyPageSizes: bigint | undefined;
  private footers: boolean | undefined;
  private vmdesc: Vmdesc | undefined;
  /** True once everything up to the end of the source is in memory. */
  private buffered = false;
  private readonly limit: number;

  constructor(
    private readonly reader: StreamReader,
    private readonly handle: EventHandler,
    private readonly options: ParseOptions,
    private readonly insidePackage = false,
  ) {
    this.limit = options.maxDeviceBytes ?? DEFAULT_MAX_DEVICE_BYTES;
  }

  async run(): Promise<void> {
    const { reader } = this;
    for (;;) {
      reader.place.section = '';
      reader.place.instance = 0;
      reader.place.path = '';
      if (this.insidePackage && (await reader.fill(1)) === 0) return;
      await reader.need(1, 'the stream, where a section or its end should be');
      const offset = reader.offset;
      const type = reader.u8();
      switch (type) {
        case SECTION.CONFIGURATION:
          if (offset !== 8) return this.unknownType(type, offset);
          this.configuration = await readConfiguration(reader);
          await this.handle({
            kind: 'configuration',
            configuration: this.configuration,
            offset,
            length: reader.offset - offset - 1,
          });
          break;
        case SECTION.COMMAND:
          await this.command(offset);
          break;
        case SECTION.START:
        case SECTION.FULL:
          await this.section(await readSectionHeader(reader, type === SECTION.START ? 'START' : 'FULL'));
          break;
        case SECTION.PART:
        case SECTION.END:
          await this.section(await this.continuedSection(type === SECTION.PART ? 'PART' : 'END', offset));
          break;
        case SECTION.EOF:
          await this.handle({ kind: 'eof', offset });
          return this.afterEnd();
        default:
          return this.unknownType(type, offset);
      }
    }
  }

  private unknownType(type: number, offset: number): never {
    return this.reader.fail('unknown-section-type', `unknown section type ${type}`, { offset, got: hex(type) });
  }

  private async command(offset: number): Promise<void> {
    const { reader } = this;
    const command = await readCommand(reader);
    await this.handle({ kind: 'command', command, offset });
    if (command.name === 'POSTCOPY_ADVISE') this.postcopyPageSizes = command.pageSizes?.ofBlocks;
    if (command.name !== 'PACKAGED') return;
    const { size } = command;
    if (size > this.limit)
      reader.fail('limit', 'the postcopy package is too large', { expected: `at most ${this.limit}`, got: `${size}` });
    await reader.need(size, 'the postcopy package');
    const start = reader.offset;
    const blob = reader.take(size).slice();
    await this.handle({ kind: 'package', size, offset: start });
    const inner = new Parser(new StreamReader(bytesChannel(blob, size), start), this.handle, this.options, true);
    inner.footers = this.footers;
    await inner.run();
    await this.handle({ kind: 'package-end' });
  }

  private async continuedSection(type: SectionType, offset: number): Promise<SectionEvent> {
    const { reader } = this;
    await reader.need(4, 'a section id');
    const sectionId = reader.u32();
    const started = this.started.get(sectionId);
    if (!started) {
      return reader.fail('unknown-section-id', `a part of section ${sectionId}, which was never started`, {
        offset,
        got: `${sectionId}`,
      });
    }
    reader.place.section = started.idstr;
    reader.place.instance = started.instance;
    return { ...started, type, offset };
  }

  private async section(section: SectionEvent): Promise<void> {
    const { reader } = this;
    if (section.type === 'START') this.started.set(section.sectionId, section);
    this.usedIds.add(section.sectionId);
    await this.handle(section);
    const start = reader.offset;
    if (section.type === 'FULL') await this.deviceState(section);
    else if (section.idstr === 'ram') await this.ramRecords(section);
    else reader.fail('unsupported', `iterative sections of '${section.idstr}' are not known here`, { offset: section.offset });
    const length = reader.offset - start;
    const footer = await this.readFooter(section);
    await this.handle({ kind: 'section-end', length, footer, sectionId: section.sectionId });
  }

  private async ramRecords(section: SectionEvent): Promise<void> {
    if (section.version !== RAM_SECTION_VERSION) this.ramVersion(section);
    const capabilities = capabilitiesOf(this.configuration);
    this.ram ??= new RamReader(this.reader, {
      ignoreShared: capabilities.includes('x-ignore-shared'),
      mappedRam: capabilities.includes('mapped-ram'),
      postcopyPageSizes: this.postcopyPageSizes,
    });
    await this.ram.readSection(this.handle);
  }

  private ramVersion(section: SectionEvent): never {
    return this.reader.fail(
      section.version > RAM_SECTION_VERSION ? 'section-version-too-new' : 'section-version-too-old',
      `version ${section.version} of section 'ram' cannot be read`,
      { offset: section.offset, expected: `${RAM_SECTION_VERSION}`, got: `${section.version}` },
    );
  }

  /** Whether sections have footers is a property of the source's machine version: the end of the first section tells. */
  private async readFooter(section: SectionEvent): Promise<boolean> {
    const { reader } = this;
    if (this.footers === false) return false;
    const offset = reader.offset;
    const next = (await reader.fill(1)) > 0 ? reader.peek() : undefined;
    if (next !== SECTION.FOOTER) {
      const mayBeWithout = this.footers === undefined && next !== undefined && next <= SECTION.FULL;
      if (mayBeWithout) {
        this.footers = false;
        return false;
      }
      return reader.fail('footer-missing', `the footer of section '${section.idstr}' is missing`, {
        offset,
        expected: hex(SECTION.FOOTER),
        got: next === undefined ? 'the end of the data' : hex(next),
      });
    }
    this.footers = true;
    await reader.need(5, 'a section footer');
    reader.skip(1);
    const id = reader.u32();
    if (id !== section.sectionId) {
      reader.fail('footer-mismatch', `the footer of section '${section.idstr}' has another section id`, {
        offset,
        expected: hex(section.sectionId),
        got: hex(id),
      });
    }
    return true;
  }

  private async deviceState(section: SectionEvent): Promise<void> {
    const { reader } = this;
    if ((this.ram || this.insidePackage) && !this.buffered) {
      await reader.fillAll(this.limit, 'the device part of the stream');
      this.buffered = true;
      this.vmdesc = findVmdesc(reader.window())?.vmdesc;
    }
    const decoded = (await this.byCatalogue(section)) ?? this.byVmdesc(section) ?? (await this.byResync(section));
    reader.skip(decoded.end);
    const { by, node, values } = decoded;
    await this.handle({ kind: 'state', decodedBy: by, node, values, fields: decoded.fields });
  }

  private async byCatalogue(section: SectionEvent): Promise<DecodedSection | undefined> {
    const entry = this.options.catalogue?.find(section.idstr, section.instance, section.version);
    if (!entry) return undefined;
    const { reader } = this;
    for (;;) {
      const bytes = reader.window();
      try {
        const state = cloneState(entry.state);
        const { end, commit } = decode(entry.description, state, bytes, 0, section.version, { path: section.idstr });
        commit();
        const decoded = decodeWithVmdesc(describe(entry.description, state), bytes);
        return decoded.end === end ? this.rebase('catalogue', decoded) : undefined;
      } catch (error) {
        if (!(error instanceof StateError)) throw error;
        if (error.code !== 'truncated' || this.buffered || reader.available > this.limit || !(await reader.fillMore()))
          return undefined;
      }
    }
  }

  private byVmdesc(section: SectionEvent): DecodedSection | undefined {
    const identity = `${section.instance}/${section.idstr}`;
    const occurrence = this.occurrences.get(identity) ?? 0;
    this.occurrences.set(identity, occurrence + 1);
    const device = describedDevice(this.vmdesc, section.idstr, section.instance, occurrence);
    if (!device) return undefined;
    try {
      return this.rebase('vmdesc', decodeWithVmdesc(device, this.reader.window()));
    } catch (error) {
      throw error instanceof StateError ? this.stateError(error) : error;
    }
  }

  private async byResync(section: SectionEvent): Promise<DecodedSection> {
    const { reader } = this;
    for (;;) {
      const bytes = reader.window();
      const end = this.footers === false ? findNextSection(bytes, 0, this.usedIds) : findFooter(bytes, 0, section.sectionId);
      if (end !== undefined) {
        const value = bytes.slice(0, end);
        const path = `${section.idstr}.data`;
        return {
          by: this.footers === false ? 'next-section' : 'footer',
          node: {
            name: section.idstr,
            version: section.version,
            fields: [{ name: 'data', type: 'buffer', value }],
            subsections: [],
          },
          values: { data: [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('') },
          fields: [{ path, type: 'buffer', size: end, offset: reader.offset, value }],
          end,
        };
      }
      if (this.buffered || reader.available > this.limit || !(await reader.fillMore())) break;
    }
    return reader.fail('truncated', 'the section is not described and its end cannot be found', { offset: section.offset });
  }

  /** Offsets of fields become offsets in the whole stream. */
  private rebase(by: DecodedBy, decoded: DynamicSection): DecodedSection {
    const start = this.reader.offset;
    return { ...decoded, by, fields: decoded.fields.map((field) => ({ ...field, offset: field.offset + start })) };
  }

  private stateError(error: StateError): StreamError {
    const { reader } = this;
    return stateErrorAt(error, reader.place, reader.offset);
  }

  private async afterEnd(): Promise<void> {
    const { reader } = this;
    const offset = reader.offset;
    if ((await reader.fill(5)) >= 5 && reader.peek() === SECTION.VMDESCRIPTION) {
      reader.skip(1);
      const declaredLength = reader.u32();
      if (declaredLength > this.limit) {
        reader.fail('limit', 'the description is too large', {
          offset,
          expected: `at most ${this.limit}`,
          got: `${declaredLength}`,
        });
      }
      const length = Math.min(await reader.fill(declaredLength), declaredLength);
      await this.handle({ kind: 'vmdesc', text: textFromBytes(reader.take(length)), declaredLength, offset });
    }
    await reader.fillAll(this.limit, 'what follows the stream');
    if (reader.available > 0) {
      const trailing = reader.offset;
      await this.handle({ kind: 'trailing', bytes: reader.take(reader.available).slice(), offset: trailing });
    }
  }
}

interface DecodedSection extends DynamicSection {
  readonly by: DecodedBy;
}

/** A device's complaint, with its place in the stream. `start` is the stream offset of the byte that the device called 0,
 * and stands for errors without a place of their own. */
export function stateErrorAt(error: StateError, place: { section: string; instance: number }, start: number): StreamError {
  const problem = error.message.slice(error.message.indexOf(': ') + 2);
  return new StreamError(stateErrorCode(error, place.section), problem, {
    section: place.section,
    instance: place.instance,
    path: error.path,
    offset: start + Math.max(error.offset, 0),
    expected: error.expected,
    got: error.got,
    cause: error,
  });
}

function stateErrorCode(error: StateError, section: string): StreamErrorCode {
  if (error.code === 'truncated') return 'truncated';
  if (section === 'globalstate' && error.code === 'out-of-range') return 'run-state';
  // The section's own version, not that of a subsection or a nested structure.
  if (error.code === 'version-too-old' && error.path === section) return 'section-version-too-old';
  return 'device-state';
}
