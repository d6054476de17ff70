/** The text of HMP's `info registers`, in QEMU's format. */
import { CR0, EFLAGS, HFLAGS, SEGMENT } from './flags.js';
import type { CpuCommonState, CpuState, Segment, Word } from './state.js';

const hex = (value: Word, digits: number): string => BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, '0');

const GENERAL = ['AX', 'BX', 'CX', 'DX', 'SI', 'DI', 'BP', 'SP'] as const;
/** Places of {@link GENERAL} in the register file. */
const PLACES = [0, 3, 1, 2, 6, 7, 5, 4] as const;
const SEGMENT_NAMES = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;

/** Types of system descriptors, by the low four type bits. [SDM 3A:3.5] */
const SYSTEM_32 =
  'Reserved TSS16-avl LDT TSS16-busy CallGate16 TaskGate IntGate16 TrapGate16 Reserved TSS32-avl Reserved TSS32-busy CallGate32 Reserved IntGate32 TrapGate32'.split(
    ' ',
  );
const SYSTEM_64 =
  '<hiword> Reserved LDT Reserved Reserved Reserved Reserved Reserved Reserved TSS64-avl Reserved TSS64-busy CallGate64 Reserved IntGate64 TrapGate64'.split(
    ' ',
  );

const pick = (condition: number | boolean, letter: string): string => (condition ? letter : '-');

function typeText(flags: number, longMode: boolean): string {
  if (!(flags & SEGMENT.S)) return (longMode ? SYSTEM_64 : SYSTEM_32)[(flags >> 8) & 15]!;
  const accessed = pick(flags & SEGMENT.ACCESSED, 'A');
  if (flags & SEGMENT.CODE) {
    const size = flags & SEGMENT.L ? 'CS64' : flags & SEGMENT.B ? 'CS32' : 'CS16';
    return `${size} [${pick(flags & SEGMENT.EXPAND_DOWN, 'C')}${pick(flags & SEGMENT.WRITABLE, 'R')}${accessed}]`;
  }
  const size = flags & SEGMENT.B || longMode ? 'DS  ' : 'DS16';
  return `${size} [${pick(flags & SEGMENT.EXPAND_DOWN, 'E')}${pick(flags & SEGMENT.WRITABLE, 'W')}${accessed}]`;
}

/** Pairs of cells on a line each. */
function inPairs(cells: readonly string[]): string[] {
  return cells.flatMap((cell, i) => (i % 2 === 0 ? [`${cell}${i + 1 < cells.length ? ` ${cells[i + 1]}` : ''}`] : []));
}

/** Lines without line ends; `index` is the processor's number. */
export function registerLines(state: CpuState, common: CpuCommonState, index = 0): string[] {
  const { hflags } = state;
  const code64 = (hflags & HFLAGS.CS64) !== 0;
  const longMode = (hflags & HFLAGS.LMA) !== 0;
  const lines = [`CPU#${index}`];
  const registers = (names: readonly string[], values: readonly Word[], digits: number) => {
    for (let i = 0; i < names.length; i += 4)
      lines.push(
        names
          .slice(i, i + 4)
          .map((name, k) => `${name}=${hex(values[i + k]!, digits)}`)
          .join(' '),
      );
  };
  const low = (value: Word): Word => BigInt.asUintN(code64 ? 64 : 32, BigInt(value));
  registers(
    GENERAL.map((name) => (code64 ? 'R' : 'E') + name),
    PLACES.map((place) => low(state.regs[place]!)),
    code64 ? 16 : 8,
  );
  if (code64) registers(['R8 ', 'R9 ', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'], state.regs.slice(8), 16);

  const eflags = Number(state.eflags);
  const letters = [EFLAGS.DF, EFLAGS.OF, EFLAGS.SF, EFLAGS.ZF, EFLAGS.AF, EFLAGS.PF, EFLAGS.CF];
  const flags = letters.map((bit, i) => pick(eflags & bit, 'DOSZAPC'[i]!)).join('');
  const [ip, fl] = code64 ? ['RIP', 'RFL'] : ['EIP', 'EFL'];
  lines.push(
    `${ip}=${hex(low(state.eip), code64 ? 16 : 8)} ${fl}=${hex(eflags, 8)} [${flags}] CPL=${hflags & HFLAGS.CPL} II=${(hflags >> 3) & 1} ` +
      `A20=${(state.a20Mask >> 20) & 1} SMM=${(hflags >> 19) & 1} HLT=${common.halted}`,
  );

  const protectedMode = (Number(state.cr0) & CR0.PE) !== 0;
  const segment = (name: string, { selector, base, limit, flags }: Segment) => {
    const text = `${name.padEnd(3)}=${hex(selector, 4)} ${hex(base, code64 ? 16 : 8)} ${hex(limit, 8)} ${hex(flags & 0x00ffff00, 8)}`;
    const described = protectedMode && flags & SEGMENT.PRESENT;
    lines.push(described ? `${text} DPL=${(flags >> SEGMENT.DPL_SHIFT) & 3} ${typeText(flags, longMode)}` : text);
  };
  SEGMENT_NAMES.forEach((name, i) => {
    segment(name, state.segments[i]!);
  });
  segment('LDT', state.ldt);
  segment('TR', state.tr);

  const wide = longMode ? 16 : 8;
  lines.push(`GDT=     ${hex(state.gdt.base, wide)} ${hex(state.gdt.limit, 8)}`);
  lines.push(`IDT=     ${hex(state.idt.base, wide)} ${hex(state.idt.limit, 8)}`);
  lines.push(`CR0=${hex(state.cr0, 8)} CR2=${hex(state.cr2, wide)} CR3=${hex(state.cr3, wide)} CR4=${hex(state.cr4, 8)}`);
  const debugDigits = state.target === 'i386' ? 8 : 16;
  const debug = (i: number) => `DR${i}=${hex(state.dr[i]!, debugDigits)}`;
  lines.push(`${[0, 1, 2, 3].map(debug).join(' ')} `, `${debug(6)} ${debug(7)}`);
  lines.push(`EFER=${hex(state.efer, 16)}`);

  const top = (state.fpuStatus >> 11) & 7;
  lines.push(
    `FCW=${hex(state.fpuControl, 4)} FSW=${hex(state.fpuStatus, 4)} [ST=${top}] FTW=${hex(state.fpuTag, 2)} MXCSR=${hex(state.mxcsr, 8)}`,
  );
  lines.push(...inPairs(state.fpu.map((register, i) => `FPR${i}=${hex(register.mantissa, 16)} ${hex(register.exponent, 4)}`)));
  const vectors = state.vector.slice(0, code64 ? 16 : 8);
  const number = (i: number) => String(i).padStart(2, '0');
  if (hflags & HFLAGS.AVX_EN) {
    lines.push(...vectors.map((r, i) => `YMM${number(i)}=${[r.q3, r.q2, r.q1, r.q0].map((q) => hex(q, 16)).join(' ')}`));
  } else lines.push(...inPairs(vectors.map((r, i) => `XMM${number(i)}=${hex(r.q1, 16)} ${hex(r.q0, 16)}`)));
  return lines;
}
