import { loadCpuModule } from '@pagurus/host-node';
import { createMachine, findMachineType, machineTypes } from '@pagurus/machine';
import { catalogueOf, type SectionCatalogue } from '@pagurus/migration';

/** The machine that has the most devices of those we have. */
const FULLEST = 'pc-i440fx-7.2';
const RESET_VECTOR = 0xfff0;

/**
 * Descriptions of all devices we have, taken from a machine that is never started. A device is recognised by its section's name, so
 * the machine's version does not matter; a layout that does not fit is left to the stream's own description.
 */
export async function ownCatalogue(): Promise<SectionCatalogue> {
  const firmware = new Uint8Array(0x10000);
  firmware[RESET_VECTOR] = 0xf4; // hlt
  const type = machineTypes.some(({ name }) => name === FULLEST) ? FULLEST : machineTypes[0]!.name;
  const quiet = { write() {}, connect() {}, ready() {} };
  const config = { memory: 4 << 20, firmware, serial: [quiet], noDefaults: true } as const;
  return catalogueOf(await createMachine(findMachineType(type), config, { cpuModule: await loadCpuModule() }));
}
