import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { load, save } from '@pagurus/vmstate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { cpuidTable } from './cpuid.js';
import { parseCpu } from './models.js';
import { registerLines } from './registers.js';
import { CpuCommonState, CpuState, cpuCommonDescription, cpuDescription, type Target } from './state.js';
import { syncFromCpu, syncToCpu } from './state-sync.js';
import { cpuWasmUrl } from './wasm-url.js';

/* The CPU sections of every recorded stream of QEMU: re-encoded, and through the CPU and back, byte for byte. Needs the recordings. */

interface Entry {
  readonly sidecar: string;
  readonly program: string;
  readonly file?: string;
  readonly archive?: string;
  readonly member?: string;
}
interface Sidecar {
  readonly sections: readonly (readonly [kind: string, name: string, instance: number, version: number, length: number])[];
  readonly source_hmp_after_stop?: Record<string, string[]>;
}

/** QEMU's processor has yet to ask its local APIC: carried on by the machine. */
const APIC_POLL = 0x10;
const shared = process.env.PAGURUS_SHARED;
const root = shared ? join(shared, 'qemu/streams') : '';
if (!shared) console.warn('skipped: CPU sections of all streams (PAGURUS_SHARED is not set)');
const entries = shared ? (JSON.parse(readFileSync(join(root, 'index.json'), 'utf8')) as Entry[]) : [];
const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));

describe.skipIf(!shared)('CPU sections of all streams', () => {
  const work = shared ? mkdtempSync(join(tmpdir(), 'streams-')) : '';
  const archiveOf = ({ sidecar, archive }: Entry) => archive && join(root, dirname(sidecar), archive);
  const folderOf = (archive: string) => join(work, archive.replaceAll('/', '-'));
  beforeAll(() => {
    for (const archive of new Set(entries.flatMap((entry) => archiveOf(entry) ?? []))) {
      mkdirSync(folderOf(archive));
      execFileSync('tar', ['-xJf', archive, '-C', folderOf(archive)]);
    }
  }, 600_000);
  afterAll(() => {
    if (work) rmSync(work, { recursive: true });
  });

  function stream(entry: Entry): Uint8Array | undefined {
    if (entry.file) return gunzipSync(readFileSync(join(root, dirname(entry.sidecar), entry.file)));
    const archive = archiveOf(entry);
    const path = archive && join(folderOf(archive), entry.member ?? '');
    return path && existsSync(path) ? readFileSync(path) : undefined;
  }

  it('re-encode, and go through the CPU and back, byte for byte', { timeout: 900_000 }, () => {
    let sections = 0;
    let registers = 0;
    const absent: string[] = [];
    for (const entry of entries) {
      const sidecar = JSON.parse(readFileSync(join(root, entry.sidecar), 'utf8')) as Sidecar;
      const found = (sidecar.sections ?? []).filter(
        ([kind, name]) => kind === 'FULL' && (name === 'cpu' || name === 'cpu_common'),
      );
      if (found.length === 0) continue;
      const bytes = stream(entry);
      if (!bytes) {
        absent.push(entry.sidecar);
        continue;
      }
      const target: Target = entry.program === 'qemu-system-x86_64' ? 'x86_64' : 'i386';
      const states = new Map<number, { state?: CpuState; common?: CpuCommonState }>();
      for (const [, name, instance, version, length] of found) {
        const header = Buffer.alloc(1 + name.length + 8);
        header.writeUInt8(name.length, 0);
        header.write(name, 1, 'latin1');
        header.writeUInt32BE(instance, 1 + name.length);
        header.writeUInt32BE(version, 5 + name.length);
        const start = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(header) + header.length;
        const section = bytes.subarray(start, start + length);
        const one = states.get(instance) ?? {};
        states.set(instance, one);
        if (name === 'cpu') {
          one.state = new CpuState(target);
          expect([entry.sidecar, load(cpuDescription(target), one.state, section, version)]).toEqual([entry.sidecar, length]);
          expect(Buffer.from(save(cpuDescription(target), one.state)).equals(section), `${entry.sidecar} cpu`).toBe(true);
        } else {
          one.common = new CpuCommonState();
          load(cpuCommonDescription, one.common, section, version);
          expect(Buffer.from(save(cpuCommonDescription, one.common)).equals(section), `${entry.sidecar} cpu_common`).toBe(true);
        }
        sections++;
      }
      for (const [instance, { state, common }] of states) {
        if (!state || !common) continue;
        const before = [save(cpuDescription(target), state), save(cpuCommonDescription, common)];
        if (instance === 0 && /cpustate-/.test(entry.sidecar) && sidecar.source_hmp_after_stop?.['info registers -a']) {
          expect(registerLines(state, common), entry.sidecar).toEqual(sidecar.source_hmp_after_stop['info registers -a']);
          registers++;
        }
        const cpu = Cpu.create({
          module,
          cpuid: cpuidTable(parseCpu('max', target)),
          bus: {
            portRead: () => 0,
            portWrite() {},
            mmioRead: () => 0,
            mmioWrite() {},
            acknowledgeInterrupt: () => 0,
            timestamp: () => 0n,
          },
        });
        syncToCpu(cpu, state, common);
        const backState = Object.assign(new CpuState(target), structuredClone({ ...state }));
        const poll = common.interruptRequest & APIC_POLL;
        syncFromCpu(cpu, backState, common);
        common.interruptRequest |= poll;
        expect(Buffer.from(save(cpuDescription(target), backState)).equals(before[0]!), `${entry.sidecar} through the CPU`).toBe(
          true,
        );
        expect(
          Buffer.from(save(cpuCommonDescription, common)).equals(before[1]!),
          `${entry.sidecar} common, through the CPU`,
        ).toBe(true);
      }
    }
    console.log(`${sections} sections of ${entries.length - absent.length} streams, ${registers} register dumps`);
    expect(absent).toEqual([]);
    expect(sections).toBeGreaterThan(300);
    expect(registers).toBeGreaterThan(20);
  });
});
