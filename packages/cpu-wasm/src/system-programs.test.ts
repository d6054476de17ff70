/**
 * Programs of ours (fixtures/programs) that try segments, gates, tasks, virtual-8086 mode, paging and traps, and log every exception: equal to
 * what QEMU 7.2 logs, but for the rules below, where QEMU's TCG and the manuals (or hardware) part; we follow the latter. [SDM] = Intel's manual.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { type CpuidEntry, cpuidTable } from './cpuid.js';
import { parseCpu } from './models.js';
import { cpuWasmUrl } from './wasm-url.js';

const fixture = (name: string) => gunzipSync(readFileSync(new URL(`../fixtures/programs/${name}.gz`, import.meta.url)));
const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));
const LOG_PORT = 0xe9;
const EXIT_PORT = 0xf4;

/** Runs a 64 KiB firmware image until it asks to end, and answers its log. */
function run(image: Uint8Array, cpuid: readonly CpuidEntry[]): string[] {
  let text = '';
  const cpu = Cpu.create({
    module,
    cpuid,
    bus: {
      portRead: () => 0xffffffff,
      portWrite(port, value) {
        if (port === LOG_PORT) text += String.fromCharCode(value & 0xff);
        if (port === EXIT_PORT) cpu.requestExit();
      },
      mmioRead: () => 0xffffffff,
      mmioWrite() {},
      acknowledgeInterrupt: () => 0,
      timestamp: () => 0n,
    },
  });
  const ram = cpu.allocate('ram', 16 << 20);
  const rom = cpu.allocate('rom', 0x10000);
  rom.write(0, image);
  cpu.setMemoryMap([
    { base: 0, length: 0xf0000, kind: 'ram', block: ram, offset: 0 },
    { base: 0xf0000, length: 0x10000, kind: 'rom', block: rom, offset: 0 },
    { base: 0x100000, length: 15 << 20, kind: 'ram', block: ram, offset: 0x100000 },
    { base: 0xffff0000, length: 0x10000, kind: 'rom', block: rom, offset: 0 },
  ]);
  cpu.run(20_000_000);
  return text.split('\n');
}

const QEMU32 = cpuidTable(parseCpu('qemu32', 'i386', {}));
const MAX = cpuidTable(parseCpu('max', 'i386', {}));
/** What of qemu64 the program for long mode needs: AMD's vendor string, SYSCALL, NX, LM, 40 physical address bits. */
const QEMU64: readonly CpuidEntry[] = [
  { leaf: 0, subleaf: undefined, eax: 0xd, ebx: 0x68747541, ecx: 0x444d4163, edx: 0x69746e65 },
  { leaf: 1, subleaf: undefined, eax: 0xf61, ebx: 0x800, ecx: 0x80002001, edx: 0x78bfbfd },
  { leaf: 0x80000000, subleaf: undefined, eax: 0x8000000a, ebx: 0, ecx: 0, edx: 0 },
  { leaf: 0x80000001, subleaf: undefined, eax: 0xf61, ebx: 0, ecx: 1, edx: 0x2193fbfd },
  { leaf: 0x80000008, subleaf: undefined, eax: 0x3028, ebx: 0, ecx: 0, edx: 0 },
];
const KVM64 = cpuidTable(parseCpu('kvm64', 'x86_64', {}));

interface Rule {
  readonly why: string;
  applies(qemu: string, ours: string): boolean;
  /** Only we have this line. */
  readonly added?: true;
}

/** Error code of a logged exception. */
const code = (line: string): number => Number.parseInt(/code (\w{8})/.exec(line)?.[1] ?? '0', 16);
const code64 = (line: string): number => Number.parseInt(/code (\w{16})/.exec(line)?.[1] ?? '0', 16);
/** Are the lines the same but for what the pattern matches? */
const butFor = (pattern: RegExp, a: string, b: string): boolean => a.replace(pattern, '') === b.replace(pattern, '');
const exception = (vector: number) => `#${vector.toString(16).padStart(8, '0')}`;

