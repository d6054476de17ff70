import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DecodedRow, list, memoryOf, parseExactly } from '../test/support.js';
import {
  applyRamRecord,
  bytesChannel,
  collectingChannel,
  convertFromJson,
  convertToJson,
  convertToQemu,
  inspectStream,
} from './index.js';

/*
 * Every stream that real QEMU 7.2 and 10.0 wrote, when PAGURUS_SHARED names the folder of recordings. Archives are unpacked once into
 * PAGURUS_STREAMS (default: `streams` in the folder for temporary files).
 */

const shared = process.env.PAGURUS_SHARED;
const unpacked = process.env.PAGURUS_STREAMS ?? join(tmpdir(), 'streams');
if (!shared) console.log('recorded streams: skipped, PAGURUS_SHARED is not set');

interface Sidecar {
  sections: unknown[][];
  sha256: string;
  ram_blocks_after_load?: { id: string; length: number; sha256: string }[];
  /** A file beside the sidecar, or a member of an archive. */
  decoded?: string | { archive: string; member: string };
}
interface Entry {
  sidecar: string;
  kind: string;
  file?: string;
  archive?: string;
  member?: string;
}

const root = shared ? join(shared, 'qemu/streams') : '';
const index: Entry[] = shared ? (JSON.parse(readFileSync(join(root, 'index.json'), 'utf8')) as Entry[]) : [];
const streams = index.filter((entry) => entry.kind !== 'corrupt' && entry.kind !== 'mismatch');

function archived(entry: Entry, archive: string, member: string): Uint8Array {
  const place = join(dirname(entry.sidecar), archive);
  const folder = join(unpacked, dirname(place), basename(archive, '.tar.xz'));
  const path = join(folder, member);
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    execFileSync('tar', ['-xJf', join(root, place), '-C', folder]);
  }
  return readFileSync(path);
}

function bytesOf(entry: Entry): Uint8Array {
  if (entry.file) return gunzipSync(readFileSync(join(root, dirname(entry.sidecar), entry.file)));
  return archived(entry, entry.archive!, entry.member!);
}

function decodedOf(entry: Entry, decoded: NonNullable<Sidecar['decoded']>): unknown {
  if (typeof decoded !== 'string') return parseExactly(Buffer.from(archived(entry, decoded.archive, decoded.member)).toString());
  return parseExactly(gunzipSync(readFileSync(join(root, dirname(entry.sidecar), decoded))).toString());
}

/** The recorded list has one entry for sections of the same name and instance. */
function withoutRepetitions(decoded: DecodedRow[]): DecodedRow[] {
  return decoded.filter(
    (one, at) => decoded.findIndex((other) => other.section === one.section && other.instance === one.instance) === at,
  );
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The sidecar's list with commands reduced to their names. */
function expectedRows(sections: unknown[][]): unknown[][] {
  return sections.map((row) => {
    if (row[0] !== 'COMMAND') return row;
    if (typeof row[1] === 'string') return ['COMMAND', /'cmd': '(\w+)'/.exec(row[1])![1]];
    const command = row[1] as { cmd: string; inner?: unknown[][] };
    return command.inner ? ['COMMAND', command.cmd, expectedRows(command.inner)] : ['COMMAND', command.cmd];
  });
}

describe.skipIf(!shared)('recorded streams', () => {
  it.each(streams.map((entry) => [entry.sidecar, entry] as const))('%s', async (_, entry) => {
    const bytes = bytesOf(entry);
    const sidecar = JSON.parse(readFileSync(join(root, entry.sidecar), 'utf8')) as Sidecar;
    expect(sha256(bytes)).toBe(sidecar.sha256);

    const { memory, onRecord } = memoryOf((record, to) => applyRamRecord(record, to, 0, (data) => inflateSync(data)));
    const { rows, decoded } = await list(bytesChannel(bytes), onRecord);
    expect(rows).toEqual(expectedRows(sidecar.sections));
    if (sidecar.decoded) expect(withoutRepetitions(decoded)).toEqual(decodedOf(entry, sidecar.decoded));
    const ram = [...memory.blocks].map(([id, block]) => ({ id, length: block.length, sha256: sha256(block) }));
    if (sidecar.ram_blocks_after_load) expect(ram).toEqual(sidecar.ram_blocks_after_load);

    expect((await inspectStream(bytesChannel(bytes))).problems).toEqual([]);

    const copy = collectingChannel();
    await convertToQemu(bytesChannel(bytes), copy);
    expect(Buffer.from(copy.bytes()).equals(bytes)).toBe(true);

    const json = collectingChannel();
    await convertToJson(bytesChannel(bytes), json);
    const again = collectingChannel();
    await convertFromJson(bytesChannel(json.bytes()), again);
    expect(Buffer.from(again.bytes()).equals(bytes)).toBe(true);
  });
});
