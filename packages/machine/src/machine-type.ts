import type { CompatTable, DevicePackage, InputPin, PropertyTable, PropertyValue, RamBlock } from '@pagurus/device-model';
import type { ComposedDevice, Composer } from './composer.js';
import type { SectionRank } from './section-registry.js';
import type { Program } from './stream-settings.js';

/**
 * A machine model: data about it, and how it is put together. QEMU's machine types are presets of this; authors make their own
 * with {@link defineMachine}.
 */
export interface MachineType<P extends object = Record<string, PropertyValue>> {
  /** As in `-M` and on the wire, e.g. `pc-i440fx-7.2`. */
  readonly name: string;
  readonly doc: string;
  readonly alias?: string;
  /** The version that compat rows are resolved for; undefined = the newest of everything (an unversioned machine promises nothing). */
  readonly version?: string;
  /**
   * The author's own history, beside that of the packages: rows by the author's own version numbers, each for its version and every older
   * one. They come after the packages' rows.
   */
  readonly history?: { readonly version: string; readonly compat: CompatTable };
  /** `-machine` properties. */
  readonly properties: PropertyTable<P>;
  /** Packages whose device types and compat rows belong to it. */
  readonly packages: readonly DevicePackage[];
  readonly defaultCpu: string;
  /** The default with `target: 'x86_64'`, where it is another. */
  readonly defaultCpu64?: string;
  /** Bytes of RAM where the user gives none. */
  readonly defaultMemory: number;
  /** The network card that the board has where the user says nothing; without it there is none. */
  readonly defaultNic?: string;
  /** Processors at most (`-smp`); default 255. */
  readonly maxCpus?: number;
  /** What `-smp` leaves open makes more sockets, not more cores. */
  readonly preferSockets?: boolean;
  /**
   * Where a board's own section stands in a stream that is to look as if this QEMU had written it; what is plugged in follows behind.
   * Without it: in order of creation. Order is never meaning; it only makes streams comparable.
   */
  sectionRank?(program: Program): SectionRank;
  /** Puts the machine together. Throws {@link PropertyError} or {@link MachineError} for what cannot be. */
  build(composer: Composer, properties: P): void;
}

/** Checks a machine type where it is written. */
export function defineMachine<P extends object>(type: MachineType<P>): MachineType<P> {
  return type;
}

/** A machine that cannot be put together, or an action that it cannot do now. One line, naming what and where. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
}

/** A bus that `-device` can plug into, offered by a machine type while it is built. */
export interface PlugBus {
  readonly kind: 'isa' | 'pci' | 'ide' | 'floppy' | 'none';
  /** What `bus=` calls it, e.g. `pci.0`. */
  readonly name: string;
  /** No place is left: a device that names no bus goes on the next of the kind. */
  full?(): boolean;
  /** Finds a place for a device. Throws {@link PropertyError} where there is none. */
  plug(request: PlugRequest): PlugPlace;
  /** Devices that come and go while the machine exists; absent: the bus has only what was there at the start. */
  readonly hotplug?: BusHotplug;
}

/** A device that looks for a place. */
export interface PlugRequest {
  readonly driver: string;
  readonly id: string;
  /** The `addr=` property, e.g. `05.0`, where the user gave one. */
  readonly address: string | undefined;
  /** What the device's properties will be, by the names of its property table. */
  readonly properties: Readonly<Record<string, PropertyValue>>;
  /** The machine exists already: the guest has to be told. */
  readonly hot: boolean;
}

/** How a bus handles devices that come and go. */
export interface BusHotplug {
  /** A device was added: tell the guest. */
  plugged(device: ComposedDevice): void;
  /** Asks the guest to let go; when it does, the bus calls {@link Composer.remove}. Throws {@link MachineError} for a fixed device. */
  requestUnplug(device: ComposedDevice): void;
}

export interface PlugPlace {
  /** Handed to the device as `context.slot`. */
  readonly slot: unknown;
  /** Prefix of section names, e.g. `0000:00:05.0`; undefined for buses that give none. */
  readonly path: string | undefined;
  /** Services that the place has for the device, by backend name. */
  readonly backends?: Readonly<Record<string, object | undefined>>;
  /** The device is there: it may offer a bus of its own. */
  created?(device: ComposedDevice): void;
  /** The device could not be created: the place is free again. */
  abandoned?(): void;
  /** Where the device's output pins go. */
  connect?(pin: string, device: ComposedDevice): InputPin | undefined;
}

/** ROM contents that are written again at every reset. */
export interface RomImage {
  readonly block: RamBlock;
  readonly offset: number;
  readonly bytes: Uint8Array;
}
