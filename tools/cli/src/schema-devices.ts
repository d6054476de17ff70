/** Single device types, each in a machine that gives it what it asks for. */

import type { DevicePackage, DeviceType } from '@pagurus/device-model';
import { loadCpuModule } from '@pagurus/host-node';
import { createMachine, defineMachine, type Machine, machineTypes, type PcProperties, pcI440fx } from '@pagurus/machine';
import type { AnyDescription } from '@pagurus/vmstate';

/** A device's sections after reset. */
export type DeviceSections = readonly { readonly description: AnyDescription; readonly state: object }[];

const NEWEST = machineTypes.find(({ version }) => version !== undefined)!.version!;
const quiet = { write() {}, connect() {}, ready() {} };
/** Devices that need a place of their own, or a property without a default. */
const REQUIRED: Readonly<Record<string, Readonly<Record<string, number | string>>>> = {
  'isa-parallel': { index: 0 },
  'isa-serial': { index: 1 },
  'pci-bridge': { chassis_nr: 1 },
  'pc-dimm': { memdev: 'spare' },
};

/** Stand-ins for the host's side, and for places on buses that no device type has: nothing runs. */
const drive = { readOnly: false, sectors: 2048, readNow: () => false };
const memdev = { size: 2 ** 21 };
const memory = () => ({ slots: { count: 1, find: () => 0 }, first: 2 ** 32, end: 2 ** 33, room: 2 ** 21, taken: [] });
const slot = { channel: 0, unit: 0, plug: () => ({}) };

let cpuModule: Promise<WebAssembly.Module> | undefined;

/**
 * Makes a device of a type with some properties changed, in the newest PC: the one that the PC has, or one more.
 * @param pack need not belong to any machine type.
 * @param properties by QEMU's names, as on the command line.
 * @throws {PropertyError} {MachineError}
 */
export async function deviceSections(
  pack: DevicePackage,
  type: DeviceType<object>,
  properties: Readonly<Record<string, string>> = {},
): Promise<DeviceSections> {
  cpuModule ??= loadCpuModule();
  const pc = pcI440fx(NEWEST);
  const others = pc.packages.filter(({ name }) => name !== pack.name);
  const machineType = defineMachine<PcProperties>({
    ...pc,
    packages: [...others, pack],
    build(composer, values) {
      pc.build(composer, values);
      if (composer.devices.some((device) => device.type === type.type)) return;
      const services = (name: string) => composer.devices.find((device) => device.type === name)?.device.services;
      const backends = {
        'fw-cfg': services('fw_cfg_io'),
        i8042: services('i8042'),
        vmport: services('vmport'),
        drive,
        memdev,
        memory: memory(),
      };
      if (type.bus === 'pci') composer.plug({ driver: type.type, properties: REQUIRED[type.type] ?? {} });
      else composer.add(type, { backends, slot, properties: REQUIRED[type.type] ?? {} });
    },
  });
  const globals = Object.entries(properties).map(([property, value]) => ({ driver: type.type, property, value }));
  const machine: Machine = await createMachine(
    machineType,
    { memory: 4 << 20, firmware: new Uint8Array(0x10000), serial: [quiet], globals },
    { cpuModule: await cpuModule },
  );
  const device = machine.devices.find((one) => one.type === type.type)!;
  return device.device.sections;
}
