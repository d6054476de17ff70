import type { ByteFile } from '../byte-file.js';
import { BlockError } from '../errors.js';
import {
  CLUSTER_BITS,
  COMPRESSION,
  ENTRY,
  EXTENSION,
  HEADER,
  INCOMPATIBLE,
  INCOMPATIBLE_NAMES,
  MAGIC,
  MOST,
  V2_LENGTH,
  V3_LENGTH,
} from './spec.js';

/** What the header says, checked. Offsets and lengths in bytes. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  /** Bytes per cluster. */
  readonly cluster: number;
  readonly clusterBits: number;
  /** Bytes of the disk. */
  readonly size: number;
  readonly l1Offset: number;
  readonly l1Entries: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  /** Refcounts have 2 to the power of this many bits. */
  readonly refcountOrder: number;
  readonly snapshots: number;
  readonly snapshotsOffset: number;
  readonly backing: string | undefined;
  readonly backingFormat: string | undefined;
  readonly dirty: boolean;
  readonly corrupt: boolean;
  /** Any of the features that a writer who does not keep them up clears. */
  readonly autoclear: boolean;
  readonly lowIncompatible: number;
}

/** Reads and checks the header. @throws {BlockError} `format`, `corrupt` or `unsupported`, naming the field. */
export async function readHeader(file: ByteFile): Promise<Qcow2Header> {
  const fixed = new DataView(new ArrayBuffer(512));
  await file.read(0, new Uint8Array(fixed.buffer));
  const fail = (message: string): BlockError => new BlockError('format', `${file.name}: qcow2 header: ${message}`);
  if (fixed.getUint32(0) !== MAGIC) throw new BlockError('format', `${file.name}: is not a qcow2 image`);
  const version = fixed.getUint32(HEADER.VERSION);
  if (version !== 2 && version !== 3)
    throw new BlockError('unsupported', `${file.name}: qcow2 version ${version} is not available`);
  const clusterBits = fixed.getUint32(HEADER.CLUSTER_BITS);
  if (clusterBits < CLUSTER_BITS.LEAST || clusterBits > CLUSTER_BITS.MOST)
    throw fail(`cluster_bits ${clusterBits} is not ${CLUSTER_BITS.LEAST} to ${CLUSTER_BITS.MOST}`);
  const cluster = 2 ** clusterBits;
  const length = version === 2 ? V2_LENGTH : fixed.getUint32(HEADER.LENGTH);
  if (version === 3 && (length < V3_LENGTH || length > cluster))
    throw fail(`header_length ${length} is not ${V3_LENGTH} to ${cluster}`);

  const first = new Uint8Array(cluster);
  await file.read(0, first);
  const view = new DataView(first.buffer);
  const offset = (at: number, name: string): number => {
    const value = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
    if (!Number.isSafeInteger(value)) throw fail(`${name} is too large`);
    return value;
  };
  const aligned = (at: number, name: string): number => {
    const value = offset(at, name);
    if (value % cluster !== 0) throw fail(`${name} 0x${value.toString(16)} is not at a cluster`);
    return value;
  };
  const encryption = view.getUint32(HEADER.ENCRYPTION);
  if (encryption !== 0) throw new BlockError('unsupported', `${file.name}: qcow2 encryption ${encryption} is not available`);
  const lowIncompatible = version === 2 ? 0 : view.getUint32(HEADER.INCOMPATIBLE + 4);
  const backingOffset = offset(HEADER.BACKING_OFFSET, 'backing_file_offset');
  const extensions = readExtensions(first, length, backingOffset === 0 ? cluster : backingOffset, fail);
  if (version === 3) checkFeatures(file, view, length, lowIncompatible, extensions.names);

  const size = offset(HEADER.SIZE, 'size');
  const l1Entries = view.getUint32(HEADER.L1_ENTRIES);
  const perTable = cluster * (cluster / 8);
  if (l1Entries * 8 > MOST.L1_BYTES) throw fail(`l1_size ${l1Entries} is too large`);
  if (l1Entries < Math.ceil(size / perTable)) throw fail(`l1_size ${l1Entries} is too small for ${size} bytes`);
  const refcountTableClusters = view.getUint32(HEADER.REFCOUNT_TABLE_CLUSTERS);
  if (refcountTableClusters * cluster > MOST.REFCOUNT_TABLE_BYTES)
    throw fail(`refcount_table_clusters ${refcountTableClusters} is too large`);
  const refcountOrder = version === 2 ? 4 : view.getUint32(HEADER.REFCOUNT_ORDER);
  if (refcountOrder > 6) throw fail(`refcount_order ${refcountOrder} is more than 6`);
  const snapshots = view.getUint32(HEADER.SNAPSHOTS);
  if (snapshots > MOST.SNAPSHOTS) throw fail(`nb_snapshots ${snapshots} is too large`);
  return {
    version,
    cluster,
    clusterBits,
    size,
    l1Offset: aligned(HEADER.L1_OFFSET, 'l1_table_offset'),
    l1Entries,
    refcountTableOffset: aligned(HEADER.REFCOUNT_TABLE_OFFSET, 'refcount_table_offset'),
    refcountTableClusters,
    refcountOrder,
    snapshots,
    snapshotsOffset: aligned(HEADER.SNAPSHOTS_OFFSET, 'snapshots_offset'),
    backing: backingName(first, view, backingOffset, fail),
    backingFormat: extensions.backingFormat,
    dirty: (lowIncompatible & (1 << INCOMPATIBLE.DIRTY)) !== 0,
    corrupt: (lowIncompatible & (1 << INCOMPATIBLE.CORRUPT)) !== 0,
    autoclear: version === 3 && (view.getUint32(HEADER.AUTOCLEAR) !== 0 || view.getUint32(HEADER.AUTOCLEAR + 4) !== 0),
    lowIncompatible,
  };
}

