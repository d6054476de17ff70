/**
 * Counts the vectors of each opcode form: `node scripts/vector-coverage.mjs [--least 200] [--all] FILE[.gz|.br]…`. Prints forms with fewer than
 * `least` vectors and cells (mode/operand size) with none; exit code 1 if there are any.
 */
import './typescript.mjs';
import { parseArgs } from 'node:util';
import { classify, forms } from './opcode-forms.mjs';
import { readVectors } from './vector-files.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { least: { type: 'string', default: '200' }, all: { type: 'boolean', default: false } },
});
const all = forms();
const counts = new Map();
let total = 0;
let unknown = 0;
for (const path of positionals) {
  for (const { code, mode } of readVectors(path)) {
    total++;
    const found = classify(code, mode);
    if (!found || !all.has(found.form)) {
      unknown++;
      continue;
    }
    const cells = counts.get(found.form) ?? new Map();
    counts.set(found.form, cells.set(found.cell, (cells.get(found.cell) ?? 0) + 1));
  }
}
let short = 0;
let empty = 0;
for (const [form, cells] of all) {
  const have = counts.get(form) ?? new Map();
  const sum = [...have.values()].reduce((a, b) => a + b, 0);
  const missing = [...cells].filter((cell) => !have.has(cell));
  if (sum < Number(values.least)) short++;
  empty += missing.length;
  if (values.all || sum < Number(values.least) || missing.length)
    console.log(
      `${form.padEnd(34)} ${String(sum).padStart(6)}  ${[...have].map(([cell, n]) => `${cell}:${n}`).join(' ')}${missing.length ? `  none: ${missing.join(' ')}` : ''}`,
    );
}
const cells = [...all.values()].reduce((sum, one) => sum + one.size, 0);
console.log(
  `${total} vectors, ${unknown} of no counted form; ${all.size} forms, ${short} with fewer than ${values.least}; ${cells} cells, ${empty} empty`,
);
process.exitCode = short || empty ? 1 : 0;
