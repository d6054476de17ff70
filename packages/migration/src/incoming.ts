import type { MigrationRamBlock, MigrationSection, MigrationTarget, RunState } from '@pagurus/device-model';
import { StateError } from '@pagurus/vmstate';
import type { ByteChannel, HostTimer } from './channel.js';
import { readCommand } from './command.js';
import { type Configuration, capabilitiesOf, readConfiguration } from './configuration.js';
import { hex, StreamError } from './errors.js';
import type { SectionEvent } from './events.js';
import { PAGE_SIZE, RAM_SECTION_VERSION, SECTION } from './format.js';
import { globalStateSection } from './global-state.js';
import { KNOWN_CAPABILITIES, VALIDATED_CAPABILITIES } from './parameters.js';
import { readHeader, readSectionHeader, stateErrorAt } from './parse.js';
import { applyRamRecord, type Inflate, type RamMemory } from './ram-memory.js';
import { RamReader } from './ram-reader.js';
import type { RamBlockInfo, RamRecord } from './ram-records.js';
import { message, StreamReader } from './reader.js';
import { writePong, writeShut } from './return-path.js';
import { findSection, instancesOf } from './section-lookup.js';
import { StreamWriter } from './writer.js';

export interface IncomingOptions {
  /** Tells a broken end of a section from a slow connection. */
  readonly timer: HostTimer;
  /** Capabilities that are on here. Validated against the stream's: `mapped-ram`, `x-ignore-shared`. */
  readonly capabilities?: readonly string[];
  /** Unpacks compressed pages (capability `compress` of old QEMUs). Without it they are refused. */
  readonly inflate?: Inflate;
  /** This machine's UUID; compared if the stream has one. */
  readonly uuid?: string;
  /** Bound on one device's section. Default 64 MiB. */
  readonly maxSectionBytes?: number;
  readonly onProgress?: (progress: IncomingProgress) => void;
}

export interface IncomingProgress {
  readonly status: 'setup' | 'active' | 'completed' | 'failed';
  /** Bytes read. */
  readonly bytes: number;
  /** Pages received, again and again dirtied ones included. */
  readonly pages: number;
  readonly sections: number;
}

export interface IncomingResult {
  readonly bytes: number;
  readonly pages: number;
  /** The state that the machine has been put into. */
  readonly runState: RunState;
  /** The source's, as on the wire; undefined if it was not sent (machine 2.3 and older, running). */
  readonly sourceRunState: string | undefined;
  /** Sections of this machine that the stream did not have: they keep their power-on state, as in QEMU. */
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
}

const DEFAULT_MAX_SECTION = 1 << 26;
/** A description of a subsection reaches so far ahead: type, length, 255 characters. */
const LOOKAHEAD = 257;
/** How long to wait for more data before a section whose end looks wrong is called so. Milliseconds. */
const SETTLE = 1000;

/**
 * Loads a stream into a machine: RAM as it comes, devices all or none. The machine is reset first; at the end it is put into the
 * source's run state. If anything is wrong it is reset again, the source is told (with a return path), and a {@link StreamError} says
 * what and where.
 */
export async function incoming(target: MigrationTarget, channel: ByteChannel, options: IncomingOptions): Promise<IncomingResult> {
  const loader = new Incoming(target, channel, options);
  try {
    return await loader.run();
  } catch (error) {
    const failure =
      error instanceof StreamError
        ? error
        : new StreamError('device-state', `loading failed: ${message(error)}`, { cause: error });
    await loader.abandon();
    throw failure;
  }
}

class Incoming {
  private readonly reader: StreamReader;
  private readonly writer: StreamWriter;
  private blocks: ReadonlyMap<string, MigrationRamBlock> = new Map();
  private sections: readonly MigrationSection[] = [];
  private readonly globalState: ReturnType<typeof globalStateSection>;
  private readonly started = new Map<number, SectionEvent>();
  private readonly loaded = new Set<MigrationSection>();
  private readonly commits: (() => void)[] = [];
  private readonly warnings: string[] = [];
  private readonly memory: RamMemory;
  private readonly limit: number;
  private ram: RamReader | undefined;
  private capabilities: readonly string[] = [];
  private returnPath = false;
  private pages = 0;

