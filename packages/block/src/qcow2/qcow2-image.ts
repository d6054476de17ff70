import type { ByteFile } from '../byte-file.js';
import { BlockError } from '../errors.js';
import { type BlockImage, checkRange, checkWritable, type ImageDetails, SECTOR } from '../image.js';
import { compressedPlace, inflate } from './compressed.js';
import { entryOffset, type Qcow2Header, readHeader } from './header.js';
import { offsetBytes, type RefcountOwner, Refcounts } from './refcounts.js';
import { type Qcow2Snapshot, readSnapshots } from './snapshots.js';
import { ENTRY, HEADER, INCOMPATIBLE } from './spec.js';
import { type Table, TableCache } from './table-cache.js';

export interface OpenQcow2Options {
  readonly readOnly: boolean;
  /** Others may still write to it: nothing is written before `activate`. */
  readonly inactive: boolean;
  /** Opens the file that this one is laid over. */
  backing(name: string, format: string | undefined): Promise<BlockImage>;
}

/** Opens a qcow2 image. @throws {BlockError} */
export async function openQcow2(file: ByteFile, options: OpenQcow2Options): Promise<BlockImage> {
  const header = await readHeader(file);
  const backing = header.backing === undefined ? undefined : await options.backing(header.backing, header.backingFormat);
  try {
    const image = new Qcow2Image(file, options.readOnly || file.readOnly, backing, header);
    await image.load(header, !options.inactive);
    return image;
  } catch (error) {
    await backing?.close();
    throw error;
  }
}

/** What an L2 entry says of a guest cluster. */
type Mapping =
  | { readonly kind: 'none' }
  | { readonly kind: 'zero' | 'data'; readonly host: number; readonly own: boolean }
  | { readonly kind: 'compressed'; readonly high: number; readonly low: number };

const NONE: Mapping = { kind: 'none' };

/**
 * A qcow2 image, version 2 or 3. Data goes to the file at once; tables are changed in memory and written when the guest flushes, when
 * many have changed, and at the end. They are written in an order that leaves a good image wherever it is cut off: first counts of
 * clusters that are taken, then L2 tables that point to them, then the L1 table, at last counts of clusters that were given back, with
 * a flush between. So a crash can at most leave clusters that are counted and not used.
 */
