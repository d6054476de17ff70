import { existsSync, readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CR4 } from './flags.js';
import * as layout from './layout.js';
import { createVectorCpu } from './vector-cpu.js';
import { VectorMachine, type VectorResult } from './vector-machine.js';
import { ARENA, copyRegisters, NO_TRAP, type Vector, VectorFile, type VectorRegisters } from './vectors.js';

/*
 * Instructions that user-mode recordings do not reach because the recording system does not enable them or they would disturb it:
 * FSGSBASE, RDPID, XSAVE and its register; and what a debugger sees. Expected values are those of [SDM].
 */
const wasm = new URL('../wasm/cpu.wasm', import.meta.url);
if (!existsSync(wasm)) throw new Error('wasm/cpu.wasm is missing: run "npm run build:wasm"');
const module = new WebAssembly.Module(readFileSync(wasm));
const file = new VectorFile(
  new Uint8Array(brotliDecompressSync(readFileSync(new URL('../fixtures/vectors-int.bin.br', import.meta.url)))),
);
const template = [...file].find((vector) => vector.mode === 64 && vector.patches.length === 0)!;

interface Run extends VectorResult {
  readonly view: DataView;
}

/** Runs one 64-bit instruction at CPL 3 after `prepare`. RDI points at the arena's start. */
function run(
  code: number[],
  options: {
    cr4?: number;
    registers?: Record<number, bigint>;
    patch?: [number, Uint8Array];
    state?: (view: DataView) => void;
  } = {},
): Run {
  const machine = new VectorMachine(createVectorCpu(module), file, 'long', options.cr4 ?? 0);
  const before: VectorRegisters = copyRegisters(template.before);
  before.general[7] = BigInt(ARENA.base);
  for (const [index, value] of Object.entries(options.registers ?? {})) before.general[Number(index)] = value;
  const vector: Vector = {
    ...template,
    before,
    code: Uint8Array.from(code),
    codeOffset: 0x800,
    patches: options.patch ? [{ offset: options.patch[0], bytes: options.patch[1] }] : [],
  };
  const view = new DataView(machine.cpu.memory.buffer);
  options.state?.(view);
  const result = machine.run(vector);
  return { ...result, view: new DataView(machine.cpu.memory.buffer) };
}
const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3];
const baseAt = (index: number) => layout.SEGMENTS + index * layout.SEGMENT_STRIDE + layout.SEG_BASE;

describe('FSGSBASE', () => {
  const cr4 = CR4.FSGSBASE;
  it('writes and reads both bases in both widths', () => {
    const written = run([0xf3, 0x48, 0x0f, 0xae, 0xd0], { cr4, registers: { [RAX]: 0x7fff_1234_5678n } });
    expect(written.trap).toBe(NO_TRAP);
    expect(written.view.getBigUint64(baseAt(layout.FS), true)).toBe(0x7fff_1234_5678n);
    const narrow = run([0xf3, 0x0f, 0xae, 0xd8], { cr4, registers: { [RAX]: 0xffff_ffff_8765_4321n } });
    expect(narrow.view.getBigUint64(baseAt(layout.GS), true)).toBe(0x8765_4321n);
    // The vector machine empties FS and GS: what is read is 0.
    const read = run([0xf3, 0x48, 0x0f, 0xae, 0xc3], { cr4, registers: { [RBX]: 5n } });
    expect(read.registers.general[RBX]).toBe(0n);
  });

  it('refuses a base that is not canonical, and is not there without CR4.FSGSBASE', () => {
    expect(run([0xf3, 0x48, 0x0f, 0xae, 0xd0], { cr4, registers: { [RAX]: 1n << 47n } })).toMatchObject({
      trap: 13,
      errorCode: 0,
    });
    expect(run([0xf3, 0x48, 0x0f, 0xae, 0xd0]).trap).toBe(6);
  });
});

describe('RDPID', () => {
  it('reads TSC_AUX', () => {
    const { trap, registers } = run([0xf3, 0x0f, 0xc7, 0xfa], {
      state: (view) => view.setBigUint64(layout.TSC_AUX, 0x12345n, true),
    });
    expect([trap, registers.general[RDX]]).toEqual([NO_TRAP, 0x12345n]);
  });
});

