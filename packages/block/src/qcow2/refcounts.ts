import type { ByteFile } from '../byte-file.js';
import type { Qcow2Header } from './header.js';
import { entryOffset } from './header.js';
import { HEADER } from './spec.js';
import { type Table, TableCache } from './table-cache.js';

/** What the refcounts need of the image. */
export interface RefcountOwner {
  /** @throws {BlockError} always: the image contradicts itself. */
  corrupt(message: string): Promise<never>;
  /** Kinds of metadata by cluster. */
  readonly metadata: Map<number, string>;
}

/**
 * How often each cluster of the file is used: a table of offsets of blocks, each a cluster of counts. [qcow2] Host cluster management.
 * Counts are changed in memory; {@link write} brings them to the file. What was freed is counted down only by {@link applyFrees}, when
 * nothing in the file points to it any more.
 */
export class Refcounts {
  readonly blocks: TableCache;
  /** Offsets of the blocks. */
  private table: Float64Array;
  private tableOffset: number;
  private tableClusters: number;
  /** Entries of the table that the file does not have. */
  private readonly changed = new Set<number>();
  private frees: number[] = [];
  /** No cluster below this is free. */
  private hint = 0;
  /** Counts per block. */
  private readonly perBlock: number;

  private constructor(
    private readonly file: ByteFile,
    private readonly header: Qcow2Header,
    private readonly owner: RefcountOwner,
    table: Float64Array,
  ) {
    this.blocks = new TableCache(file, header.cluster);
    this.table = table;
    this.tableOffset = header.refcountTableOffset;
    this.tableClusters = header.refcountTableClusters;
    this.perBlock = (header.cluster * 8) / 2 ** header.refcountOrder;
  }

  static async open(file: ByteFile, header: Qcow2Header, owner: RefcountOwner): Promise<Refcounts> {
    const bytes = new Uint8Array(header.refcountTableClusters * header.cluster);
    await file.read(header.refcountTableOffset, bytes);
    const view = new DataView(bytes.buffer);
    const table = new Float64Array(bytes.length / 8);
    for (let i = 0; i < table.length; i++) {
      const offset = entryOffset(view.getUint32(i * 8), view.getUint32(i * 8 + 4));
      if (offset === 0) continue;
      if (offset % header.cluster !== 0 || offset >= file.length)
        await owner.corrupt(`refcount block ${i} at 0x${offset.toString(16)}`);
      table[i] = offset;
    }
    return new Refcounts(file, header, owner, table);
  }

  /** Clusters of the blocks. */
  *blockClusters(): Generator<number> {
    for (const offset of this.table) if (offset !== 0) yield offset / this.header.cluster;
  }

  async get(cluster: number): Promise<number> {
    const index = Math.floor(cluster / this.perBlock);
    const offset = this.table[index] ?? 0;
    return offset === 0 ? 0 : this.read(await this.blocks.get(offset), cluster % this.perBlock);
  }

  /** Takes a cluster that nobody uses; its count is one. */
  async allocate(): Promise<number> {
    if (this.blocks.full) await this.write();
    let cluster = this.hint;
    for (;;) {
      const index = Math.floor(cluster / this.perBlock);
      if (index >= this.table.length) {
        await this.grow(index);
        cluster++;
        continue;
      }
      if (this.table[index] === 0) {
        await this.addBlock(index, cluster);
        cluster++;
        continue;
      }
      const block = await this.blocks.get(this.table[index]!);
      const end = (index + 1) * this.perBlock;
      while (cluster < end && this.read(block, cluster % this.perBlock) !== 0) cluster++;
      if (cluster < end) break;
    }
    await this.checkFree(cluster);
    await this.set(cluster, 1);
    this.hint = cluster + 1;
    return cluster;
  }

  /** Gives back a cluster that nothing in the file points to yet. */
  async abandon(cluster: number): Promise<void> {
    await this.set(cluster, 0);
    this.hint = Math.min(this.hint, cluster);
  }

  /** One user less, once the file no longer says otherwise. */
  free(cluster: number): void {
    this.frees.push(cluster);
  }

  get manyFrees(): boolean {
    return this.frees.length >= 4096;
  }

  get pendingFrees(): boolean {
    return this.frees.length > 0;
  }

  /** The last counts go down; the new ones are written. */
  async applyFrees(): Promise<void> {
    while (this.frees.length > 0) {
      const cluster = this.frees[this.frees.length - 1]!;
      const count = await this.get(cluster);
      this.frees.pop();
      if (count === 0) await this.owner.corrupt(`cluster ${cluster} is in use and counted as free`);
      await this.set(cluster, count - 1);
      if (count === 1) this.hint = Math.min(this.hint, cluster);
      if (this.blocks.full) await this.blocks.write();
    }
    await this.blocks.write();
  }

  get changes(): boolean {
    return this.blocks.changed || this.changed.size > 0;
  }