  constructor(
    private readonly target: MigrationTarget,
    private readonly channel: ByteChannel,
    private readonly options: IncomingOptions,
  ) {
    this.reader = new StreamReader(channel);
    this.writer = new StreamWriter(channel);
    this.globalState = globalStateSection(target.settings, target.runState);
    this.limit = options.maxSectionBytes ?? DEFAULT_MAX_SECTION;
    this.memory = {
      read: (block, offset) => this.local(block).page(offset).slice(),
      write: (block, offset, bytes) => this.local(block).writePage(offset, bytes),
      fill: (block, offset, byte) => this.local(block).fillPage(offset, byte),
    };
  }

  async run(): Promise<IncomingResult> {
    const { target, reader } = this;
    this.progress('setup');
    target.reset();
    this.blocks = new Map(target.ramBlocks.map((block) => [block.name, block]));
    this.sections = [...target.sections, this.globalState];
    await readHeader(reader);
    this.capabilities = capabilitiesOf(await this.configuration());
    this.progress('active');
    while (await this.part());
    await this.description();
    for (const commit of this.commits) commit();
    const { state, name } = this.globalState.loaded;
    if (name !== undefined && name !== state)
      this.warnings.push(`the source was in run state '${name}'; this machine is '${state}'`);
    await this.shut(0);
    target.resumeAfterLoad(state);
    this.progress('completed');
    const missing = this.sections.filter(
      (section) => section !== this.globalState && section.needed() && !this.loaded.has(section),
    );
    return {
      bytes: reader.offset,
      pages: this.pages,
      runState: state,
      sourceRunState: name,
      missing: missing.map((section) => `${section.idstr} ${section.instance}`),
      warnings: this.warnings,
    };
  }

  /** After a failure: machine as after power-on, source informed. */
  async abandon(): Promise<void> {
    this.target.reset();
    this.progress('failed');
    // The connection may be what failed, or nobody may be reading.
    await Promise.race([this.shut(1).catch(() => undefined), this.options.timer.sleep(SETTLE)]);
    this.channel.close();
  }

  /** The next thing at the top level. @returns false at the end of the stream. */
  private async part(): Promise<boolean> {
    const { reader } = this;
    reader.place.section = '';
    reader.place.instance = 0;
    reader.place.path = '';
    await reader.need(1, 'the stream, where a section or its end should be');
    const offset = reader.offset;
    const type = reader.u8();
    switch (type) {
      case SECTION.EOF:
        return false;
      case SECTION.COMMAND:
        await this.command(offset);
        return true;
      case SECTION.START:
      case SECTION.FULL:
        await this.beginSection(await readSectionHeader(reader, type === SECTION.START ? 'START' : 'FULL'));
        return true;
      case SECTION.PART:
      case SECTION.END:
        await this.continueSection(offset);
        return true;
      default:
        return reader.fail('unknown-section-type', `unknown section type ${type}`, { offset, got: hex(type) });
    }
  }

