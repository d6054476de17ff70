import {
  Cpu,
  type CpuBus,
  CpuCommonState,
  type CpuPort,
  CpuState,
  type CpuTopology,
  cpuCommonDescription,
  cpuDescription,
  cpuidLookup,
  cpuidOfProcessor,
  cpuidTable,
  isImplemented,
  layout,
  parseCpu,
  registerLines,
  signature,
  syncFromCpu,
  syncToCpu,
  type Target,
} from '@pagurus/cpu-wasm';
import { type Device, section } from '@pagurus/device-model';
import type { ProcessorIdentity, RegisterAccess } from './composer.js';
import type { BootRegisters } from './loader/index.js';
import { type ProcessorSelected, Processors } from './processors.js';

/** The processors as a part of the machine. */
export interface MachineCpu {
  readonly cpu: CpuPort;
  readonly processors: Processors;
  /** Sections `cpu_common` and `cpu`, reset, resume; one for each processor. */
  readonly devices: readonly Device[];
  /** `info registers` of QEMU's monitor. */
  registersText(processor: number): string;
  /** Direct kernel boot, of the boot processor. */
  setRegisters(registers: BootRegisters): void;
  /** Whether there is a local APIC for each processor: CPUID shows it, or there are several. */
  readonly hasApic: boolean;
  readonly identity: ProcessorIdentity;
  /** MSR IA32_APIC_BASE as the selected processor has it; the APIC's section carries it. */
  apicBase(): number;
  setApicBase(value: number): void;
  /** CR8 of the selected processor: the upper half of the task priority. */
  taskPriorityClass(): number;
  /** MSR IA32_TSC_DEADLINE of the selected processor (0: none), and what its time-stamp counter is ahead of the machine's. */
  tscDeadline(): { deadline: bigint; offset: bigint };
  clearTscDeadline(): void;
  /** General registers while a port access of the guest is being served. */
  readonly backdoor: RegisterAccess;
}

/** What a processor told the machine: registers that it shares with a device, or a pin. */
export type ProcessorNotice = 'apic-base' | 'cr8' | 'system-management' | 'numeric-error' | 'time-stamp' | 'tsc-deadline';

export interface MachineCpuOptions {
  readonly bus: CpuBus;
  /** Bytes of guest RAM; video memory and ROMs come on top. */
  readonly memorySize: number;
  /** Text of `-cpu`. */
  readonly model: string;
  readonly target: Target;
  /** `x86_64-cpu` properties that the machine version sets. */
  readonly properties: Readonly<Record<string, string>>;
  /** How many processors run from the start; `topology` has room for them. */
  readonly count: number;
  readonly topology: CpuTopology;
  readonly notice: (what: ProcessorNotice) => void;
  readonly selected: ProcessorSelected;
}

export type MakeCpu = (options: MachineCpuOptions) => MachineCpu;

/** Video memory, firmware and option ROMs beside the guest's RAM. */
const ROM_AND_VIDEO_MEMORY = 32 * 2 ** 20;
/** BootRegisters in wire order of the general registers. */
const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
/** What the CPU's `notify` says. */
const NOTICES: { readonly [what: number]: ProcessorNotice } = {
  5: 'system-management',
  8: 'cr8',
  13: 'numeric-error',
  16: 'time-stamp',
  27: 'apic-base',
  1760: 'tsc-deadline',
};
/** Bit of `interrupt_request`: QEMU's processor has yet to ask its local APIC. Ours never has to, but carries it on. */
const APIC_POLL = 0x10;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;

