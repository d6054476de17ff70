import type { FwCfgService } from '@pagurus/dev-chipset';
import type { Composer } from '../composer.js';
import type { FirmwareTableInput } from '../firmware-tables/input.js';
import { isLinuxKernel, loadKernel } from '../loader/index.js';
import { DIRECT_TABLES, leaveAcpi, virtualWire } from './direct-boot.js';
import { offerKernel } from './firmware-kernel.js';
import type { MemoryLayout } from './pc-parts.js';

/**
 * `-kernel`: firmware boots a Linux kernel by our option ROM. Without firmware, and a Multiboot kernel always, it is booted directly: after
 * every reset the loader's bytes lie in RAM and the CPU stands at the kernel's entry; Linux finds ACPI tables where the machine has some.
 * @param acpi the machine as its tables describe it.
 * @throws {BootError} {@link MachineError} at composition for an image that cannot be booted.
 */
export function bootKernel(composer: Composer, layout: MemoryLayout, fwCfg: FwCfgService, acpi?: () => FirmwareTableInput): void {
  const { kernel, firmware } = composer.config;
  if (!kernel) return;
  const isLinux = isLinuxKernel(kernel.image);
  if (firmware && isLinux) {
    offerKernel(composer, fwCfg, layout);
    return;
  }
  const tables = isLinux ? acpi : undefined;
  const image = loadKernel({
    kernel: kernel.image,
    modules: kernel.initrd ? [{ bytes: kernel.initrd }] : [],
    commandLine: kernel.commandLine ?? '',
    below4g: layout.below4g,
    reserved: tables ? DIRECT_TABLES : 0,
    above4g: layout.above4g,
  });
  const { machine } = composer;
  composer.afterReset.push(() => {
    for (const { address, bytes } of image.writes) machine.memory.write(address, bytes);
    if (tables) leaveAcpi(machine.memory, machine.ports, tables(), layout.below4g);
    machine.a20Pin(image.a20);
    if (composer.localApics.length > 0) virtualWire(machine.memory);
    machine.setRegisters(image.registers);
  });
}
