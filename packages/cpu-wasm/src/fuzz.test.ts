import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as layout from './layout.js';
import { createVectorCpu } from './vector-cpu.js';
import { cpuWasmUrl } from './wasm-url.js';

const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));
const PROGRAMS = 400;
/** Prefixes and escapes, so that the rarer maps are met often. */
const COMMON = [0x0f, 0x66, 0xf2, 0xf3, 0xc4, 0xc5, 0xd8, 0xd9, 0xdb, 0xdd, 0xdf, 0x48, 0x67, 0xf0];

/** The ways to be: real mode; flat 32 bits; 64 bits with 2 MiB mapped. */
const MODES = [
  { cr0: 0x10n, cr4: 0x40600n, efer: 0n, limit: 0xffff, code: 0x9b00, data: 0x9300 },
  { cr0: 0x11n, cr4: 0x40600n, efer: 0n, limit: 0xffffffff, code: 0xcf9b00, data: 0xcf9300 },
  { cr0: 0x80000011n, cr4: 0x40620n, efer: 0xd01n, limit: 0xffffffff, code: 0xaf9b00, data: 0xcf9300 },
];

it(`${PROGRAMS} programs of random bytes neither throw nor hang, and keep the limit exactly`, () => {
  const cpu = createVectorCpu(module);
  const ram = cpu.allocate('ram', 0x100000);
  cpu.setMemoryMap([{ base: 0, length: 0x100000, kind: 'ram', block: ram, offset: 0 }]);
  let state = 12345;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const bytes = new Uint8Array(0xf000);
  let limits = 0;
  for (let program = 0; program < PROGRAMS; program++) {
    const mode = MODES[program % MODES.length]!;
    for (let i = 0; i < bytes.length; i++) bytes[i] = random();
    for (let i = 0; i < 2000; i++) bytes[random() % bytes.length] = COMMON[random() % COMMON.length]!;
    cpu.reset();
    ram.write(0x1000, bytes);
    // page tables behind the code: one entry each, one to one
    ram.write(0x80000, Uint8Array.of(0x07, 0x10, 0x08));
    ram.write(0x81000, Uint8Array.of(0x07, 0x20, 0x08));
    ram.write(0x82000, Uint8Array.of(0x87, 0, 0));
    const { view } = cpu;
    view.setBigUint64(layout.CR0, mode.cr0, true);
    view.setBigUint64(layout.CR3, 0x80000n, true);
    view.setBigUint64(layout.CR4, mode.cr4, true);
    view.setBigUint64(layout.EFER, mode.efer, true);
    for (let i = 0; i < 6; i++) {
      const at = layout.SEGMENTS + i * layout.SEGMENT_STRIDE;
      view.setBigUint64(at + layout.SEG_BASE, 0n, true);
      view.setUint32(at + layout.SEG_LIMIT, mode.limit, true);
      view.setUint32(at + layout.SEG_FLAGS, i === layout.CS ? mode.code : mode.data, true);
    }
    for (let i = 0; i < 16; i++)
      view.setBigUint64(layout.GPR + i * layout.GPR_STRIDE, BigInt(i === 4 ? 0x7000 : random() & 0x1ffff), true);
    view.setBigUint64(layout.RIP, BigInt(0x2000 + (random() & 0xfff)), true);
    cpu.refresh();
    const limit = cpu.instructions + 3000;
    const exit = cpu.run(limit);
    expect(['limit', 'halted', 'shutdown']).toContain(exit);
    if (exit === 'limit') {
      limits++;
      expect(cpu.instructions).toBe(limit);
    } else expect(cpu.instructions).toBeLessThanOrEqual(limit);
  }
  expect(limits).toBeGreaterThan(PROGRAMS / 10);
});
