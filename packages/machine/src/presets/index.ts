import { MachineError, type MachineType } from '../machine-type.js';
import { isapc, pcI440fx } from './pc.js';

export { bootKernel } from './kernel.js';
export { isapc, type PcProperties, pcI440fx, pcPackages } from './pc.js';
export {
  addIsaDevices,
  addMemory,
  type IsaParts,
  type MemoryLayout,
  offerIsaBus,
  splitMemory,
  tellFirmware,
} from './pc-parts.js';

/** Machine types that QEMU has, newest first. */
// biome-ignore lint/suspicious/noExplicitAny: machine types of any properties.
export const machineTypes: readonly MachineType<any>[] = [pcI440fx('7.2', 'pc'), isapc];

/**
 * A preset by name or alias.
 * @throws {MachineError} naming the known ones.
 */
// biome-ignore lint/suspicious/noExplicitAny: machine types of any properties.
export function findMachineType(name: string): MachineType<any> {
  const found = machineTypes.find((type) => type.name === name || type.alias === name);
  if (!found) throw new MachineError(`unknown machine '${name}'; known: ${machineTypes.map((type) => type.name).join(', ')}`);
  return found;
}
