/** The registers that a trace holds, as 64-bit words. */
import type { Cpu } from '../cpu.js';
import * as layout from '../layout.js';

const GENERAL = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');
const SEGMENTS = 'es cs ss ds fs gs'.split(' ');

/** Name, address and bytes of each; the first two are not words of the state block. */
const PLACES: readonly (readonly [name: string, address: number, bytes: 2 | 4 | 8])[] = [
  ...GENERAL.map((name, i) => [name, layout.GPR + i * layout.GPR_STRIDE, 8] as const),
  ...SEGMENTS.map((name, i) => [name, layout.SEGMENTS + i * layout.SEGMENT_STRIDE + layout.SEG_SELECTOR, 4] as const),
  ['cr0', layout.CR0, 8],
  ['cr2', layout.CR2, 8],
  ['cr3', layout.CR3, 8],
  ['cr4', layout.CR4, 8],
  ['cr8', layout.CR8, 8],
  ['efer', layout.EFER, 8],
  ['fcw', layout.FPU_CONTROL, 2],
  ['fsw', layout.FPU_STATUS, 2],
  ['ftop', layout.FPU_TOP, 4],
  ['ftw', layout.FPU_TAG, 2],
  ['mxcsr', layout.MXCSR, 4],
  ...Array.from({ length: 8 }, (_, i) => [`fpr${i}`, layout.FPU_REGISTERS + i * 16, 8] as const),
  ...Array.from({ length: 8 }, (_, i) => [`fpr${i}e`, layout.FPU_REGISTERS + i * 16 + 8, 2] as const),
  ...Array.from({ length: 16 }, (_, i) => [`xmm${i}l`, layout.XMM + i * 16, 8] as const),
  ...Array.from({ length: 16 }, (_, i) => [`xmm${i}h`, layout.XMM + i * 16 + 8, 8] as const),
];

/** In the order of the words; `processor` is the number of the one that runs. */
export const TRACE_REGISTERS: readonly string[] = ['rip', 'rflags', 'processor', ...PLACES.map(([name]) => name)];

/** Fills `words` (two u32 for each of {@link TRACE_REGISTERS}, low half first) from a CPU that stands before an instruction. */
export function readTraceRegisters(cpu: Cpu, words: Uint32Array): void {
  const { view } = cpu;
  words[0] = view.getUint32(layout.RIP, true);
  words[1] = view.getUint32(layout.RIP + 4, true);
  words[2] = cpu.getFlags();
  words[4] = cpu.selected;
  let at = 6;
  for (const [, address, bytes] of PLACES) {
    words[at] = bytes === 2 ? view.getUint16(address, true) : view.getUint32(address, true);
    words[at + 1] = bytes === 8 ? view.getUint32(address + 4, true) : 0;
    at += 2;
  }
}
