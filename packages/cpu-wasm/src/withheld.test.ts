import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { cpuidTable } from './cpuid.js';
import { parseCpu } from './models.js';
import { cpuWasmUrl } from './wasm-url.js';

/* Pages that have not arrived: every system program and guest runs as if nothing had happened, whichever pages are withheld, and whenever. */

const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));
const PAGE = 4096;
const RAM = 16 << 20;

interface Outcome {
  readonly log: string;
  readonly missing: number;
  readonly registers: Uint8Array;
}

/** Runs a firmware image to its end; `holdEvery` instructions all its RAM is withheld anew. */
function run(image: Uint8Array, cpuid: ReturnType<typeof cpuidTable>, holdEvery: number): Outcome {
  let log = '';
  let ended = false;
  const cpu = Cpu.create({
    module,
    cpuid,
    ramBytes: RAM + 0x200000,
    bus: {
      portRead: () => 0xffffffff,
      portWrite(port, value) {
        if (port === 0xe9) log += String.fromCharCode(value & 0xff);
        if (port === 0xf4) {
          ended = true;
          cpu.requestExit();
        }
      },
      mmioRead: () => 0xffffffff,
      mmioWrite() {},
      acknowledgeInterrupt: () => 0,
      timestamp: () => 0n,
    },
  });
  const ram = cpu.allocate('ram', RAM);
  const rom = cpu.allocate('rom', 0x10000);
  rom.write(0, image);
  cpu.setMemoryMap([
    { base: 0, length: 0xf0000, kind: 'ram', block: ram, offset: 0 },
    { base: 0xf0000, length: 0x10000, kind: 'rom', block: rom, offset: 0 },
    { base: 0x100000, length: RAM - 0x100000, kind: 'ram', block: ram, offset: 0x100000 },
    { base: 0xffff0000, length: 0x10000, kind: 'rom', block: rom, offset: 0 },
  ]);
  let missing = 0;
  const hold = () => {
    for (const block of [ram, rom]) block.withhold(0, block.length);
  };
  if (holdEvery) hold();
  let limit = holdEvery || 20_000_000;
  while (!ended && cpu.instructions < 20_000_000) {
    const exit = cpu.run(limit);
    if (exit === 'missing') {
      const { block, offset } = cpu.missing!;
      missing++;
      // what the page holds is still there: only its arrival is played
      block.supply(offset, block.page(offset).slice());
    } else if (exit === 'limit') {
      hold();
      limit = cpu.instructions + holdEvery;
    } else if (exit !== 'requested') break;
  }
  return { log, missing, registers: new Uint8Array(cpu.memory.buffer).slice(0x400, 0x480) };
}

const QEMU32 = cpuidTable(parseCpu('qemu32', 'i386'));
const MAX = cpuidTable(parseCpu('max', 'i386'));
const LONG = cpuidTable(parseCpu('max', 'x86_64'));

describe('withheld pages', () => {
  it.each([
    ['segments', QEMU32],
    ['tasks', QEMU32],
    ['vm86', QEMU32],
    ['paging', QEMU32],
    ['traps', QEMU32],
    ['watch', QEMU32],
    ['rights', MAX],
    ['long', LONG],
  ] as const)('do not show in the log of %s', (name, cpuid) => {
    const image = gunzipSync(readFileSync(new URL(`../fixtures/programs/${name}.bin.gz`, import.meta.url)));
    const plain = run(image, cpuid, 0);
    expect(plain.log.length).toBeGreaterThan(1000);
    const once = run(image, cpuid, 100_000_000);
    expect(once.missing).toBeGreaterThan(10);
    expect(once.log).toBe(plain.log);
    // withheld again every few instructions: in the middle of deliveries, task switches, string instructions
    const often = run(image, cpuid, 37);
    expect(often.missing).toBeGreaterThan(1000);
    expect(often.log).toBe(plain.log);
    expect(often.registers).toEqual(plain.registers);
  });

  it('names the page, has not begun the instruction, and tries again as often as asked', () => {
    const cpu = Cpu.create({
      module,
      bus: {
        portRead: () => 0,
        portWrite() {},
        mmioRead: () => 0,
        mmioWrite() {},
        acknowledgeInterrupt: () => 0,
        timestamp: () => 0n,
      },
    });
    const ram = cpu.allocate('ram', 1 << 20);
    cpu.setMemoryMap([
      { base: 0, length: 1 << 20, kind: 'ram', block: ram, offset: 0 },
      { base: 0xffff0000, length: 0x10000, kind: 'ram', block: ram, offset: 0xf0000 },
    ]);
    // mov ax, 0x1234; mov [0x2fff], ax (two pages); hlt
    ram.write(0xffff0, Uint8Array.of(0xb8, 0x34, 0x12, 0xa3, 0xff, 0x2f, 0xf4));
    ram.withhold(3 * PAGE, PAGE);
    const before = new Uint8Array(1);
    for (let i = 0; i < 2; i++) {
      expect(cpu.run(100)).toBe('missing');
      expect(cpu.missing).toEqual({ block: ram, offset: 3 * PAGE });
      expect(cpu.instructions).toBe(1);
      expect(cpu.rip).toBe(0xfff3n);
      ram.read(0x2fff, before);
      expect(before[0]).toBe(0);
    }
    const page = new Uint8Array(PAGE).fill(0xaa);
    ram.supply(3 * PAGE, page);
    expect(cpu.run(100)).toBe('halted');
    const bytes = new Uint8Array(3);
    ram.read(0x2fff, bytes);
    expect([...bytes]).toEqual([0x34, 0x12, 0xaa]);
    expect(() => ram.withhold(0, 2 << 20)).toThrow(RangeError);
    expect(() => ram.withhold(5, PAGE)).toThrow(RangeError);
  });
});
