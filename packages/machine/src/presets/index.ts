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

/** Versions of QEMU's PC, newest first. */
const VERSIONS = (
  '10.0 9.2 9.1 9.0 8.2 8.1 8.0 7.2 7.1 7.0 6.2 6.1 6.0 5.2 5.1 5.0 4.2 4.1 4.0 3.1 3.0 ' +
  '2.12 2.11 2.10 2.9 2.8 2.7 2.6 2.5 2.4 2.3 2.2 2.1 2.0 1.7 1.6 1.5 1.4 1.3 1.2 1.1 1.0 0.14'
).split(' ');

/** Machine types that QEMU has, newest first. */
// biome-ignore lint/suspicious/noExplicitAny: machine types of any properties.
export const machineTypes: readonly MachineType<any>[] = [
  ...VERSIONS.map((version, index) => pcI440fx(version, index === 0 ? 'pc' : undefined)),
  isapc,
];

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
