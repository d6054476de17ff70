import { MachineError, type MachineType } from '../machine-type.js';

/** Machine types that QEMU has, newest first. */
// biome-ignore lint/suspicious/noExplicitAny: machine types of any properties.
export const machineTypes: readonly MachineType<any>[] = [];

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
