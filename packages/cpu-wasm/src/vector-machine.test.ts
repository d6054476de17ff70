import { existsSync, readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { describeFailure, excluded, VectorChecker } from './vector-check.js';
import { createVectorCpu } from './vector-cpu.js';
import { type VectorHost, VectorMachine } from './vector-machine.js';
import { NO_TRAP, type Vector, VectorFile, type VectorMode } from './vectors.js';

const wasm = new URL('../wasm/cpu.wasm', import.meta.url);
if (!existsSync(wasm)) throw new Error('wasm/cpu.wasm is missing: run "npm run build:wasm"');
const module = new WebAssembly.Module(readFileSync(wasm));

function open(name: string): VectorFile {
  return new VectorFile(
    new Uint8Array(brotliDecompressSync(readFileSync(new URL(`../fixtures/${name}.bin.br`, import.meta.url)))),
  );
}

/** Runs the vectors and returns the descriptions of those that differ, at most ten. */
function failures(file: VectorFile, host: VectorHost, wanted: (vector: Vector) => boolean): { ran: number; texts: string[] } {
  const machine = new VectorMachine(createVectorCpu(module), file, host);
  const checker = new VectorChecker(file, host);
  const texts: string[] = [];
  let ran = 0;
  for (const vector of file) {
    if (!wanted(vector) || excluded(vector, host)) continue;
    ran++;
    const differences = checker.compare(vector, machine.run(vector));
    if (differences.length > 0 && texts.length < 10) texts.push(describeFailure(vector, differences));
  }
  return { ran, texts };
}

const integers = open('vectors-int');
const reals = open('vectors-x87');
const vectors = open('vectors-simd');

/** Every vector under one kind of paging, and a part of them under the others: what differs there is not the instruction. */
const MAIN: readonly [VectorHost, VectorMode][] = [
  ['pae', 16],
  ['pae', 32],
  ['long', 64],
];
const OTHERS: readonly [VectorHost, VectorMode][] = [
  ['legacy', 16],
  ['legacy', 32],
  ['long', 16],
  ['long', 32],
];
const PART = 10;

describe('instructions as recorded on hardware', () => {
  describe.each([
    ['integer, segments and privilege', integers, 20_000],
    ['x87', reals, 10_000],
    ['MMX, SSE', vectors, 20_000],
  ] as const)('%s', (_, file, least) => {
    it.each(MAIN)('paging %s, %i-bit code', (host, mode) => {
      const { ran, texts } = failures(file, host, (vector) => vector.mode === mode);
      expect(ran).toBeGreaterThan(least);
      expect(texts.join('\n')).toBe('');
    });

    it.each(OTHERS)('a part of them, paging %s, %i-bit code', (host, mode) => {
      const { ran, texts } = failures(file, host, (vector) => vector.mode === mode && vector.index % PART === 0);
      expect(ran).toBeGreaterThan(least / PART);
      expect(texts.join('\n')).toBe('');
    });
  });
});

describe('the comparison', () => {
  it('notices every kind of difference', () => {
    const machine = new VectorMachine(createVectorCpu(module), integers);
    const checker = new VectorChecker(integers, 'legacy');
    const vector = [...integers].find(
      (candidate) => candidate.mode === 32 && candidate.form.name === 'add Eb,Gb' && candidate.outcome.trap === NO_TRAP,
    )!;
    const result = machine.run(vector);
    expect(checker.compare(vector, result)).toEqual([]);
    const { registers } = result;
    const general = registers.general.slice();
    general[3]! ^= 1n;
    const arena = result.arena.slice();
    arena[0x1234]! ^= 0xff;
    const fpu = registers.fpu.slice();
    fpu[10]! ^= 1;
    const xmm = registers.xmm.slice();
    xmm[16]! ^= 1;
    const what = (change: object) => checker.compare(vector, { ...result, ...change }).map((difference) => difference.what);
    expect(what({ trap: 6 })).toEqual(['trap']);
    expect(what({ advance: 1n })).toEqual(['ip']);
    expect(what({ arena })).toEqual(['memory 11234']);
    expect(what({ registers: { ...registers, general } })).toEqual(['ebx']);
    expect(what({ registers: { ...registers, flags: registers.flags ^ 1 } })).toEqual(['flags']);
    expect(what({ registers: { ...registers, fpu, xmm } })).toEqual(['physical st1', 'xmm1']);
    expect(what({ registers: { ...registers, fpuControl: 0, fpuStatus: 1, fpuTag: 2, mxcsr: 3 } })).toEqual([
      'fpu control',
      'fpu status',
      'fpu tag',
      'mxcsr',
    ]);
  });

  it('compares error code and address of faults, the fetch bit only where the tables know it', () => {
    const vector = [...integers].find(({ mode, outcome }) => mode === 32 && outcome.trap === 14 && outcome.errorCode & 0x10)!;
    for (const host of ['legacy', 'pae'] as const) {
      const result = new VectorMachine(createVectorCpu(module), integers, host).run(vector);
      const what = (change: object) =>
        new VectorChecker(integers, host).compare(vector, { ...result, ...change }).map((d) => d.what);
      expect(what({})).toEqual([]);
      expect(what({ errorCode: result.errorCode ^ 0x10 })).toEqual(host === 'legacy' ? [] : ['error code']);
      expect(what({ errorCode: result.errorCode ^ 4, address: 5n })).toEqual(['error code', 'cr2']);
    }
  });
});
