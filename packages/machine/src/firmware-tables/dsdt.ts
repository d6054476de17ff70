/**
 * The differentiated system description table: the machine's devices and what guests do with them, in ACPI machine language.
 * [ACPI] Advanced Configuration and Power Interface Specification 6.5.
 * [PNP] "Plug and Play Device Identifiers", by reference of [ACPI] 5.6.7.
 */
import { HPET_BASE, PM, table } from './acpi-tables.js';
import { type Aml, define, device, eisaId, integer, method, packageOf, scope, text } from './aml.js';
import { memory32, ports, resources } from './aml-resources.js';
import { call } from './aml-statements.js';
import { isaBridge } from './dsdt-isa.js';
import { MEMORY_SCAN, memorySlots } from './dsdt-memory.js';
import { interruptLinks, PCI_SCAN, pciRoot } from './dsdt-pci.js';
import { CPU_HOTPLUG_PORTS, CPU_SCAN, processors } from './dsdt-processors.js';
import type { FirmwareTableInput } from './input.js';

/** Integers of 32 bits. */
const REVISION = 1;

/** General-purpose events, by the methods that handle them: edge triggered. [ACPI] 5.6.4.1 */
const EVENT = { PCI: '_E01', PROCESSOR: '_E02', MEMORY: '_E03' } as const;

/** @throws {RangeError} for a machine that it cannot describe. */
export function dsdt(input: FirmwareTableInput): Uint8Array {
  return table(
    'DSDT',
    REVISION,
    scope('\\_SB', pciRoot(input, isaBridge(input.isa), systemResources(input)), ...interruptLinks()),
    ...(input.hpetTimers === undefined ? [] : [scope('\\_SB', hpetDevice())]),
    ...(input.fwCfg === undefined ? [] : [scope('\\_SB.PCI0', fwCfgDevice(input.fwCfg))]),
    scope('\\_SB', processors(input.processors, input.cpuHotplug)),
    ...(input.memorySlots ? [scope('\\_SB', memorySlots(input.memorySlots))] : []),
    scope(
      '\\_GPE',
      ...(input.pciHotplug ? [method(EVENT.PCI, {}, call(PCI_SCAN))] : []),
      ...(input.cpuHotplug ? [method(EVENT.PROCESSOR, {}, call(CPU_SCAN))] : []),
      ...(input.memorySlots ? [method(EVENT.MEMORY, {}, call(MEMORY_SCAN))] : []),
    ),
    ...sleepStates(input),
  );
}

/** Sleep types of the PM1 control register. [ACPI] 7.4.2 */
function sleepStates(input: FirmwareTableInput): Aml[] {
  const state = (path: string, type: number): Aml => define(path, packageOf([type, type, 0, 0].map(integer)));
  return [
    ...(input.suspend ? [state('\\_S3', 1)] : []),
    ...(input.hibernate === undefined ? [] : [state('\\_S4', input.hibernate)]),
    state('\\_S5', 0),
  ];
}

const PCI_HOTPLUG_PORTS = { base: 0xae00, length: 0x18 } as const;

/** Ports within PCI's window that are not PCI's. [PNP] PNP0C02: motherboard resources */
function systemResources(input: FirmwareTableInput): Aml {
  return device(
    'MRES',
    define('_HID', eisaId('PNP0C02')),
    define(
      '_CRS',
      resources(
        ports(PM.SMI, 2),
        ports(PM.GPE0, PM.GPE0_LENGTH),
        ...(input.pciHotplug ? [ports(PCI_HOTPLUG_PORTS.base, PCI_HOTPLUG_PORTS.length)] : []),
        ...(input.cpuHotplug ? [ports(CPU_HOTPLUG_PORTS.base, CPU_HOTPLUG_PORTS.length)] : []),
      ),
    ),
  );
}

function hpetDevice(): Aml {
  return device(
    'HPET',
    define('_HID', eisaId('PNP0103')),
    define('_UID', integer(0)),
    define('_CRS', resources(memory32(HPET_BASE, 0x400))),
  );
}

/** Present, works, is not shown to users. [ACPI] 6.3.7 */
const HIDDEN = 0x0b;

/** Identified as QEMU's fw_cfg specification asks for ("ACPI Interface"). */
function fwCfgDevice(location: { base: number; length: number }): Aml {
  return device(
    'FWCF',
    define('_HID', text('QEMU0002')),
    define('_STA', integer(HIDDEN)),
    define('_CRS', resources(ports(location.base, location.length))),
  );
}
