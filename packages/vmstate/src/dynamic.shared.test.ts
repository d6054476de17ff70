/**
 * Every stream recorded from real QEMU, decoded through its own description JSON and written again.
 * Needs the recordings: PAGURUS_SHARED names the folder that has `qemu/streams`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, describe as group, it } from 'vitest';
import {
  abbreviate,
  decodeWithVmdesc,
  describe,
  descriptionFromVmdesc,
  encodeTree,
  fromJson,
  load,
  type PlainValue,
  save,
  toJson,
  type Vmdesc,
} from './index.js';

const shared = process.env.PAGURUS_SHARED;
const streams = shared === undefined ? undefined : join(shared, 'qemu/streams');

type SidecarSection = [type: string, name: string, instance: number, version: number, length: number];
interface Sidecar {
  sections: SidecarSection[];
  section_footers?: boolean;
}
interface Recorded {
  section: string;
  instance: number;
  length: number;
  values: PlainValue;
}

/** Numbers beyond 2^53 stand as bare digits in the recordings. */
function parseExact(text: string): unknown {
  const marked = text.replace(/(?<=[[:,]\s*)-?\d{16,}(?=\s*[,\]}])/g, (digits) => `"#${digits}"`);
  return JSON.parse(marked, (_key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith('#')) return value;
    const exact = BigInt(value.slice(1));
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  });
}

/** Offsets of the data of all FULL sections: the first place where each header stands behind the one before. */
function locate(bytes: Buffer, sidecar: Sidecar): Map<SidecarSection, number> {
  const full = sidecar.sections.filter(([type]) => type === 'FULL');
  const headers = full.map(([, name, instance, version]) => {
    const tail = Buffer.alloc(name.length + 9);
    tail.writeUInt8(name.length);
    tail.write(name, 1, 'latin1');
    tail.writeUInt32BE(instance, name.length + 1);
    tail.writeUInt32BE(version, name.length + 5);
    return tail;
  });
  const chain = (first: number): Map<SidecarSection, number> | undefined => {
    const found = new Map<SidecarSection, number>();
    let at = first;
    for (const [index, section] of full.entries()) {
      const header = headers[index]!;
      if (bytes[at] !== 4 || header.compare(bytes, at + 5, at + 5 + header.length) !== 0) return undefined;
      at += 5 + header.length;
      found.set(section, at);
      at += section[4];
      if (bytes[at] === 0x7e) at += 5;
    }
    return found;
  };
  for (let at = bytes.indexOf(headers[0]!); at >= 0; at = bytes.indexOf(headers[0]!, at + 1)) {
    const found = chain(at - 5);
    if (found) return found;
  }
  throw new Error('the sections of the sidecar are not in the stream');
}

interface Stream {
  name: string;
  bytes: () => Buffer;
  vmdesc: () => string;
  decoded: (() => string) | undefined;
  sidecar: () => string;
}

const unpacked: string[] = [];
afterAll(() => {
  for (const folder of unpacked) rmSync(folder, { recursive: true });
});

