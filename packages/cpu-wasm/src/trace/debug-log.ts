/** The log of `-d`: what QEMU's items of the same names write, in its layout. */
import type { Cpu } from '../cpu.js';
import { type CodeBits, type Disassembler, type Instruction, instructionText } from '../disassembler/disassembler.js';
import { CR0, HFLAGS } from '../flags.js';
import * as layout from '../layout.js';
import { registerLines } from '../registers.js';
import { CpuCommonState, CpuState, type Target } from '../state.js';
import { syncFromCpu } from '../state-sync.js';
import { type CpuObserver, DELIVERY, type Delivery } from './observer.js';

export const DEBUG_ITEMS = {
  in_asm: 'guest code as it is decoded, each block once',
  exec: 'each block before it runs',
  cpu: 'registers before each block',
  fpu: 'with cpu: x87 and SSE registers, too',
  int: 'interrupts and exceptions, with the registers',
} as const;

export type DebugItem = keyof typeof DEBUG_ITEMS;

export interface DebugLogOptions {
  readonly cpu: Cpu;
  readonly disassembler: Disassembler;
  /** Whose registers: QEMU writes those of qemu-system-x86_64 wider. */
  readonly target: Target;
  readonly items: ReadonlySet<DebugItem>;
  /** `exec` and `cpu` before each instruction. */
  readonly singleStep?: boolean;
  /** Whole lines with their ends. */
  readonly write: (text: string) => void;
}

/** Instructions remembered as shown, so that one that runs alone over and over is shown once. */
const REMEMBERED = 1 << 18;

const hex = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Width of the code that runs. */
export function codeBits(cpu: Cpu): CodeBits {
  const size = cpu.view.getUint32(layout.MODE, true) & layout.MODE_SIZE_MASK;
  return size === layout.MODE_64 ? 64 : size === layout.MODE_32 ? 32 : 16;
}

/** The address that code at RIP (or another offset in CS) has in memory before paging. */
export function linearAddress(cpu: Cpu, rip: bigint): bigint {
  return (rip + cpu.view.getBigUint64(layout.FETCH_BASE, true)) & cpu.view.getBigUint64(layout.FETCH_MASK, true);
}

/** `0x0000e05b:  2e 66 83 3e c8 61 00     cmp    …` */
export function codeLine(instruction: Instruction, linear: bigint): string {
  const bytes = Array.from(instruction.bytes, (byte) => hex(byte, 2)).join(' ');
  return `0x${hex(linear, linear > 0xffffffffn ? 16 : 8)}:  ${bytes.padEnd(24)} ${instructionText(instruction)}`.trimEnd();
}

/** Observes a CPU for a {@link DebugItem} or several. */
export function debugLog(options: DebugLogOptions): CpuObserver {
  const { cpu, disassembler, items, write, target } = options;
  const state = new CpuState(target);
  const common = new CpuCommonState();
  const shown = new Set<string>();
  let deliveries = 0;

  const registers = (): string => {
    syncFromCpu(cpu, state, common);
    const lines = registerLines(state, common).slice(1);
    const end = items.has('fpu') ? lines.length : lines.findIndex((line) => line.startsWith('FCW='));
    return `${lines.slice(0, end).join('\n')}\n`;
  };

  const decoded = (bytes: Uint8Array, alone: boolean): void => {
    const bits = codeBits(cpu);
    const rip = cpu.view.getBigUint64(layout.RIP, true);
    const list = [...disassembler.all(bytes, rip, bits)];
    const key = ({ address, bytes }: Instruction): string => `${bits}.${linearAddress(cpu, address)}.${bytes.join()}`;
    if (alone && shown.has(key(list[0]!))) return;
    if (shown.size > REMEMBERED) shown.clear();
    for (const instruction of list) shown.add(key(instruction));
    const lines = list.map((instruction) => codeLine(instruction, linearAddress(cpu, instruction.address)));
    write(`----------------\nIN: \n${lines.join('\n')}\n\n`);
  };

  const before = (): void => {
    syncFromCpu(cpu, state, common);
    if (items.has('exec')) {
      const base = hex(cpu.view.getBigUint64(layout.FETCH_BASE, true), 16);
      write(`Trace ${cpu.selected}: [${base}/${hex(linearAddress(cpu, BigInt(state.eip)), 16)}/${hex(state.hflags, 8)}]\n`);
    }
    if (items.has('cpu')) write(registers());
  };

  const delivering = ({ vector, kind, code, back }: Delivery): void => {
    syncFromCpu(cpu, state, common);
    if (kind === DELIVERY.EXTERNAL) write(`Servicing hardware INT=0x${hex(vector, 2)}\n`);
    const [cs, ss] = [state.segments[1]!, state.segments[2]!];
    const software = kind === DELIVERY.SOFTWARE || kind === DELIVERY.INT3 ? 1 : 0;
    const pageFault = vector === 14 && (Number(state.cr0) & CR0.PE) !== 0 && code !== undefined;
    const last = pageFault
      ? `CR2=${hex(BigInt(state.cr2), 16)}`
      : `env->regs[R_EAX]=${hex(BigInt.asUintN(64, BigInt(state.regs[0]!)), 16)}`;
    write(
      `${String(deliveries++).padStart(6)}: v=${hex(vector, 2)} e=${hex(code ?? 0, 4)} i=${software} cpl=${state.hflags & HFLAGS.CPL} ` +
        `IP=${hex(cs.selector, 4)}:${hex(back, 16)} pc=${hex(linearAddress(cpu, back), 16)} ` +
        `SP=${hex(ss.selector, 4)}:${hex(BigInt(state.regs[4]!), 16)} ${last}\n${registers()}`,
    );
  };

  return {
    ...(items.has('in_asm') ? { decoded } : {}),
    ...(items.has('int') ? { delivering } : {}),
    ...(items.has('cpu') || items.has('exec')
      ? { before, step: options.singleStep ? ('instruction' as const) : ('block' as const) }
      : {}),
  };
}
