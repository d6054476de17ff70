import { apicIdOf, compat as cpuCompat } from '@pagurus/cpu-wasm';
import { devicePackage as chipset } from '@pagurus/dev-chipset';
import { devicePackage as net } from '@pagurus/dev-net';
import {
  acpiBuild,
  type CpuTopology,
  type I440fxMemory,
  i440fx,
  i440fxPciHost,
  type MemorySlotCount,
  type PciBus,
  type PciHostService,
  type Piix4PmService,
  devicePackage as pci,
  piix3,
  piix4Pm,
  type SmramService,
  smbusEeprom,
} from '@pagurus/dev-pci';
import { devicePackage as ps2 } from '@pagurus/dev-ps2';
import { devicePackage as storage } from '@pagurus/dev-storage';
import { vga, devicePackage as vgaPackage } from '@pagurus/dev-vga';
import { devicePackage as virtio } from '@pagurus/dev-virtio';
import { compareVersions, type DevicePackage } from '@pagurus/device-model';
import type { Composer } from '../composer.js';
import { defineMachine, MachineError, type MachineType } from '../machine-type.js';
import { addAcpiBlocks } from './acpi-blocks.js';
import { offerBusless } from './busless.js';
import { littleEndian } from './firmware-data.js';
import { addFirmwareTables } from './firmware-tables.js';
import { bootKernel } from './kernel.js';
import { memoryArea, memoryRegion, reservedEnd } from './memory-region.js';
import { type PcMachineProperties, pcMachineObject, pcMachinePackage } from './pc-machine.js';
import { addIsaDevices, addMemory, type IsaParts, offerIsaBus, tellFirmware } from './pc-parts.js';
import { addIde, addIsaIde } from './pc-storage.js';
import { offerPciBus } from './pci-buses.js';
import { pcSectionRank } from './section-order.js';

export interface PcProperties {
  i8042: boolean;
  acpi: string;
  hpet: boolean;
  vmport: string;
  smm: string;
  pit: string;
  memoryBackend: string;
}

/** Memory modules that a board has room for. */
const SPD_COUNT = 8;
const SPD_FIRST_ADDRESS = 0x50;
const SCI_IRQ = 9;

/** The processors' history; they are no devices that can be plugged. */
const processors: DevicePackage = { name: '@pagurus/cpu-wasm', types: [], compat: cpuCompat };

/** Packages that every PC takes devices and history from. */
export const pcPackages = [pcMachinePackage, processors, chipset, ps2, pci, storage, vgaPackage, net, virtio] as const;

/** From here on the name tells the chipset. */
const FIRST_WITH_CHIPSET = '1.4';

/** QEMU's `pc-i440fx-VERSION`, or `pc-VERSION` before 1.4: i440FX and PIIX3, devices as with `-nodefaults` plus the defaults that the configuration asks for. */
export function pcI440fx(version: string, alias?: string): MachineType<PcProperties> {
  return defineMachine<PcProperties>({
    name: compareVersions(version, FIRST_WITH_CHIPSET) < 0 ? `pc-${version}` : `pc-i440fx-${version}`,
    doc: 'Standard PC (i440FX + PIIX, 1996)',
    version,
    ...(alias === undefined ? {} : { alias }),
    properties: {
      i8042: { name: 'i8042', type: 'bool', default: true, doc: 'PS/2 controller, keyboard and mouse' },
      hpet: { name: 'hpet', type: 'bool', default: true, doc: 'high precision event timers' },
      vmport: { name: 'vmport', type: 'str', default: 'auto', doc: "VMware's backdoor port and its mouse: on, off or auto (on)" },
      acpi: { name: 'acpi', type: 'str', default: 'auto', doc: 'power management function and ACPI: on, off or auto (on)' },
      smm: { name: 'smm', type: 'str', default: 'auto', doc: 'system management mode: on, off or auto (on)' },
      pit: { name: 'pit', type: 'str', default: 'auto', doc: 'interval timer and speaker: on, off or auto (on)' },
      memoryBackend: { name: 'memory-backend', type: 'str', default: '', doc: 'id of the memory object that is the RAM' },
    },
    packages: pcPackages,
    defaultCpu: 'qemu32',
    defaultCpu64: 'qemu64',
    defaultNic: 'e1000',
    defaultMemory: 128 * 2 ** 20,
    preferSockets: compareVersions(version, '6.1') <= 0,
    sectionRank: pcSectionRank,
    build(composer, properties) {
      const acpi = onOffAuto('acpi', properties.acpi);
      const machine = composer.resolve(pcMachineObject).values as unknown as PcMachineProperties;
      const { ram, layout } = addMemory(composer, machine.biosSize, properties.memoryBackend);
      const host = composer.add(i440fxPciHost);
      const { bus } = host.device.services as PciHostService;
      const on = (devfn: number) => ({ slot: bus.slot(devfn), path: bus.slot(devfn).path });
      const memory: I440fxMemory = { block: ram, size: composer.memorySize };
      const bridge = composer.add(i440fx, { ...on(0x00), backends: { ram: memory } });
      const smm = onOffAuto('smm', properties.smm);
      if (smm) composer.systemManagement = (bridge.device.services as SmramService).systemManagement;

      const parts = addIsaDevices(composer, {
        dmaFirst: true,
        ioApic: true,
        i8042: properties.i8042,
        vmport: onOffAuto('vmport', properties.vmport),
        hpet: properties.hpet,
        pit: onOffAuto('pit', properties.pit),
      });
      const isaBridge = composer.add(piix3, on(0x08));
      for (let line = 0; line < 4; line++) composer.connect(host, `pirq${line}`, composer.input(isaBridge, `pirq${line}`));
      for (let n = 0; n < 16; n++) composer.connect(isaBridge, `irq${n}`, parts.irq(n));

      addVga(composer, bus);
      addIde(composer, on(0x09), parts);
      const area = memoryArea(composer, layout);
      if (area && !acpi) throw new MachineError('-m slots: memory modules need ACPI, which is off');
      const power = acpi ? addPowerManagement(composer, on(0x0b), parts, machine, smm) : undefined;
      const blocks = addAcpiBlocks(composer, { ...machine, acpiBuild: machine.acpiBuild && acpi });

      offerPciBus(composer, bus, power?.hotplug);
      offerBusless(composer, parts.fwCfg, power, area && power ? memoryRegion(area, power.memorySlots) : undefined);
      if (area) parts.fwCfg.addFile('etc/reserved-memory-end', littleEndian(reservedEnd(area), 8));
      offerIsaBus(composer, parts);
      tellFirmware(composer, parts, layout);
      const describe = addFirmwareTables(composer, {
        blocks,
        bus,
        fwCfg: parts.fwCfg,
        layout,
        machine,
        ...(area ? { area } : {}),
      });
      bootKernel(composer, layout, parts.fwCfg, describe);
    },
  });
}