describe('XSAVE', () => {
  const cr4 = CR4.OSXSAVE;
  const both = (view: DataView) => view.setBigUint64(layout.XCR0, 3n, true);
  const area = (xstate: bigint, change: (view: DataView) => void = () => {}): [number, Uint8Array] => {
    const bytes = new Uint8Array(576);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 0x27f, true);
    view.setUint16(2, 0x1800, true);
    view.setUint8(4, 0x81);
    view.setUint32(24, 0x1fa0, true);
    view.setBigUint64(32, 0x1122_3344_5566_7788n, true);
    view.setUint16(40, 0x4001, true);
    view.setBigUint64(160 + 16 * 9, 0x99n, true);
    view.setBigUint64(512, xstate, true);
    change(view);
    return [0, bytes];
  };

  it('XGETBV reads XCR0; XSETBV is the supervisor’s', () => {
    const read = run([0x0f, 0x01, 0xd0], { cr4, registers: { [RCX]: 0n }, state: both });
    expect([read.trap, read.registers.general[RAX], read.registers.general[RDX]]).toEqual([NO_TRAP, 3n, 0n]);
    expect(run([0x0f, 0x01, 0xd0], { cr4, registers: { [RCX]: 2n } }).trap).toBe(13);
    expect(run([0x0f, 0x01, 0xd1], { cr4, registers: { [RCX]: 0n, [RAX]: 3n, [RDX]: 0n } }).trap).toBe(13);
    expect(run([0x0f, 0x01, 0xd0], { registers: { [RCX]: 0n } }).trap).toBe(6);
  });

  it('saves what is asked for and enabled, and merges the header', () => {
    const saved = run([0x48, 0x0f, 0xae, 0x27], { cr4, registers: { [RAX]: 2n, [RDX]: 0n }, state: both, patch: area(5n) });
    expect(saved.trap).toBe(NO_TRAP);
    const view = new DataView(saved.arena.buffer, saved.arena.byteOffset);
    expect(view.getBigUint64(512, true)).toBe(7n);
    expect(view.getUint16(0, true)).toBe(0x27f); // x87 not asked for
    expect(view.getUint32(24, true)).toBe(template.before.mxcsr);
    expect(saved.arena.subarray(160, 160 + 256)).toEqual(template.before.xmm);
    // All ones ask for everything; only what XCR0 enables is done.
    const x87 = run([0x48, 0x0f, 0xae, 0x27], {
      cr4,
      registers: { [RAX]: 0xffffffffn, [RDX]: 0xffffffffn },
      patch: area(0n),
      state: (v) => v.setBigUint64(layout.XCR0, 1n, true),
    });
    const image = new DataView(x87.arena.buffer, x87.arena.byteOffset);
    expect(image.getBigUint64(512, true)).toBe(1n);
    expect(image.getUint16(0, true)).toBe(template.before.fpuControl);
    expect(image.getBigUint64(160 + 16 * 9, true)).toBe(0x99n);
  });

  it('restores what is there and initializes what is not', () => {
    const all = run([0x48, 0x0f, 0xae, 0x2f], { cr4, registers: { [RAX]: 3n, [RDX]: 0n }, state: both, patch: area(3n) });
    expect(all.trap).toBe(NO_TRAP);
    expect(all.registers).toMatchObject({ fpuControl: 0x27f, fpuStatus: 0x1800, fpuTag: 0x81, mxcsr: 0x1fa0 });
    expect(new DataView(all.registers.xmm.buffer).getBigUint64(16 * 9, true)).toBe(0x99n);
    expect(new DataView(all.registers.fpu.buffer).getBigUint64(30, true)).toBe(0x1122_3344_5566_7788n);
    const none = run([0x48, 0x0f, 0xae, 0x2f], { cr4, registers: { [RAX]: 3n, [RDX]: 0n }, state: both, patch: area(0n) });
    expect(none.registers).toMatchObject({ fpuControl: 0x37f, fpuStatus: 0, fpuTag: 0, mxcsr: 0x1fa0 });
    expect([...none.registers.xmm, ...none.registers.fpu].every((byte) => byte === 0)).toBe(true);
    const half = run([0x48, 0x0f, 0xae, 0x2f], { cr4, registers: { [RAX]: 1n, [RDX]: 0n }, state: both, patch: area(3n) });
    expect(half.registers.xmm).toEqual(template.before.xmm);
    expect(half.registers.mxcsr).toBe(template.before.mxcsr);
  });

  it('refuses a bad area', () => {
    const attempt = (patch: [number, Uint8Array], code = [0x48, 0x0f, 0xae, 0x2f]) =>
      run(code, { cr4, registers: { [RAX]: 3n, [RDX]: 0n }, state: both, patch }).trap;
    expect(attempt(area(4n))).toBe(13);
    expect(attempt(area(3n, (view) => view.setBigUint64(520, 1n << 63n, true)))).toBe(13);
    expect(attempt(area(3n, (view) => view.setUint32(24, 0x1_0000, true)))).toBe(13);
    expect(attempt(area(3n), [0x48, 0x0f, 0xae, 0x6f, 0x10])).toBe(13);
    expect(attempt(area(3n))).toBe(NO_TRAP);
  });
});

