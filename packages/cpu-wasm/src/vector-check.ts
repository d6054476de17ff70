/** Compares what a CPU did with what the real one did, and collects the differences by instruction form. */
import type { VectorHost, VectorResult } from './vector-machine.js';
import { ARENA, CODE, NO_TRAP, STATED_FLAGS, type Vector, type VectorFile } from './vectors.js';

export interface Difference {
  /** `trap`, `eax`, `flags`, `memory`, `st3`, … */
  readonly what: string;
  readonly expected: string;
  readonly got: string;
}

const GENERAL = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [0x800, 'OF'],
  [0x400, 'DF'],
  [0x200, 'IF'],
  [0x80, 'SF'],
  [0x40, 'ZF'],
  [0x10, 'AF'],
  [0x4, 'PF'],
  [0x1, 'CF'],
];

/** The opcode byte behind the legacy prefixes (and REX), and the repeat prefix, of one-byte opcodes. */
function opcodeOf({ code, mode }: Vector): { opcode: number; repeat: boolean } {
  let repeat = false;
  for (const byte of code) {
    if (byte === 0xf2 || byte === 0xf3) repeat = true;
    else if (![0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0].includes(byte) && !(mode === 64 && (byte & 0xf0) === 0x40)) {
      return { opcode: byte, repeat };
    }
  }
  return { opcode: 0, repeat };
}

/** Why a vector says nothing about a right CPU, or undefined if it does. */
export function excluded(vector: Vector, host: VectorHost): string | undefined {
  const { opcode, repeat } = opcodeOf(vector);
  if ((opcode === 0xe0 || opcode === 0xe1) && repeat)
    return 'LOOPcc with a repeat prefix is reserved: AMD lets the prefix choose the condition';
  const { outcome } = vector;
  if (host === 'legacy' && outcome.trap === 14 && outcome.errorCode & 0x10 && outcome.address < BigInt(CODE.base))
    return 'it jumps into the arena, which two-level tables cannot forbid to execute';
  if (/^(fldenv|frstor)$/.test(vector.form.name) && outcome.trap !== NO_TRAP)
    return 'AMD loads what lies before the limit of the segment when an environment crosses it';
  return undefined;
}

/** CMPS whose operands both fault: hardware reports either, even on two runs of the same instruction. */
function eitherAddress(vector: Vector): boolean {
  const { opcode } = opcodeOf(vector);
  return opcode === 0xa6 || opcode === 0xa7;
}

/** Units in the last place by which an approximated (transcendental) result may differ from the recording. */
export const APPROXIMATE_ULP = 1n;

function registerName(index: number, mode: number): string {
  if (index >= 8) return `r${index}`;
  return (mode === 64 ? 'r' : 'e') + GENERAL[index]!;
}

const hex = (value: number | bigint): string => value.toString(16);
const bytesHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
const flagsText = (flags: number, mask: number): string =>
  FLAG_NAMES.filter(([bit]) => mask & bit)
    .map(([bit, name]) => (flags & bit ? name : name.toLowerCase()))
    .join(' ');
/** Most significant byte first, as registers are read. */
const numberHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
    .reverse()
    .join('');

function x87Distance(a: Uint8Array, b: Uint8Array): bigint {
  const value = (bytes: Uint8Array): bigint => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, 10);
    const exponent = view.getUint16(8, true);
    const magnitude = (BigInt(exponent & 0x7fff) << 63n) + (view.getBigUint64(0, true) & ~(1n << 63n));
    return exponent & 0x8000 ? -magnitude : magnitude;
  };
  const distance = value(a) - value(b);
  return distance < 0n ? -distance : distance;
}

/** RCPSS and RSQRTSS have 12 correct bits; the rest is each processor's own. */
function nearSingles(a: Uint8Array, b: Uint8Array): boolean {
  const [x, y] = [new DataView(a.buffer, a.byteOffset, 16), new DataView(b.buffer, b.byteOffset, 16)];
  return [0, 4, 8, 12].every((at) => Math.abs(x.getUint32(at, true) - y.getUint32(at, true)) <= 0x1000);
}

export class VectorChecker {
  private readonly expected = new Uint8Array(ARENA.length);
  private readonly words = new Int32Array(this.expected.buffer);

  constructor(
    readonly file: VectorFile,
    readonly host: VectorHost,
  ) {}

