/**
 * The front door: machines by name, put together and ready to start.
 *
 *     import { createMachine } from 'pagurus';
 *     const machine = await createMachine('pc-i440fx-7.2', { memory: 64 * 2 ** 20, firmware, serial: [console] });
 *     machine.start();
 */
import { createMachine as compose, findMachineType, type Machine, type MachineConfig, type MachineType } from '@pagurus/machine';
import { loadCpuModule } from './cpu-module.js';

export * from '@pagurus/machine';
export * as migration from '@pagurus/migration';
export { loadCpuModule } from './cpu-module.js';

/**
 * Puts a machine together; it is reset and in state `prelaunch`.
 * @param type a machine type of your own (`defineMachine`) or the name or alias of a preset, e.g. `pc-i440fx-7.2`, `isapc`.
 * @throws {MachineError} {@link PropertyError} for a name or configuration that cannot be.
 */
// biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
export async function createMachine(type: string | MachineType<any>, config: MachineConfig): Promise<Machine> {
  return await compose(typeof type === 'string' ? findMachineType(type) : type, config, { cpuModule: await loadCpuModule() });
}