describe('features that are switched off', () => {
  it('make TZCNT and LZCNT what their prefix hides: BSF and BSR', () => {
    const off = (view: DataView) => {
      view.setUint32(layout.FEATURE_7_EBX, 0, true);
      view.setUint32(layout.FEATURE_80000001_ECX, 0, true);
    };
    const bits = { registers: { [RCX]: 0x00f0n, [RAX]: 0n } };
    expect(run([0xf3, 0x0f, 0xbd, 0xc1], bits).registers.general[RAX]).toBe(24n);
    expect(run([0xf3, 0x0f, 0xbd, 0xc1], { ...bits, state: off }).registers.general[RAX]).toBe(7n);
    expect(run([0xf3, 0x0f, 0xbc, 0xc1], { registers: { [RCX]: 0n, [RAX]: 77n } }).registers.general[RAX]).toBe(32n);
    expect(run([0xf3, 0x0f, 0xbc, 0xc1], { registers: { [RCX]: 0n, [RAX]: 77n }, state: off }).registers.general[RAX]).toBe(77n);
  });

  it('make their instructions invalid', () => {
    const off = { state: (view: DataView) => view.setUint32(layout.FEATURE_7_EBX, 0, true) };
    const andn = [0xc4, 0xe2, 0x70, 0xf2, 0xc2];
    expect(run(andn).trap).toBe(NO_TRAP);
    expect(run(andn, off).trap).toBe(6);
  });
});

describe('a debugger', () => {
  it("sees the user's pages whatever CR4.SMAP says, and changes nothing", () => {
    const cpu = createVectorCpu(module);
    const ram = cpu.allocate('ram', 0x100000);
    cpu.setMemoryMap([{ base: 0, length: 0x100000, kind: 'ram', block: ram, offset: 0 }]);
    const entries: [number, number][] = [
      [0x80000, 0x81007],
      [0x81000, 0x82007],
      [0x82000, 0x83007],
      [0x83008, 0x5007],
    ];
    for (const [at, value] of entries) ram.write(at, new Uint8Array(Uint32Array.of(value).buffer));
    ram.write(0x5010, Uint8Array.of(1, 2, 3));
    const { view } = cpu;
    view.setBigUint64(layout.CR0, 0x80000011n, true);
    view.setBigUint64(layout.CR2, 0x1234n, true);
    view.setBigUint64(layout.CR3, 0x80000n, true);
    view.setBigUint64(layout.CR4, BigInt(CR4.PAE | CR4.SMAP), true);
    view.setBigUint64(layout.EFER, 0xd01n, true);
    cpu.refresh();
    expect([...cpu.readLinear(0x1010n, 3)]).toEqual([1, 2, 3]);
    expect(cpu.readLinear(0x2000n, 3)).toHaveLength(0);
    expect(view.getBigUint64(layout.CR2, true)).toBe(0x1234n);
    for (const [at, value] of entries) {
      const entry = new Uint32Array(1);
      ram.read(at, new Uint8Array(entry.buffer));
      expect(entry[0]).toBe(value);
    }
  });
});
