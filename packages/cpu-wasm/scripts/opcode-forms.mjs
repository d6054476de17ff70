/**
 * The opcode forms of the decode table that user-mode code can execute, and which of them an instruction's bytes belong to: what the recorded
 * vectors are counted by. A form is a row of isa.mjs; the x87 rows, which the table leaves to a helper, are taken apart by modrm. A cell of the
 * coverage is a form at one operand size in one mode.
 */
import { instructions } from '../assembly/generate/isa.mjs';

/** Mnemonics that vectors recorded in user mode cannot decide, by reason. */
const LEFT_OUT = {
  'privileged: #GP(0) or #UD in user mode, tried by the system programs':
    'insb insv outsb outsv in out hlt cli sti lldt ltr lgdt lidt lmsw invlpg swapgs clts sysret invd wbinvd mov_from_cr mov_from_dr mov_to_cr mov_to_dr wrmsr rdmsr sysexit rsm monitor mwait clac stac xsetbv invpcid',
  'enters the operating system, which hides what happened': 'syscall sysenter int1',
  "its result is the host's own (identification, time, random numbers, descriptor tables, bases)":
    'cpuid rdtsc rdtscp rdpmc rdrand rdseed rdpid xgetbv sgdt sidt sldt str smsw rdfsbase rdgsbase wrfsbase wrgsbase',
};
const leftOut = new Map(Object.entries(LEFT_OUT).flatMap(([reason, names]) => names.split(' ').map((name) => [name, reason])));

/** Sized by operand size though no operand says so. */
const SIZED = new Set(
  'push_es pop_es push_cs push_ss pop_ss push_ds pop_ds push_fs pop_fs push_gs pop_gs pusha popa pushf popf cbw cwd movsv cmpsv stosv lodsv scasv enter leave retf iret callf jmpf ret call jmp'.split(
    ' ',
  ),
);
const byOpcode = new Map();
for (const row of instructions) {
  // x87 goes by modrm; `B` = what no other row of the opcode names
  if (row.map === 0 && (row.opcode & 0xf8) === 0xd8) continue;
  const key = row.map * 256 + row.opcode;
  byOpcode.set(key, [...(byOpcode.get(key) ?? []), row]);
}
const MAPS = ['', '0F ', '0F 38 ', '0F 3A ', 'VEX 0F 38 ', 'VEX 0F 3A '];
const hex = (n) => n.toString(16).toUpperCase().padStart(2, '0');

/** A register in the opcode is one form, not eight; nor are NP and 66 two where 66 is the operand size, nor prefixes without a meaning. */
export function nameOf(row) {
  // hints are one form for an opcode
  if (row.mnemonic === 'nop' && row.map === 1) return `0F ${hex(row.opcode)} nop`;
  const sized = row.mnemonic === 'xchg' || (row.prefix === '66' && row.operands.some((operand) => operand.endsWith('v')));
  const prefix = row.prefix && row.prefix !== 'NP' && !sized ? `${row.prefix} ` : '';
  const reg = row.reg === undefined ? '' : `/${row.reg}`;
  const rm = row.rm === undefined ? '' : `.${row.rm}`;
  return `${prefix}${MAPS[row.map]}${hex(row.operands.some((operand) => operand[0] === 'Z') ? row.opcode & 0xf8 : row.opcode)}${reg}${row.mod ?? ''}${rm} ${row.mnemonic}${row.operands.length ? ` ${row.operands}` : ''}`;
}
/** Why no vectors are asked of the row, or undefined. */
export const reasonLeftOut = (row) => leftOut.get(row.mnemonic);

/** What no other row of the opcode names: of hints they are the same form. */
const isRest = (row) => row.flags.includes('B') && row.mnemonic !== 'nop';

/** Operand sizes the row has in a mode; [0] where it has none. */
function sizesOf(row, mode) {
  const letters = row.operands.map((operand) => operand.at(-1)).join('');
  const vector =
    /(^|[A-Z])[vz]/.test(row.operands.join(' ')) ||
    (SIZED.has(row.mnemonic) && row.operands[0] !== 'Jb') ||
    row.operands.includes('rAX');
  if (vector) {
    if (row.flags.includes('F') && mode === 64) return [64];
    if (row.flags.includes('D') && mode === 64) return [16, 64];
    return mode === 64 ? [16, 32, 64] : [16, 32];
  }
  if (letters.includes('y')) return mode === 64 ? [32, 64] : [32];
  return [0];
}