/** QEMU's OnOffAuto; `auto` is on here. */
function onOffAuto(name: string, text: string): boolean {
  if (text === 'on' || text === 'auto') return true;
  if (text === 'off') return false;
  throw new MachineError(`-machine ${name}=${text}: expected on, off or auto`);
}

/** The graphics card of `-vga`, or of a machine with its default devices, and its BIOS. */
function addVga(composer: Composer, bus: PciBus): void {
  const { config } = composer;
  const kind = config.vga ?? (config.noDefaults ? 'none' : 'std');
  if (kind === 'none') return;
  const slot = bus.slot(0x10);
  composer.add(vga, { slot, path: slot.path });
}

/** PIIX4_PM with the SMBus and its memories. */
function addPowerManagement(
  composer: Composer,
  place: { slot: unknown; path: string },
  parts: IsaParts,
  machine: PcMachineProperties,
  smm: boolean,
): Piix4PmService {
  const { smp, ports } = composer.machine;
  const cpus: CpuTopology = {
    apicIds: Array.from({ length: smp.maxCpus }, (_, n) => apicIdOf(n, smp)),
    present: (index) => index < smp.cpus,
  };
  const properties = { 'smm-enabled': smm };
  const slots = { count: composer.config.memorySlots?.count ?? 0 } satisfies MemorySlotCount;
  const power = composer.add(piix4Pm, { ...place, properties, backends: { ports, cpus, 'memory-slots': slots } });
  composer.connect(power, 'sci', parts.irq(SCI_IRQ));
  // As on QEMU, the boot processor alone gets it.
  if (smm) composer.connect(power, 'smi', composer.machine.smiPin(0));
  const service = power.device.services as Piix4PmService;
  const { smbus } = service;
  for (let n = 0; n < SPD_COUNT; n++)
    composer.add(smbusEeprom, { properties: { address: SPD_FIRST_ADDRESS + n }, backends: { smbus } });
  if (machine.acpiBuild) composer.add(acpiBuild);
  return service;
}

/** QEMU's `isapc`: an AT without PCI. Unversioned: it promises nothing about other versions. */
export const isapc = defineMachine<Pick<PcProperties, 'i8042' | 'vmport' | 'pit'>>({
  name: 'isapc',
  doc: 'ISA-only PC',
  properties: {
    i8042: { name: 'i8042', type: 'bool', default: true, doc: 'PS/2 controller, keyboard and mouse' },
    vmport: { name: 'vmport', type: 'str', default: 'auto', doc: "VMware's backdoor port and its mouse: on, off or auto (on)" },
    pit: { name: 'pit', type: 'str', default: 'auto', doc: 'interval timer and speaker: on, off or auto (on)' },
  },
  packages: [chipset, ps2, storage, vgaPackage, net],
  defaultCpu: '486',
  defaultNic: 'ne2k_isa',
  defaultMemory: 128 * 2 ** 20,
  maxCpus: 1,
  build(composer, properties) {
    const { layout } = addMemory(composer);
    const parts = addIsaDevices(composer, {
      dmaFirst: true,
      ioApic: false,
      i8042: properties.i8042,
      vmport: onOffAuto('vmport', properties.vmport),
      hpet: false,
      pit: onOffAuto('pit', properties.pit),
    });
    addIsaIde(composer, parts);
    offerIsaBus(composer, parts);
    offerBusless(composer, parts.fwCfg, undefined, undefined);
    tellFirmware(composer, parts, layout);
    bootKernel(composer, layout, parts.fwCfg);
  },
});
