import { apicIdOf } from '@pagurus/cpu-wasm';
import type { FwCfgService } from '@pagurus/dev-chipset';
import type { AcpiBuildService, PciBus, Piix4PmProperties, Piix4PmService } from '@pagurus/dev-pci';
import type { ComposedDevice, Composer } from '../composer.js';
import { ACPI_FILE, type AcpiFiles, acpiFiles, systemStates } from '../firmware-tables/acpi.js';
import { padded } from '../firmware-tables/bytes.js';
import type { FirmwareTableInput, IsaDescription, PciFunctionDescription } from '../firmware-tables/input.js';
import { SMBIOS_FILE, smbiosFiles } from '../firmware-tables/smbios.js';
import type { AcpiBlocks } from './acpi-blocks.js';
import type { PcMachineProperties } from './pc-machine.js';
import type { MemoryLayout } from './pc-parts.js';

export interface FirmwareTableParts {
  /** Undefined on machines whose firmware brings its own tables. */
  readonly blocks: AcpiBlocks | undefined;
  readonly bus: PciBus;
  readonly fwCfg: FwCfgService;
  readonly layout: MemoryLayout;
  readonly machine: PcMachineProperties;
  /** Where memory modules may lie. */
  readonly area?: { readonly end: number };
}

const GIB = 2 ** 30;
const FOUR_GIB = 4 * GIB;
const FW_CFG = { BASE: 0x510, LENGTH: 2, LENGTH_WITH_DMA: 12 } as const;
const ROOT_POINTER_LENGTH = 20;
/** What properties of ISA ports hold where only their place was given. */
const BY_INDEX = 0xffff_ffff;
const SERIAL_PLACES = [
  { base: 0x3f8, irq: 4 },
  { base: 0x2f8, irq: 3 },
  { base: 0x3e8, irq: 4 },
  { base: 0x2e8, irq: 3 },
] as const;
const PARALLEL_PLACES = [0x378, 0x278, 0x3bc].map((base) => ({ base, irq: 7 }));

/**
 * ACPI and SMBIOS tables as fw_cfg files. ACPI's lie in RAM blocks that migrate; they are written at every reset, and again when the
 * guest fetches them for the first time since, as devices may have come.
 * @returns the machine as ACPI describes it, where it does.
 */
export function addFirmwareTables(composer: Composer, parts: FirmwareTableParts): (() => FirmwareTableInput) | undefined {
  const { machine, fwCfg } = parts;
  if (parts.blocks) addAcpiTables(composer, parts, parts.blocks);
  if (machine.smbios) {
    const { tables, anchor } = smbiosOf(composer, parts);
    fwCfg.addFile(SMBIOS_FILE.TABLES, tables);
    fwCfg.addFile(SMBIOS_FILE.ANCHOR, anchor);
  }
  return parts.blocks && (() => describe(composer, parts));
}

function addAcpiTables(composer: Composer, parts: FirmwareTableParts, blocks: AcpiBlocks): void {
  const { fwCfg } = parts;
  const build = find(composer, 'acpi_build')!.device.services as AcpiBuildService;
  const rootPointer = new Uint8Array(ROOT_POINTER_LENGTH);
  const write = (): void => {
    const files: AcpiFiles = acpiFiles(describe(composer, parts));
    blocks.tables.write(0, padded(files.tables, blocks.tables.length));
    blocks.tableLoader.write(0, padded(files.loader, blocks.tableLoader.length));
    rootPointer.set(files.rootPointer);
    blocks.rootPointer?.write(0, padded(files.rootPointer, blocks.rootPointer.length));
  };
  const selected = (): void => {
    if (build.patched) return;
    write();
    build.markPatched();
  };
  composer.afterReset.push(write);
  const { rootPointer: block } = blocks;
  fwCfg.addFile(ACPI_FILE.TABLES, blocks.tables, { selected });
  fwCfg.addFile(ACPI_FILE.LOADER, blocks.tableLoader, { selected });
  fwCfg.addFile(
    ACPI_FILE.ROOT_POINTER,
    block ? { length: ROOT_POINTER_LENGTH, read: (offset, target) => block.read(offset, target) } : rootPointer,
    { selected },
  );
  fwCfg.setAcpiSizes(blocks.tables.length, blocks.tableLoader.length, block ? ROOT_POINTER_LENGTH : 0);
  fwCfg.addFile('etc/system-states', systemStates(powerOf(composer)));
}

const find = (composer: Composer, type: string): ComposedDevice | undefined =>
  composer.devices.find((device) => device.type === type);

const valuesOf = (device: ComposedDevice): Record<string, unknown> => device.properties.values as Record<string, unknown>;

