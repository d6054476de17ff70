import { readFileSync } from 'node:fs';
import { type CodeBits, cpuWasmUrl, Disassembler, instructionText } from '@pagurus/cpu-wasm';
import { expect, it } from 'vitest';
import { opcodeCases, randomCases, sibCases, vexCases } from './decoder-cases.js';
import { DIFFERENCES, type Difference } from './decoder-differences.js';
import { Cases, type Listed, objdump } from './objdump.js';
import { withParts } from './parts.js';

const RANDOM = 150_000;
const PREFIXES = /^((data16|data32|addr16|addr32|repz|repnz|rep|lock|[c-gs]s|bnd|notrack|xacquire|xrelease|rex(\.\w+)?) )+/;

/** Without what only one of the two writes: prefixes without effect, index registers that are none, which coprocessor. */
const normal = (text: string): string =>
  text
    .replace(PREFIXES, '')
    .replace(/\+[er]iz\*\d/, '')
    .replace(/(?:(\w\w):)?\[([er])iz\*\d([+-])0x([0-9a-f]+)\]/, noIndex)
    .replace(/\s+/g, ' ')
    .replace(/(?<=\[eip.*)0xffffffff(?=[0-9a-f]{8})/g, '0x')
    .replace(/ ?\((8087|287) only\)/, '');

/** `[eiz*1-0x10]` is an address without registers. */
const noIndex = (_: string, segment: string | undefined, width: string, sign: string, digits: string): string =>
  `${segment ?? 'ds'}:0x${BigInt.asUintN(width === 'e' ? 32 : 64, BigInt(`0x${digits}`) * (sign === '-' ? -1n : 1n)).toString(16)}`;

const BRANCH = /^(j\w+|call\w?|loop\w*|xbegin\w?) 0x([0-9a-f]+)$/;
/** 16-bit targets: objdump keeps the upper bits of the address. */
function sameBranch(ours: string, theirs: string): boolean {
  const [a, b] = [BRANCH.exec(ours), BRANCH.exec(theirs)];
  return a !== null && b !== null && a[1] === b[1] && a[2]!.length <= 4 && BigInt(`0x${a[2]}`) === BigInt(`0x${b[2]}`) % 65536n;
}

withParts('the decoder beside objdump', ['objdump'], () => {
  const disassembler = new Disassembler(new WebAssembly.Module(readFileSync(cpuWasmUrl)));

  async function compare(title: string, list: number[][], bits: CodeBits): Promise<void> {
    const cases = new Cases(list);
    const surprises = new Map<string, string>();
    const explained = new Map<Difference, number>();
    let seen = 0;
    let agreed = 0;
    let incomparable = 0;
    const look = (index: number, { length, text: theirText }: Listed): void => {
      seen++;
      const ours = disassembler.one(cases.of(index), cases.address(index), bits);
      const text = normal(instructionText(ours));
      const theirs = normal(theirText);
      // objdump lists a REX that another prefix follows, or prefixes before an FWAIT, alone; and takes FWAIT for a prefix
      if (/^(rex(\.\w+)?|fwait)$/.test(theirText.split(' ').at(-1)!) || ours.mnemonic.endsWith('fwait')) {
        incomparable++;
        return;
      }
      const [bad, theirsBad] = [text === '(bad)', theirs.includes('(bad)')];
      const kind = bad && !theirsBad ? 'known' : !bad && theirsBad ? 'unknown' : 'renamed';
      const sameLength = length === ours.bytes.length;
      if ((bad && theirsBad) || (sameLength && (text === theirs || sameBranch(text, theirs)))) {
        agreed++;
        return;
      }
      const difference = DIFFERENCES.find(
        (row) =>
          row.kind === kind &&
          (kind !== 'renamed' || sameLength) &&
          row.pattern.test(`${text} | ${kind === 'known' ? theirText.replace(/\s+/g, ' ') : theirs}`),
      );
      if (difference) explained.set(difference, (explained.get(difference) ?? 0) + 1);
      else {
        const bytes = Buffer.from(cases.of(index)).toString('hex');
        const key = `${kind}${sameLength ? '' : ' length'} ${text.split(' ')[0]} / ${theirs.split(' ')[0]}`;
        if (!surprises.has(key))
          surprises.set(
            key,
            `${key}: ${bytes}: ${ours.bytes.length} ${JSON.stringify(text)} | ${length} ${JSON.stringify(theirs)} ${theirText}`,
          );
      }
    };
    await objdump(cases, bits, look);
    expect([...surprises.values()]).toEqual([]);
    expect(seen).toBe(list.length);
    console.log(
      `${title}, ${bits} bit: ${seen} cases, ${agreed} the same, ${incomparable} not to be compared, ${[...explained].map(([row, count]) => `${count} ${row.reason}`).join('; ')}`,
    );
  }

  it.each([16, 32, 64] as const)(
    '%i bit: every opcode, modrm and sib form, and what VEX selects',
    { timeout: 600_000 },
    async (bits) => {
      await compare('forms', [...opcodeCases(bits), ...sibCases(bits), ...vexCases()], bits);
    },
  );

  it.each([16, 32, 64] as const)(`%i bit: ${RANDOM} random strings behind prefixes`, { timeout: 600_000 }, async (bits) => {
    await compare('random', [...randomCases(bits, RANDOM)], bits);
  });
});