  /** Blocks, then the table's entries that lead to new ones. */
  async write(): Promise<void> {
    await this.blocks.write();
    if (this.changed.size === 0) return;
    await this.file.flush();
    for (const index of [...this.changed]) {
      await this.file.write(this.tableOffset + index * 8, offsetBytes(this.table[index]!));
      this.changed.delete(index);
    }
  }

  /** A block for counts that had none, in the first cluster that it counts and that is asked for. */
  private async addBlock(index: number, cluster: number): Promise<void> {
    await this.checkFree(cluster);
    const offset = cluster * this.header.cluster;
    const block = this.blocks.create(offset);
    this.put(block, cluster % this.perBlock, 1);
    this.table[index] = offset;
    this.changed.add(index);
    this.owner.metadata.set(cluster, 'a refcount block');
  }

  /**
   * A longer table at the end of all that the old one counts, with the blocks that count it. The header's two fields change in one
   * write when all of it is there.
   */
  private async grow(index: number): Promise<void> {
    const { cluster } = this.header;
    const perTable = cluster / 8;
    const start = index * this.perBlock;
    const tableFor = (blocks: number): number => Math.ceil(Math.max(this.table.length * 1.5, index + blocks + 1) / perTable);
    let blocks = 1;
    while (blocks * this.perBlock < blocks + tableFor(blocks)) blocks++;
    const clusters = tableFor(blocks);
    for (let n = 0; n < blocks + clusters; n++) await this.checkFree(start + n);
    const table = new Float64Array(clusters * perTable);
    table.set(this.table);
    for (let i = 0; i < blocks; i++) {
      const block = this.blocks.create((start + i) * cluster);
      const first = i * this.perBlock;
      for (let n = first; n < Math.min(first + this.perBlock, blocks + clusters); n++) this.put(block, n - first, 1);
      table[index + i] = (start + i) * cluster;
    }
    const bytes = new Uint8Array(table.length * 8);
    table.forEach((offset, i) => {
      bytes.set(offsetBytes(offset), i * 8);
    });
    const offset = (start + blocks) * cluster;
    await this.blocks.write();
    await this.file.write(offset, bytes);
    await this.file.flush();
    const fields = new Uint8Array(12);
    fields.set(offsetBytes(offset));
    new DataView(fields.buffer).setUint32(8, clusters);
    await this.file.write(HEADER.REFCOUNT_TABLE_OFFSET, fields);
    await this.file.flush();
    const { metadata } = this.owner;
    for (let i = 0; i < this.tableClusters; i++) {
      metadata.delete(this.tableOffset / cluster + i);
      this.free(this.tableOffset / cluster + i);
    }
    for (let i = 0; i < blocks; i++) metadata.set(start + i, 'a refcount block');
    for (let i = 0; i < clusters; i++) metadata.set(start + blocks + i, 'the refcount table');
    this.table = table;
    this.tableOffset = offset;
    this.tableClusters = clusters;
    this.changed.clear();
  }

  private async checkFree(cluster: number): Promise<void> {
    const kind = this.owner.metadata.get(cluster);
    if (kind !== undefined) await this.owner.corrupt(`cluster ${cluster} is ${kind} and counted as free`);
  }

  private async set(cluster: number, count: number): Promise<void> {
    const index = Math.floor(cluster / this.perBlock);
    const offset = this.table[index] ?? 0;
    if (offset === 0) await this.owner.corrupt(`cluster ${cluster} has no refcount`);
    this.put(await this.blocks.get(offset), cluster % this.perBlock, count);
  }

  private read({ bytes, view }: Table, index: number): number {
    switch (this.header.refcountOrder) {
      case 3:
        return bytes[index]!;
      case 4:
        return view.getUint16(index * 2);
      case 5:
        return view.getUint32(index * 4);
      case 6:
        return view.getUint32(index * 8) * 2 ** 32 + view.getUint32(index * 8 + 4);
      default: {
        const bits = 1 << this.header.refcountOrder;
        const at = index * bits;
        return (bytes[at >> 3]! >> (at & 7)) & ((1 << bits) - 1);
      }
    }
  }

  private put(block: Table, index: number, count: number): void {
    const { bytes, view } = block;
    const bits = 1 << this.header.refcountOrder;
    const at = (index * bits) >> 3;
    switch (this.header.refcountOrder) {
      case 3:
        bytes[index] = count;
        break;
      case 4:
        view.setUint16(at, count);
        break;
      case 5:
        view.setUint32(at, count);
        break;
      case 6:
        view.setUint32(at, Math.floor(count / 2 ** 32));
        view.setUint32(at + 4, count % 2 ** 32);
        break;
      default: {
        const shift = (index * bits) & 7;
        const mask = ((1 << bits) - 1) << shift;
        bytes[at] = (bytes[at]! & ~mask) | (count << shift);
      }
    }
    this.blocks.change(block, at, Math.max(1, bits >> 3));
  }
}

export function offsetBytes(offset: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(offset / 2 ** 32));
  view.setUint32(4, offset % 2 ** 32);
  return bytes;
}