function powerOf(composer: Composer): Pick<FirmwareTableInput, 'suspend' | 'hibernate' | 'pciHotplug'> {
  const values = valuesOf(find(composer, 'PIIX4_PM')!) as unknown as Piix4PmProperties;
  return {
    suspend: values.disableS3 === 0,
    ...(values.disableS4 === 0 ? { hibernate: values.s4Value } : {}),
    pciHotplug: values.rootHotplug || values.bridgeHotplug,
  };
}

/** The machine as it is now. */
function describe(composer: Composer, { bus, fwCfg, layout, machine, area }: FirmwareTableParts): FirmwareTableInput {
  const timers = find(composer, 'hpet');
  const window64 = window64Of(composer, area?.end ?? FOUR_GIB + layout.above4g);
  const { smp } = composer.machine;
  return {
    processors: Array.from({ length: smp.maxCpus }, (_, n) => ({ apicId: apicIdOf(n, smp), present: n < smp.cpus })),
    memory: layout,
    ...(window64 ? { window64 } : {}),
    ...pciOf(composer, bus),
    isa: isaOf(composer),
    ...(timers ? { hpetTimers: valuesOf(timers).timers as number } : {}),
    irq0Override: true,
    ...powerOf(composer),
    cpuHotplug: machine.cpuHotplugRegisters,
    ...(area ? { memorySlots: composer.config.memorySlots!.count } : {}),
    vmgenid: find(composer, 'vmgenid') !== undefined,
    fwCfg: { base: FW_CFG.BASE, length: fwCfg.dmaEnabled ? FW_CFG.LENGTH_WITH_DMA : FW_CFG.LENGTH },
  };
}

function pciOf(composer: Composer, root: PciBus): Pick<FirmwareTableInput, 'pciFunctions' | 'rootHotplugNumber'> {
  const { hotplug } = find(composer, 'PIIX4_PM')!.device.services as Piix4PmService;
  const describeBus = (bus: PciBus): PciFunctionDescription[] =>
    bus.list().map((entry) => {
      const number = entry.secondary ? hotplug.buses.indexOf(entry.secondary) : -1;
      const behind = number < 0 ? {} : { behind: { number, functions: describeBus(entry.secondary!) } };
      return { devfn: entry.slot.devfn, hotpluggable: entry.hotpluggable && number < 0, ...behind };
    });
  const number = hotplug.buses.indexOf(root);
  return { pciFunctions: describeBus(root), ...(number < 0 ? {} : { rootHotplugNumber: number }) };
}

/** From the next whole GiB behind the memory, as QEMU places it since 2.11. */
function window64Of(composer: Composer, end: number): FirmwareTableInput['window64'] {
  const { fixHole64, hole64Size } = valuesOf(find(composer, 'i440FX-pcihost')!) as { fixHole64: boolean; hole64Size: number };
  if (!fixHole64 || Number(hole64Size) === 0) return undefined;
  const first = Math.ceil(end / GIB) * GIB;
  return { first, last: first + Number(hole64Size) - 1 };
}

function isaOf(composer: Composer): IsaDescription {
  const controller = find(composer, 'i8042') !== undefined;
  const places = (type: string, standard: readonly { base: number; irq: number }[]): { base: number; irq: number }[] =>
    composer.devices
      .filter((device) => device.type === type)
      .map((device) => {
        const { index, iobase, irq } = valuesOf(device) as { index: number; iobase: number; irq: number };
        const place = standard[index];
        return {
          base: iobase === BY_INDEX ? place!.base : iobase,
          irq: irq === BY_INDEX ? place!.irq : irq,
        };
      });
  return {
    keyboard: controller,
    mouse: controller,
    floppy: find(composer, 'isa-fdc') !== undefined,
    serial: places('isa-serial', SERIAL_PLACES),
    parallel: places('isa-parallel', PARALLEL_PLACES),
  };
}

function smbiosOf(composer: Composer, { layout }: FirmwareTableParts): { tables: Uint8Array; anchor: Uint8Array } {
  const { type, config, machine } = composer;
  const { uuid } = config;
  const { smp } = machine;
  return smbiosFiles({
    system: { manufacturer: 'QEMU', product: type.doc, version: type.name, ...(uuid ? { uuid } : {}) },
    sockets: {
      count: Math.ceil(smp.cpus / (smp.cores * smp.threads)),
      coresPerSocket: smp.cores,
      threadsPerSocket: smp.cores * smp.threads,
      ...machine.processor,
    },
    memory: layout,
    ...(config.smbios ? { given: config.smbios } : {}),
  });
}
