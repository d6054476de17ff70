/** Names and numbers of the qcow2 format (QEMU's docs/interop/qcow2). All integers are big-endian. */

export const MAGIC = 0x514649fb;

/** Offsets in the header. [qcow2] Header */
export const HEADER = {
  VERSION: 4,
  BACKING_OFFSET: 8,
  BACKING_LENGTH: 16,
  CLUSTER_BITS: 20,
  SIZE: 24,
  ENCRYPTION: 32,
  L1_ENTRIES: 36,
  L1_OFFSET: 40,
  REFCOUNT_TABLE_OFFSET: 48,
  REFCOUNT_TABLE_CLUSTERS: 56,
  SNAPSHOTS: 60,
  SNAPSHOTS_OFFSET: 64,
  /** Version 3 from here on. */
  INCOMPATIBLE: 72,
  COMPATIBLE: 80,
  AUTOCLEAR: 88,
  REFCOUNT_ORDER: 96,
  LENGTH: 100,
  COMPRESSION: 104,
} as const;

export const V2_LENGTH = 72;
export const V3_LENGTH = 104;
/** With the compression type, padded. */
export const NEW_LENGTH = 112;

/** Incompatible features: who does not know one must not open the image. */
export const INCOMPATIBLE = { DIRTY: 0, CORRUPT: 1, EXTERNAL_DATA: 2, COMPRESSION: 3, EXTENDED_L2: 4 } as const;
export const INCOMPATIBLE_NAMES = [
  'dirty bit',
  'corrupt bit',
  'external data file',
  'compression type',
  'extended L2 entries',
] as const;

export const COMPRESSION = { ZLIB: 0, ZSTD: 1 } as const;

/** Header extensions. */
export const EXTENSION = { END: 0, BACKING_FORMAT: 0xe279_2aca, FEATURE_NAMES: 0x6803_f857 } as const;

/** Flags of L1 and L2 entries in the upper 32 bits, and of L2 entries in the lower. [qcow2] Cluster mapping */
export const ENTRY = {
  /** Refcount is exactly one: may be written in place. */
  COPIED: 0x8000_0000,
  COMPRESSED: 0x4000_0000,
  OFFSET_HIGH: 0x00ff_ffff,
  OFFSET_LOW: 0xffff_fe00,
  /** Reads as zeros, version 3. */
  ZERO: 1,
} as const;

/** Bounds before anything is allocated. QEMU has the same. */
export const MOST = {
  L1_BYTES: 32 * 2 ** 20,
  REFCOUNT_TABLE_BYTES: 8 * 2 ** 20,
  SNAPSHOTS: 65536,
  SNAPSHOT_EXTRA: 1024,
  BACKING_NAME: 1023,
} as const;

export const CLUSTER_BITS = { LEAST: 9, MOST: 21 } as const;