function checkFeatures(file: ByteFile, view: DataView, length: number, low: number, names: ReadonlyMap<number, string>): void {
  const high = view.getUint32(HEADER.INCOMPATIBLE);
  const known = (1 << INCOMPATIBLE.DIRTY) | (1 << INCOMPATIBLE.CORRUPT) | (1 << INCOMPATIBLE.COMPRESSION);
  for (let bit = 0; bit < 64; bit++) {
    const word = bit < 32 ? low : high;
    if ((word & (1 << (bit & 31))) === 0 || (bit < 32 && (known & (1 << bit)) !== 0)) continue;
    const name = INCOMPATIBLE_NAMES[bit] ?? names.get(bit) ?? `bit ${bit}`;
    throw new BlockError('unsupported', `${file.name}: qcow2 feature '${name}' is not available`);
  }
  const compression =
    (low & (1 << INCOMPATIBLE.COMPRESSION)) !== 0 && length > HEADER.COMPRESSION ? view.getUint8(HEADER.COMPRESSION) : 0;
  if (compression === COMPRESSION.ZLIB) return;
  const name = compression === COMPRESSION.ZSTD ? 'zstd' : String(compression);
  throw new BlockError('unsupported', `${file.name}: qcow2 compression type '${name}' is not available`);
}

function backingName(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  fail: (message: string) => BlockError,
): string | undefined {
  if (offset === 0) return undefined;
  const length = view.getUint32(HEADER.BACKING_LENGTH);
  if (length === 0 || length > MOST.BACKING_NAME || offset + length > bytes.length)
    throw fail(`backing file name of ${length} bytes at ${offset} is not in the first cluster`);
  return text(bytes.subarray(offset, offset + length));
}

interface Extensions {
  backingFormat: string | undefined;
  /** Names of incompatible features by bit. */
  readonly names: Map<number, string>;
}

/** [qcow2] Header extensions: u32 type, u32 length, data padded to 8 bytes. */
function readExtensions(bytes: Uint8Array, from: number, to: number, fail: (message: string) => BlockError): Extensions {
  const view = new DataView(bytes.buffer);
  const end = Math.min(to, bytes.length);
  const found: Extensions = { backingFormat: undefined, names: new Map() };
  for (let at = from; at + 8 <= end; ) {
    const [type, length] = [view.getUint32(at), view.getUint32(at + 4)];
    if (type === EXTENSION.END) break;
    at += 8;
    if (length > end - at) throw fail(`extension 0x${type.toString(16)} of ${length} bytes leaves the header`);
    const data = bytes.subarray(at, at + length);
    if (type === EXTENSION.BACKING_FORMAT) found.backingFormat = text(data);
    else if (type === EXTENSION.FEATURE_NAMES)
      for (let i = 0; i + 48 <= length; i += 48)
        if (data[i] === 0) found.names.set(data[i + 1]!, text(data.subarray(i + 2, i + 48)));
    at += Math.ceil(length / 8) * 8;
  }
  return found;
}

/** UTF-8 without a NUL at the end; control characters would break a line of a message. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  let result = '';
  for (const byte of end < 0 ? bytes : bytes.subarray(0, end)) result += `%${byte.toString(16).padStart(2, '0')}`;
  try {
    result = decodeURIComponent(result);
  } catch {
    result = String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return result.replace(/[\u0000-\u001f]/g, '?');
}

/** The host offset of a table entry. */
export function entryOffset(high: number, low: number): number {
  return (high & ENTRY.OFFSET_HIGH) * 2 ** 32 + ((low & ENTRY.OFFSET_LOW) >>> 0);
}