export class Qcow2Image implements BlockImage, RefcountOwner {
  readonly format = 'qcow2';
  readonly sectors: number;
  readonly metadata = new Map<number, string>();
  private l1 = new Float64Array(0);
  /** L1 entries that may not be written in place: shared with a snapshot. */
  private readonly sharedL1 = new Set<number>();
  private readonly changedL1 = new Set<number>();
  private readonly l2: TableCache;
  private refcounts: Refcounts | undefined;
  private snapshots: readonly Qcow2Snapshot[] = [];
  private inflated: { readonly key: string; readonly bytes: Uint8Array } | undefined;
  private broken: BlockError | undefined;
  private autoclear = false;
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly file: ByteFile,
    readonly readOnly: boolean,
    private readonly backing: BlockImage | undefined,
    private header: Qcow2Header,
  ) {
    this.sectors = Math.floor(header.size / SECTOR);
    this.l2 = new TableCache(file, header.cluster);
  }

  get name(): string {
    return this.file.name;
  }

  get details(): ImageDetails {
    return { ...(this.backing ? { backing: this.backing } : {}), snapshots: this.snapshots };
  }

  /** Reads the tables. `active`: the image is ours to write. */
  async load(header: Qcow2Header, active: boolean): Promise<void> {
    const { file } = this;
    if (header.size !== this.header.size || header.cluster !== this.header.cluster)
      throw new BlockError('format', `${file.name}: the image has changed its size while it was elsewhere`);
    this.header = header;
    this.autoclear = header.autoclear;
    this.metadata.clear();
    this.sharedL1.clear();
    this.l2.clear();
    this.inflated = undefined;
    this.refcounts = undefined;
    if (header.l1Offset + header.l1Entries * 8 > file.length) throw this.damaged('its L1 table lies behind the end of the file');
    await this.readL1();
    const { snapshots, length } = await readSnapshots(file, header);
    this.snapshots = snapshots;
    if (this.readOnly || !active) return;
    if (header.corrupt)
      throw new BlockError(
        'corrupt',
        `${file.name}: the image is marked corrupt; repair it (qemu-img check -r all) or open it read-only`,
      );
    if (header.dirty)
      throw new BlockError(
        'corrupt',
        `${file.name}: the image was not closed properly and has lazy refcounts; repair it (qemu-img check -r all) or open it read-only`,
      );
    if (header.refcountTableOffset === 0 || header.refcountTableClusters === 0) throw this.damaged('it has no refcount table');
    if (header.refcountTableOffset + header.refcountTableClusters * header.cluster > file.length + header.cluster)
      throw this.damaged('its refcount table lies behind the end of the file');
    this.refcounts = await Refcounts.open(file, header, this);
    this.listMetadata(length);
  }

  read(sector: number, target: Uint8Array): Promise<void> {
    return this.inTurn(async () => {
      checkRange(this, sector, target.length);
      await this.readBytes(sector * SECTOR, target);
    });
  }

  write(sector: number, source: Uint8Array): Promise<void> {
    return this.inTurn(async () => {
      checkRange(this, sector, source.length);
      checkWritable(this);
      if (this.broken) throw this.broken;
      await this.clearAutoclear();
      const { cluster } = this.header;
      const start = sector * SECTOR;
      for (let done = 0; done < source.length; ) {
        const at = start + done;
        const length = Math.min(source.length - done, cluster - (at % cluster));
        await this.writeCluster(at, source.subarray(done, done + length));
        done += length;
      }
    });
  }

  flush(): Promise<void> {
    return this.inTurn(async () => {
      if (this.readOnly || !this.refcounts) return;
      await this.writeTables();
      await this.file.flush();
    });
  }

  async inactivate(): Promise<void> {
    await this.flush();
    await this.queue;
    this.refcounts = undefined;
    await this.file.release?.();
    await this.backing?.inactivate();
  }

  async activate(): Promise<void> {
    await this.inTurn(async () => {
      await this.backing?.activate();
      await this.file.claim?.();
      await this.load(await readHeader(this.file), true);
    });
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.queue;
      await this.file.close();
      await this.backing?.close();
    }
  }

  async corrupt(message: string): Promise<never> {
    this.broken = this.damaged(message);
    const { header, file } = this;
    if (header.version === 3 && !this.readOnly && !header.corrupt) {
      const word = new Uint8Array(4);
      new DataView(word.buffer).setUint32(0, header.lowIncompatible | (1 << INCOMPATIBLE.CORRUPT));
      await file.write(HEADER.INCOMPATIBLE + 4, word);
      await file.flush();
    }
    throw this.broken;
  }

  private damaged(message: string): BlockError {
    return new BlockError('corrupt', `${this.file.name}: the image is damaged: ${message}`);
  }

  /** One thing after the other: a cluster that moves is nobody else's meanwhile. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => {});
    return done;
  }

  private async readL1(): Promise<void> {
    const { header, file } = this;
    const bytes = new Uint8Array(header.l1Entries * 8);
    await file.read(header.l1Offset, bytes);
    const view = new DataView(bytes.buffer);
    this.l1 = new Float64Array(header.l1Entries);
    for (let i = 0; i < this.l1.length; i++) {
      const high = view.getUint32(i * 8);
      const offset = entryOffset(high, view.getUint32(i * 8 + 4));
      if (offset === 0) continue;
      if (offset % header.cluster !== 0 || offset >= file.length)
        throw this.damaged(`L2 table ${i} is at 0x${offset.toString(16)}`);
      this.l1[i] = offset;
      if ((high & ENTRY.COPIED) === 0) this.sharedL1.add(i);
    }
  }

  /** What must not be written as data. @throws {BlockError} where two of them are the same. */
  private listMetadata(snapshotTable: number): void {
    const { header, metadata } = this;
    const { cluster } = header;
    const add = (offset: number, length: number, kind: string): void => {
      for (let at = Math.floor(offset / cluster); at * cluster < offset + length; at++) {
        const other = metadata.get(at);
        if (other !== undefined) throw this.damaged(`cluster ${at} is ${other} and ${kind}`);
        metadata.set(at, kind);
      }
    };
    add(0, cluster, 'the header');
    add(header.refcountTableOffset, header.refcountTableClusters * cluster, 'the refcount table');
    if (header.l1Entries > 0) add(header.l1Offset, header.l1Entries * 8, 'the L1 table');
    for (const block of this.refcounts!.blockClusters()) add(block * cluster, cluster, 'a refcount block');
    for (const offset of this.l1) if (offset !== 0) add(offset, cluster, 'an L2 table');
    if (snapshotTable > 0) add(header.snapshotsOffset, snapshotTable, 'the snapshot table');
    for (const { l1Offset, l1Entries } of this.snapshots)
      if (l1Entries > 0) add(l1Offset, l1Entries * 8, "a snapshot's L1 table");
  }

  // --- reading -----------------------------------------------------------------------------------------------------------

  private async readBytes(start: number, target: Uint8Array): Promise<void> {
    const { cluster } = this.header;
    for (let done = 0; done < target.length; ) {
      const at = start + done;
      const mapping = await this.lookUp(at);
      let length = Math.min(target.length - done, cluster - (at % cluster));
      if (mapping.kind === 'data') {
        // Neighbours in the file are read in one piece.
        while (done + length < target.length) {
          const next = await this.lookUp(at + length);
          if (next.kind !== 'data' || next.host !== mapping.host + length + (at % cluster)) break;
          length += Math.min(target.length - done - length, cluster);
        }
        await this.file.read(mapping.host + (at % cluster), target.subarray(done, done + length));
      } else await this.readUnmapped(mapping, at, target.subarray(done, done + length));
      done += length;
    }
  }

  /** Bytes of one cluster that is not stored as it is. */
  private async readUnmapped(mapping: Exclude<Mapping, { kind: 'data' }>, at: number, target: Uint8Array): Promise<void> {
    if (mapping.kind === 'compressed') {
      const bytes = await this.inflateCluster(mapping.high, mapping.low);
      const from = at % this.header.cluster;
      target.set(bytes.subarray(from, from + target.length));
      return;
    }
    const { backing } = this;
    const first = at / SECTOR;
    const below = mapping.kind === 'none' && backing ? Math.max(0, Math.min(backing.sectors - first, target.length / SECTOR)) : 0;
    target.fill(0, below * SECTOR);
    if (below > 0) await backing!.read(first, target.subarray(0, below * SECTOR));
  }

  private async inflateCluster(high: number, low: number): Promise<Uint8Array> {
    const key = `${high}:${low}`;
    if (this.inflated?.key === key) return this.inflated.bytes;
    const { clusterBits, cluster } = this.header;
    const { offset, length } = compressedPlace(high & ~ENTRY.COMPRESSED & ~ENTRY.COPIED, low, clusterBits);
    if (offset >= this.file.length)
      throw this.damaged(`a compressed cluster is at 0x${offset.toString(16)}, behind the end of the file`);
    const stored = new Uint8Array(length);
    await this.file.read(offset, stored);
    let bytes: Uint8Array;
    try {
      bytes = inflate(stored, cluster);
    } catch (error) {
      throw this.damaged(
        `a compressed cluster at 0x${offset.toString(16)}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.inflated = { key, bytes };
    return bytes;
  }

  private l1Index(at: number): number {
    return Math.floor(at / (this.header.cluster * (this.header.cluster / 8)));
  }

  private l2Index(at: number): number {
    return Math.floor(at / this.header.cluster) % (this.header.cluster / 8);
  }

  private async lookUp(at: number): Promise<Mapping> {
    const table = this.l1[this.l1Index(at)]!;
    if (table === 0) return NONE;
    return this.decode(await this.l2.get(table), this.l2Index(at));
  }

  private decode({ view }: Table, index: number): Mapping {
    const [high, low] = [view.getUint32(index * 8), view.getUint32(index * 8 + 4)];
    if ((high & ENTRY.COMPRESSED) !== 0) return { kind: 'compressed', high, low };
    const host = entryOffset(high, low);
    const zero = (low & ENTRY.ZERO) !== 0;
    if (zero && this.header.version === 2) throw this.damaged('it has a zero cluster, which version 2 has not');
    if (host === 0) return zero ? { kind: 'zero', host, own: false } : NONE;
    if (host % this.header.cluster !== 0) throw this.damaged(`a cluster is at 0x${host.toString(16)}`);
    if (!zero && host >= this.file.length)
      throw this.damaged(`a cluster is at 0x${host.toString(16)}, behind the end of the file`);
    return { kind: zero ? 'zero' : 'data', host, own: (high & ENTRY.COPIED) !== 0 };
  }

  // --- writing -----------------------------------------------------------------------------------------------------------

  private async writeCluster(at: number, source: Uint8Array): Promise<void> {
    const { cluster } = this.header;
    const refcounts = this.refcounts!;
    const mapping = await this.lookUp(at);
    if (mapping.kind === 'data' && mapping.own) {
      await this.checkData(mapping.host);
      await this.file.write(mapping.host + (at % cluster), source);
      return;
    }
    if (this.l2.full || refcounts.manyFrees) await this.writeTables();
    const table = await this.ownTable(at);
    const index = this.l2Index(at);
    const reused = mapping.kind === 'zero' && mapping.host !== 0 && mapping.own;
    if (reused) await this.checkData(mapping.host);
    const host = reused ? mapping.host : (await refcounts.allocate()) * cluster;
    try {
      await this.writeNew(host, mapping, at, source);
    } catch (error) {
      if (!reused) await refcounts.abandon(host / cluster);
      throw error;
    }
    table.view.setUint32(index * 8, (ENTRY.COPIED | Math.floor(host / 2 ** 32)) >>> 0);
    table.view.setUint32(index * 8 + 4, host % 2 ** 32);
    this.l2.change(table, index * 8, 8);
    if (!reused) this.release(mapping);
  }

  /** The cluster's whole contents: the new bytes, and around them what was there before. */
  private async writeNew(host: number, mapping: Mapping, at: number, source: Uint8Array): Promise<void> {
    const { cluster } = this.header;
    const from = at % cluster;
    if (source.length === cluster) {
      await this.file.write(host, source);
      return;
    }
    const blank = mapping.kind === 'zero' || (mapping.kind === 'none' && (at - from) / SECTOR >= (this.backing?.sectors ?? 0));
    // Behind its end a file is zero by itself.
    if (blank && host >= this.file.length) {
      await this.file.write(host + from, source);
      return;
    }
    const bytes = new Uint8Array(cluster);
    if (mapping.kind === 'data') await this.file.read(mapping.host, bytes);
    else if (!blank) await this.readUnmapped(mapping, at - from, bytes);
    bytes.set(source, from);
    await this.file.write(host, bytes);
  }

  /** The L2 table of a guest offset, ours to change. */
  private async ownTable(at: number): Promise<Table> {
    const { cluster } = this.header;
    const index = this.l1Index(at);
    const present = this.l1[index]!;
    if (present !== 0 && !this.sharedL1.has(index)) return await this.l2.get(present);
    const contents = present === 0 ? undefined : (await this.l2.get(present)).bytes;
    const number = await this.refcounts!.allocate();
    const table = this.l2.create(number * cluster, contents);
    this.metadata.set(number, 'an L2 table');
    this.l1[index] = number * cluster;
    this.sharedL1.delete(index);
    this.changedL1.add(index);
    if (present !== 0) {
      this.metadata.delete(present / cluster);
      this.refcounts!.free(present / cluster);
    }
    return table;
  }

  /** A mapping is no longer used. */
  private release(mapping: Mapping): void {
    const { cluster, clusterBits } = this.header;
    if (mapping.kind === 'compressed') {
      const { offset, length } = compressedPlace(mapping.high & ~ENTRY.COMPRESSED & ~ENTRY.COPIED, mapping.low, clusterBits);
      const last = Math.floor((offset + length - 1) / cluster);
      for (let number = Math.floor(offset / cluster); number <= last; number++) this.refcounts!.free(number);
    } else if (mapping.kind !== 'none' && mapping.host !== 0) this.refcounts!.free(mapping.host / cluster);
  }

  /** Data is about to be written over a cluster that is there already. */
  private async checkData(host: number): Promise<void> {
    const kind = this.metadata.get(host / this.header.cluster);
    if (kind !== undefined) await this.corrupt(`the cluster at 0x${host.toString(16)} is data and ${kind}`);
  }

  private async writeTables(): Promise<void> {
    const { file, header, l2 } = this;
    const refcounts = this.refcounts!;
    if (this.broken) throw this.broken;
    if (refcounts.changes) await refcounts.write();
    if (l2.changed) {
      await file.flush();
      await l2.write();
    }
    if (this.changedL1.size > 0) {
      await file.flush();
      for (const index of [...this.changedL1]) {
        const entry = offsetBytes(this.l1[index]!);
        entry[0]! |= ENTRY.COPIED >>> 24;
        await file.write(header.l1Offset + index * 8, entry);
        this.changedL1.delete(index);
      }
    }
    if (refcounts.pendingFrees) {
      await file.flush();
      await refcounts.applyFrees();
    }
  }

  /** Features that may only stay set if who writes keeps them up: we know none. [qcow2] autoclear_features */
  private async clearAutoclear(): Promise<void> {
    if (!this.autoclear) return;
    await this.file.write(HEADER.AUTOCLEAR, new Uint8Array(8));
    await this.file.flush();
    this.autoclear = false;
  }
}
