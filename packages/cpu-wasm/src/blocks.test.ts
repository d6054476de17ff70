/**
 * Whole blocks are rearranged (flags dropped, comparisons joined with jumps); one instruction alone never is. Random programs must end in the same
 * state both ways.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import * as layout from './layout.js';
import { cpuWasmUrl } from './wasm-url.js';

const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));
const CODE = 0x1000;
const DATA = 0x8000;
const HLT = 0xf4;

/** Reproducible random numbers: a 32-bit xorshift. */
function generator(seed: number): (below: number) => number {
  let state = seed * 2654435761 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

type Random = (below: number) => number;

/** Registers but SP, which stays a stack; in 64-bit code with REX.W half of the time. */
function instruction(random: Random, wide: boolean): number[] {
  const register = () => [0, 1, 2, 3, 5, 6, 7][random(7)]!;
  const prefix = wide && random(2) ? [0x48] : random(8) === 0 ? [0x66] : [];
  const word = prefix[0] === 0x66;
  const pair = () => 0xc0 | (register() << 3) | register();
  const immediate = () => {
    const value = [0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, random(0xffffffff)][random(9)]!;
    return [value & 0xff, (value >>> 8) & 0xff, ...(word ? [] : [(value >>> 16) & 0xff, value >>> 24])];
  };
  switch (random(15)) {
    case 0:
    case 1:
    case 2:
      return [...prefix, random(8) * 8 + 1, pair()];
    case 3:
    case 4:
      return [...prefix, 0x81, 0xc0 | (random(8) << 3) | register(), ...immediate()];
    case 5:
      return [...prefix, 0x85, pair()];
    case 6:
      return [...prefix, 0xff, 0xc0 | (random(2) << 3) | register()];
    case 7:
    case 8:
      return [...prefix, 0xc1, 0xc0 | ([4, 5, 7, 0, 2][random(5)]! << 3) | register(), random(70)];
    case 9:
      return [...prefix, 0x89, pair()];
    case 10:
      return [...prefix, 0x8d, 0x40 | (register() << 3) | register(), random(256)];
    case 11:
      return [0x0f, 0x90 + random(16), 0xc0 | random(4)]; // SETcc
    case 12:
      return [...prefix, 0x0f, 0x40 + random(16), pair()]; // CMOVcc
    case 13:
      return random(3) ? [0x9c, 0x58 + register()] : [0xf5]; // PUSHF, POP; CMC
    default:
      return [...prefix, random(2) ? 0x8b : 0x01, 0x04 | (register() << 3), 0x25, DATA & 0xff, DATA >> 8, 0, 0]; // memory at DATA
  }
}

/** About 40 instructions with conditional jumps over one of them, and HLT. */
function program(random: Random, wide: boolean): number[] {
  const code: number[] = [];
  for (let i = 0; i < 40; i++) {
    const next = instruction(random, wide);
    if (random(4) === 0) code.push(0x70 + random(16), next.length);
    code.push(...next);
  }
  return [...code, HLT];
}

function machine(wide: boolean): { cpu: Cpu; start(code: readonly number[], seed: number): void } {
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
    cpuid: [{ leaf: 1, subleaf: undefined, eax: 0, ebx: 0, ecx: 0, edx: 0xffffffff }],
  });
  const ram = cpu.allocate('ram', 0x100000);
  cpu.setMemoryMap([{ base: 0, length: 0x100000, kind: 'ram', block: ram, offset: 0 }]);
  // 64 bits: one page table, 2 MiB one to one
  const entries = new DataView(new ArrayBuffer(0x3000));
  entries.setUint32(0, 0x11007, true);
  entries.setUint32(0x1000, 0x12007, true);
  entries.setUint32(0x2000, 0x87, true);
  ram.write(0x10000, new Uint8Array(entries.buffer));
  return {
    cpu,
    start(code, seed) {
      const random = generator(seed);
      cpu.reset();
      const { view } = cpu;
      view.setBigUint64(layout.CR0, wide ? 0x80000011n : 0x11n, true);
      if (wide) {
        view.setBigUint64(layout.CR3, 0x10000n, true);
        view.setBigUint64(layout.CR4, 0x20n, true);
        view.setBigUint64(layout.EFER, 0x500n, true);
      }
      for (let i = 0; i < 6; i++) {
        const at = layout.SEGMENTS + i * layout.SEGMENT_STRIDE;
        view.setBigUint64(at + layout.SEG_BASE, 0n, true);
        view.setUint32(at + layout.SEG_LIMIT, 0xffffffff, true);
        view.setUint32(at + layout.SEG_FLAGS, i === layout.CS ? (wide ? 0xaf9b00 : 0xcf9b00) : 0xcf9300, true);
      }
      for (let i = 0; i < 16; i++) {
        const low = [0, 1, 0x80, 0x7fffffff, 0x80000000, 0xffffffff, random(0xffffffff)][random(7)]!;
        const high = wide ? [0, 0x7fffffff, 0x80000000, 0xffffffff, random(0xffffffff)][random(5)]! : 0;
        view.setBigUint64(layout.GPR + i * layout.GPR_STRIDE, (BigInt(high) << 32n) | BigInt(low), true);
      }
      view.setBigUint64(layout.GPR + 4 * layout.GPR_STRIDE, 0x9000n, true);
      view.setBigUint64(layout.RIP, BigInt(CODE), true);
      cpu.setFlags(2 | (random(2) ? 0x8d5 : 0));
      cpu.refresh();
      ram.write(CODE, Uint8Array.from(code));
      ram.write(DATA, Uint8Array.of(1, 2, 3, 0x80, 5, 6, 7, 0x88));
    },
  };
}

/** Registers, flags, memory and the number of instructions. */
function outcome(cpu: Cpu, count: number): string {
  const { view } = cpu;
  const registers = Array.from({ length: 16 }, (_, i) =>
    view.getBigUint64(layout.GPR + i * layout.GPR_STRIDE, true).toString(16),
  );
  const data = Buffer.from(cpu.readLinear(BigInt(DATA), 8)).toString('hex');
  return `${registers.join(' ')} ip ${cpu.rip.toString(16)} fl ${cpu.getFlags().toString(16)} ${data} after ${cpu.instructions - count}`;
}

describe.each([
  { bits: 32, wide: false },
  { bits: 64, wide: true },
])('$bits-bit programs', ({ wide }) => {
  const { cpu, start } = machine(wide);

  it('end in the same state as blocks and instruction by instruction', () => {
    for (let seed = 1; seed <= 1500; seed++) {
      const code = program(generator(seed), wide);
      start(code, seed);
      let count = cpu.instructions;
      expect(cpu.run(count + 1000)).toBe('halted');
      const whole = outcome(cpu, count);
      start(code, seed);
      count = cpu.instructions;
      while (cpu.run(cpu.instructions + 1) !== 'halted') expect(cpu.instructions - count).toBeLessThan(100);
      if (outcome(cpu, count) !== whole) expect(`seed ${seed}: ${outcome(cpu, count)}`).toBe(`seed ${seed}: ${whole}`);
    }
  });
});
