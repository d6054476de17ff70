import type { ByteSource } from './channel.js';
import { readCommand } from './command.js';
import { type Configuration, capabilitiesOf, readConfiguration } from './configuration.js';
import type { EventHandler, SectionEvent } from './events.js';
import { SECTION, textFromBytes } from './format.js';
import { bytesChannel } from './memory-channel.js';
import { RamReader } from './ram-reader.js';
import { StreamReader } from './reader.js';
import { type SectionCatalogue, SectionDecoder } from './section-decoder.js';
import {
  checkRamVersion,
  readFooter,
  readHeader,
  readPartHeader,
  readSectionHeader,
  unknownSectionType,
} from './section-frame.js';

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

class Parser {
  private readonly started = new Map<number, SectionEvent>();
  private ram: RamReader | undefined;
  private configuration: Configuration | undefined;
  private postcopyPageSizes: bigint | undefined;
  private footers: boolean | undefined;
  private readonly decoder: SectionDecoder;
  private readonly limit: number;

  constructor(
    private readonly reader: StreamReader,
    private readonly handle: EventHandler,
    private readonly options: ParseOptions,
    private readonly insidePackage = false,
  ) {
    this.limit = options.maxDeviceBytes ?? DEFAULT_MAX_DEVICE_BYTES;
    this.decoder = new SectionDecoder(reader, options.catalogue, this.limit);
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
          if (offset !== 8) return unknownSectionType(reader, type, offset);
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
          await this.section(await readPartHeader(reader, type === SECTION.PART ? 'PART' : 'END', this.started));
          break;
        case SECTION.EOF:
          await this.handle({ kind: 'eof', offset });
          return this.afterEnd();
        default:
          return unknownSectionType(reader, type, offset);
      }
    }
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

  private async section(section: SectionEvent): Promise<void> {
    const { reader } = this;
    if (section.type === 'START') this.started.set(section.sectionId, section);
    this.decoder.use(section.sectionId);
    await this.handle(section);
    const start = reader.offset;
    if (section.type === 'FULL') await this.deviceState(section);
    else if (section.idstr === 'ram') await this.ramRecords(section);
    else reader.fail('unsupported', `iterative sections of '${section.idstr}' are not known here`, { offset: section.offset });
    const length = reader.offset - start;
    const footer = await this.footer(section);
    await this.handle({ kind: 'section-end', length, footer, sectionId: section.sectionId });
  }

  private async ramRecords(section: SectionEvent): Promise<void> {
    checkRamVersion(this.reader, section);
    const capabilities = capabilitiesOf(this.configuration);
    this.ram ??= new RamReader(this.reader, {
      ignoreShared: capabilities.includes('x-ignore-shared'),
      mappedRam: capabilities.includes('mapped-ram'),
      postcopyPageSizes: this.postcopyPageSizes,
    });
    await this.ram.readSection(this.handle);
  }

  /** Whether sections have footers is a property of the source's machine version: the end of the first section tells. */
  private async footer(section: SectionEvent): Promise<boolean> {
    const { reader } = this;
    if (this.footers === undefined) {
      const next = (await reader.fill(1)) > 0 ? reader.peek() : undefined;
      if (next !== undefined && next <= SECTION.FULL) this.footers = false;
    }
    if (this.footers === false) return false;
    await readFooter(reader, section);
    this.footers = true;
    return true;
  }

  private async deviceState(section: SectionEvent): Promise<void> {
    // Behind RAM, and in a package, only devices follow; before RAM it would be all of RAM that is held.
    if (this.ram || this.insidePackage) await this.decoder.bufferRest();
    await this.handle(await this.decoder.read(section, this.footers !== false));
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
