import { BootError, type BootImage, type BootRequest } from './boot-image.js';
import { isLinuxKernel, loadLinux } from './linux.js';
import { findMultibootHeader, loadMultiboot } from './multiboot.js';

export type { BootErrorCode, BootImage, BootModule, BootRegisters, BootRequest, BootSegment, MemoryWrite } from './boot-image.js';
export { BootError } from './boot-image.js';
export { isLinuxKernel, loadLinux } from './linux.js';
export { type MapRange, memoryMap } from './memory-map.js';
export { loadMultiboot } from './multiboot.js';

/**
 * Direct kernel boot: recognises the kernel's format and prepares RAM and registers.
 * @throws {BootError} for anything that cannot be booted; nothing has happened then.
 */
export function loadKernel(request: BootRequest): BootImage {
  if (isLinuxKernel(request.kernel)) return loadLinux(request);
  if (findMultibootHeader(request.kernel)) return loadMultiboot(request);
  throw new BootError('unknown-format', "the kernel is neither a Linux bzImage ('HdrS' at 0x202) nor a Multiboot image");
}
