import type { ByteFile } from '../byte-file.js';
import { compressedPlace } from './compressed.js';
import { entryOffset, readHeader } from './header.js';
import { readSnapshots } from './snapshots.js';
import { ENTRY } from './spec.js';

/** What a check of an image found: cluster numbers. As `qemu-img check`. */
export interface Qcow2Report {
  /** Counted less often than used: data will be lost. */
  readonly errors: readonly number[];
  /** Counted more often than used. */
  readonly leaks: readonly number[];
}

/** Compares refcounts with what the tables use. For tests: all of it in memory. */
export async function verifyQcow2(file: ByteFile): Promise<Qcow2Report> {
  const header = await readHeader(file);
  const { cluster } = header;
  const used = new Map<number, number>();
  const errors = new Set<number>();
  const use = (offset: number, length: number): void => {
    for (let n = Math.floor(offset / cluster); n * cluster < offset + length; n++) used.set(n, (used.get(n) ?? 0) + 1);
  };
  const words = async (offset: number, count: number): Promise<DataView> => {
    const bytes = new Uint8Array(count * 8);
    await file.read(offset, bytes);
    return new DataView(bytes.buffer);
  };
  const tables = async (offset: number, entries: number): Promise<void> => {
    use(offset, entries * 8);
    const l1 = await words(offset, entries);
    for (let i = 0; i < entries; i++) {
      const table = entryOffset(l1.getUint32(i * 8), l1.getUint32(i * 8 + 4));
      if (table === 0) continue;
      use(table, cluster);
      const l2 = await words(table, cluster / 8);
      for (let j = 0; j < cluster / 8; j++) {
        const [high, low] = [l2.getUint32(j * 8), l2.getUint32(j * 8 + 4)];
        if ((high & ENTRY.COMPRESSED) !== 0) {
          const place = compressedPlace(high & ~ENTRY.COMPRESSED & ~ENTRY.COPIED, low, header.clusterBits);
          use(place.offset, place.length);
        } else if (entryOffset(high, low) !== 0) {
          const data = entryOffset(high, low);
          use(data, cluster);
          if (data >= file.length && (low & ENTRY.ZERO) === 0) errors.add(data / cluster);
        }
      }
    }
  };
  use(0, cluster);
  const perTable = (header.refcountTableClusters * cluster) / 8;
  use(header.refcountTableOffset, perTable * 8);
  await tables(header.l1Offset, header.l1Entries);
  const { snapshots, length } = await readSnapshots(file, header);
  if (length > 0) use(header.snapshotsOffset, length);
  for (const { l1Offset, l1Entries } of snapshots) await tables(l1Offset, l1Entries);

  const table = await words(header.refcountTableOffset, perTable);
  const bits = 1 << header.refcountOrder;
  const perBlock = (cluster * 8) / bits;
  const counted = new Map<number, number>();
  for (let i = 0; i < perTable; i++) {
    const block = entryOffset(table.getUint32(i * 8), table.getUint32(i * 8 + 4));
    if (block === 0) continue;
    use(block, cluster);
    const bytes = new Uint8Array(cluster);
    await file.read(block, bytes);
    for (let j = 0; j < perBlock; j++) {
      let count = 0;
      if (bits < 8) count = (bytes[(j * bits) >> 3]! >> ((j * bits) & 7)) & ((1 << bits) - 1);
      else for (let k = 0; k < bits / 8; k++) count = count * 256 + bytes[(j * bits) / 8 + k]!;
      if (count > 0) counted.set(i * perBlock + j, count);
    }
  }
  const leaks: number[] = [];
  for (const n of new Set([...used.keys(), ...counted.keys()])) {
    const [uses, counts] = [used.get(n) ?? 0, counted.get(n) ?? 0];
    if (counts < uses) errors.add(n);
    else if (counts > uses) leaks.push(n);
  }
  return { errors: [...errors], leaks };
}
