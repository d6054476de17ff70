import type { MigrationRamBlock } from '@pagurus/device-model';
import { hex } from './errors.js';
import { PAGE_SIZE } from './format.js';
import { applyRamRecord, type Inflate, type RamMemory } from './ram-memory.js';
import { RamReader, type RamReaderOptions } from './ram-reader.js';
import type { RamBlockInfo, RamRecord } from './ram-records.js';
import type { StreamReader } from './reader.js';

/** Puts RAM records into a machine's blocks as they come. */
export class RamLoader {
  /** Pages received. */
  pages = 0;
  private readonly records: RamReader;
  private readonly blocks: ReadonlyMap<string, MigrationRamBlock>;
  private readonly memory: RamMemory;

  constructor(
    private readonly reader: StreamReader,
    blocks: readonly MigrationRamBlock[],
    options: Partial<RamReaderOptions>,
    private readonly inflate: Inflate | undefined,
  ) {
    this.records = new RamReader(reader, options);
    this.blocks = new Map(blocks.map((block) => [block.name, block]));
    // The reader knows announced blocks only, and those have been found here.
    const local = (name: string) => this.blocks.get(name)!;
    this.memory = {
      read: (block, offset) => new Uint8Array(local(block).page(offset)),
      write: (block, offset, bytes) => local(block).writePage(offset, bytes),
      fill: (block, offset, byte) => local(block).fillPage(offset, byte),
    };
  }

  /** One START, PART or END. @throws {StreamError} */
  async readSection(): Promise<void> {
    await this.records.readSection((record) => this.record(record));
  }

  private record(record: RamRecord): void {
    if (record.kind === 'ram-block') {
      this.announced(record.block, record.streamOffset);
      return;
    }
    if ('block' in record) this.pages++;
    applyRamRecord(record, this.memory, this.reader.offset, this.inflate);
  }

  private announced(block: RamBlockInfo, offset: number): void {
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
      const resizeable = own.maxLength > own.usedLength;
      if (!resizeable || block.usedLength > own.maxLength) {
        reader.fail('ram-block-size', `RAM block '${block.name}' has another size`, {
          ...place,
          expected: resizeable ? `at most ${hex(own.maxLength)}` : hex(own.usedLength),
          got: hex(block.usedLength),
        });
      }
      own.resize(block.usedLength);
    }
    if (block.mapped && block.mapped.pagesOffset !== 0) clearUnstored(own, block.mapped.bitmap);
  }
}

/** A mapped-ram file leaves out zero pages. */
function clearUnstored(block: MigrationRamBlock, bitmap: Uint8Array): void {
  for (let page = 0; page * PAGE_SIZE < block.usedLength; page++) {
    if (((bitmap[page >> 3]! >> (page & 7)) & 1) === 0) block.fillPage(page * PAGE_SIZE, 0);
  }
}
