/**
 * Makes the vector files of `fixtures/` out of large ones: `node scripts/pack-vectors.mjs [--least 200] FILE…`; see fixtures/README.md.
 * Of each opcode form `least` vectors are taken, as many of each cell (mode and operand size) as of the others, evenly spread over what there is.
 */

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';
import { classify, forms } from './opcode-forms.mjs';
import { readVectors } from './vector-files.mjs';

const { packVectors } = await import('../src/vectors.ts');
/** File, groups. The x87 forms that round or approximate are where the digits are: they get no more than the rest. */
const FIXTURES = [
  ['vectors-int', ['int', 'seg', 'priv', 'bmi', 'ext']],
  ['vectors-x87', ['x87']],
  ['vectors-simd', ['mmx', 'sse', 'sse2', 'sse3', 'ssse3', 'sse4']],
];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { least: { type: 'string', default: '200' }, out: { type: 'string' } },
});
const least = Number(values.least);
const source = readVectors(positionals[0]);
const known = forms();
const cells = new Map();
for (const vector of source) {
  if (vector.form.group === 'fuzz') continue;
  const found = classify(vector.code, vector.mode);
  // what is of no form must fault: by the recorder's own form then
  const key = found && known.has(found.form) ? found.form : `- ${vector.form.name}`;
  const form = cells.get(key) ?? new Map();
  const cell = form.get(found?.cell ?? `${vector.mode}/0`) ?? [];
  cell.push(vector);
  cells.set(key, form.set(found?.cell ?? `${vector.mode}/0`, cell));
}
const chosen = [];
for (const [name, form] of cells) {
  let wanted = name.startsWith('- ') ? 6 : least;
  const lists = [...form.values()].sort((a, b) => a.length - b.length);
  lists.forEach((list, i) => {
    const share = Math.min(list.length, Math.ceil(wanted / (lists.length - i)));
    wanted -= share;
    for (let k = 0; k < share; k++) chosen.push(list[Math.floor((k * list.length) / share)]);
  });
}
for (const [name, groups] of FIXTURES) {
  const vectors = chosen.filter((vector) => groups.includes(vector.form.group));
  vectors.sort((a, b) => a.form.index - b.form.index || a.mode - b.mode || a.index - b.index);
  const bytes = packVectors(source, vectors);
  const packed = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  writeFileSync(values.out ? `${values.out}/${name}.bin.br` : new URL(`../fixtures/${name}.bin.br`, import.meta.url), packed);
  console.log(`${name}: ${vectors.length} vectors, ${bytes.length} bytes, packed ${packed.length}`);
}
