import type { Composer } from '../composer.js';
import { loadKernel } from '../loader/index.js';
import type { MemoryLayout } from './pc-parts.js';

/**
 * Direct kernel boot (`-kernel`): after every reset the loader's bytes lie in RAM and the CPU stands at the kernel's entry.
 * @throws {BootError} at composition for an image that cannot be booted.
 */
export function bootKernel(composer: Composer, layout: MemoryLayout): void {
  const { kernel } = composer.config;
  if (!kernel) return;
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
    machine.setRegisters(image.registers);
  });
}