/** @throws {CpuModelError} for an unknown model or a feature that this CPU lacks. */
export function makeCpu(module: WebAssembly.Module, options: MachineCpuOptions): MachineCpu {
  // The local APIC is a device of the machine, which provides it wherever the model has one.
  const configuration = parseCpu(
    options.model,
    options.target,
    options.properties,
    (feature, target) => feature === 'apic' || isImplemented(feature, target),
  );
  const table = cpuidTable(configuration);
  const cpuids = Array.from({ length: options.count }, (_, n) => cpuidOfProcessor(table, n, options.topology));
  const cpu = Cpu.create({
    module,
    ramBytes: options.memorySize + ROM_AND_VIDEO_MEMORY,
    bus: options.bus,
    cpuid: cpuids[0]!,
    resetEdx: signature(configuration),
    notify: (what) => {
      const notice = NOTICES[what];
      if (!notice) throw new Error(`the CPU told of 0x${what.toString(16)}, which this machine does not know`);
      options.notice(notice);
    },
  });
  for (const cpuid of cpuids.slice(1)) cpu.addProcessor(cpuid);
  const processors = new Processors(cpu, options.selected);
  const hasApic = configuration.features.has('apic') || options.count > 1;
  const parts = cpuids.map((_, number) => new ProcessorPart(cpu, processors, number, options.target, hasApic, options.notice));
  const boot = parts[0]!;
  const [eax, , , edx] = cpuidLookup(cpuids[0]!, 1, 0);
  const view = () => new DataView(cpu.memory.buffer);
  const word = (value: number) => (options.target === 'i386' ? value : BigInt(value));

  return {
    cpu,
    processors,
    devices: parts.map((part) => part.device),
    hasApic,
    identity: { signature: eax, features: edx },
    apicBase: () => view().getUint32(layout.APIC_BASE, true),
    setApicBase: (value) => view().setUint32(layout.APIC_BASE, value, true),
    taskPriorityClass: () => view().getUint32(layout.CR8, true) & 15,
    tscDeadline: () => ({
      deadline: view().getBigUint64(layout.TSC_DEADLINE, true),
      offset: view().getBigUint64(layout.TSC_OFFSET, true),
    }),
    clearTscDeadline: () => view().setBigUint64(layout.TSC_DEADLINE, 0n, true),
    backdoor: {
      registers() {
        const [eax, ecx, edx, ebx, , , esi, edi] = GENERAL.map((_, i) =>
          view().getUint32(layout.GPR + i * layout.GPR_STRIDE, true),
        );
        return { eax: eax!, ebx: ebx!, ecx: ecx!, edx: edx!, esi: esi!, edi: edi! };
      },
      setRegisters(registers) {
        GENERAL.forEach((name, i) => {
          if (name === 'esp' || name === 'ebp') return;
          view().setBigUint64(layout.GPR + i * layout.GPR_STRIDE, BigInt(registers[name] >>> 0), true);
        });
      },
    },
    registersText(number) {
      const part = parts[number];
      if (!part) throw new RangeError(`no processor ${number}; there are ${parts.length}`);
      part.syncFrom();
      return registerLines(part.state, part.common, number).join('\n');
    },
    setRegisters(registers) {
      boot.syncFrom();
      const { state } = boot;
      GENERAL.forEach((name, i) => {
        state.regs[i] = word(registers[name]);
      });
      state.eip = word(registers.eip);
      state.eflags = word(registers.eflags);
      state.cr0 = word(registers.cr0);
      SEGMENTS.forEach((name, i) => {
        const { base, ...rest } = registers.segments[name];
        Object.assign(state.segments[i]!, rest, { base: word(base) });
      });
      Object.assign(state.gdt, { base: word(registers.gdt.base), limit: registers.gdt.limit });
      Object.assign(state.idt, { base: word(registers.idt.base), limit: registers.idt.limit });
      syncToCpu(cpu, state, boot.common);
    },
  };
}

/** One processor with its wire state. */
class ProcessorPart {
  readonly state: CpuState;
  readonly common = new CpuCommonState();
  readonly device: Device;
  /** Pending until the first instruction after `at`. */
  private poll = { request: 0, at: 0 };

  constructor(
    private readonly cpu: Cpu,
    private readonly processors: Processors,
    private readonly number: number,
    target: Target,
    hasApic: boolean,
    notice: (what: ProcessorNotice) => void,
  ) {
    this.state = new CpuState(target);
    this.device = {
      sections: [
        section(cpuCommonDescription, this.common, { instance: number }),
        section(cpuDescription(target), this.state, { instance: number }),
      ],
      reset: () => {
        processors.select(number);
        cpu.reset(number !== 0);
        this.poll = { request: hasApic ? APIC_POLL : 0, at: cpu.instructions };
      },
      beforeSave: () => {
        processors.select(number);
        notice('time-stamp');
        this.syncFrom();
        if (cpu.instructions === this.poll.at) this.common.interruptRequest |= this.poll.request;
      },
      resume: () => {
        processors.select(number);
        syncToCpu(cpu, this.state, this.common);
        this.poll = { request: this.common.interruptRequest & APIC_POLL, at: cpu.instructions };
      },
    };
  }

  syncFrom(): void {
    this.processors.select(this.number);
    syncFromCpu(this.cpu, this.state, this.common);
  }
}
