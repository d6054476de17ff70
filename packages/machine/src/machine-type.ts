import type { DevicePackage, InputPin, PropertyTable, PropertyValue, RamBlock } from '@pagurus/device-model';
import type { ComposedDevice, Composer } from './composer.js';

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
  /** `-machine` properties. */
  readonly properties: PropertyTable<P>;
  /** Packages whose device types and compat rows belong to it. */
  readonly packages: readonly DevicePackage[];
  readonly defaultCpu: string;
  /** The default with `target: 'x86_64'`, where it is another. */
  readonly defaultCpu64?: string;
  /** Bytes of RAM where the user gives none. */
  readonly defaultMemory: number;
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
  readonly kind: 'isa' | 'pci';
  /**
   * Finds a place for a device.
   * @param address the `addr=` property, e.g. `05.0`, where the user gave one.
   */
  plug(id: string, address: string | undefined): PlugPlace;
}

export interface PlugPlace {
  /** Handed to the device as `context.slot`. */
  readonly slot: unknown;
  /** Prefix of section names, e.g. `0000:00:05.0`; undefined for buses that give none. */
  readonly path: string | undefined;
  /** Where the device's output pins go. */
  connect?(pin: string, device: ComposedDevice): InputPin | undefined;
}

/** ROM contents that are written again at every reset. */
export interface RomImage {
  readonly block: RamBlock;
  readonly offset: number;
  readonly bytes: Uint8Array;
}
