import { type DevicePackage, defineDevice } from '@pagurus/device-model';

export interface PcMachineProperties {
  readonly biosSize: number;
  readonly acpiBuild: boolean;
  readonly acpiTablesSize: number;
  readonly rsdpInRam: boolean;
  readonly vapicRomInRam: boolean;
  readonly cpuHotplugRegisters: boolean;
  readonly smbios: boolean;
}

/**
 * What a version of the PC changes about the machine itself and not about a device. QEMU keeps these in the machine's class, where no
 * option reaches them; here they are properties of a device-like object, so that a row of the history says it.
 */
export const pcMachineObject = defineDevice<PcMachineProperties>({
  type: 'pc-machine',
  doc: 'what versions of the PC change about the machine itself',
  bus: 'system',
  properties: {
    biosSize: { name: 'x-bios-size', type: 'size', default: 0x40000, doc: 'bytes of pc.bios where no firmware is given' },
    acpiBuild: {
      name: 'x-acpi-build',
      type: 'bool',
      default: true,
      doc: 'ACPI tables come from the machine, not from the firmware',
    },
    acpiTablesSize: { name: 'x-acpi-tables-size', type: 'size', default: 0x20000, doc: 'bytes of the block of ACPI tables' },
    rsdpInRam: { name: 'x-rsdp-in-ram', type: 'bool', default: true, doc: 'the root pointer is a RAM block' },
    vapicRomInRam: { name: 'x-vapic-rom-in-ram', type: 'bool', default: false, doc: 'the ROM kvmvapic.bin is a RAM block' },
    cpuHotplugRegisters: {
      name: 'x-cpu-hotplug-registers',
      type: 'bool',
      default: true,
      doc: 'the ACPI tables use the processor registers; off up to machine 2.6',
    },
    smbios: { name: 'x-smbios', type: 'bool', default: true, doc: 'SMBIOS tables come from the machine; off up to machine 2.0' },
  },
  create() {
    throw new Error('pc-machine: an object for properties only; it has no device');
  },
});

/** [QEMU 7.2: blocks of the streams of every version] A row holds for its machine version and every older one. */
export const pcMachinePackage: DevicePackage = {
  name: '@pagurus/machine',
  types: [],
  compat: {
    '2.6': { 'pc-machine': { 'x-cpu-hotplug-registers': 'off' } },
    '2.2': { 'pc-machine': { 'x-rsdp-in-ram': 'off' } },
    '2.0': { 'pc-machine': { 'x-acpi-tables-size': '0x2000', 'x-smbios': 'off' } },
    '1.7': { 'pc-machine': { 'x-bios-size': '0x20000', 'x-vapic-rom-in-ram': 'on' } },
    '1.6': { 'pc-machine': { 'x-acpi-build': 'off', 'x-vapic-rom-in-ram': 'off' } },
  },
};
