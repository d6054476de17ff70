import type { ByteFile } from '../byte-file.js';
import { offsetBytes } from './refcounts.js';
import { EXTENSION, HEADER, MAGIC, V2_LENGTH, V3_LENGTH } from './spec.js';

export interface CreateQcow2Options {
  /** Bytes of the disk. */
  readonly size: number;
  /** Default 3. */
  readonly version?: 2 | 3;
  /** Default 16: clusters of 64 KiB. */
  readonly clusterBits?: number;
  /** Default 4: counts of 16 bits. */
  readonly refcountOrder?: number;
  readonly backing?: { readonly name: string; readonly format: string };
}

/** Writes an empty image into an empty file: header, refcount table and blocks, L1 table. */
export async function createQcow2(file: ByteFile, options: CreateQcow2Options): Promise<void> {
  const { size, version = 3, clusterBits = 16, refcountOrder = 4, backing } = options;
  const cluster = 2 ** clusterBits;
  const l1Entries = Math.ceil(size / (cluster * (cluster / 8)));
  const l1Clusters = Math.ceil((l1Entries * 8) / cluster);
  const perBlock = (cluster * 8) / 2 ** refcountOrder;
  let blocks = 0;
  let tableClusters = 0;
  let used = 0;
  do {
    blocks++;
    tableClusters = Math.ceil((blocks * 8) / cluster);
    used = 1 + tableClusters + blocks + l1Clusters;
  } while (blocks * perBlock < used);

  const counts = new Uint8Array(blocks * cluster);
  for (let i = 0; i < used; i++) {
    const bits = 2 ** refcountOrder;
    const end = ((i + 1) * bits) / 8;
    if (bits < 8) counts[Math.floor((i * bits) / 8)]! |= 1 << ((i * bits) & 7);
    else counts[end - 1] = 1;
  }
  const table = new Uint8Array(tableClusters * cluster);
  for (let i = 0; i < blocks; i++) table.set(offsetBytes((1 + tableClusters + i) * cluster), i * 8);
  await file.write((1 + tableClusters) * cluster, counts);
  await file.write(cluster, table);
  await file.write((1 + tableClusters + blocks) * cluster, new Uint8Array(l1Clusters * cluster));

  const bytes = new Uint8Array(cluster);
  const view = new DataView(bytes.buffer);
  const length = version === 2 ? V2_LENGTH : V3_LENGTH;
  view.setUint32(0, MAGIC);
  view.setUint32(HEADER.VERSION, version);
  view.setUint32(HEADER.CLUSTER_BITS, clusterBits);
  bytes.set(offsetBytes(size), HEADER.SIZE);
  view.setUint32(HEADER.L1_ENTRIES, l1Entries);
  bytes.set(offsetBytes((1 + tableClusters + blocks) * cluster), HEADER.L1_OFFSET);
  bytes.set(offsetBytes(cluster), HEADER.REFCOUNT_TABLE_OFFSET);
  view.setUint32(HEADER.REFCOUNT_TABLE_CLUSTERS, tableClusters);
  if (version === 3) {
    view.setUint32(HEADER.REFCOUNT_ORDER, refcountOrder);
    view.setUint32(HEADER.LENGTH, length);
  }
  if (backing) {
    const letters = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));
    view.setUint32(length, EXTENSION.BACKING_FORMAT);
    view.setUint32(length + 4, backing.format.length);
    bytes.set(letters(backing.format), length + 8);
    const name = length + 8 + Math.ceil(backing.format.length / 8) * 8 + 8;
    bytes.set(letters(backing.name), name);
    bytes.set(offsetBytes(name), HEADER.BACKING_OFFSET);
    view.setUint32(HEADER.BACKING_LENGTH, backing.name.length);
  }
  await file.write(0, bytes);
  await file.flush();
}
