import {
  Cpu,
  type CpuBus,
  CpuCommonState,
  type CpuPort,
  CpuState,
  cpuCommonDescription,
  cpuDescription,
  cpuidLookup,
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

/** The processor as a part of the machine. */
export interface MachineCpu {
  readonly cpu: CpuPort;
  /** Sections `cpu_common` and `cpu`, reset, resume. */
  readonly device: Device;
  /** `info registers` of QEMU's monitor. */
  registersText(): string;
  /** Direct kernel boot. */
  setRegisters(registers: BootRegisters): void;
  /** Whether CPUID shows a local APIC; the machine then has to have one. */
  readonly hasApic: boolean;
  readonly identity: ProcessorIdentity;
  /** MSR IA32_APIC_BASE as the processor has it; the APIC's section carries it. */
  apicBase(): number;
  setApicBase(value: number): void;
  /** CR8: the upper half of the task priority. */
  taskPriorityClass(): number;
  /** General registers while a port access of the guest is being served. */
  readonly backdoor: RegisterAccess;
}

export interface MachineCpuOptions {
  readonly bus: CpuBus;
  /** Bytes of guest RAM; video memory and ROMs come on top. */
  readonly memorySize: number;
  /** Text of `-cpu`. */
  readonly model: string;
  readonly target: Target;
  /** `x86_64-cpu` properties that the machine version sets. */
  readonly properties: Readonly<Record<string, string>>;
  /** The guest wrote IA32_APIC_BASE or CR8. */
  readonly registerWritten: (register: 'apic-base' | 'cr8') => void;
}

export type MakeCpu = (options: MachineCpuOptions) => MachineCpu;

/** Video memory, firmware and option ROMs beside the guest's RAM. */
const ROM_AND_VIDEO_MEMORY = 32 * 2 ** 20;
/** BootRegisters in wire order of the general registers. */
const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
/** What the CPU's `notify` says for a write of CR8; the other is the APIC's base. */
const NOTIFY_CR8 = 8;
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
  const cpu = Cpu.create({
    module,
    ramBytes: options.memorySize + ROM_AND_VIDEO_MEMORY,
    bus: options.bus,
    cpuid: cpuidTable(configuration),
    resetEdx: signature(configuration),
    notify: (register) => options.registerWritten(register === NOTIFY_CR8 ? 'cr8' : 'apic-base'),
  });
  const view = () => new DataView(cpu.memory.buffer);
  const state = new CpuState(options.target);
  const common = new CpuCommonState();
  const hasApic = configuration.features.has('apic');
  const [eax, , , edx] = cpuidLookup(cpuidTable(configuration), 1, 0);
  /** Pending until the first instruction after `at`. */
  let poll = { request: 0, at: 0 };
  const word = (value: number) => (options.target === 'i386' ? value : BigInt(value));

  return {
    cpu,
    device: {
      sections: [
        section(cpuCommonDescription, common, { instance: 0 }),
        section(cpuDescription(options.target), state, { instance: 0 }),
      ],
      reset: () => {
        cpu.reset();
        poll = { request: hasApic ? APIC_POLL : 0, at: cpu.instructions };
      },
      beforeSave: () => {
        syncFromCpu(cpu, state, common);
        if (cpu.instructions === poll.at) common.interruptRequest |= poll.request;
      },
      resume: () => {
        syncToCpu(cpu, state, common);
        poll = { request: common.interruptRequest & APIC_POLL, at: cpu.instructions };
      },
    },
    hasApic,
    identity: { signature: eax, features: edx },
    apicBase: () => view().getUint32(layout.APIC_BASE, true),
    setApicBase: (value) => view().setUint32(layout.APIC_BASE, value, true),
    taskPriorityClass: () => view().getUint32(layout.CR8, true) & 15,
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
    registersText() {
      syncFromCpu(cpu, state, common);
      return registerLines(state, common).join('\n');
    },
    setRegisters(registers) {
      syncFromCpu(cpu, state, common);
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
      syncToCpu(cpu, state, common);
    },
  };
}
