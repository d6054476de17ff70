import type { MemoryRegion, MemorySlotsService } from '@pagurus/dev-pci';
import type { Composer } from '../composer.js';
import { MachineError } from '../machine-type.js';
import type { MemoryLayout } from './pc-parts.js';

const GIB = 2 ** 30;
const FOUR_GIB = 4 * GIB;

/** Addresses for memory modules: from the next whole GiB behind the memory, with a GiB more for each slot, to align in. [QEMU] */
export function memoryArea(composer: Composer, layout: MemoryLayout): { first: number; end: number; room: number } | undefined {
  const { memorySlots } = composer.config;
  if (!memorySlots) return undefined;
  const { count, maximum } = memorySlots;
  const room = maximum - composer.memorySize;
  if (!Number.isSafeInteger(maximum) || room < 0 || maximum % 4096 !== 0)
    throw new MachineError(`-m maxmem=${maximum}: expected whole pages, and at least the machine's ${composer.memorySize} bytes`);
  if (!Number.isInteger(count) || count < 0 || (count === 0) !== (room === 0))
    throw new MachineError(`-m slots=${count},maxmem=${maximum}: expected slots exactly where there is room for modules`);
  const first = Math.ceil((FOUR_GIB + layout.above4g) / GIB) * GIB;
  return count === 0 ? undefined : { first, end: first + room + count * GIB, room };
}

export function memoryRegion(area: { first: number; end: number; room: number }, slots: MemorySlotsService): MemoryRegion {
  return { ...area, slots, taken: [] };
}

/** `etc/reserved-memory-end`: firmware puts 64-bit PCI memory behind it. */
export const reservedEnd = (area: { end: number }): number => Math.ceil(area.end / GIB) * GIB;