  private async configuration(): Promise<Configuration | undefined> {
    const { reader, target } = this;
    if (!target.settings.sendConfiguration) return undefined;
    await reader.need(1, 'the stream, where the configuration should be');
    const offset = reader.offset;
    if (reader.peek() !== SECTION.CONFIGURATION) {
      reader.fail('configuration-missing', `the configuration section is missing; machine '${target.machineName}' expects it`, {
        expected: hex(SECTION.CONFIGURATION),
        got: hex(reader.peek()!),
      });
    }
    reader.skip(1);
    const configuration = await readConfiguration(reader);
    const details = { section: 'configuration', offset };
    // As QEMU has it: a name that the local one begins with is good.
    if (!target.machineName.startsWith(configuration.machine)) {
      reader.fail('machine-mismatch', 'the stream comes from another machine type', {
        ...details,
        path: 'name',
        expected: `'${target.machineName}'`,
        got: `'${configuration.machine}'`,
      });
    }
    for (const subsection of configuration.subsections) {
      const place = { ...details, path: subsection.name };
      if (subsection.version > 1) {
        reader.fail('configuration-invalid', 'version of a configuration subsection', {
          ...place,
          expected: 'at most 1',
          got: `${subsection.version}`,
        });
      }
      if (subsection.name === 'configuration/target-page-bits' && 1 << subsection.pageBits !== PAGE_SIZE) {
        reader.fail('page-bits-mismatch', 'the source has another page size', {
          ...place,
          expected: '12 bits',
          got: `${subsection.pageBits} bits`,
        });
      }
      if (subsection.name === 'configuration/uuid') this.checkUuid(subsection.uuid, place);
    }
    this.checkCapabilities(capabilitiesOf(configuration), { ...details, path: 'configuration/capabilities' });
    return configuration;
  }

  private checkUuid(received: string, place: object): void {
    const own = this.options.uuid;
    if (own === undefined) this.warnings.push(`the source's UUID is ${received}; this machine has none to compare`);
    else if (own.toLowerCase() !== received) {
      this.reader.fail('uuid-mismatch', 'the source has another UUID', { ...place, expected: own, got: received });
    }
  }

  private checkCapabilities(received: readonly string[], place: object): void {
    for (const name of received) {
      if (!KNOWN_CAPABILITIES.includes(name)) {
        this.reader.fail('unknown-capability', `the stream needs the capability '${name}', which is not known here`, {
          ...place,
          got: name,
        });
      }
    }
    for (const name of VALIDATED_CAPABILITIES) {
      const here = this.options.capabilities?.includes(name) ?? false;
      const there = received.includes(name);
      if (here === there) continue;
      const word = (on: boolean) => (on ? 'on' : 'off');
      this.reader.fail('capability-mismatch', `capability '${name}' is ${word(here)} here, but ${word(there)} in the stream`, {
        ...place,
        expected: word(here),
        got: word(there),
      });
    }
  }

  private async command(offset: number): Promise<void> {
    const { reader } = this;
    const command = await readCommand(reader);
    const refuse = (why: string): never =>
      reader.fail('command-order', `command ${command.name} ${why}`, { offset, path: command.name });
    switch (command.name) {
      case 'OPEN_RETURN_PATH':
        if (!this.channel.duplex) refuse('asks for a return path, but this connection goes one way');
        this.returnPath = true;
        return;
      case 'PING':
        if (!this.returnPath) refuse(`(${hex(command.value)}) came without a return path`);
        writePong(this.writer, command.value);
        return this.writer.flush();
      case 'SWITCHOVER_START':
        return;
      case 'POSTCOPY_ADVISE':
        return refuse(
          command.pageSizes ? 'announces postcopy of RAM, which is off here' : 'announces late dirty bitmaps, which are off here',
        );
      case 'PACKAGED':
      case 'ENABLE_COLO':
        return reader.fail('unsupported', `command ${command.name} is not supported here`, { offset, path: command.name });
      default:
        return refuse('came without postcopy being under way');
    }
  }

  private async beginSection(section: SectionEvent): Promise<void> {
    const { reader } = this;
    this.started.set(section.sectionId, section);
    if (section.idstr === 'ram' && section.instance === 0) {
      this.checkVersion(section, RAM_SECTION_VERSION);
      if (section.version < RAM_SECTION_VERSION) {
        reader.fail('section-version-too-old', `version ${section.version} of section 'ram' cannot be read`, {
          offset: section.offset,
          expected: `${RAM_SECTION_VERSION}`,
          got: `${section.version}`,
        });
      }
      this.ram ??= new RamReader(reader, {
        ignoreShared: this.capabilities.includes('x-ignore-shared'),
        mappedRam: this.capabilities.includes('mapped-ram'),
      });
      await this.ram.readSection((record) => this.record(record));
    } else {
      const handler = this.find(section);
      this.checkVersion(section, handler.version);
      await this.device(section, handler);
    }
    await this.footer(section);
  }

