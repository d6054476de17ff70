import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { classify, forms } from '../scripts/opcode-forms.mjs';
import { VectorFile } from './vectors.js';

const LEAST = 200;
const counts = new Map<string, Map<string, number>>();
for (const name of ['int', 'x87', 'simd']) {
  const packed = readFileSync(new URL(`../fixtures/vectors-${name}.bin.br`, import.meta.url));
  for (const { code, mode } of new VectorFile(new Uint8Array(brotliDecompressSync(packed)))) {
    const found = classify(code, mode);
    if (!found) continue;
    const cells = counts.get(found.form) ?? new Map<string, number>();
    counts.set(found.form, cells.set(found.cell, (cells.get(found.cell) ?? 0) + 1));
  }
}
const all = forms();

describe('recorded vectors', () => {
  it(`are at least ${LEAST} for each user-mode opcode form of the decode table`, () => {
    expect(all.size).toBeGreaterThan(900);
    const sum = (form: string) => [...(counts.get(form)?.values() ?? [])].reduce((a, b) => a + b, 0);
    expect([...all.keys()].filter((form) => sum(form) < LEAST)).toEqual([]);
  });

  it('cover each operand size of a form in each mode', () => {
    const empty = [...all].flatMap(([form, cells]) =>
      [...cells].filter((cell) => !counts.get(form)?.has(cell)).map((cell) => `${form} ${cell}`),
    );
    expect(empty).toEqual([]);
  });

  it.each([
    [[0x00, 0xc8], 32, '00 add Eb,Gb', '32/0'],
    [[0x66, 0x01, 0xc8], 32, '01 add Ev,Gv', '32/16'],
    [[0x48, 0x01, 0xc8], 64, '01 add Ev,Gv', '64/64'],
    [[0x55], 64, '50 push Zv', '64/64'],
    [[0x66, 0x0f, 0x58, 0xc1], 16, '66 0F 58 addpd Vx,Wx', '16/0'],
    [[0xf3, 0x66, 0x0f, 0xb8, 0xc1], 32, 'F3 0F B8 popcnt Gv,Ev', '32/16'],
    [[0xc4, 0xe2, 0xf8, 0xf2, 0xc1], 64, 'VEX 0F 38 F2 andn Gy,Ey', '64/64'],
    [[0xd9, 0xff], 16, 'D9 FF', '16/0'],
    [[0xdc, 0xc9], 16, 'DC/1r', '16/0'],
  ] as const)('%j in %i-bit code is %s, %s', (code, mode, form, cell) => {
    expect(classify(Uint8Array.from(code), mode)).toEqual({ form, cell });
  });
});
