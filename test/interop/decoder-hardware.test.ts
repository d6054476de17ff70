import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuWasmUrl, Disassembler, instructionText } from '@pagurus/cpu-wasm';
import { afterAll, expect, it } from 'vitest';
import { opcodeCases } from './decoder-cases.js';
import { withParts } from './parts.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-hardware-'));
afterAll(() => rmSync(folder, { recursive: true }));

const [SIGILL, SIGTRAP] = [4, 5];
const LONGEST = 15;
/** #UD for another reason than the decoder's: CPL 3, AMD in long mode, a register that is not there, or because that is what it is for. */
const REFUSED = /^(clac|stac|monitor|mwait|rsm|sysenter|ud[012]|mov +(cs,|dr\d+|r\w+,dr|cr\d+|r\w+,cr)|lock )/;
/** They write where the code is. */
const OVERWRITES = /^(fnsave|fnstenv|fxsave|xsave)/;

withParts('the decoder beside this processor', ['amd64'], () => {
  it('64 bit: what is an instruction, and its length', { timeout: 600_000 }, () => {
    const program = join(folder, 'hardware');
    const source = fileURLToPath(new URL('decoder-hardware.c', import.meta.url));
    const compiled = spawnSync('cc', ['-O1', '-fno-stack-protector', '-static', '-o', program, source], { encoding: 'utf8' });
    expect(compiled.stderr).toBe('');

    const disassembler = new Disassembler(new WebAssembly.Module(readFileSync(cpuWasmUrl)));
    const cases = [...opcodeCases(64)].map((bytes) => {
      const instruction = disassembler.one(Uint8Array.from(bytes), 0x30010n, 64);
      const length = instruction.mnemonic === '(bad)' ? LONGEST : instruction.bytes.length;
      return { bytes: bytes.slice(0, length), instruction };
    });
    const input = cases.map(({ bytes }) => Buffer.from(bytes).toString('hex')).join('\n');
    const { stdout, status } = spawnSync(program, { input, encoding: 'latin1', maxBuffer: 2 ** 28, timeout: 500_000 });
    expect(status).toBe(0);
    const results = stdout.trim().split('\n');
    expect(results).toHaveLength(cases.length);

    const surprises = new Map<string, string>();
    let lengths = 0;
    let invalid = 0;
    cases.forEach(({ bytes, instruction }, i) => {
      const [signal, distance] = results[i]!.split(' ').map(Number) as [number, number];
      const { mnemonic } = instruction;
      const text = instructionText(instruction);
      if (signal === 0 || mnemonic === '(bad)' || OVERWRITES.test(mnemonic)) return;
      const refused = signal === SIGILL && distance === 0;
      if (refused) invalid++;
      const wrongLength =
        signal === SIGTRAP && !instruction.endsBlock && distance - 1 !== instruction.bytes.length && !mnemonic.startsWith('rep');
      if (signal === SIGTRAP && !instruction.endsBlock) lengths++;
      if ((refused && !REFUSED.test(text) && !bytes.includes(0xf0)) || wrongLength)
        surprises.set(mnemonic, `${Buffer.from(bytes).toString('hex')} ${text}: signal ${signal} after ${distance}`);
    });
    expect([...surprises.values()]).toEqual([]);
    expect(lengths).toBeGreaterThan(200_000);
    console.log(`${cases.length} cases, ${lengths} lengths measured, ${invalid} refused by both`);
  });
});