  private async continueSection(offset: number): Promise<void> {
    const { reader } = this;
    await reader.need(4, 'a section id');
    const sectionId = reader.u32();
    const section =
      this.started.get(sectionId) ??
      reader.fail('unknown-section-id', `a part of section ${sectionId}, which was never started`, {
        offset,
        got: `${sectionId}`,
      });
    reader.place.section = section.idstr;
    reader.place.instance = section.instance;
    const ram = section.idstr === 'ram' ? this.ram : undefined;
    if (!ram) return reader.fail('unsupported', `section '${section.idstr}' has no parts`, { offset });
    await ram.readSection((record) => this.record(record));
    await this.footer(section);
    this.progress('active');
  }

  private find(section: SectionEvent): MigrationSection {
    const { idstr, instance } = section;
    return (
      findSection(this.sections, idstr, instance) ??
      this.reader.fail(
        'unknown-section',
        `there is no section '${idstr}' instance ${instance} here; the two machines do not have the same devices`,
        { offset: section.offset, expected: instancesOf(this.sections, idstr), got: `'${idstr}' instance ${instance}` },
      )
    );
  }

  private checkVersion(section: SectionEvent, own: number): void {
    if (section.version <= own) return;
    this.reader.fail(
      'section-version-too-new',
      `version ${section.version} of section '${section.idstr}' is newer than the one here`,
      {
        offset: section.offset,
        expected: `at most ${own}`,
        got: `${section.version}`,
      },
    );
  }

  /**
   * Sections have no length: decode what is here, and again with more if that was not enough. What was decoded stands only if nothing
   * beyond the data at hand could have changed it, or if the footer is where it should be.
   */
  private async device(section: SectionEvent, handler: MigrationSection): Promise<void> {
    const { reader } = this;
    for (;;) {
      const bytes = reader.window();
      try {
        const { end, commit } = handler.decode(bytes, 0, section.version);
        if (
          reader.atSourceEnd ||
          bytes.length >= end + LOOKAHEAD ||
          this.endsWell(bytes, end, section) ||
          !(await this.moreComes())
        ) {
          reader.skip(end);
          this.commits.push(commit);
          this.loaded.add(handler);
          return;
        }
      } catch (error) {
        if (!(error instanceof StateError)) throw error;
        const final = error.code !== 'truncated' && bytes.length >= error.offset + LOOKAHEAD;
        if (final || reader.atSourceEnd) throw stateErrorAt(error, reader.place, reader.offset);
        if (bytes.length > this.limit) reader.fail('limit', `section '${section.idstr}' is larger than ${this.limit} bytes`);
        const growth = error.code === 'truncated' ? await this.grow() : await this.moreComes();
        if (!growth) throw stateErrorAt(error, reader.place, reader.offset);
      }
    }
  }

  /** At least an eighth more, so that many small pieces do not make many attempts; less if the source pauses or ends. */
  private async grow(): Promise<boolean> {
    const { reader } = this;
    const goal = reader.available + (reader.available >> 3);
    if (!(await reader.fillMore())) return false;
    while (reader.available < goal && (await this.moreComes(1)));
    return true;
  }

  /** Waits for one more piece; gives up when nothing comes for a while. @returns false if nothing came. */
  private async moreComes(patience = SETTLE): Promise<boolean> {
    return Promise.race([this.reader.fillMore(), this.options.timer.sleep(patience).then(() => false)]);
  }