  /** Empty if the CPU did what the recording says. */
  compare(vector: Vector, result: VectorResult): Difference[] {
    const differences: Difference[] = [];
    const { outcome, mode, approximate } = vector;
    const { after } = outcome;
    const { registers } = result;
    const add = (what: string, expected: string, got: string) => void differences.push({ what, expected, got });
    const number = (what: string, expected: number | bigint, got: number | bigint) => {
      if (expected !== got) add(what, hex(expected), hex(got));
    };

    // a non-canonical operand and an unmapped one, or two unmapped ones
    const twoFaults = eitherAddress(vector) && [outcome.trap, result.trap].every((trap) => trap === 13 || trap === 14);
    if (outcome.trap !== result.trap && !twoFaults) add('trap', trapName(outcome.trap), trapName(result.trap));
    else if (outcome.trap === result.trap && outcome.trap !== NO_TRAP) {
      // Two-level tables without NX do not tell instruction fetches apart.
      let mask = outcome.trap === 14 && mode !== 64 && this.host === 'legacy' ? ~0x10 : ~0;
      // outside of arena and code the recording process had pages of its own
      if (outcome.trap === 14 && (outcome.address < 0x10000n || outcome.address >= 0x40000n)) mask &= ~1;
      number('error code', outcome.errorCode & mask, result.errorCode & mask);
      if (!eitherAddress(vector)) number('cr2', outcome.address, result.address);
    }
    number('ip', outcome.advance, result.advance);
    for (let i = 0; i < (mode === 64 ? 16 : 8); i++) number(registerName(i, mode), after.general[i]!, registers.general[i]!);
    const mask = STATED_FLAGS & ~outcome.undefinedFlags;
    if ((after.flags ^ registers.flags) & mask) add('flags', flagsText(after.flags, mask), flagsText(registers.flags, mask));
    this.compareArena(vector, result.arena, add);

    number('fpu control', after.fpuControl, registers.fpuControl);
    // C1 and the precision flag of an approximated result depend on digits that nobody promises.
    const statusMask = approximate ? ~0x220 : ~0;
    number('fpu status', after.fpuStatus & statusMask, registers.fpuStatus & statusMask);
    number('fpu tag', after.fpuTag, registers.fpuTag);
    for (let i = 0; i < 8; i++) {
      const [want, got] = [after.fpu.subarray(i * 10, i * 10 + 10), registers.fpu.subarray(i * 10, i * 10 + 10)];
      if (same(want, got) || (approximate && x87Distance(want, got) <= APPROXIMATE_ULP)) continue;
      add(`physical st${i}`, numberHex(want), numberHex(got));
    }
    for (let i = 0; i < (mode === 64 ? 16 : 8); i++) {
      const [want, got] = [after.xmm.subarray(i * 16, i * 16 + 16), registers.xmm.subarray(i * 16, i * 16 + 16)];
      if (same(want, got) || (approximate && nearSingles(want, got))) continue;
      add(`xmm${i}`, numberHex(want), numberHex(got));
    }
    number('mxcsr', after.mxcsr, registers.mxcsr);
    return differences;
  }

  private compareArena(vector: Vector, arena: Uint8Array, add: (what: string, expected: string, got: string) => void): void {
    const { expected, words } = this;
    expected.set(this.file.arena);
    for (const { offset, bytes } of vector.patches) expected.set(bytes, offset);
    for (const { offset, bytes } of vector.outcome.memory) expected.set(bytes, offset);
    for (const { offset, length } of vector.ignored) expected.set(arena.subarray(offset, offset + length), offset);
    const actual = new Int32Array(arena.buffer, arena.byteOffset, ARENA.length / 4);
    for (let word = 0; word < words.length; word++) {
      if (words[word] === actual[word]) continue;
      let start = word * 4;
      while (expected[start] === arena[start]) start++;
      let end = start + 1;
      for (let at = end; at < ARENA.length && at < end + 16; at++) if (expected[at] !== arena[at]) end = at + 1;
      add(
        `memory ${hex(ARENA.base + start)}`,
        bytesHex(expected.subarray(start, Math.min(end, start + 32))),
        bytesHex(arena.subarray(start, Math.min(end, start + 32))),
      );
      return;
    }
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function trapName(trap: number): string {
  const names: Record<number, string> = {
    0: '#DE',
    1: '#DB',
    3: '#BP',
    4: '#OF',
    5: '#BR',
    6: '#UD',
    7: '#NM',
    8: '#DF',
    10: '#TS',
    11: '#NP',
    12: '#SS',
    13: '#GP',
    14: '#PF',
    16: '#MF',
    17: '#AC',
    19: '#XM',
  };
  return trap === NO_TRAP ? 'none' : (names[trap] ?? `#${trap}`);
}

/** One vector in words: bytes, the registers that matter, what differs. */
export function describeFailure(vector: Vector, differences: readonly Difference[]): string {
  const { before } = vector;
  const registers = Array.from(
    before.general.subarray(0, vector.mode === 64 ? 16 : 8),
    (value, i) => `${registerName(i, vector.mode)}=${hex(value)}`,
  ).join(' ');
  const lines = [
    `#${vector.index} ${vector.form.group} | ${vector.form.name} | ${vector.mode}-bit @${hex(vector.codeOffset)}: ${bytesHex(vector.code)}`,
    `    in   ${registers} fl=${flagsText(before.flags, STATED_FLAGS)}`,
  ];
  if (/^(x87|mmx)/.test(vector.form.group)) {
    const top = (before.fpuStatus >> 11) & 7;
    lines.push(
      `    x87  cw=${hex(before.fpuControl)} sw=${hex(before.fpuStatus)} tag=${before.fpuTag.toString(2).padStart(8, '0')} top=${top} ${Array.from({ length: 8 }, (_, i) => `st${i}=${numberHex(before.fpu.subarray(((top + i) & 7) * 10, ((top + i) & 7) * 10 + 10))}`).join(' ')}`,
    );
  }
  if (/^s?sse/.test(vector.form.group))
    lines.push(
      `    sse  mxcsr=${hex(before.mxcsr)} ${Array.from({ length: vector.mode === 64 ? 16 : 8 }, (_, i) => `xmm${i}=${numberHex(before.xmm.subarray(i * 16, i * 16 + 16))}`).join(' ')}`,
    );
  for (const { what, expected, got } of differences)
    lines.push(`    ${what.padEnd(12)} want ${expected}\n                 got  ${got}`);
  return lines.join('\n');
}