const LONG_RULES: readonly Rule[] = [
  {
    why: 'an address that is not canonical is #SS(0) by the stack segment [SDM 3A:6.15]',
    applies: (q, p) =>
      /^not canonical by r[sb]p: #000000000000000d/.test(q) && q.replace('#000000000000000d', '#000000000000000c') === p,
  },
  {
    why: 'a branch to an address that is not canonical faults itself (recorded on hardware)',
    applies: (q, p) =>
      /^(jmp|ret) not canonical: /.test(q) && q.includes('rip 0000800000000000') && /rip ffffffffffffffe[78]/.test(p),
  },
  {
    why: 'a null SS needs RPL = CPL [SDM 2B, MOV]',
    applies: (q, p) => q === 'null ss with rpl: ok' && p.startsWith('null ss with rpl: #000000000000000d'),
  },
  {
    why: 'the index in an error code about the IDT counts vectors, whatever their size [SDM 3A:6.13]',
    applies: (q, p) =>
      /^(int 0x20|task gate): #000000000000000d/.test(q) &&
      butFor(/code \w{16}.*/, q, p) &&
      code64(q) === (code64(p) - 2) * 2 + 2,
  },
  {
    why: 'a segment with L and D is #GP [SDM 3A:5.2.1]',
    applies: (q, p) => q.startsWith('far jmp to L and D: there') && p.includes('#000000000000000d code 0000000000000078'),
  },
  {
    why: 'a read-modify-write asks for write access at once (recorded on hardware)',
    applies: (q, p) => q.includes(' code: ') && butFor(/code \w{16}/, q, p) && (code64(q) | 2) === code64(p),
  },
  {
    why: 'a reserved bit means that the page is present [SDM 3A:4.7]',
    applies: (q, p) => butFor(/code \w{16}/, q, p) && (code64(q) & 8) !== 0 && code64(p) === (code64(q) | 1),
  },
];

