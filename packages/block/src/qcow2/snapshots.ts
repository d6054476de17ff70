import type { ByteFile } from '../byte-file.js';
import { BlockError } from '../errors.js';
import type { ImageSnapshot } from '../image.js';
import type { Qcow2Header } from './header.js';
import { MOST } from './spec.js';

/** An entry of the snapshot table with the part of the file that its own L1 table takes. */
export interface Qcow2Snapshot extends ImageSnapshot {
  readonly l1Offset: number;
  readonly l1Entries: number;
}

const FIXED = 40;

/** Reads the snapshot table. [qcow2] Snapshots. @returns the entries and the bytes that the table takes. */
export async function readSnapshots(
  file: ByteFile,
  header: Qcow2Header,
): Promise<{ snapshots: Qcow2Snapshot[]; length: number }> {
  const snapshots: Qcow2Snapshot[] = [];
  let at = header.snapshotsOffset;
  for (let i = 0; i < header.snapshots; i++) {
    const fail = (message: string): BlockError => new BlockError('corrupt', `${file.name}: snapshot ${i}: ${message}`);
    if (at + FIXED > file.length) throw fail(`lies behind the end of the file`);
    const fixed = new DataView(new ArrayBuffer(FIXED));
    await file.read(at, new Uint8Array(fixed.buffer));
    const l1Offset = fixed.getUint32(0) * 2 ** 32 + fixed.getUint32(4);
    const l1Entries = fixed.getUint32(8);
    const [idLength, nameLength, extraLength] = [fixed.getUint16(12), fixed.getUint16(14), fixed.getUint32(36)];
    if (extraLength > MOST.SNAPSHOT_EXTRA) throw fail(`${extraLength} bytes of extra data are too many`);
    if (!Number.isSafeInteger(l1Offset) || l1Offset % header.cluster !== 0 || l1Entries * 8 > MOST.L1_BYTES)
      throw fail('its L1 table is out of bounds');
    const rest = new Uint8Array(extraLength + idLength + nameLength);
    await file.read(at + FIXED, rest);
    const extra = new DataView(rest.buffer, 0, extraLength);
    const large = extraLength >= 8 ? extra.getUint32(0) * 2 ** 32 + extra.getUint32(4) : 0;
    snapshots.push({
      id: latin1(rest.subarray(extraLength, extraLength + idLength)),
      name: latin1(rest.subarray(extraLength + idLength)),
      vmStateSize: large || fixed.getUint32(32),
      date: fixed.getUint32(16),
      vmClock: fixed.getBigUint64(24),
      l1Offset,
      l1Entries,
    });
    at += Math.ceil((FIXED + rest.length) / 8) * 8;
  }
  return { snapshots, length: at - header.snapshotsOffset };
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte < 0x20 ? '?' : String.fromCharCode(byte))).join('');
}
