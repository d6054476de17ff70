import type { MigrationRamBlock, MigrationSection, MigrationTarget } from '@pagurus/device-model';
import { StateError } from '@pagurus/vmstate';
import { writeCommand } from './command.js';
import { writeConfiguration } from './configuration.js';
import type { DirtyPages } from './dirty.js';
import { writeFooter, writeSectionHeader, writeVmdesc } from './encode.js';
import { StreamError } from './errors.js';
import type { SectionType } from './events.js';
import { PAGE_SIZE, RAM_FLAG, RAM_SECTION_VERSION, SECTION, STREAM_MAGIC, STREAM_VERSION } from './format.js';
import { RamWriter } from './ram-writer.js';
import { formatJson } from './vmdesc.js';
import type { StreamWriter } from './writer.js';

/**
 * Section ids only tie parts and footers to their beginnings. Not 0 for RAM: QEMU's loader takes a part with id 0 for one of the first
 * section that it has not seen yet.
 */
const RAM_SECTION_ID = 1;

/** What a page was sent as. */
export type SentPage = 'zero' | 'normal';

/** Writes a machine's state piece by piece, in the order of a precopy stream. Nothing here waits. */
export class StateWriter {
  private readonly ram: RamWriter;
  private lastBlock: MigrationRamBlock | undefined;

  constructor(
    private readonly target: MigrationTarget,
    private readonly writer: StreamWriter,
  ) {
    this.ram = new RamWriter(writer);
  }

  /** Magic, version and configuration. */
  header(): void {
    this.writer.u32(STREAM_MAGIC);
    this.writer.u32(STREAM_VERSION);
    if (this.target.settings.sendConfiguration)
      writeConfiguration(this.writer, { machine: this.target.machineName, subsections: [] });
  }

  /** RAM's START section: the list of blocks. */
  ramStart(blocks: readonly MigrationRamBlock[]): void {
    const { writer } = this;
    this.ramHeader('START');
    const total = blocks.reduce((sum, block) => sum + block.usedLength, 0);
    this.ram.header(total, RAM_FLAG.MEM_SIZE);
    for (const block of blocks) {
      writer.string8(block.name);
      writer.u64n(block.usedLength);
    }
    this.ramEnd();
  }

  ramHeader(type: Exclude<SectionType, 'FULL'>): void {
    writeSectionHeader(this.writer, { type, sectionId: RAM_SECTION_ID, idstr: 'ram', instance: 0, version: RAM_SECTION_VERSION });
  }

  /** End-of-section record and footer. */
  ramEnd(): void {
    this.ram.header(0, RAM_FLAG.EOS);
    this.footer(RAM_SECTION_ID);
  }

  /** The next dirty page, as it is now. */
  page(dirty: DirtyPages): SentPage | undefined {
    const page = dirty.take();
    if (!page) return undefined;
    const { block, offset } = page;
    const { writer } = this;
    const zero = block.pageIs(offset, 0);
    const continued = block === this.lastBlock ? RAM_FLAG.CONTINUE : 0;
    this.ram.header(offset, (zero ? RAM_FLAG.ZERO : RAM_FLAG.PAGE) | continued);
    if (!continued) writer.string8(block.name);
    this.lastBlock = block;
    if (zero) writer.u8(0);
    else writer.bytes(block.page(offset));
    return zero ? 'zero' : 'normal';
  }

  /** All device sections, end of the stream and, unless the machine version leaves it out, their description. */
  devices(sections: readonly MigrationSection[]): void {
    const { writer, target } = this;
    const devices: object[] = [];
    sections.forEach((section, index) => {
      if (!section.needed()) return;
      const sectionId = RAM_SECTION_ID + 1 + index;
      const { idstr, instance, version } = section;
      writeSectionHeader(writer, { type: 'FULL', sectionId, idstr, instance, version });
      const { bytes, description } = saved(section);
      writer.bytes(bytes);
      this.footer(sectionId);
      devices.push({ name: idstr, instance_id: instance, ...description });
    });
    writer.u8(SECTION.EOF);
    if (!target.settings.suppressVmdesc) writeVmdesc(writer, formatJson({ page_size: PAGE_SIZE, devices }));
  }

  switchover(): void {
    if (this.target.settings.sendSwitchoverStart) writeCommand(this.writer, { name: 'SWITCHOVER_START' });
  }

  private footer(sectionId: number): void {
    if (this.target.settings.sendSectionFooter) writeFooter(this.writer, sectionId);
  }
}

function saved(section: MigrationSection): ReturnType<MigrationSection['save']> {
  try {
    return section.save();
  } catch (cause) {
    const details = { section: section.idstr, instance: section.instance, cause };
    if (!(cause instanceof StateError))
      throw new StreamError('save-failed', `the device cannot be saved: ${String(cause)}`, details);
    const problem = cause.message.slice(cause.message.indexOf(': ') + 2);
    throw new StreamError('save-failed', `the device cannot be saved: ${problem}`, {
      ...details,
      path: cause.path,
      expected: cause.expected,
      got: cause.got,
    });
  }
}

/** Blocks as QEMU orders them: the largest possible first. */
export function blocksInOrder(blocks: readonly MigrationRamBlock[]): MigrationRamBlock[] {
  return [...blocks].sort((a, b) => b.maxLength - a.maxLength);
}
