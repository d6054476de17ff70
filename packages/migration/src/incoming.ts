import type { MigrationSection, MigrationTarget, RunState } from '@pagurus/device-model';
import type { ByteChannel, HostTimer } from './channel.js';
import { readCommand } from './command.js';
import { capabilitiesOf } from './configuration.js';
import { hex, StreamError } from './errors.js';
import type { SectionEvent } from './events.js';
import { SECTION } from './format.js';
import { globalStateSection } from './global-state.js';
import { readMatchingConfiguration } from './incoming-configuration.js';
import { RamLoader } from './incoming-ram.js';
import { SectionLoader } from './incoming-section.js';
import type { Inflate } from './ram-memory.js';
import { message, StreamReader } from './reader.js';
import { writePong, writeShut } from './return-path.js';
import {
  checkRamVersion,
  readFooter,
  readHeader,
  readPartHeader,
  readSectionHeader,
  unknownSectionType,
} from './section-frame.js';
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
/** How long the other side is given to take the news of a failure. Milliseconds. */
const FAREWELL = 1000;

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
  private readonly globalState: ReturnType<typeof globalStateSection>;
  private readonly devices: SectionLoader;
  private ram: RamLoader | undefined;
  private sections: readonly MigrationSection[] = [];
  private readonly started = new Map<number, SectionEvent>();
  private readonly loaded = new Set<MigrationSection>();
  private readonly commits: (() => void)[] = [];
  private readonly warnings: string[] = [];
  private capabilities: readonly string[] = [];
  private returnPath = false;

  constructor(
    private readonly target: MigrationTarget,
    private readonly channel: ByteChannel,
    private readonly options: IncomingOptions,
  ) {
    this.reader = new StreamReader(channel);
    this.writer = new StreamWriter(channel);
    this.globalState = globalStateSection(target.settings, target.runState);
    this.devices = new SectionLoader(this.reader, {
      timer: options.timer,
      footers: target.settings.sendSectionFooter,
      limit: options.maxSectionBytes ?? DEFAULT_MAX_SECTION,
    });
  }

  async run(): Promise<IncomingResult> {
    const { target, reader } = this;
    this.progress('setup');
    target.reset();
    this.sections = [...target.sections, this.globalState];
    await readHeader(reader);
    const local = { capabilities: this.options.capabilities ?? [], uuid: this.options.uuid };
    this.capabilities = capabilitiesOf(
      await readMatchingConfiguration(reader, target, local, (text) => this.warnings.push(text)),
    );
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
      pages: this.ram?.pages ?? 0,
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
    await Promise.race([this.shut(1).catch(() => undefined), this.options.timer.sleep(FAREWELL)]);
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
        // QEMU would start a machine without memory here.
        if (!this.ram) reader.fail('ram-missing', 'the stream ends without a RAM section', { offset });
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
        await this.continueSection(await readPartHeader(reader, type === SECTION.PART ? 'PART' : 'END', this.started));
        return true;
      default:
        return unknownSectionType(reader, type, offset);
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
    const { reader, target } = this;
    this.started.set(section.sectionId, section);
    if (section.idstr === 'ram' && section.instance === 0) {
      checkRamVersion(reader, section);
      const options = {
        ignoreShared: this.capabilities.includes('x-ignore-shared'),
        mappedRam: this.capabilities.includes('mapped-ram'),
      };
      this.ram ??= new RamLoader(reader, target.ramBlocks, options, this.options.inflate);
      await this.ram.readSection();
    } else {
      const handler = this.find(section);
      this.checkVersion(section, handler.version);
      this.commits.push(await this.devices.load(section, handler));
      this.loaded.add(handler);
    }
    await this.footer(section);
  }

  private async continueSection(section: SectionEvent): Promise<void> {
    const ram = section.idstr === 'ram' ? this.ram : undefined;
    if (!ram) return this.reader.fail('unsupported', `section '${section.idstr}' has no parts`, { offset: section.offset });
    await ram.readSection();
    await this.footer(section);
    this.progress('active');
  }

  private async footer(section: SectionEvent): Promise<void> {
    if (this.target.settings.sendSectionFooter) await readFooter(this.reader, section);
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
    this.options.onProgress?.({ status, bytes: this.reader.offset, pages: this.ram?.pages ?? 0, sections: this.commits.length });
  }
}
