import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  ARENA,
  NO_TRAP,
  packVectors,
  STATED_FLAGS,
  selectVectors,
  startPointer,
  VectorFile,
  VectorFormatError,
} from './vectors.js';

const bytes = new Uint8Array(brotliDecompressSync(readFileSync(new URL('../fixtures/vectors-int.bin.br', import.meta.url))));
const file = new VectorFile(bytes);

describe('vector files', () => {
  it('has 1029 forms, 256 states and an arena of 64 KiB', () => {
    expect(file.forms).toHaveLength(1029);
    expect(file.states).toHaveLength(256);
    expect(file.arena).toHaveLength(ARENA.length);
    expect(file.forms[0]).toEqual({ index: 0, name: 'add Eb,Gb', group: 'int', approximate: false, undocumented: false });
  });

  it('reads every vector up to the last byte, in all modes', () => {
    const count = { 16: 0, 32: 0, 64: 0 };
    for (const vector of file) {
      count[vector.mode]++;
      expect(vector.code.length).toBeGreaterThan(0);
      expect(['int', 'seg', 'priv', 'bmi', 'ext']).toContain(vector.form.group);
      expect(vector.outcome.after.flags & ~STATED_FLAGS).toBe(0);
      if (vector.outcome.trap !== NO_TRAP && vector.outcome.trap !== 14) expect(vector.outcome.address).toBe(0n);
    }
    expect(count[16] + count[32] + count[64]).toBe(file.count);
    expect(Math.min(count[16], count[32], count[64])).toBeGreaterThan(3000);
  });

  it('knows what ADD does', () => {
    const register = ({ code, outcome }: { code: Uint8Array; outcome: { trap: number } }) =>
      code.length === 2 && code[0] === 0x00 && code[1]! >= 0xc0 && outcome.trap === NO_TRAP;
    let seen = 0;
    for (const vector of file) {
      if (vector.form.name !== 'add Eb,Gb' || vector.mode !== 32 || !register(vector)) continue;
      const [source, target] = [(vector.code[1]! >> 3) & 7, vector.code[1]! & 7];
      const byte = (general: BigUint64Array, n: number) => Number((general[n & 3]! >> (n < 4 ? 0n : 8n)) & 0xffn);
      const sum = byte(vector.before.general, source) + byte(vector.before.general, target);
      expect(byte(vector.outcome.after.general, target)).toBe(sum & 0xff);
      expect(vector.outcome.after.flags & 1).toBe(sum >> 8);
      expect(vector.outcome.advance).toBe(2n);
      expect(startPointer(vector)).toBe(BigInt(0x30000 + vector.codeOffset));
      seen++;
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('cuts registers to 32 bits outside 64-bit code', () => {
    for (const vector of file) {
      if (vector.mode === 64) continue;
      expect(vector.before.general.every((value, i) => (i < 8 ? value >> 32n === 0n : value === 0n))).toBe(true);
    }
  });

  it('packs a selection that reads back the same', () => {
    const chosen = selectVectors(file, 2, (vector) => vector.form.group === 'seg');
    const packed = new VectorFile(packVectors(file, chosen));
    expect(packed.count).toBe(chosen.length);
    expect([...packed].map((vector) => [vector.form.name, vector.mode, vector.outcome])).toEqual(
      chosen.map((vector) => [vector.form.name, vector.mode, vector.outcome]),
    );
    const perForm = new Map<string, number>();
    for (const vector of packed)
      perForm.set(`${vector.form.name}/${vector.mode}`, (perForm.get(`${vector.form.name}/${vector.mode}`) ?? 0) + 1);
    expect(Math.max(...perForm.values())).toBe(2);
  });

  it('refuses foreign, truncated and overlong files', () => {
    expect(() => new VectorFile(new Uint8Array(100))).toThrow(VectorFormatError);
    expect(() => [...new VectorFile(bytes.subarray(0, bytes.length - 1))]).toThrow(/ends at byte/);
    const longer = new Uint8Array(bytes.length + 3);
    longer.set(bytes);
    expect(() => [...new VectorFile(longer)]).toThrow('3 bytes behind the last vector');
  });
});