function* listStreams(root: string): Generator<Stream> {
  for (const version of readdirSync(root).filter((name) => /^\d/.test(name))) {
    const folder = join(root, version);
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.vmdesc.json.gz'))) {
      const base = join(folder, file.slice(0, -'.vmdesc.json.gz'.length));
      if (!existsSync(`${base}.bin.gz`)) continue;
      const gz = (suffix: string) => () => gunzipSync(readFileSync(base + suffix));
      yield {
        name: `${version}/${file.slice(0, -'.vmdesc.json.gz'.length)}`,
        bytes: gz('.bin.gz'),
        vmdesc: () => gz('.vmdesc.json.gz')().toString(),
        decoded: existsSync(`${base}.decoded.json.gz`) ? () => gz('.decoded.json.gz')().toString() : undefined,
        sidecar: () => readFileSync(`${base}.json`, 'utf8'),
      };
    }
  }
  const archives = execFileSync('find', [root, '-name', '*.tar.xz'], { encoding: 'utf8' }).trim().split('\n');
  for (const archive of archives) {
    const folder = mkdtempSync(join(tmpdir(), 'pagurus-streams-'));
    unpacked.push(folder);
    execFileSync('tar', ['-xJf', archive, '-C', folder]);
    const home = join(archive, '..');
    for (const file of execFileSync('find', [folder, '-name', '*.vmdesc.json'], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean)) {
      const base = file.slice(0, -'.vmdesc.json'.length);
      const name = base.slice(folder.length + 1);
      yield {
        name: `${archive.slice(root.length + 1)}: ${name}`,
        bytes: () => readFileSync(`${base}.bin`),
        vmdesc: () => readFileSync(`${base}.vmdesc.json`, 'utf8'),
        decoded: existsSync(`${base}.decoded.json`) ? () => readFileSync(`${base}.decoded.json`, 'utf8') : undefined,
        sidecar: () => readFileSync(join(home, `${name}.json`), 'utf8'),
      };
    }
  }
}

group.skipIf(streams === undefined)('recorded streams (PAGURUS_SHARED)', () => {
  it('decodes every section as recorded and writes it again byte for byte', { timeout: 600_000 }, () => {
    let visited = 0;
    let sections = 0;
    let compared = 0;
    let redescribed = 0;
    for (const stream of listStreams(streams!)) {
      const sidecar = JSON.parse(stream.sidecar()) as Sidecar;
      const vmdesc = JSON.parse(stream.vmdesc()) as Vmdesc;
      const recorded = stream.decoded && (parseExact(stream.decoded()) as Recorded[]);
      const bytes = stream.bytes();
      visited++;
      for (const [section, offset] of locate(bytes, sidecar)) {
        const [, name, instance, , length] = section;
        const label = `${stream.name} ${name}#${instance}`;
        const device = vmdesc.devices.find((entry) => entry.name === name && entry.instance_id === instance);
        expect(device, label).toBeDefined();
        const result = decodeWithVmdesc(device!, bytes, offset);
        expect(result.end - offset, label).toBe(length);
        expect(bytes.subarray(offset, result.end).equals(encodeTree(result.node)), label).toBe(true);
        expect(
          result.fields.reduce((sum, field) => sum + field.size, 0),
          label,
        ).toBeLessThanOrEqual(length);
        const known = recorded?.find((entry) => entry.section === name && entry.instance === instance);
        if (known) {
          expect(abbreviate(result.values), label).toEqual(known.values);
          compared++;
        } else expect(recorded, label).toBeUndefined();
        sections++;
        if ('vmsd_name' in device!) {
          const { description, create } = descriptionFromVmdesc(device);
          const state = create();
          expect(load(description, state, bytes, section[3], { offset }), label).toBe(result.end);
          expect(Buffer.compare(save(description, state), bytes.subarray(offset, result.end)), label).toBe(0);
          const other = create();
          fromJson(description, other, JSON.stringify(toJson(description, state)));
          expect(Buffer.compare(save(description, other), bytes.subarray(offset, result.end)), label).toBe(0);
          if (/^(7|linux-.*: 7)\.2\//.test(stream.name)) {
            const { name: _name, instance_id: _instance, ...members } = device!;
            // Drives with and without `identify_data` are no array for us.
            if (members.vmsd_name !== 'ide')
              expect(JSON.stringify(describe(description, state)), label).toBe(JSON.stringify(members));
            redescribed++;
          }
        }
      }
    }
    const index = JSON.parse(readFileSync(join(streams!, 'index.json'), 'utf8')) as { sidecar: string }[];
    const described = index.filter(
      ({ sidecar }) => 'vmdesc' in (JSON.parse(readFileSync(join(streams!, sidecar), 'utf8')) as object),
    );
    expect(visited).toBe(described.length);
    expect(sections).toBeGreaterThan(20 * visited);
    console.log(`${visited} streams, ${sections} sections, ${compared} with recorded values, ${redescribed} described again`);
  });
});
