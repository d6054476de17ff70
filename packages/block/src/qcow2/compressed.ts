import { inflateSync } from 'fflate';

/** Where a compressed cluster lies. [qcow2] Compressed clusters descriptor */
export interface CompressedPlace {
  readonly offset: number;
  /** Bytes up to the end of its last sector. */
  readonly length: number;
}

export function compressedPlace(high: number, low: number, clusterBits: number): CompressedPlace {
  const entry = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  const offsetBits = BigInt(62 - (clusterBits - 8));
  const offset = Number(entry & ((1n << offsetBits) - 1n));
  const sectors = Number((entry >> offsetBits) & ((1n << BigInt(clusterBits - 8)) - 1n)) + 1;
  return { offset, length: sectors * 512 - (offset & 511) };
}

/** Raw deflate data with anything behind it. @throws unless it has exactly `length` bytes. */
export function inflate(bytes: Uint8Array, length: number): Uint8Array {
  // With an output buffer given, the library stops at its end.
  const result = inflateSync(bytes, { out: new Uint8Array(length) });
  if (result.length !== length) throw new Error(`${result.length} bytes instead of ${length}`);
  return result;
}
