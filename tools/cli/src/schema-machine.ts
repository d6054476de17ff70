/** Machines that are put together and never started: what would they send? */
import { loadCpuModule } from '@pagurus/host-node';
import { createMachine, findMachineType, type Machine, type MachineConfig } from '@pagurus/machine';
import type { AnyDescription } from '@pagurus/vmstate';
import type { RunOptions } from './run-options.js';

/** A section with what it is made of. */
export interface MachineSection {
  readonly idstr: string;
  readonly instance: number;
  readonly alias?: number;
  /** Plain name and number of a section with a bus path. */
  readonly compat?: { readonly idstr: string; readonly instance: number };
  /** Device type. */
  readonly type: string;
  readonly description: AnyDescription;
  readonly state: object;
}

/** What a machine is made from where nobody says it. */
export interface StillOptions {
  /** Bytes; default 4 MiB. */
  readonly memory?: number | undefined;
  /** Bytes; default 64 KiB. */
  readonly firmware?: number | undefined;
  /** By file name; contents do not matter. */
  readonly roms?: MachineConfig['roms'] | undefined;
}

const HALT = 0xf4;
const RESET_VECTOR = 0xfff0;
const DEFAULT_MEMORY = 4 << 20;
const quiet = { write() {}, connect() {}, ready() {} };
/** Any id names a character device that says nothing. */
const anyCharacter: Record<string, object> = new Proxy({}, { get: () => quiet });

let cpuModule: Promise<WebAssembly.Module> | undefined;

/** @throws {MachineError} and {PropertyError} for what cannot be. */
export async function stillMachine(options: RunOptions, still: StillOptions = {}): Promise<Machine> {
  cpuModule ??= loadCpuModule();
  const type = findMachineType(options.machine ?? 'pc');
  const firmware = new Uint8Array(still.firmware ?? 0x10000);
  firmware[firmware.length - 0x10000 + RESET_VECTOR] = HALT;
  const devices = [...options.devices];
  if (options.debugcon) devices.push({ driver: 'isa-debugcon', properties: { chardev: 'debugcon' } });
  const config: MachineConfig = {
    memory: options.memory ?? still.memory ?? DEFAULT_MEMORY,
    firmware,
    properties: options.machineProperties,
    devices,
    globals: options.globals,
    noDefaults: options.noDefaults,
    noGraphic: options.noGraphic,
    serial: serialPorts(options),
    backends: { chardev: anyCharacter },
    roms: still.roms ?? {},
    ...(options.cpu === undefined ? {} : { cpu: options.cpu }),
    ...(options.target === undefined ? {} : { target: options.target }),
    ...(options.vga === undefined ? {} : { vga: options.vga }),
    ...(options.uuid === undefined ? {} : { uuid: options.uuid }),
  };
  return await createMachine(type, config, { cpuModule: await cpuModule });
}

/** One by default, as in QEMU. */
function serialPorts(options: RunOptions): (typeof quiet | undefined)[] {
  if (options.serial.length > 0) return options.serial.map(({ kind }) => (kind === 'none' ? undefined : quiet));
  return options.noDefaults ? [] : [quiet];
}

/** All sections in order of creation, numbered as on the wire. */
export function machineSections(machine: Machine): MachineSection[] {
  const counts = new Map<string, number>();
  const plainCounts = new Map<string, number>();
  const nextPlain = (name: string): number => {
    const number = plainCounts.get(name) ?? 0;
    plainCounts.set(name, number + 1);
    return number;
  };
  return machine.devices.flatMap(({ type, path, device }) =>
    device.sections.map(({ description, state, instance, alias, plainName }): MachineSection => {
      const { name } = description;
      const prefix = plainName ? undefined : path;
      const idstr = prefix === undefined ? name : `${prefix}/${name}`;
      const counted = counts.get(idstr) ?? 0;
      const number = instance ?? counted;
      counts.set(idstr, Math.max(counted, number + 1));
      return {
        idstr,
        instance: number,
        ...(alias === undefined ? {} : { alias }),
        ...(prefix === undefined ? {} : { compat: { idstr: name, instance: nextPlain(name) } }),
        type,
        description,
        state,
      };
    }),
  );
}

/** `idstr`, with `#instance` from the second on: the key of a section in our JSON. */
export function sectionKey({ idstr, instance }: { readonly idstr: string; readonly instance: number }): string {
  return instance === 0 ? idstr : `${idstr}#${instance}`;
}
