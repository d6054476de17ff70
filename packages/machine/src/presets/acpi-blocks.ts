import type { CpuRamBlock } from '@pagurus/cpu-wasm';
import type { Composer } from '../composer.js';
import type { PcMachineProperties } from './pc-machine.js';

const KIB = 1024;
/** Room for tables that grow with the machine. */
const TABLES_MAX_LENGTH = 2048 * KIB;
const LOADER = { LENGTH: 4 * KIB, MAX_LENGTH: 64 * KIB } as const;
const ROOT_POINTER_LENGTH = 4 * KIB;
const VAPIC_ROM_LENGTH = 12 * KIB;

/** RAM blocks with what firmware reads through fw_cfg; guests of one machine find the tables of the machine that they were started on. */
export interface AcpiBlocks {
  readonly tables: CpuRamBlock;
  readonly tableLoader: CpuRamBlock;
  /** Undefined on machines that hand the root pointer over otherwise (up to 2.2). */
  readonly rootPointer: CpuRamBlock | undefined;
}

/** @returns undefined for machines whose firmware brings its own tables (up to 1.6). */
export function addAcpiBlocks(composer: Composer, machine: PcMachineProperties): AcpiBlocks | undefined {
  const { cpu } = composer.machine;
  if (machine.vapicRomInRam) cpu.allocate('/rom@genroms/kvmvapic.bin', VAPIC_ROM_LENGTH);
  if (!machine.acpiBuild) return undefined;
  return {
    tables: cpu.allocate('/rom@etc/acpi/tables', machine.acpiTablesSize, TABLES_MAX_LENGTH),
    tableLoader: cpu.allocate('/rom@etc/table-loader', LOADER.LENGTH, LOADER.MAX_LENGTH),
    rootPointer: machine.rsdpInRam ? cpu.allocate('/rom@etc/acpi/rsdp', ROOT_POINTER_LENGTH) : undefined,
  };
}