  /** True if a footer, or what must follow a section without one, is at `end`. */
  private endsWell(bytes: Uint8Array, end: number, section: SectionEvent): boolean {
    if (!this.target.settings.sendSectionFooter) {
      const next = bytes[end];
      return next === SECTION.EOF || next === SECTION.FULL || next === SECTION.COMMAND;
    }
    if (bytes.length < end + 5 || bytes[end] !== SECTION.FOOTER) return false;
    const id = ((bytes[end + 1]! << 24) | (bytes[end + 2]! << 16) | (bytes[end + 3]! << 8) | bytes[end + 4]!) >>> 0;
    return id === section.sectionId;
  }

  private async footer(section: SectionEvent): Promise<void> {
    const { reader } = this;
    if (!this.target.settings.sendSectionFooter) return;
    const offset = reader.offset;
    const mark = (await reader.fill(1)) > 0 ? reader.peek() : undefined;
    if (mark !== SECTION.FOOTER) {
      reader.fail(
        'footer-missing',
        `the footer of section '${section.idstr}' is not behind its data: the two machines describe the device differently, or bytes are damaged`,
        {
          offset,
          expected: hex(SECTION.FOOTER),
          got: mark === undefined ? 'the end of the data' : hex(mark),
        },
      );
    }
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
  }

  private record(record: RamRecord): void {
    if (record.kind === 'ram-block') {
      this.block(record.block, record.streamOffset);
      return;
    }
    if ('block' in record) this.pages++;
    applyRamRecord(record, this.memory, this.reader.offset, this.options.inflate);
  }

  private block(block: RamBlockInfo, offset: number): void {
    const { reader } = this;
    const place = { path: block.name, offset };
    const own =
      this.blocks.get(block.name) ??
      reader.fail('ram-unknown-block', `there is no RAM block '${block.name}' here`, {
        ...place,
        expected: `one of ${[...this.blocks.keys()].join(', ')}`,
        got: block.name,
      });
    if (own.usedLength !== block.usedLength) {
      const resizeable = own.maxLength > own.usedLength && block.usedLength <= own.maxLength;
      if (!resizeable) {
        reader.fail('ram-block-size', `RAM block '${block.name}' has another size`, {
          ...place,
          expected: own.maxLength > own.usedLength ? `at most ${hex(own.maxLength)}` : hex(own.usedLength),
          got: hex(block.usedLength),
        });
      }
      own.resize(block.usedLength);
    }
    if (block.mapped && block.mapped.pagesOffset !== 0) this.clearUnstored(own, block.mapped.bitmap);
  }

  /** A mapped-ram file leaves out zero pages. */
  private clearUnstored(block: MigrationRamBlock, bitmap: Uint8Array): void {
    for (let page = 0; page * PAGE_SIZE < block.usedLength; page++) {
      if (((bitmap[page >> 3]! >> (page & 7)) & 1) === 0) block.fillPage(page * PAGE_SIZE, 0);
    }
  }

  private local(name: string): MigrationRamBlock {
    return this.blocks.get(name)!; // announced blocks have been looked up
  }

  /** The description is of no use here; only the connection must be read empty. Its absence does no harm. */
  private async description(): Promise<void> {
    const { reader, target } = this;
    if (target.settings.suppressVmdesc) return;
    reader.place.section = '';
    if ((await reader.fill(1)) === 0 || reader.peek() !== SECTION.VMDESCRIPTION) {
      this.warnings.push('the stream carries no description');
      return;
    }
    if ((await reader.fill(5)) < 5) return;
    reader.skip(1);
    for (let left = reader.u32(); left > 0; ) {
      if ((await reader.fill(1)) === 0) {
        this.warnings.push(`the description is cut, ${left} bytes are missing`);
        return;
      }
      const piece = Math.min(left, reader.available);
      reader.skip(piece);
      left -= piece;
    }
  }

  private async shut(value: number): Promise<void> {
    if (!this.returnPath) return;
    writeShut(this.writer, value);
    await this.writer.flush();
  }

  private progress(status: IncomingProgress['status']): void {
    this.options.onProgress?.({ status, bytes: this.reader.offset, pages: this.pages, sections: this.commits.length });
  }
}