/** x87: D8…DF by modrm: memory forms by reg, register forms by reg, or by the whole byte where each is another instruction. */
const SINGLE = { 217: [0xd0, 0xe0, 0xe8, 0xf0, 0xf8], 218: [0xe8], 219: [0xe0], 222: [0xd8], 223: [0xe0] };
function escapeForm(opcode, modrm) {
  const reg = (modrm >> 3) & 7;
  if (modrm < 0xc0) return `${hex(opcode)}/${reg}m`;
  return SINGLE[opcode]?.includes(modrm & 0xf8) ? `${hex(opcode)} ${hex(modrm)}` : `${hex(opcode)}/${reg}r`;
}
const escapes = new Set();
for (let opcode = 0xd8; opcode < 0xe0; opcode++) for (let modrm = 0; modrm < 256; modrm++) escapes.add(escapeForm(opcode, modrm));

/** Every form with the cells (`mode/size`) it has. */
export function forms() {
  const result = new Map();
  for (const row of instructions) {
    if ((row.map === 0 && (row.opcode & 0xf8) === 0xd8) || isRest(row) || reasonLeftOut(row)) continue;
    const cells = result.get(nameOf(row)) ?? new Set();
    // m16:64 is Intel's, and QEMU's: the recording processor, AMD's, takes REX.W for nothing
    const farPointer = row.operands.includes('M') && /^(callf|jmpf|lss|lfs|lgs)$/.test(row.mnemonic);
    for (const mode of [16, 32, 64]) {
      if ((row.flags.includes('X') && mode === 64) || (row.flags.includes('O') && mode !== 64)) continue;
      for (const size of sizesOf(row, mode)) if (!(farPointer && size === 64)) cells.add(`${mode}/${size}`);
    }
    result.set(nameOf(row), cells);
  }
  for (const name of escapes) result.set(name, new Set(['16/0', '32/0', '64/0']));
  return result;
}

/** Form and cell of an instruction, or undefined where the table has none (which is #UD). */
export function classify(code, mode) {
  let at = 0;
  let operand66 = false;
  let repeat;
  let rex = 0;
  for (; at < code.length; at++) {
    const byte = code[at];
    if (byte === 0x66) operand66 = true;
    else if (byte === 0xf2 || byte === 0xf3) repeat = byte;
    else if (![0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67, 0xf0].includes(byte)) break;
  }
  if (mode === 64 && (code[at] & 0xf0) === 0x40) rex = code[at++];
  let wide = (rex & 8) !== 0;
  let map = 0;
  let prefix = repeat === 0xf3 ? 'F3' : repeat === 0xf2 ? 'F2' : operand66 ? '66' : 'NP';
  const vex = (code[at] === 0xc4 || code[at] === 0xc5) && (mode === 64 || code[at + 1] >= 0xc0);
  if (vex) {
    const last = code[at] === 0xc5 ? code[at + 1] : code[at + 2];
    map = code[at] === 0xc5 ? 1 : code[at + 1] & 31;
    map = map === 2 ? 4 : map === 3 ? 5 : -1;
    wide = mode === 64 && code[at] === 0xc4 && (last & 0x80) !== 0;
    prefix = ['NP', '66', 'F3', 'F2'][last & 3];
    at += code[at] === 0xc5 ? 2 : 3;
  } else if (code[at] === 0x0f) {
    map = code[at + 1] === 0x38 ? 2 : code[at + 1] === 0x3a ? 3 : 1;
    at += map === 1 ? 1 : 2;
  }
  const opcode = code[at];
  const modrm = code[at + 1] ?? 0;
  if (map === 0 && (opcode & 0xf8) === 0xd8) return { form: escapeForm(opcode, modrm), cell: `${mode}/0` };
  const candidates = (byOpcode.get(map * 256 + opcode) ?? []).filter(
    (row) =>
      !(row.flags.includes('X') && mode === 64) &&
      !(row.flags.includes('O') && mode !== 64) &&
      (row.reg === undefined || row.reg === ((modrm >> 3) & 7)) &&
      (row.mod === undefined || (row.mod === 'r') === modrm >= 0xc0) &&
      (row.rm === undefined || row.rm === (modrm & 7)),
  );
  // a row with a mandatory prefix wins; F2 and F3 hide a 66
  const named = candidates.filter((one) => !isRest(one));
  const row = named.find((one) => one.prefix === prefix) ?? named.find((one) => one.prefix === undefined);
  if (!row) return undefined;
  let size = wide ? 64 : (mode === 16) !== operand66 ? 16 : 32;
  if (mode === 64 && row.flags.includes('F')) size = 64;
  if (mode === 64 && row.flags.includes('D') && size === 32) size = 64;
  const sizes = sizesOf(row, mode);
  if (!sizes.includes(size)) size = sizes.at(-1) === 64 && size === 64 ? 64 : sizes[0];
  return { form: nameOf(row), cell: `${mode}/${size}` };
}
