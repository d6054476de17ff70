/**
 * Runs instruction vectors and prints what differs, by form.
 * `node scripts/vectors.mjs [--cat int,seg] [--form SUBSTRING] [--mode 16|32|64] [--host legacy|pae|long] [--show N] [--index N] FILE[.br|.xz|.gz]`
 * Exit code 0 if everything agrees, 1 if not, 2 for a wrong command line.
 */
import './typescript.mjs';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readVectors } from './vector-files.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cat: { type: 'string' },
    form: { type: 'string' },
    mode: { type: 'string' },
    host: { type: 'string', default: 'legacy' },
    /** Failures printed in full for each form and mode. */
    show: { type: 'string', default: '2' },
    index: { type: 'string' },
    summary: { type: 'boolean', default: false },
  },
});
const path = positionals[0] ?? new URL('../fixtures/vectors-int.bin.br', import.meta.url);
const { VectorMachine } = await import('../src/vector-machine.ts');
const { VectorChecker, describeFailure, excluded } = await import('../src/vector-check.ts');
const { createVectorCpu } = await import('../src/vector-cpu.ts');

const file = readVectors(path instanceof URL ? fileURLToPath(path) : path);
const cpu = createVectorCpu(new WebAssembly.Module(readFileSync(new URL('../wasm/cpu.wasm', import.meta.url))));
const machine = new VectorMachine(cpu, file, values.host);
const checker = new VectorChecker(file, values.host);
const groups = values.cat?.split(',');
const modes = values.mode?.split(',').map(Number);

const forms = new Map();
const totals = new Map();
const started = performance.now();
let ran = 0;
for (const vector of file) {
  if (groups && !groups.includes(vector.form.group)) continue;
  if (values.form && !vector.form.name.includes(values.form)) continue;
  if (modes && !modes.includes(vector.mode)) continue;
  if (values.index && vector.index !== Number(values.index)) continue;
  const reason = excluded(vector, values.host);
  if (reason) {
    console.log(`skipped #${vector.index} ${vector.form.name}: ${reason}`);
    continue;
  }
  const key = `${vector.form.group} | ${vector.form.name} | ${vector.mode}`;
  const total = totals.get(`${vector.form.group}/${vector.mode}`) ?? { passed: 0, failed: 0 };
  totals.set(`${vector.form.group}/${vector.mode}`, total);
  const form = forms.get(key) ?? { passed: 0, failures: [] };
  forms.set(key, form);
  ran++;
  let differences;
  try {
    differences = checker.compare(vector, machine.run(vector));
  } catch (error) {
    differences = [{ what: 'error', expected: '', got: error instanceof Error ? error.message : String(error) }];
  }
  if (differences.length === 0) {
    form.passed++;
    total.passed++;
  } else {
    total.failed++;
    form.failures.push(form.failures.length < Number(values.show) ? describeFailure(vector, differences) : undefined);
  }
}
for (const [key, { passed, failures }] of forms) {
  if (failures.length === 0) continue;
  console.log(`${key}: ${failures.length} of ${failures.length + passed} differ`);
  if (!values.summary) for (const failure of failures) if (failure) console.log(failure);
}
console.log(`\n${'group/mode'.padEnd(12)} passed  failed`);
let failed = 0;
for (const [key, total] of totals) {
  failed += total.failed;
  console.log(`${key.padEnd(12)} ${String(total.passed).padStart(6)}  ${String(total.failed).padStart(6)}`);
}
console.log(`${ran} vectors, ${failed} differ, ${((performance.now() - started) / 1000).toFixed(1)} s`);
process.exitCode = failed ? 1 : 0;