const RULES: Readonly<Record<string, readonly Rule[]>> = {
  segments: [
    {
      why: 'LAR answers bits 16 to 19, too: undefined [SDM 2A, LAR], the limit’s [APM 3, LAR; recorded on hardware]',
      applies: (q, p) => {
        const rights = / (00[0-9a-f])[0-9a-f]([0-9a-f]{2}00) /g;
        return q.replace(rights, ' $1-$2 ') === p.replace(rights, ' $1-$2 ');
      },
    },
    {
      why: 'a code segment behind a call gate that is not present is #NP, by JMP too [SDM 2A, JMP]',
      applies: (q, p) => q.startsWith(' jmp: #0000000d code 00000068') && p.startsWith(' jmp: #0000000b code 00000068'),
    },
    {
      why: 'a target beyond the segment limit is #GP(0), by CALL too [SDM 2A, CALL]',
      applies: (q, p) => q.startsWith(' call: #0000000d code 000000d0') && p.startsWith(' call: #0000000d code 00000000'),
    },
    {
      why: 'a far transfer sets the accessed bit of its code segment [SDM 3A:3.4.5.1]',
      applies: (q, p) => /00c09c00/.test(q) && q.replace('00c09c00', '00c09d00') === p.replace('00cf9d00', '00c09d00'),
    },
    {
      why: 'a call gate to conforming code does not change CPL [SDM 3A:5.8.4]',
      applies: (q, p) => q.includes('at 00000058') && p.includes('at 0000005b'),
    },
  ],
  tasks: [
    {
      why: 'the fault of a task switch belongs to the new task, EIP included [SDM 3A:7.3]',
      applies: (q, p) => butFor(/eip \w{8}/, q, p) || butFor(/(at \w{8}) \w{8}/, q, p),
    },
    {
      added: true,
      why: 'the T flag of a TSS is a debug trap [SDM 3A:7.2.1]',
      applies: (_, p) => p.startsWith(exception(1)) && p.includes('dr6 ffff8ff0'),
    },
    {
      why: 'a task gate that names the LDT is #GP [SDM 2A, CALL]',
      applies: (q, p) => q.startsWith('gate to the LDT: #0000000a') && p.startsWith('gate to the LDT: #0000000d'),
    },
  ],
  vm86: [
    {
      why: 'segment limits are checked [SDM 3A:5.3]',
      applies: (q, p) => q.startsWith('word at the limit') && butFor(/at 00000700 \w{8}/, q, p),
    },
  ],
  paging: [
    {
      why: 'a read-modify-write asks for write access at once (recorded on hardware)',
      applies: (q, p) => /modify|user code/.test(q) && butFor(/code \w{8}/, q, p) && (code(q) | 2) === (code(p) & ~1),
    },
    {
      why: 'a reserved bit means that the page is present [SDM 3A:4.7]',
      applies: (q, p) => butFor(/code \w{8}/, q, p) && (code(q) & 8) !== 0 && (code(p) & ~2) === ((code(q) | 1) & ~2),
    },
    {
      why: 'PAE page-directory pointers are loaded with CR3 [SDM 3A:4.4.1]',
      applies: (q, p) => q === 'pointer not loaded yet: ok' && p.startsWith('pointer not loaded yet: #0000000e'),
    },
    {
      why: 'reserved bits of PAE pointers are checked when they are loaded [SDM 3A:4.4.1]',
      applies: (q, p) =>
        q === 'reserved bits in a pointer: ok' && p.startsWith('reserved bits in a pointer: #0000000d code 00000000'),
    },
  ],
  long: LONG_RULES,
  intel: [
    ...LONG_RULES,
    {
      why: 'outside of 64-bit code Intel’s processors have no SYSCALL [SDM 2B, SYSCALL]',
      applies: (q, p) => q.startsWith('from 32 bits: compat entry') && p.startsWith('from 32 bits: #0000000000000006'),
    },
    {
      why: 'SYSRET of Intel’s processors faults before it leaves ring 0 [SDM 2B, SYSRET]',
      applies: (q, p) =>
        /^sysret not canonical: #000000000000000d .* rip 0000800000000000/.test(q) &&
        /^sysret not canonical: #000000000000000d .* cs 0000000000000040 rip ffffffffffffffe6/.test(p),
    },
  ],
  rights: [
    {
      why: 'a read-modify-write asks for write access at once (recorded on hardware)',
      applies: (q, p) => q.startsWith('exchange: ') && butFor(/code \w{8}/, q, p) && (code(q) | 2) === code(p),
    },
    {
      why: 'a reserved bit means that the page is present [SDM 3A:4.7]',
      applies: (q, p) => butFor(/code \w{8}/, q, p) && (code(q) & 8) !== 0 && code(p) === (code(q) | 1),
    },
    {
      why: 'EFLAGS.AC does not open the pages of the user to accesses of the processor itself [SDM 3A:4.6.1]',
      applies: (q, p) => q === 'set: ok' && p.startsWith('set: #0000000e code 00000001'),
    },
  ],
  watch: [
    {
      why: 'DR6 names the breakpoint that was hit, not one that was hit before [SDM 3B:17.2.3]',
      applies: (q, p) => q.startsWith('eight bytes: #00000001') && q.replace('dr6 ffff0ff2', 'dr6 ffff0ff4') === p,
    },
  ],
  traps: [
    { why: 'INT1 is #DB [SDM 2A, INT1]', applies: (q, p) => q.startsWith('int1: #00000006') && p.startsWith('int1: #00000001') },
    {
      why: 'bits 12, 14, 15 of DR7 read as 0 [SDM 3B:17.2.4]',
      applies: (q, p) => (/0000d400|00002400/.test(q) && /00000400|00000010/.test(p)) || (q === '00002400 ' && p === '00000400 '),
    },
    {
      why: 'an unknown MSR is #GP(0) [SDM 2B, RDMSR]',
      applies: (q, p) => q === 'rdmsr unknown: ok' && p.includes('#0000000d code 00000000'),
    },
    {
      why: 'a control register that does not exist is #UD at any level [SDM 2B, MOV]',
      applies: (q, p) => q.startsWith('mov cr5: #0000000d') && p.startsWith('mov cr5: #00000006'),
    },
    {
      why: 'DR7.GD guards the debug registers [SDM 3B:17.2.4]',
      applies: (q, p) => q === 'general detect: ok' && p.includes('dr6 ffff2ff0'),
    },
    {
      why: 'alignment is checked [SDM 3A:6.15]',
      applies: (q, p) => /^(dword|word|write|push): #00000030/.test(q) && p.includes(`${exception(17)} code 00000000`),
    },
    {
      why: 'EXT is set in faults during the delivery of an exception [SDM 3A:6.13]',
      applies: (q, p) =>
        q.startsWith('ud, then np: #0000000b code 00000032') && p.startsWith('ud, then np: #0000000b code 00000033'),
    },
  ],
};

describe.each(Object.keys(RULES))('%s', (name) => {
  const rules = RULES[name]!;
  const ours = run(fixture(`${name}.bin`), { long: QEMU64, intel: KVM64, rights: MAX }[name] ?? QEMU32);
  const qemu = fixture(`${name}.qemu.txt`).toString('latin1').split('\n');

  it('logs what QEMU logs, but for the named differences', () => {
    const used = new Set<Rule>();
    const unexplained: { qemu: string; ours: string }[] = [];
    const lines = qemu.slice();
    ours.forEach((line, i) => {
      const other = lines[i] ?? '';
      if (other.trimEnd() === line.trimEnd()) return;
      const rule = rules.find(({ applies }) => applies(other.trimEnd(), line.trimEnd()));
      if (rule) {
        used.add(rule);
        if (rule.added) lines.splice(i, 0, line);
      } else unexplained.push({ qemu: other, ours: line });
    });
    expect(unexplained).toEqual([]);
    expect(ours).toHaveLength(lines.length);
    expect(rules.filter((rule) => !used.has(rule)).map(({ why }) => why)).toEqual([]);
  });
});
