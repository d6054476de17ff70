/** Recording a trace, and running beside one until the first difference. */
import type { Cpu } from '../cpu.js';
import type { CodeBits, Disassembler } from '../disassembler/disassembler.js';
import { codeBits, codeLine, linearAddress } from './debug-log.js';
import type { CpuObserver } from './observer.js';
import { readTraceRegisters, TRACE_REGISTERS } from './registers.js';
import type { TraceReader, TraceWriter } from './trace-file.js';

/** Instructions that are shown before a difference. */
const BEFORE = 8;
const LONGEST_INSTRUCTION = 15;

/** Writes the registers before each instruction. */
export function recordTrace(cpu: Cpu, writer: TraceWriter): CpuObserver {
  const words = new Uint32Array(2 * TRACE_REGISTERS.length);
  return {
    before() {
      readTraceRegisters(cpu, words);
      writer.add(words);
    },
  };
}

export interface TraceDifference {
  /** Instructions that were the same. */
  readonly instructions: number;
  /** Names of the registers that differ. */
  readonly registers: readonly string[];
  /** All about it, in lines. */
  readonly text: string;
}

/**
 * Compares the registers before each instruction. At the first difference `differs` is called once, and the CPU is asked to leave its run; so at the trace's
 * end, with `ended`.
 */
export function compareTrace(
  cpu: Cpu,
  disassembler: Disassembler,
  reader: TraceReader,
  differs: (difference: TraceDifference) => void,
  ended: (instructions: number) => void,
): CpuObserver {
  const words = new Uint32Array(2 * TRACE_REGISTERS.length);
  /** The last instructions: address, place in memory, width. */
  const recent: { rip: bigint; linear: bigint; bits: CodeBits; bytes: Uint8Array }[] = [];
  let instructions = 0;
  let over = false;
  return {
    before() {
      if (over) return;
      readTraceRegisters(cpu, words);
      const more = reader.next();
      const wrong = more ? TRACE_REGISTERS.filter((_, i) => differ(words, reader.words, i)) : [];
      const rip = (BigInt(words[1]!) << 32n) | BigInt(words[0]!);
      const linear = linearAddress(cpu, rip);
      recent.push({ rip, linear, bits: codeBits(cpu), bytes: cpu.readLinear(linear, LONGEST_INSTRUCTION) });
      if (recent.length > BEFORE + 1) recent.shift();
      if (more && wrong.length === 0) {
        instructions++;
        return;
      }
      over = true;
      cpu.requestExit();
      if (!more) ended(instructions);
      else differs({ instructions, registers: wrong, text: describe(wrong) });
    },
  };

  function describe(wrong: readonly string[]): string {
    const code = recent.map(({ rip, linear, bits, bytes }, i) => {
      const line = codeLine(disassembler.one(bytes, rip, bits), linear);
      return `${i === recent.length - 1 ? '=> ' : '   '}${line}`;
    });
    const table = TRACE_REGISTERS.flatMap((name, i) => {
      const differs = wrong.includes(name);
      if (!differs && i >= 3 + 16 + 6 + 6) return [];
      return [`${differs ? '*' : ' '} ${name.padEnd(9)} ${hexWord(words, i)}  ${hexWord(reader.words, i)}`];
    });
    return [
      `the trace differs before instruction ${instructions + 1}: ${wrong.join(', ')}`,
      ...code,
      `  ${'register'.padEnd(9)} ${'here'.padEnd(16)}  recorded`,
      ...table,
    ].join('\n');
  }
}

function differ(a: Uint32Array, b: Uint32Array, i: number): boolean {
  return a[2 * i] !== b[2 * i] || a[2 * i + 1] !== b[2 * i + 1];
}

function hexWord(words: Uint32Array, i: number): string {
  return [words[2 * i + 1]!, words[2 * i]!].map((half) => half.toString(16).padStart(8, '0')).join('');
}
