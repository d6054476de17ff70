import type { FwCfgService } from '@pagurus/dev-chipset';
import type { Composer } from '../composer.js';
import { isLinuxKernel, loadKernel } from '../loader/index.js';
import type { SystemMemory } from '../system-memory.js';
import { offerKernel } from './firmware-kernel.js';
import type { MemoryLayout } from './pc-parts.js';

/** Local APIC registers. [SDM] volume 3, "Local APIC Register Address Map" */
const APIC = { SPURIOUS: 0xfee0_00f0, LINT0: 0xfee0_0350, LINT1: 0xfee0_0360 } as const;
const APIC_ENABLED = 0x100;
const EXTERNAL_INTERRUPT_LEVEL = 0x8700;
const NMI_LEVEL = 0x8400;

/** Firmware leaves the local APIC in virtual wire mode: the 8259's interrupts come through LINT0. [MP] 3.6.2.2 */
function virtualWire(memory: SystemMemory): void {
  memory.mmioWrite(APIC.SPURIOUS, memory.mmioRead(APIC.SPURIOUS, 4) | APIC_ENABLED, 4);
  memory.mmioWrite(APIC.LINT0, EXTERNAL_INTERRUPT_LEVEL, 4);
  memory.mmioWrite(APIC.LINT1, NMI_LEVEL, 4);
}

/**
 * `-kernel`: firmware boots a Linux kernel by our option ROM. Without firmware, and a Multiboot kernel always, it is booted directly: after
 * every reset the loader's bytes lie in RAM and the CPU stands at the kernel's entry.
 * @throws {BootError} {@link MachineError} at composition for an image that cannot be booted.
 */
export function bootKernel(composer: Composer, layout: MemoryLayout, fwCfg: FwCfgService): void {
  const { kernel, firmware } = composer.config;
  if (!kernel) return;
  if (firmware && isLinuxKernel(kernel.image)) {
    offerKernel(composer, fwCfg, layout);
    return;
  }
  const image = loadKernel({
    kernel: kernel.image,
    modules: kernel.initrd ? [{ bytes: kernel.initrd }] : [],
    commandLine: kernel.commandLine ?? '',
    below4g: layout.below4g,
    above4g: layout.above4g,
  });
  const { machine } = composer;
  composer.afterReset.push(() => {
    for (const { address, bytes } of image.writes) machine.memory.write(address, bytes);
    machine.a20Pin(image.a20);
    if (composer.localApics.length > 0) virtualWire(machine.memory);
    machine.setRegisters(image.registers);
  });
}
